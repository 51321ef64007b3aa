//! What bytes mean: HTTP/1.1 heads and bodies, WebSocket frames and messages, Engine.IO and Socket.IO packets.
//!
//! This crate is not a server. It has no sockets, no clock, no threads and no randomness: bytes come in as
//! slices, meaning goes out as borrowed values, and everything is a pure function of its arguments. That makes
//! each protocol rule testable without a socket or a sleep.
//!
//! * [`http`]: request heads, chunked bodies, responses.
//! * [`ws`]: the opening handshake, the inbound decoder, the outbound frame headers.
//! * [`eio`]: Engine.IO packets, polling payloads, the handshake packet.
//! * [`sio`]: Socket.IO packets, their arguments and attachments, as text and as MessagePack.
//! * [`encode`]: the one encoder, from packets to frames.
//! * [`limits`]: every bound on what a peer may make us hold or do, with its reason.
//!
//! No input of a peer panics: decoders are total, and an error closes that peer only.

pub mod eio;
pub mod encode;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod limits;
pub mod sio;
pub mod ws;
