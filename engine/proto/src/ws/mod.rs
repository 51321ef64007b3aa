//! WebSocket (RFC 6455) from the server's side: the opening handshake, what clients send, the frames we send.
//!
//! Not a connection: nobody here answers a ping or closes anything. The decoder says what arrived or why it
//! must not, the writers say which bytes to send. No extension is negotiated, so reserved bits are errors.

mod close;
mod decode;
mod encode;
mod error;
mod frame;
mod handshake;
mod mask;
mod partial;

pub use close::CloseCode;
pub use decode::{Decoder, Message};
pub use encode::{ServerFrames, header_len, server_frames, write_close, write_header};
pub use error::Error;
pub use frame::Opcode;
pub use handshake::{HandshakeError, check_handshake, is_upgrade, write_switching_protocols};
