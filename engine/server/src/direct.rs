//! Operators of one socket: how what is emitted to it next is sent.
//!
//! Not whom a broadcast is for: those operators are a [`Broadcast`](crate::Broadcast)'s.

use serde::Serialize;
use socketville_hub::Manner;

use crate::error::{EmitError, report};
use crate::socket::Socket;

/// An event to one client on its way to being emitted. Source: the flags of `Socket`.
///
/// ```
/// use socketville::{Server, Socket};
///
/// Server::builder().on("where", |socket: Socket| socket.volatile().compress(false).emit("here", (52.5, 13.4)));
/// ```
#[must_use = "an operator does nothing until `emit`"]
#[derive(Clone, Copy, Debug)]
pub struct Direct<'a> {
    socket: &'a Socket,
    manner: Manner,
}

impl<'a> Direct<'a> {
    pub(crate) fn new(socket: &'a Socket) -> Self {
        Self { socket, manner: Manner::default() }
    }

    /// Dropped if anything before it has not left yet. Source: `socket.volatile`.
    pub const fn volatile(mut self) -> Self {
        self.manner.volatile = true;
        self
    }

    /// Whether it may be compressed, with a client that agreed upon it; default yes. Source: `socket.compress`.
    pub const fn compress(mut self, compress: bool) -> Self {
        self.manner.uncompressed = !compress;
        self
    }

    /// Emits. What cannot be written as JSON is logged and counted; [`Direct::try_emit`] returns it.
    pub fn emit(self, event: &str, args: impl Serialize) {
        report(event, self.try_emit(event, args));
    }

    /// As [`Direct::emit`].
    ///
    /// # Errors
    /// If the arguments cannot be written as JSON.
    pub fn try_emit(self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        self.socket.emit_in(self.manner, event, &args)
    }
}
