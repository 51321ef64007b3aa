//! Content codings (RFC 9110 section 8.4.1): which one a request accepts, and a body in it.
//!
//! Not streaming: bodies are whole. Levels and thresholds are the caller's.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::Head;
use super::accept::preferred_coding;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `gzip` (RFC 1952).
    Gzip,
    /// `deflate`: the zlib format (RFC 1950).
    Deflate,
}

impl Encoding {
    /// The one that the request's `Accept-Encoding` likes best; of equal ones the first.
    pub fn accepted(head: &Head<'_>) -> Option<Self> {
        let offered = [Self::Gzip, Self::Deflate];
        let place = preferred_coding(head.header("Accept-Encoding")?, &offered.map(Self::name))?;
        Some(offered[place])
    }

    /// Its name in `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// A body in this coding, at levels 2 to 9.
    pub fn encode(self, body: &[u8], level: u32) -> Vec<u8> {
        let (out, level) = (Vec::with_capacity(body.len() / 2), Compression::new(level.clamp(2, 9)));
        let encoded = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, level);
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(out, level);
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
        };
        encoded.expect("writing to a Vec cannot fail")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::http::parse_head;

    fn accepted(value: &str) -> Option<Encoding> {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {value}\r\n\r\n");
        Encoding::accepted(&parse_head(head.as_bytes()).expect("valid").expect("complete").0)
    }

    #[test]
    fn the_preferred_coding_is_taken() {
        assert_eq!(accepted("gzip, deflate, br"), Some(Encoding::Gzip));
        assert_eq!(accepted("deflate, gzip"), Some(Encoding::Deflate));
        assert_eq!(accepted("gzip;q=0.5, deflate;q=0.8"), Some(Encoding::Deflate));
        assert_eq!(accepted("gzip;q=0, *;q=0.1"), Some(Encoding::Deflate));
        assert_eq!(accepted("br"), None);
    }

    #[test]
    fn both_codings_can_be_read_again() {
        let body = b"again and again and again and again".repeat(50);
        let mut text = Vec::new();
        let gzip = Encoding::Gzip.encode(&body, 6);
        flate2::read::GzDecoder::new(&*gzip).read_to_end(&mut text).expect("gzip");
        assert_eq!(text, body);
        text.clear();
        let deflate = Encoding::Deflate.encode(&body, 1);
        flate2::read::ZlibDecoder::new(&*deflate).read_to_end(&mut text).expect("zlib");
        assert_eq!(text, body);
    }
}
