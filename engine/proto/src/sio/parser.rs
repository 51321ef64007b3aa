//! Which bytes a server's Socket.IO packets are. Not the bytes: those are [`crate::encode`]'s and [`super::msgpack`]'s.

use super::msgpack;
use crate::encode::{self, Packet};
use crate::limits;

/// How packets travel; one server speaks one of them, and its clients must be told. Source: `parser`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parser {
    /// Text with JSON, and a binary message per attachment: what every client speaks unless told otherwise.
    #[default]
    Json,
    /// One binary message with MessagePack, attachments inside: what clients with `socket.io-msgpack-parser` speak.
    MsgPack,
}

impl Parser {
    /// Attachments that may be sent in one packet, if clients are told to accept so many in text's binary messages.
    pub const fn attachments_max(self, attachments: u8) -> usize {
        match self {
            Self::Json => attachments as usize,
            Self::MsgPack => limits::BINARIES_MAX,
        }
    }

    /// Appends a packet's frames and says how many they are.
    pub fn write<A: AsRef<[u8]>>(self, out: &mut Vec<u8>, packet: &Packet<'_, A>) -> usize {
        match self {
            Self::Json => encode::write(out, packet),
            Self::MsgPack => msgpack::write(out, packet),
        }
    }
}
