//! Letting clients into a namespace: middlewares, one after the other.
//!
//! Not authentication: that is the application's. A client waits outside while its middlewares run, however long they await; it may be
//! put into rooms meanwhile, hears nothing, and is forgotten with all that if it is refused or leaves.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use crate::core::Core;
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

    /// The keys in the order in which the reference writes them.
    pub(crate) fn to_json(&self) -> String {
        let message = Value::from(self.message.as_str());
        match &self.data {
            Some(data) => format!(r#"{{"message":{message},"data":{data}}}"#),
            None => format!(r#"{{"message":{message}}}"#),
        }
    }
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(message: T) -> Self {
        Self { message: message.into(), data: None }
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

    pub(crate) async fn ask_middlewares(&self, socket: &Socket) -> Result<(), Refusal> {
        let middlewares = self.namespace(socket.nsp_id()).map_or(&[][..], |namespace| &namespace.middlewares);
        for middleware in middlewares {
            middleware(socket.clone()).await?;
        }
        Ok(())
    }
}
