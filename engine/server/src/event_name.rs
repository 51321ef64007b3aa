//! The name of an event that is emitted: one that an application may have.
//!
//! Not the names of events that come, which the decoder checks. The writer of events takes nothing else than this, so whatever emits is refused a
//! reserved name before anything is written: a client that gets one closes its connection.

use crate::error::EmitError;
use socketville_proto::sio;

/// A name that may be emitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventName<'a>(&'a str);

impl<'a> EventName<'a> {
    /// # Errors
    /// [`EmitError::ReservedEvent`].
    #[inline]
    pub(crate) fn new(name: &'a str) -> Result<Self, EmitError> {
        if sio::is_reserved(name) { Err(EmitError::ReservedEvent(name.to_owned())) } else { Ok(Self(name)) }
    }

    pub(crate) const fn as_str(self) -> &'a str {
        self.0
    }
}

/// Whether the protocol's sockets keep an event's name for themselves: `connect`, `connect_error`, `disconnect`, `disconnecting`, `newListener` and
/// `removeListener`. No emit takes one; clients that send one are disconnected. Source: `RESERVED_EVENTS`.
pub fn is_reserved_event(name: &str) -> bool {
    sio::is_reserved(name)
}
