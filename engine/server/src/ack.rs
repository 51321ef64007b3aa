//! Acknowledgements, both ways: the one a client waits for, and the one it owes us.
//!
//! Not ids on the wire: they are the socket's business.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::error::{EmitError, report};
use crate::extract::ArgumentError;
use crate::sleep::sleep;
use crate::socket::Socket;

/// The answer that a client waits for. Dropping it answers nothing.
///
/// ```
/// use socketville::{Ack, Server};
///
/// Server::builder().on("add", |a: i64, b: i64, ack: Ack| ack.send(a + b));
/// ```
#[derive(Debug)]
pub struct Ack {
    socket: Socket,
    id: Option<u64>,
}

impl Ack {
    pub(crate) const fn new(socket: Socket, id: Option<u64>) -> Self {
        Self { socket, id }
    }

    /// Whether the client asked for an answer; without, [`Ack::send`] does nothing.
    pub const fn is_wanted(&self) -> bool {
        self.id.is_some()
    }

    /// Answers. A tuple spreads into several arguments, `()` is none.
    pub fn send(self, args: impl Serialize) {
        report("ack", self.try_send(args));
    }

    /// As [`Ack::send`].
    ///
    /// # Errors
    /// If the arguments cannot be written as JSON.
    pub fn try_send(self, args: impl Serialize) -> Result<(), EmitError> {
        self.id.map_or(Ok(()), |id| self.socket.acknowledge(id, &args))
    }
}

/// Why there is no answer of a client.
#[derive(Debug)]
#[non_exhaustive]
pub enum AckError {
    /// None came in time.
    Timeout,
    /// The client left.
    Disconnected,
    /// The client owes as many answers as it may, see [`Builder::acks_per_socket_max`](crate::Builder::acks_per_socket_max).
    TooMany,
    /// It came, but is not what was expected.
    Argument(ArgumentError),
    /// The event could not be sent.
    Emit(EmitError),
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => write!(f, "no acknowledgement came in time"),
            Self::Disconnected => write!(f, "the client left before it acknowledged"),
            Self::TooMany => write!(f, "the client owes too many acknowledgements"),
            Self::Argument(error) => write!(f, "acknowledgement: {error}"),
            Self::Emit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AckError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Argument(error) => Some(error),
            Self::Emit(error) => Some(error),
            Self::Timeout | Self::Disconnected | Self::TooMany => None,
        }
    }
}

/// Where an answer arrives, once.
#[derive(Default)]
pub(crate) struct AckSlot {
    state: RefCell<SlotState>,
}

#[derive(Default)]
struct SlotState {
    answer: Option<Result<Arguments, AckError>>,
    waker: Option<Waker>,
}

impl AckSlot {
    pub(crate) fn fill(&self, answer: Result<Arguments, AckError>) {
        let mut state = self.state.borrow_mut();
        if state.answer.is_some() {
            return;
        }
        state.answer = Some(answer);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) async fn answer_within(self: &Rc<Self>, timeout: Duration) -> Result<Arguments, AckError> {
        let mut sleep = std::pin::pin!(sleep(timeout));
        poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            if let Some(answer) = state.answer.take() {
                return Poll::Ready(answer);
            }
            let before = state.waker.replace(context.waker().clone());
            drop(state);
            drop(before);
            sleep.as_mut().poll(context).map(|()| Err(AckError::Timeout))
        })
        .await
    }
}
