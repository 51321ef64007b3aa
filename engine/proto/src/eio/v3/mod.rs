//! What Engine.IO 3 (the clients 2.x) writes differently: payloads with lengths, binary messages that begin with their
//! type, scripts in the place of answers. Its text packets are those of Engine.IO 4, and so is their reader.
//!
//! ```text
//! text payload      6:4hello10:b4AQIDBA==            length in UTF-16 units, colon, packet
//! binary payload    00 06 FF 4hello  01 05 FF 04 01 02 03 04
//!                   0 text, 1 binary; length in bytes, a byte a digit; 255; packet
//! WebSocket         text frame: a packet; binary frame: 04 and the message, or for clients without binary: text b4AQIDBA==
//! ```
//!
//! Source: Engine.IO protocol v3; lengths and counts are bounded before they are used, and every reader is one pass.

mod binary;
mod frames;
mod jsonp;
mod text;

pub use binary::{binary_payload, write_binary_payload};
pub use frames::{has_binary, message, write_base64_frames, write_frames};
pub use jsonp::{read_form, write_jsonp};
pub use text::{item, payload, write_payload};

/// The type of a binary message, where types are bytes: only messages are ever binary.
const MESSAGE: u8 = 4;
