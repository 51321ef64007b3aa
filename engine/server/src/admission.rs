//! Letting clients into a namespace: middlewares, and the handshake they look at.
//!
//! Not authentication: that is the application's. A client waits outside while its middlewares run, however long they await; it may be
//! put into rooms meanwhile, hears nothing, and is forgotten with all that if it is refused or leaves.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use socketville_proto::http::{self, Head};

use crate::binary::Attachments;
use crate::core::Core;
use crate::extract::{ArgumentError, read_argument};
use crate::socket::Socket;

/// Why a client is not let in. Source: the error given to `next` in a namespace's middleware.
///
/// ```
/// use serde_json::json;
/// use socketville::Refusal;
///
/// let refusal = Refusal::from("not authorized").with_data(json!({"retry": false}));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    message: String,
    data: Option<Value>,
}

/// What a client said when it connected. Source: `socket.handshake`.
#[derive(Debug, Clone)]
pub struct Handshake {
    head: Vec<u8>,
    auth: Option<Arc<str>>,
}

pub(crate) type Admitting = Pin<Box<dyn Future<Output = Result<(), Refusal>>>>;

/// Decides on one client.
pub(crate) type BoxedAdmission = Box<dyn Fn(Socket) -> Admitting + Send + Sync>;

/// Forgets a middleware's type.
pub(crate) fn boxed_admission<F>(middleware: F) -> BoxedAdmission
where
    F: AsyncFn(Socket) -> Result<(), Refusal> + Send + Sync + 'static,
{
    let middleware = Arc::new(middleware);
    Box::new(move |socket| {
        let middleware = Arc::clone(&middleware);
        Box::pin(async move { middleware(socket).await })
    })
}

impl Refusal {
    /// Adds what the client finds in its error's `data`.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    fn to_json(&self) -> String {
        match &self.data {
            Some(data) => json!({"message": self.message, "data": data}),
            None => json!({"message": self.message}),
        }
        .to_string()
    }
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(message: T) -> Self {
        Self { message: message.into(), data: None }
    }
}

impl Handshake {
    pub(crate) fn new(head: &[u8], auth: Option<Arc<str>>) -> Self {
        Self { head: head.to_vec(), auth }
    }

    /// The namespace's `auth`; `{}` if the client gave none.
    ///
    /// # Errors
    /// [`ArgumentError`] if it is not a `T`.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, ArgumentError> {
        read_argument(self.auth.as_deref().unwrap_or("{}"), 1, &Attachments::default())
    }

    /// The first header of this name of the request that opened the session, ASCII case ignored.
    pub fn header(&self, name: &str) -> Option<String> {
        self.head()?.header(name).map(str::to_owned)
    }

    /// The first value of a parameter of the connection's query, decoded.
    pub fn query(&self, key: &str) -> Option<String> {
        self.head()?.query_value(key).map(Cow::into_owned)
    }

    /// Path and query as they came.
    pub fn url(&self) -> String {
        self.head().map_or_else(String::new, |head| head.target.to_owned())
    }

    fn head(&self) -> Option<Head<'_>> {
        http::parse_head(&self.head).ok().flatten().map(|(head, _)| head)
    }
}

impl Core {
    /// Runs the namespace's middlewares, then lets the socket in or turns it down.
    pub(crate) fn examine(self: &Rc<Self>, socket: Socket) {
        let core = Rc::clone(self);
        let waiting = socket.clone();
        let task = async move {
            let verdict = core.ask_middlewares(&waiting).await;
            match verdict {
                Ok(()) => core.let_in(&waiting),
                Err(refusal) => core.hub.borrow_mut().turn_down(waiting.key(), &refusal.to_json()),
            }
            core.run_effects();
        };
        if !self.start(socket.clone(), Box::pin(task)) {
            self.hub.borrow_mut().turn_down(socket.key(), r#"{"message":"the server is busy"}"#);
        }
    }

    async fn ask_middlewares(&self, socket: &Socket) -> Result<(), Refusal> {
        let middlewares = self.namespace(socket.nsp_id()).map_or(&[][..], |namespace| &namespace.middlewares);
        for middleware in middlewares {
            middleware(socket.clone()).await?;
        }
        Ok(())
    }
}
