//! Socket.IO 5 packets, as the content of Engine.IO messages. It is not the namespace or the socket: whether a packet
//! may come now is the hub's knowledge. Nor does it build values: arguments stay the text they came as.
//!
//! ```text
//! 5 1 - /chat , 12 ["said",{"_placeholder":true,"num":0}]
//! | |   |       |  +-- payload: JSON, checked in one pass, arguments found as spans
//! | |   |       +----- ack id, if an answer is wanted
//! | |   +------------- namespace and comma, left out for "/"
//! | +----------------- number of binary attachments and dash, binary packets only
//! +------------------- type
//! ```

mod args;
mod attachments;
mod error;
pub mod json;
pub mod msgpack;
mod packet;
mod parser;
mod places;
mod query;

pub use args::{Args, Spans};
pub use attachments::Pending;
pub use error::Error;
pub use packet::{Packet, PacketLimits, check_event, decode, decode_within, is_reserved};
pub use parser::Parser;
pub use places::{are_places_own, pick, renumber};
pub use query::decode_connect_v3;
