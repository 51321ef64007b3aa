//! Letting clients into a namespace: middlewares, one after the other.
//!
//! Not authentication: that is the application's. A client waits outside while its middlewares run, however long they await; it may be
//! put into rooms meanwhile, and what is emitted to it follows the answer to its CONNECT; it is forgotten with all that if it is refused or leaves.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use socketville_hub::SocketKey;
use socketville_proto::eio::Revision;

use crate::core::Core;
use crate::shares::Over;
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

type Deciding = Pin<Box<dyn Future<Output = Result<(), Refusal>>>>;

/// Decides on one client.
pub(crate) type BoxedAdmission = Box<dyn Fn(Socket) -> Deciding + Send + Sync>;

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

    /// What its client is told: an object with its keys in the order in which the reference writes them, or for clients of Engine.IO 3 the
    /// data alone, if there is any, else the message.
    pub(crate) fn to_json(&self, revision: Revision) -> String {
        let message = Value::from(self.message.as_str());
        match (revision, &self.data) {
            (Revision::V4, Some(data)) => format!(r#"{{"message":{message},"data":{data}}}"#),
            (Revision::V4, None) => format!(r#"{{"message":{message}}}"#),
            (Revision::V3, Some(data)) if is_truthy(data) => data.to_string(),
            (Revision::V3, _) => message.to_string(),
        }
    }
}

/// Whether JavaScript takes a value for something. Source: `err.data || err.message` in the reference.
fn is_truthy(data: &Value) -> bool {
    match data {
        Value::Null => false,
        Value::Bool(is_true) => *is_true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(message: T) -> Self {
        Self { message: message.into(), data: None }
    }
}

/// A client's way into a namespace, while something waits for it: whatever becomes of that, the client is answered. What ends in a
/// panic is an internal error, what never began has met a busy server.
pub(crate) struct Admitting {
    core: Rc<Core>,
    key: SocketKey,
    /// What is said if this is dropped; `None` once somebody else answers.
    message: Option<&'static str>,
}

impl Admitting {
    pub(crate) fn new(core: &Rc<Core>, key: SocketKey) -> Self {
        Self { core: Rc::clone(core), key, message: Some(BUSY) }
    }

    /// The application has the word.
    pub(crate) const fn begin(&mut self) {
        self.message = Some(INTERNAL_ERROR);
    }

    /// The client is in, or was turned down, or goes on elsewhere.
    pub(crate) fn end(mut self) {
        self.message = None;
    }
}

impl Drop for Admitting {
    fn drop(&mut self) {
        let Some(message) = self.message else { return };
        let mut hub = self.core.hub_mut();
        if let Some(revision) = hub.revision_of(self.key) {
            hub.turn_down(self.key, &Refusal::from(message).to_json(revision));
        }
    }
}

/// What a client is told when no task could be started for it.
pub(crate) const BUSY: &str = "the server is busy";
/// What a client is told when the application panicked over it.
pub(crate) const INTERNAL_ERROR: &str = "internal error";

impl Core {
    /// Runs the namespace's middlewares, then lets the socket in or turns it down.
    pub(crate) fn examine(self: &Rc<Self>, socket: Socket) {
        let core = Rc::clone(self);
        let mut admitting = Admitting::new(self, socket.key());
        let waiting = socket.clone();
        let task = async move {
            admitting.begin();
            let verdict = core.ask_middlewares(&waiting).await;
            match verdict {
                Ok(()) => core.let_in(&waiting),
                Err(refusal) => core.hub_mut().turn_down(waiting.key(), &refusal.to_json(waiting.revision())),
            }
            admitting.end();
            core.run_effects();
        };
        let over = Over::auth(socket.auth().as_deref());
        self.start(socket, Box::pin(task), over);
    }

    pub(crate) async fn ask_middlewares(&self, socket: &Socket) -> Result<(), Refusal> {
        let middlewares = self.namespace(socket.nsp_id()).map_or(&[][..], |namespace| &namespace.middlewares);
        for middleware in middlewares {
            middleware(socket.clone()).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Source: `socket._error(err.data || err.message)` for protocol 3, an object for 4.
    #[test]
    fn clients_of_the_third_revision_get_the_data_alone() {
        let refusal = Refusal::from("no");
        assert_eq!(refusal.to_json(Revision::V4), r#"{"message":"no"}"#);
        assert_eq!(refusal.to_json(Revision::V3), r#""no""#);
        for (data, told) in [
            (json!({"code": 1}), r#"{"code":1}"#),
            (json!([]), "[]"),
            (json!(7), "7"),
            (json!(0), r#""no""#),
            (json!(""), r#""no""#),
            (json!(false), r#""no""#),
            (json!(null), r#""no""#),
        ] {
            assert_eq!(Refusal::from("no").with_data(data).to_json(Revision::V3), told);
        }
    }
}
