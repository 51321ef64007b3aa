//! HTTP of the application: what is not the engine's, answered by routes.
//!
//! Not a framework: exact paths, whole bodies. It serves an API, metrics and a page or two.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use socketville_hub::{ConnId, Request, Response};
use socketville_proto::http::Method;

use crate::core::Core;

type Answering = Pin<Box<dyn Future<Output = HttpResponse>>>;

/// A handler of one path.
pub(crate) struct Route {
    method: Method,
    path: String,
    handler: Box<dyn Fn(HttpRequest) -> Answering + Send + Sync>,
}

/// A request to a route: read whole.
#[derive(Debug)]
pub struct HttpRequest(Request);

/// What a route answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse(Response);

impl HttpRequest {
    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.0.target.split('?').next().unwrap_or_default()
    }

    /// The first header of this name, ASCII case ignored.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }
}

impl HttpResponse {
    /// An answer with a body of this media type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self(Response {
            status,
            headers: vec![("Content-Type".into(), content_type.into())],
            body: body.into(),
        })
    }

    /// `text/plain`.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.into())
    }

    /// `application/json`.
    pub fn json(status: u16, body: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self::new(status, "application/json", body),
            Err(error) => Self::text(500, error.to_string()),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.0.headers.push((name.into(), value.into()));
        self
    }
}

impl Route {
    pub(crate) fn new<F, Fut>(method: Method, path: &str, handler: F) -> Self
    where
        F: Fn(HttpRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = HttpResponse> + 'static,
    {
        Self { method, path: path.into(), handler: Box::new(move |request| Box::pin(handler(request))) }
    }
}

/// Answers a request: by its route, else 404, or 405 if the path has other methods.
pub(crate) fn serve(core: &Rc<Core>, conn: ConnId, request: Request) {
    let request = HttpRequest(request);
    let routes = || core.town.app.routes.iter().filter(|route| route.path == request.path());
    let method = if request.0.method == Method::Head { Method::Get } else { request.0.method };
    let Some(route) = routes().find(|route| route.method == method) else {
        let response = if routes().next().is_some() {
            HttpResponse::text(405, "this path has other methods\n")
        } else {
            HttpResponse::text(404, "there is nothing here; the Socket.IO engine is elsewhere\n")
        };
        return respond(core, conn, &response);
    };
    let answering = (route.handler)(request);
    let there = Rc::clone(core);
    let task = async move {
        let response = answering.await;
        respond(&there, conn, &response);
    };
    if core.executor.start(task).is_err() {
        respond(core, conn, &HttpResponse::text(503, "too many requests are being handled\n"));
    }
}

fn respond(core: &Rc<Core>, conn: ConnId, response: &HttpResponse) {
    core.hub.borrow_mut().respond(core.now_ms.get(), conn, &response.0);
}
