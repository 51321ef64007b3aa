//! Handlers: any function whose parameters can be made from an event, sync or async, behind one boxed shape.
//! It deliberately knows no socket, room or ack beyond their names, and runs nothing: an async handler's future goes to the core's executor.
//!
//! Every parameter is a [`FromEvent`], made in order from the left. Types that serde can read take the event's next argument; the socket and
//! the ack take none. A sync handler has run when its call returns; an async one gives a task. What a handler returns is nothing or
//! a `Result`, whose error is logged.
//!
//! `Handler<M>` is implemented twice for each number of parameters, for sync and for async functions. `M` is a marker that the
//! compiler finds by itself and that keeps these implementations apart. The async half asks for `AsyncFn`, which async closures that own
//! what they captured satisfy too; their futures borrow from the closure, so a task holds a reference count on its handler.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::binary::Attachments;
use crate::extract::{ArgumentError, read_argument, read_missing};
use crate::rarely::rarely;
use crate::{Ack, Socket};

/// A function that handles events: 0 to 8 parameters that are [`FromEvent`], result `()` or `Result<(), E>`, sync or async.
///
/// ```
/// use socketville::{Ack, Handler, Socket};
///
/// fn accepts<M>(_handler: impl Handler<M>) {}
/// async fn history(_socket: Socket, _room: String, _ack: Ack) {}
///
/// accepts(|| {});
/// accepts(|_socket: Socket, _text: String, _count: Option<u32>| {});
/// accepts(|text: String| text.parse::<u32>().map(drop));
/// accepts(async |_socket: Socket, _room: String, _ack: Ack| {});
/// accepts(history);
/// let greeting = std::sync::Arc::new(String::from("hello"));
/// accepts(async move |_socket: Socket| println!("{greeting}"));
/// ```
#[diagnostic::on_unimplemented(
    message = "this is no event handler",
    label = "not a handler",
    note = "a handler is a closure or function, sync or async, with 0 to 8 parameters that are `Socket`, `Ack` or types that implement \
            `serde::de::DeserializeOwned` (owned: `String`, not `&str`)",
    note = "its closure parameters need their types, its result is `()` or `Result<(), E>` with `E: Display`, and it is `Send + Sync + 'static`"
)]
pub trait Handler<M>: Send + Sync + 'static {
    /// Reads the parameters from the event and calls the function.
    fn call(self: &Arc<Self>, event: &mut EventContext<'_>) -> Outcome;
}

/// A parameter of a handler.
///
/// Types that serde can read are the event's next argument, and `None` where the peer sent fewer. Implement it for a type of yours
/// to derive a parameter from the socket.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of an event handler",
    label = "not made from an event",
    note = "parameters are `Socket`, `Ack` and owned types that implement `serde::Deserialize`: `String`, not `&str`"
)]
pub trait FromEvent: Sized {
    /// Takes what it needs from the event.
    ///
    /// # Errors
    /// [`ArgumentError`] if it cannot be made; the handler is then not called.
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ArgumentError>;
}

impl<T: DeserializeOwned + 'static> FromEvent for T {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ArgumentError> {
        event.next_argument()
    }
}

/// What a handler may return: nothing, or a `Result` whose error is logged.
#[diagnostic::on_unimplemented(
    message = "an event handler returns `()` or `Result<(), E>` with `E: Display`, not `{Self}`",
    note = "end the body with `;` to return nothing; a body that only panics needs `-> ()`"
)]
pub trait HandlerResult {
    /// Looks at the result, after the handler has run.
    fn report(self);
}

impl HandlerResult for () {
    fn report(self) {}
}

impl<E: fmt::Display> HandlerResult for Result<(), E> {
    fn report(self) {
        if let Err(error) = self {
            rarely!(warn, %error, "an event handler failed");
        }
    }
}

