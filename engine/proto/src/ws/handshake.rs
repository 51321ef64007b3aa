//! The opening handshake (RFC 6455 section 4.2): is it one, is it right, and the response.
//!
//! Not access control: origins and paths are the caller's.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::http::{self, Body, Head, Method};

/// Why an upgrade was refused. Section numbers are RFC 6455's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeError {
    /// A method other than GET (section 4.2.1).
    Method,
    /// HTTP/1.0 (section 4.2.1).
    HttpVersion,
    /// No `Upgrade: websocket` with `Connection: upgrade` (section 4.2.1).
    NoUpgrade,
    /// A body: its bytes would be read as frames.
    Body,
    /// A Sec-WebSocket-Version other than 13 (section 4.4). The response should name 13 in such a header.
    Version,
    /// A Sec-WebSocket-Key that is missing, repeated or not 16 bytes of base64 (section 4.1).
    Key,
}

/// What section 1.3 appends to the key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether the request asks for a WebSocket: the Upgrade token `websocket`, and `upgrade` in Connection.
pub fn is_upgrade(head: &Head<'_>) -> bool {
    head.has_token("Upgrade", "websocket") && head.has_token("Connection", "upgrade")
}

/// Checks an upgrade request. Returns the value of Sec-WebSocket-Accept.
///
/// # Errors
///
/// See [`HandshakeError`]; nothing has been switched, so an HTTP response answers it.
pub fn check_handshake(head: &Head<'_>) -> Result<[u8; 28], HandshakeError> {
    if head.method != Method::Get {
        return Err(HandshakeError::Method);
    }
    if head.minor == 0 {
        return Err(HandshakeError::HttpVersion);
    }
    if !is_upgrade(head) {
        return Err(HandshakeError::NoUpgrade);
    }
    if !matches!(head.body, Body::None | Body::Length(0)) {
        return Err(HandshakeError::Body);
    }
    if single(head, "Sec-WebSocket-Version") != Some(b"13") {
        return Err(HandshakeError::Version);
    }
    let key = single(head, "Sec-WebSocket-Key").filter(|key| is_key(key)).ok_or(HandshakeError::Key)?;
    Ok(accept(key))
}

/// The subprotocol to agree upon: the first that is offered, as the reference does. Browsers fail a WebSocket that offered some and
/// got none (section 4.1); what the names mean is nothing to Socket.IO.
pub fn first_protocol<'a>(head: &Head<'a>) -> Option<&'a str> {
    let first = head.elements("Sec-WebSocket-Protocol").next()?;
    std::str::from_utf8(first).ok().filter(|name| !name.is_empty() && name.bytes().all(http::is_token))
}

/// Appends the 101 response. `extra` headers are sanitised like those of [`http::write_response`].
pub fn write_switching_protocols(out: &mut Vec<u8>, accept: &[u8; 28], extra: &[(&str, &str)], lines: &[u8]) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
    );
    out.extend_from_slice(accept);
    out.extend_from_slice(b"\r\n");
    http::write_headers(out, extra);
    out.extend_from_slice(lines);
    out.extend_from_slice(b"\r\n");
}

/// The value of a header that must not be repeated.
fn single<'a>(head: &Head<'a>, name: &str) -> Option<&'a [u8]> {
    let mut values = head.values(name);
    values.next().filter(|_| values.next().is_none())
}

/// Whether this is the base64 of 16 bytes.
fn is_key(key: &[u8]) -> bool {
    let mut bytes = [0; 18];
    key.len() == 24 && STANDARD.decode_slice(key, &mut bytes) == Ok(16)
}

fn accept(key: &[u8]) -> [u8; 28] {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut accept = [0; 28];
    let written = STANDARD.encode_slice(digest, &mut accept);
    debug_assert_eq!(written, Ok(28));
    accept
}

impl HandshakeError {
    /// The status code that answers this error: 400, or 405 for the method.
    pub fn status(&self) -> u16 {
        match self {
            Self::Method => 405,
            Self::HttpVersion | Self::NoUpgrade | Self::Body | Self::Version | Self::Key => 400,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "expected GET, found another method",
            Self::HttpVersion => "expected HTTP/1.1, found HTTP/1.0",
            Self::NoUpgrade => "expected an upgrade to websocket, found none",
            Self::Body => "expected no body, found one",
            Self::Version => "expected Sec-WebSocket-Version 13, found another or none",
            Self::Key => "expected one Sec-WebSocket-Key of 16 bytes, found another or none",
        })
    }
}

impl std::error::Error for HandshakeError {}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    fn check(request: &str) -> Result<[u8; 28], HandshakeError> {
        check_handshake(&http::parse_head(request.as_bytes()).expect("valid").expect("complete").0)
    }

    /// RFC 6455 section 1.3: the sample key and its answer.
    #[test]
    fn the_sample_key_has_the_sample_answer() {
        assert_eq!(check(GOOD), Ok(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }

    /// RFC 6455 section 4.2.1, one fault at a time.
    #[test]
    fn each_missing_part_is_named() {
        for (from, to, error) in [
            ("GET", "POST", HandshakeError::Method),
            ("HTTP/1.1", "HTTP/1.0", HandshakeError::HttpVersion),
            ("WebSocket", "h2c", HandshakeError::NoUpgrade),
            ("keep-alive, Upgrade", "keep-alive", HandshakeError::NoUpgrade),
            ("Host: a", "Host: a\r\nContent-Length: 1", HandshakeError::Body),
            ("Host: a", "Host: a\r\nTransfer-Encoding: chunked", HandshakeError::Body),
            (": 13", ": 12", HandshakeError::Version),
            (": 13", ": 13, 8", HandshakeError::Version),
            ("Sec-WebSocket-Version: 13", "X: y", HandshakeError::Version),
            ("Sec-WebSocket-Key:", "X:", HandshakeError::Key),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", HandshakeError::Key),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ= ", HandshakeError::Key),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZTEy", HandshakeError::Key),
            ("Host: a", "Host: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", HandshakeError::Key),
        ] {
            assert_eq!(check(&GOOD.replacen(from, to, 1)), Err(error), "{to}");
        }
    }

    #[test]
    fn the_response_switches_and_its_extra_headers_cannot_break_it() {
        let mut out = Vec::new();
        write_switching_protocols(
            &mut out,
            b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            &[("Set-Cookie", "io=a\r\nX: y")],
            b"",
        );
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSet-Cookie: io=a  X: y\r\n\r\n"
        );
    }
}
