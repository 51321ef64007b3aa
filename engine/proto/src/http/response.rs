//! Responses as bytes: status line, headers, Content-Length, body.
//!
//! Not a place for decisions: which headers a response carries (dates, CORS, cookies) is the caller's. What
//! it does ensure is that no text it is given can end a line.

use std::io::Write;

use super::parse::is_token;

/// What happens to the connection after the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// It may serve another request; HTTP/1.1 needs no header to say so (RFC 9112 section 9.3).
    Keep,
    /// It is closed, and `Connection: close` says so (RFC 9112 section 9.6).
    Close,
}

/// The interim response to `Expect: 100-continue` (RFC 9110 section 10.1.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Appends a whole response to `out`. See [`write_response_head`].
pub fn write_response(
    out: &mut Vec<u8>,
    status: u16,
    headers: &[(&str, &str)],
    lines: &[u8],
    body: &[u8],
    keep_alive: KeepAlive,
) {
    debug_assert!(body.is_empty() || has_length(status), "status {status} has no body");
    write_response_head(out, status, headers, lines, body.len(), keep_alive);
    if has_length(status) {
        out.extend_from_slice(body);
    }
}

/// Appends the head of a response whose body of `length` bytes follows elsewhere, or, for HEAD, does not.
///
/// `Content-Length` is written here, except for the statuses that have no body (RFC 9110 section 8.6): 1xx,
/// 204 and 304. Control bytes in a value are replaced by blanks, bytes in a name that no name holds by
/// hyphens.
pub fn write_response_head(
    out: &mut Vec<u8>,
    status: u16,
    headers: &[(&str, &str)],
    lines: &[u8],
    length: usize,
    keep_alive: KeepAlive,
) {
    write!(out, "HTTP/1.1 {status} {}\r\n", reason_phrase(status)).expect("writing to a Vec cannot fail");
    write_headers(out, headers);
    out.extend_from_slice(lines);
    if has_length(status) {
        write!(out, "Content-Length: {length}\r\n").expect("writing to a Vec cannot fail");
    }
    if keep_alive == KeepAlive::Close {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// The reason phrase of a status code; empty for codes that we have no use for.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// Appends header lines, without the empty line that ends them.
pub(crate) fn write_headers(out: &mut Vec<u8>, headers: &[(&str, &str)]) {
    headers.iter().for_each(|(name, value)| write_header(out, name, value));
}

/// Appends one header line with its end; what could end it earlier becomes a blank or a hyphen.
pub fn write_header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend(name.bytes().map(|byte| if is_token(byte) { byte } else { b'-' }));
    out.extend_from_slice(b": ");
    out.extend(value.bytes().map(|byte| if byte.is_ascii_control() && byte != b'\t' { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

fn has_length(status: u16) -> bool {
    status >= 200 && status != 204 && status != 304
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(status: u16, headers: &[(&str, &str)], body: &[u8], keep_alive: KeepAlive) -> String {
        let mut out = Vec::new();
        write_response(&mut out, status, headers, b"", body, keep_alive);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_response_has_its_length_and_its_body() {
        assert_eq!(
            written(200, &[("Content-Type", "text/plain")], b"ok", KeepAlive::Keep),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
        );
        assert_eq!(
            written(400, &[], b"", KeepAlive::Close),
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }

    /// RFC 9110 section 8.6.
    #[test]
    fn no_content_has_no_length() {
        assert_eq!(written(204, &[], b"", KeepAlive::Keep), "HTTP/1.1 204 No Content\r\n\r\n");
    }

    /// RFC 9110 section 5.5: a value cannot smuggle a line.
    #[test]
    fn control_bytes_never_reach_the_wire() {
        let text = written(200, &[("X\r\nY: z", "a\r\nB: c\0\x7fé\td")], b"", KeepAlive::Keep);
        assert!(text.contains("\r\nX--Y--z: a  B: c  é\td\r\n"), "{text:?}");
    }

    #[test]
    fn an_unknown_status_still_has_its_blank() {
        assert!(written(299, &[], b"", KeepAlive::Keep).starts_with("HTTP/1.1 299 \r\n"));
    }
}