/// What calling a handler came to.
pub enum Outcome {
    /// It has run.
    Done,
    /// It is async: this is to be polled, on this core.
    Task(Pin<Box<dyn Future<Output = ()>>>),
    /// It was not called: a parameter could not be made.
    Failed(ArgumentError),
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("Done"),
            Self::Task(_) => f.write_str("Task"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

/// A handler whose parameters are forgotten: what a namespace keeps by event name.
pub(crate) type BoxedHandler = Box<dyn Fn(&mut EventContext<'_>) -> Outcome + Send + Sync>;

/// Forgets a handler's parameters.
pub(crate) fn boxed<M>(handler: impl Handler<M>) -> BoxedHandler {
    let handler = Arc::new(handler);
    Box::new(move |event| handler.call(event))
}

/// One event on its way to its handler.
pub struct EventContext<'a> {
    /// The arguments that no parameter has taken yet.
    pub(crate) args: RawArgs<'a>,
    /// The event's binary attachments.
    pub(crate) attachments: &'a Attachments,
    /// The socket that sent it.
    pub(crate) socket: &'a Socket,
    /// The way to answer, if the peer asked for an answer and no parameter has taken it.
    pub(crate) ack: Option<Ack>,
}

impl std::fmt::Debug for EventContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventContext")
            .field("socket", &self.socket)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

impl EventContext<'_> {
    /// Reads the next argument; one that the peer did not send reads as `null`.
    ///
    /// # Errors
    /// [`ArgumentError`] if it is not a `T`.
    pub fn next_argument<T: DeserializeOwned>(&mut self) -> Result<T, ArgumentError> {
        let index = self.args.index();
        match self.args.next() {
            Some(raw) => read_argument(raw, index, self.attachments),
            None => read_missing(index),
        }
    }

    /// The socket that sent the event.
    pub fn socket(&self) -> &Socket {
        self.socket
    }
}

/// The arguments of an event as JSON, one after the other.
#[derive(Debug, Clone)]
pub struct RawArgs<'a> {
    json: &'a str,
    spans: &'a [(u32, u32)],
    index: usize,
}

impl<'a> RawArgs<'a> {
    /// `json` is the packet's array, `spans` where its elements start and end in it, in bytes. Element 0, the event's name, is skipped.
    pub(crate) fn new(json: &'a str, spans: &'a [(u32, u32)]) -> Self {
        Self { json, spans, index: 1 }
    }

    /// The place of the next argument, counted from 1, also if there is none.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Bytes of the whole array.
    pub(crate) const fn bytes(&self) -> usize {
        self.json.len()
    }

    /// How many are left.
    pub(crate) fn len(&self) -> usize {
        self.spans.len().saturating_sub(self.index)
    }

    /// One of those that are left, counted from 0.
    pub(crate) fn get(&self, index: usize) -> Option<&'a str> {
        let &(start, end) = self.spans.get(self.index.checked_add(index)?)?;
        self.json.get(start as usize..end as usize)
    }
}

impl<'a> Iterator for RawArgs<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let next = self.get(0);
        self.index += 1;
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

/// Marks handlers that have run when their call returns.
#[derive(Debug)]
pub struct Returns;

/// Marks handlers that become a task.
#[derive(Debug)]
pub struct Awaits;

/// Both implementations for one list of parameters.
macro_rules! handler {
    ($($param:ident),*) => {
        impl<F, R, $($param),*> Handler<(Returns, R, $($param,)*)> for F
        where
            F: Fn($($param),*) -> R + Send + Sync + 'static,
            R: HandlerResult,
            $($param: FromEvent,)*
        {
            #[allow(non_snake_case, reason = "parameters are named as their types")]
            fn call(self: &Arc<Self>, _event: &mut EventContext<'_>) -> Outcome {
                $(let $param = match $param::from_event(_event) {
                    Ok(value) => value,
                    Err(error) => return Outcome::Failed(error),
                };)*
                self($($param),*).report();
                Outcome::Done
            }
        }

        impl<F, R, $($param),*> Handler<(Awaits, R, $($param,)*)> for F
        where
            F: AsyncFn($($param),*) -> R + Send + Sync + 'static,
            R: HandlerResult + 'static,
            $($param: FromEvent + 'static,)*
        {
            #[allow(non_snake_case, reason = "parameters are named as their types")]
            fn call(self: &Arc<Self>, _event: &mut EventContext<'_>) -> Outcome {
                $(let $param = match $param::from_event(_event) {
                    Ok(value) => value,
                    Err(error) => return Outcome::Failed(error),
                };)*
                let handler = Arc::clone(self);
                Outcome::Task(Box::pin(async move { handler($($param),*).await.report() }))
            }
        }
    };
}

handler!();
handler!(A);
handler!(A, B);
handler!(A, B, C);
handler!(A, B, C, D);
handler!(A, B, C, D, E);
handler!(A, B, C, D, E, G);
handler!(A, B, C, D, E, G, H);
handler!(A, B, C, D, E, G, H, I);

#[cfg(test)]
#[path = "handler_tests.rs"]
mod tests;
