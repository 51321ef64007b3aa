//! Why a text is no Socket.IO packet that a client may send. It is not the close code: whatever the reason, the hub
//! closes the whole connection.

use std::fmt;

use super::{json, msgpack};
use crate::limits;

/// Why a packet was refused. Each variant says what was expected and what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Expected a packet type, found nothing.
    Empty,
    /// Expected a packet type `0` to `6`, found this character.
    Type(char),
    /// Expected a packet that clients send, found a CONNECT_ERROR.
    ConnectError,
    /// Expected an attachment count in digits, of 1 to [`limits::ATTACHMENTS_MAX`] or what the application allows, found something else.
    AttachmentCount,
    /// Expected a dash after the attachment count, found something else.
    AttachmentDash,
    /// Expected a namespace of at most [`limits::NAMESPACE_BYTES_MAX`] bytes, found this many.
    NamespaceBytes(usize),
    /// Expected a query of at most [`limits::NAMESPACE_QUERY_BYTES_MAX`] bytes, found this many (Engine.IO 3).
    QueryBytes(usize),
    /// Expected an ack id of at most [`limits::ACK_ID_MAX`], in at most [`limits::ACK_ID_DIGITS_MAX`] digits, found
    /// more.
    AckId,
    /// Expected no ack id in a CONNECT or a DISCONNECT, found this one.
    UnexpectedAckId(u64),
    /// Expected no payload in a DISCONNECT, or in a CONNECT of Engine.IO 3, found this many bytes.
    UnexpectedPayload(usize),
    /// Expected an array as the payload of an EVENT or an ACK, found nothing.
    MissingPayload,
    /// Expected one strict JSON value, found something else.
    Json(json::Error),
    /// Expected one map of MessagePack with a packet's members, found something else.
    MsgPack(msgpack::Error),
    /// Expected an object as the payload of a CONNECT, found another kind of value.
    AuthKind(json::Kind),
    /// Expected an event's name as the first element, found an empty array.
    MissingEventName,
    /// Expected an event's name that is a string or a number, found something else.
    EventName,
    /// Expected an event's name of the user, found one that the protocol keeps for itself.
    ReservedEventName,
    /// Expected every placeholder's `num` to be an integer below the attachment count, found another.
    Placeholder,
    /// Expected no more attachments, found another.
    UnexpectedAttachment,
    /// Expected a packet of at most `max` bytes, text and attachments together, found more.
    PacketBytes {
        /// The most bytes the packet may have.
        max: usize,
        /// The bytes it has with the attachment that was refused.
        found: usize,
    },
}

impl From<json::Error> for Error {
    fn from(error: json::Error) -> Self {
        Error::Json(error)
    }
}

impl From<msgpack::Error> for Error {
    fn from(error: msgpack::Error) -> Self {
        Error::MsgPack(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Empty => f.write_str("expected a packet type, found nothing"),
            Error::Type(found) => write!(f, "expected a packet type 0 to 6, found {found:?}"),
            Error::ConnectError => f.write_str("expected a packet that clients send, found a CONNECT_ERROR"),
            Error::AttachmentCount => f.write_str(
                "expected a count of attachments that are allowed, in digits, found something else",
            ),
            Error::AttachmentDash => f.write_str("expected a dash after the attachment count, found none"),
            Error::NamespaceBytes(found) => {
                let max = limits::NAMESPACE_BYTES_MAX;
                write!(f, "expected a namespace of at most {max} bytes, found {found}")
            }
            Error::QueryBytes(found) => {
                let max = limits::NAMESPACE_QUERY_BYTES_MAX;
                write!(f, "expected a namespace's query of at most {max} bytes, found {found}")
            }
            Error::AckId => {
                write!(f, "expected an ack id of at most {}, found a larger one", limits::ACK_ID_MAX)
            }
            Error::UnexpectedAckId(found) => write!(f, "expected no ack id in this packet, found {found}"),
            Error::UnexpectedPayload(found) => {
                write!(f, "expected no payload in this packet, found {found} bytes")
            }
            Error::MissingPayload => f.write_str("expected an array as payload, found nothing"),
            Error::Json(error) => write!(f, "payload: {error}"),
            Error::MsgPack(error) => write!(f, "MessagePack: {error}"),
            Error::AuthKind(found) => {
                write!(f, "expected an object as payload of a CONNECT, found {}", found.name())
            }
            Error::MissingEventName => f.write_str("expected an event name, found an empty array"),
            Error::EventName => {
                f.write_str("expected an event name that is text or a number, found something else")
            }
            Error::ReservedEventName => {
                f.write_str("expected an event name of the user, found a reserved one")
            }
            Error::Placeholder => {
                f.write_str("expected a placeholder's num below the attachment count, found another")
            }
            Error::UnexpectedAttachment => f.write_str("expected no more attachments, found another"),
            Error::PacketBytes { max, found } => {
                write!(f, "expected a packet of at most {max} bytes with its attachments, found {found}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Json(error) => Some(error),
            Error::MsgPack(error) => Some(error),
            _ => None,
        }
    }
}
