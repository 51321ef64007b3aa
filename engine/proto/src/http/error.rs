//! What can be wrong with a request head, and the status that answers it.
//!
//! Not the answer itself: the caller writes it and closes the connection.

use std::fmt;

use crate::limits;

/// Why a request head was refused. The connection cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadError {
    /// More than [`limits::HEAD_BYTES_MAX`] bytes or [`limits::HEADERS_MAX`] header lines (RFC 6585 section
    /// 5).
    TooLarge,
    /// Not a request head (RFC 9112 sections 2.2, 3 and 5).
    Malformed(Malformed),
    /// A well-formed version other than 1.0 and 1.1 (RFC 9112 section 2.3).
    Version,
    /// The length of the body is not beyond doubt (RFC 9112 section 6.3).
    Framing(Framing),
    /// An HTTP/1.1 request without a Host header (RFC 9112 section 3.2).
    MissingHost,
}

/// Which part of a head is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A line that ends in a line feed alone (RFC 9112 section 2.2).
    LineEnd,
    /// A request line that is not `method SP target SP version` (RFC 9112 section 3).
    RequestLine,
    /// A target in neither origin, absolute nor, for OPTIONS, asterisk form (RFC 9112 section 3.2).
    Target,
    /// A header line that is not `name: value`, is folded, or holds control bytes (RFC 9112 section 5).
    Header,
    /// More than one Host header, or a value that is no host (RFC 9112 section 3.2).
    Host,
}

/// Why the length of a body is in doubt: each of these has let one request hide inside another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Transfer-Encoding together with Content-Length.
    EncodingAndLength,
    /// Several Content-Length values, even equal ones.
    Lengths,
    /// A Content-Length that is not digits alone, or is above 2^64 - 1.
    Length,
    /// A Transfer-Encoding that is not exactly `chunked`, or one in an HTTP/1.0 request.
    Encoding,
}

impl HeadError {
    /// The status code that answers this error: 400, 431 or 505.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge => 431,
            Self::Version => 505,
            Self::Malformed(_) | Self::Framing(_) | Self::MissingHost => 400,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(
                f,
                "expected a head of at most {} bytes and {} headers, found more",
                limits::HEAD_BYTES_MAX,
                limits::HEADERS_MAX
            ),
            Self::Malformed(part) => f.write_str(part.expectation()),
            Self::Version => f.write_str("expected HTTP/1.0 or HTTP/1.1, found another version"),
            Self::Framing(doubt) => f.write_str(doubt.expectation()),
            Self::MissingHost => f.write_str("expected a Host header, found none"),
        }
    }
}

impl std::error::Error for HeadError {}

impl Malformed {
    fn expectation(self) -> &'static str {
        match self {
            Self::LineEnd => "expected lines that end in CR LF, found a bare line feed",
            Self::RequestLine => "expected `method target version`, found something else",
            Self::Target => "expected a target that is a path or an absolute URL, found something else",
            Self::Header => "expected a header line `name: value`, found something else",
            Self::Host => "expected one Host header with a host, found several or something else",
        }
    }
}

impl Framing {
    fn expectation(self) -> &'static str {
        match self {
            Self::EncodingAndLength => "expected one of Transfer-Encoding and Content-Length, found both",
            Self::Lengths => "expected one Content-Length, found several",
            Self::Length => "expected a Content-Length of digits, found something else",
            Self::Encoding => "expected Transfer-Encoding chunked in HTTP/1.1, found something else",
        }
    }
}
