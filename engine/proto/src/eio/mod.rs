//! Engine.IO: packets, polling payloads and the handshake. It is not the session: who may send which packet when,
//! and what a packet does to a deadline, is the hub's knowledge.
//!
//! Over WebSocket a text frame is one packet and a binary frame is one binary message; over polling the same packets
//! are joined by [`SEPARATOR`], binaries as `b` and base64 (Engine.IO protocol v4, "Transports"). What revision 3 does
//! otherwise is [`v3`].

mod handshake;
mod items;
mod packet;
mod payload;
mod revision;
pub mod v3;

pub use handshake::Handshake;
pub use packet::{Error, Packet, decode};
pub use payload::{PayloadItem, SEPARATOR, append_payload, item, payload};
pub use revision::{PayloadForm, PayloadItems, Revision};
