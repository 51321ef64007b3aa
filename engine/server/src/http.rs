//! HTTP of the application: what is not the engine's, answered by routes.
//!
//! Not a framework: exact paths, whole bodies. It serves an API, metrics and a page or two.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use socketville_hub::{ConnId, Request, Response};
use socketville_proto::http::{Head, Method};

use crate::core::Core;
use crate::emitter::Emitter;
use crate::held::Held;
use crate::hooks::EngineRequest;
use crate::town::Town;

type Answering = Pin<Box<dyn Future<Output = HttpResponse>>>;

/// A handler of one path.
pub(crate) struct Route {
    method: Method,
    path: String,
    handler: Box<dyn Fn(HttpRequest) -> Answering + Send + Sync>,
    /// Judges heads before bodies are read.
    guard: Option<Guard>,
}

/// Whether a request may go on, by its head; an answer if not.
pub(crate) type Guard = Box<dyn Fn(&EngineRequest<'_, '_>) -> Result<(), HttpResponse> + Send + Sync>;

/// A request to a route: read whole.
pub struct HttpRequest {
    request: Request,
    town: Arc<Town>,
}

/// What a route answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse(Response);

impl HttpRequest {
    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.request.target.split('?').next().unwrap_or_default()
    }

    /// The first header of this name, ASCII case ignored.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.request.body
    }

    /// A handle of the server that was asked.
    pub fn emitter(&self) -> Emitter {
        Emitter::new(Arc::clone(&self.town))
    }
}

impl fmt::Debug for HttpRequest {
    /// The head only, and no header's value: it may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HttpRequest { request, .. } = self;
        f.debug_struct("HttpRequest")
            .field("method", &request.method)
            .field("path", &self.path())
            .field("body_bytes", &request.body.len())
            .finish_non_exhaustive()
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

    /// An answer without a body.
    pub const fn empty(status: u16) -> Self {
        Self(Response { status, headers: Vec::new(), body: Vec::new() })
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

    pub(crate) const fn inner(&self) -> &Response {
        &self.0
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.0.headers.push((name.into(), value.into()));
        self
    }
}

impl Route {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn new<F, Fut>(method: Method, path: &str, handler: F) -> Self
    where
        F: Fn(HttpRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = HttpResponse> + 'static,
    {
        let handler = Box::new(move |request| Box::pin(handler(request)) as Answering);
        Self { method, path: path.into(), handler, guard: None }
    }

    pub(crate) fn guarded(self, guard: Guard) -> Self {
        Self { guard: Some(guard), ..self }
    }

    pub(crate) const fn method(&self) -> Method {
        self.method
    }

    pub(crate) const fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }
}

/// Whether a request may go on, by its head.
///
/// # Errors
/// The answer of its route's guard, or that there is no such route.
pub(crate) fn judge(core: &Core, head: &Head<'_>) -> Result<(), HttpResponse> {
    let mut routes = core.town.app.routes.iter().filter(|route| route.path == head.path);
    match routes.clone().find(|route| route.method == answering_method(head.method)) {
        Some(Route { guard: Some(guard), .. }) => guard(&EngineRequest::of(head)),
        Some(_) => Ok(()),
        None => Err(no_route(&mut routes)),
    }
}

/// `HEAD` is answered by what answers `GET`.
fn answering_method(method: Method) -> Method {
    if method == Method::Head { Method::Get } else { method }
}

/// 404, or 405 if the path has other methods.
fn no_route(routes: &mut dyn Iterator<Item = &Route>) -> HttpResponse {
    let methods: Vec<_> = routes.flat_map(|route| allowed(route.method)).copied().collect();
    if methods.is_empty() {
        HttpResponse::text(404, "there is nothing here; the Socket.IO engine is elsewhere\n")
    } else {
        HttpResponse::text(405, "this path has other methods\n").with_header("Allow", &methods.join(", "))
    }
}

/// Answers a request: by its route, else 404, or 405 if the path has other methods.
pub(crate) fn serve(core: &Rc<Core>, conn: ConnId, request: Request) {
    let request = HttpRequest { request, town: Arc::clone(&core.town) };
    let routes = || core.town.app.routes.iter().filter(|route| route.path == request.path());
    let method = answering_method(request.request.method);
    let Some(route) = routes().find(|route| route.method == method) else {
        return respond(core, conn, &no_route(&mut routes()));
    };
    let held = Held::request(core, request.request.held_bytes());
    let Ok(answering) = core.call_out("a route's handler", || (route.handler)(request)) else {
        return respond(core, conn, &failed());
    };
    let crowded = HttpResponse::text(503, "too many requests are being handled\n");
    let mut reply = Reply { core: Rc::clone(core), conn, response: Some(crowded), _held: held };
    let task = async move {
        reply.is(failed());
        reply.is(answering.await);
    };
    if core.executor.start(task).is_err() {
        core.counters.borrow_mut().tasks_refused += 1;
    }
}

/// What is said when a handler has ended, however it did: without room it never began, with a panic it left no answer of its own.
struct Reply {
    core: Rc<Core>,
    conn: ConnId,
    response: Option<HttpResponse>,
    /// For the request, which its handler has.
    _held: Held,
}

impl Reply {
    fn is(&mut self, response: HttpResponse) {
        self.response = Some(response);
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(response) = self.response.take() {
            respond(&self.core, self.conn, &response);
        }
    }
}

pub(crate) fn failed() -> HttpResponse {
    HttpResponse::text(500, "the handler of this path failed\n")
}

/// Methods as `Allow` names them (RFC 9110 section 10.2.1).
const fn allowed(method: Method) -> &'static [&'static str] {
    match method {
        Method::Get => &["GET", "HEAD"],
        Method::Head => &["HEAD"],
        Method::Post => &["POST"],
        Method::Put => &["PUT"],
        Method::Delete => &["DELETE"],
        Method::Options => &["OPTIONS"],
        Method::Patch => &["PATCH"],
        Method::Other => &[],
    }
}

fn respond(core: &Rc<Core>, conn: ConnId, response: &HttpResponse) {
    core.hub_mut().respond(core.now_ms.get(), conn, &response.0);
}
