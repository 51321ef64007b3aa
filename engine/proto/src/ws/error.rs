//! What a client can do wrong on a WebSocket, and the close code that answers it.
//!
//! Not about the handshake, which HTTP answers: see [`super::HandshakeError`].

use std::fmt;

use super::{CloseCode, Opcode};
use crate::limits;

/// Why a client's bytes were refused. The connection cannot be read any further: send a close frame with
/// [`Error::close_code`] and close. Section numbers are RFC 6455's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// A frame without a mask (section 5.1).
    Unmasked,
    /// Reserved bits set without an extension that defines them (section 5.2); the bits as in the first byte.
    Reserved(u8),
    /// An opcode that nothing defines (section 5.2).
    UnknownOpcode(u8),
    /// A control frame that is not final (section 5.5).
    ControlFragmented(Opcode),
    /// A control frame with more than [`limits::CONTROL_PAYLOAD_MAX`] bytes (section 5.5).
    ControlTooLong(Opcode),
    /// A continuation while no message is under way (section 5.4).
    UnexpectedContinuation,
    /// A text or binary frame inside a fragmented message (section 5.4).
    ExpectedContinuation(Opcode),
    /// A close frame with a payload of one byte: half a code (section 5.5.1).
    CloseLength,
    /// A close code that must not be sent (section 7.4).
    CloseCode(u16),
    /// Text or a close reason that is not UTF-8 (section 8.1).
    Utf8,
    /// A compressed message that cannot be inflated, or ends before it is whole (RFC 7692 section 7.2.2).
    Deflate,
    /// A message that is, or whose frames declare that it will be, longer than allowed (section 10.4). Bytes.
    TooLarge {
        /// What the message would reach with the frame that was refused; of a compressed one, what was inflated.
        len: u64,
        /// What is allowed.
        max: usize,
    },
    /// A message in more frames than [`limits::fragments_max`] (section 10.4).
    Fragments,
}

impl Error {
    /// The code of the close frame that answers this error (section 7.4.1).
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::Utf8 | Self::Deflate => CloseCode::InvalidData,
            Self::TooLarge { .. } => CloseCode::TooLarge,
            Self::Fragments => CloseCode::Policy,
            Self::Unmasked
            | Self::Reserved(_)
            | Self::UnknownOpcode(_)
            | Self::ControlFragmented(_)
            | Self::ControlTooLong(_)
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation(_)
            | Self::CloseLength
            | Self::CloseCode(_) => CloseCode::Protocol,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmasked => f.write_str("expected a masked frame, found an unmasked one"),
            Self::Reserved(bits) => write!(f, "expected no reserved bits, found {bits:#04x}"),
            Self::UnknownOpcode(code) => write!(f, "expected an opcode of RFC 6455, found {code:#x}"),
            Self::ControlFragmented(opcode) => {
                write!(f, "expected a final {opcode:?} frame, found a fragment")
            }
            Self::ControlTooLong(opcode) => write!(
                f,
                "expected at most {} bytes in a {opcode:?} frame, found more",
                limits::CONTROL_PAYLOAD_MAX
            ),
            Self::UnexpectedContinuation => f.write_str("expected a new message, found a continuation"),
            Self::ExpectedContinuation(opcode) => {
                write!(f, "expected a continuation, found a {opcode:?} frame")
            }
            Self::CloseLength => f.write_str("expected a close payload of none or at least 2 bytes, found 1"),
            Self::CloseCode(code) => write!(f, "expected a close code for the wire, found {code}"),
            Self::Utf8 => f.write_str("expected UTF-8, found other bytes"),
            Self::Deflate => f.write_str("expected a whole compressed message, found other bytes"),
            Self::TooLarge { len, max } => {
                write!(f, "expected a message of at most {max} bytes, found {len}")
            }
            Self::Fragments => f.write_str("expected a message in fewer frames, found too many"),
        }
    }
}

impl std::error::Error for Error {}
