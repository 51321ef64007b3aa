//! Socket.IO packets as MessagePack: one map in one binary message, as the official `socket.io-msgpack-parser` has them.
//! It builds no values: what comes becomes the JSON text and the attachments that the other parser would have brought,
//! and what goes is written from such a text.
//!
//! ```text
//! 84                              a map; the order of its members does not matter, others are passed over
//!   a4 type 02                    0 to 4: there are no binary types
//!   a3 nsp  a1 2f                 the namespace
//!   a2 id   0c                    only if an answer is wanted, or given
//!   a4 data 92 a4 said c4 01 07   what JSON has as payload; binary stands where it belongs
//! ```
//!
//! What JSON cannot say becomes what `JSON.stringify` makes of the value that the official decoder reads, spelled so that the writer knows it again:
//!
//! ```text
//! NaN                               null, and the space NAN_MARK behind it
//! undefined (type 0, 1 byte)        null, and the space UNDEFINED_MARK; in a map it is read as no member
//! the infinities                    1e999, -1e999: numbers that no float reaches
//! a date (type 0, 8 bytes)          "\u0032012-04-23T18:25:43.511Z": its first digit or sign is escaped
//! ```
//!
//! So they are relayed as they came, and are JSON to all who read it. Type 0 with a length is binary; any other extension is an array of its type and its
//! bytes. Beyond the official decoder, MessagePack's own timestamps (type -1) are dates too, of milliseconds: newer encoders write them. Keys are
//! strings, and strings are UTF-8. Two passes: one over all to find the members, one over `data`; each step takes a byte at least, and
//! nothing is reserved by a size that the peer merely claims (RUSTSEC-2017-0006).

mod date;
mod decode;
mod head;
mod read;
mod write;

use std::fmt;

use super::Spans;
use crate::limits;

pub use decode::{decode, decode_within};
pub use write::write;

/// A packet that a client may send; see [`super::Packet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Type 0.
    Connect {
        /// The namespace as it came.
        nsp: &'a str,
        /// The credentials, a JSON object; binary in it is an array of numbers.
        auth: Option<String>,
    },
    /// Type 1.
    Disconnect {
        /// The namespace as it came.
        nsp: &'a str,
    },
    /// Type 2.
    Event {
        /// The namespace as it came.
        nsp: &'a str,
        /// Present if the client wants an acknowledgement.
        id: Option<u64>,
        /// The name and the arguments.
        payload: Payload,
    },
    /// Type 3.
    Ack {
        /// The namespace as it came.
        nsp: &'a str,
        /// The event's id; the wire allows its absence, which answers nothing.
        id: Option<u64>,
        /// The answer's arguments.
        payload: Payload,
    },
}

/// The array of an event or an acknowledgement, as JSON would have brought it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// The array, with a placeholder for each attachment.
    pub json: String,
    /// Where its elements are.
    pub spans: Spans,
    /// Binary, in the order in which it came.
    pub attachments: Vec<Vec<u8>>,
}

/// Why bytes are not MessagePack, or not the map that a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Expected a value, found the end, or a size that goes beyond it.
    End,
    /// Expected the first byte of a value, found 0xc1.
    Prefix,
    /// Expected the end, found another byte at this offset.
    Trailing(usize),
    /// Expected a string of UTF-8, found other bytes.
    Text,
    /// Expected a string as key, found another value.
    Key,
    /// Expected a map as packet, found another value.
    NotMap,
    /// Expected a packet's type of 0 to 4, found something else or nothing.
    Type,
    /// Expected a namespace's name, found something else or nothing.
    Namespace,
    /// Expected an integer as ack id, found something else.
    Id,
    /// Expected 12 bytes in a timestamp of that form, found this many.
    Timestamp(usize),
    /// Expected fewer levels of nesting, at most [`limits::JSON_DEPTH_MAX`], found another.
    Depth,
    /// Expected at most [`limits::BINARIES_MAX`] pieces of binary, found another.
    Binaries,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::End => f.write_str("expected a value, found the end"),
            Error::Prefix => f.write_str("expected the first byte of a value, found 0xc1"),
            Error::Trailing(at) => write!(f, "expected the end, found another byte at {at}"),
            Error::Text => f.write_str("expected UTF-8 in a string, found other bytes"),
            Error::Key => f.write_str("expected a string as key, found another value"),
            Error::NotMap => f.write_str("expected a map, found another value"),
            Error::Type => f.write_str("expected a type of 0 to 4, found something else"),
            Error::Namespace => f.write_str("expected a namespace, found something else"),
            Error::Id => f.write_str("expected an integer as ack id, found something else"),
            Error::Timestamp(found) => write!(f, "expected 12 bytes of timestamp, found {found}"),
            Error::Depth => f.write_str("expected fewer levels of nesting, found another"),
            Error::Binaries => {
                write!(f, "expected at most {} pieces of binary, found another", limits::BINARIES_MAX)
            }
        }
    }
}

impl std::error::Error for Error {}
