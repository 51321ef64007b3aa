//! WebSocket (RFC 6455) from the server's side: the opening handshake, what clients send, the frames we send.
//!
//! Not a connection: nobody here answers a ping or closes anything. The decoder says what arrived or why it
//! must not, the writers say which bytes to send. One extension is known, permessage-deflate (RFC 7692), without windows that
//! outlive a message.

mod close;
mod decode;
mod deflate;
mod encode;
mod error;
mod extension;
mod frame;
mod handshake;
mod mask;
mod partial;

pub use close::CloseCode;
pub use decode::{Decoder, Message};
pub use deflate::{Deflater, Inflater, LEVELS};
pub(crate) use encode::set_header;
pub use encode::{ServerFrames, header_len, server_frame_len, server_frames, write_close, write_header};
pub use error::Error;
pub use extension::{Agreement, Window, agree_on_deflate};
pub use frame::Opcode;
pub use handshake::{HandshakeError, check_handshake, first_protocol, is_upgrade, write_switching_protocols};
