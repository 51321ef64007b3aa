//! HTTP/1.1 as far as a broadcast engine needs it: request heads, bodies with a length or in chunks,
//! responses.
//!
//! Not a web server's HTTP: no obsolete line folding, no bare line feeds, no guessing. Whatever two readers
//! could understand differently is refused (RFC 9112 section 11.2), and after an error the connection closes.

mod accept;
mod body;
mod encoding;
mod error;
mod head;
mod parse;
mod query;
mod response;

pub use accept::preferred_coding;
pub use body::{BodyError, Chunked};
pub use encoding::Encoding;
pub use error::{Framing, HeadError, Malformed};
pub use head::{Body, Head, Method};
pub use parse::parse_head;
pub use query::query_pairs;
pub use response::{CONTINUE, KeepAlive, reason_phrase, write_header, write_response, write_response_head};

pub(crate) use parse::is_token;
pub(crate) use response::write_headers;
