//! The parser of request heads: strict, bounded, and called again from the start when more bytes came.
//!
//! Not incremental, and need not be: what is repeated for each received piece is only a search for line
//! feeds, at memory speed over at most 16 KiB. The lines themselves are parsed when the head is complete,
//! and, so that nonsense is refused early, when the bytes so far end with a complete line; the number of
//! lines is bounded, so the work is too, even for a peer that sends single bytes.

use super::error::{Framing, HeadError, Malformed};
use super::head::{Body, Head, Headers, Method};
use crate::limits;

/// Parses a request head at the front of `buf` (RFC 9112 sections 2 to 6).
///
/// `Ok(None)`: more bytes are needed; call again with all of them. `Ok(Some((head, head_len)))`: the body, or
/// the next request, starts at `head_len`. One empty line before the request line is skipped (section 2.2).
///
/// # Errors
///
/// See [`HeadError`]. An error may be found while the head is still incomplete, and is final.
pub fn parse_head(buf: &[u8]) -> Result<Option<(Head<'_>, usize)>, HeadError> {
    let start = if buf.starts_with(b"\r\n") { 2 } else { 0 };
    if buf.get(start).is_some_and(|&byte| !is_token(byte)) && buf != b"\r" {
        return Err(HeadError::Malformed(Malformed::RequestLine));
    }
    let (lines, verdict) = scan(buf, start);
    let worth_parsing = !matches!(verdict, Verdict::More) || lines.len() == buf.len();
    let head = if worth_parsing { parse_lines(lines.get(start..).unwrap_or_default())? } else { None };
    match (verdict, head) {
        (Verdict::More, _) => Ok(None),
        (Verdict::Refused(error), _) => Err(error),
        (Verdict::Complete, Some(head)) => Ok(Some((head, lines.len()))),
        (Verdict::Complete, None) => Err(HeadError::Malformed(Malformed::Header)),
    }
}

/// What the line ends of a head say about it.
enum Verdict {
    Complete,
    More,
    Refused(HeadError),
}

/// Walks the lines of a head. Returns the complete, properly ended ones and why the walk stopped behind them.
fn scan(buf: &[u8], start: usize) -> (&[u8], Verdict) {
    let bounded = &buf[..buf.len().min(limits::HEAD_BYTES_MAX)];
    let mut line_start = start.min(bounded.len());
    let mut lines = 0;
    for line_feed in memchr::memchr_iter(b'\n', bounded).skip_while(|&at| at < start) {
        if !bounded[..line_feed].ends_with(b"\r") {
            return (&bounded[..line_start], Verdict::Refused(HeadError::Malformed(Malformed::LineEnd)));
        }
        if line_feed == line_start + 1 {
            return (&bounded[..=line_feed], Verdict::Complete);
        }
        lines += 1;
        if lines > limits::HEADERS_MAX + 1 {
            return (&bounded[..line_start], Verdict::Refused(HeadError::TooLarge));
        }
        line_start = line_feed + 1;
    }
    let full = buf.len() >= limits::HEAD_BYTES_MAX;
    (&bounded[..line_start], if full { Verdict::Refused(HeadError::TooLarge) } else { Verdict::More })
}

/// Parses whole lines; `None` if the empty line is not among them.
fn parse_lines(lines: &[u8]) -> Result<Option<Head<'_>>, HeadError> {
    let mut slots = [httparse::EMPTY_HEADER; limits::HEADERS_MAX];
    let mut request = httparse::Request::new(&mut slots);
    let status = request.parse(lines).map_err(|error| refusal(error, lines))?;
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Ok(None);
    };
    if status.is_partial() {
        return Ok(None);
    }
    let method = Method::parse(method);
    let (path, query) = split_target(method, target)?;
    let headers: Headers<'_> = request.headers.iter().map(|header| (header.name, header.value)).collect();
    let mut head = Head { method, target, path, query, minor, body: Body::None, keep_alive: false, headers };
    check_host(&head)?;
    head.body = body(&head)?;
    head.keep_alive = minor == 1 && !head.has_token("Connection", "close");
    Ok(Some(head))
}

fn refusal(error: httparse::Error, lines: &[u8]) -> HeadError {
    use httparse::Error::{HeaderName, HeaderValue, NewLine, Status, Token, TooManyHeaders, Version};
    match error {
        TooManyHeaders => HeadError::TooLarge,
        Version if names_a_version(lines) => HeadError::Version,
        Version | Token | Status => HeadError::Malformed(Malformed::RequestLine),
        HeaderName | HeaderValue | NewLine => HeadError::Malformed(Malformed::Header),
    }
}

/// Whether the first line is `method target HTTP/digit.digit`: a version, if not one of ours (RFC 9112
/// section 2.3).
fn names_a_version(lines: &[u8]) -> bool {
    let line = lines.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ').skip(2);
    let is_version =
        |word: &[u8]| matches!(word, [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9']);
    words.next().is_some_and(is_version) && words.next().is_none()
}

/// The path and the query of a target (RFC 9112 section 3.2).
fn split_target(method: Method, target: &str) -> Result<(&str, &str), HeadError> {
    let local = if target.starts_with('/') || (target == "*" && method == Method::Options) {
        target
    } else {
        without_authority(target).ok_or(HeadError::Malformed(Malformed::Target))?
    };
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    Ok((if path.is_empty() { "/" } else { path }, query))
}

/// What follows the authority of an absolute URL; `/` if nothing does. `None` if it is not one.
fn without_authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    match &rest[end..] {
        _ if end == 0 => None,
        "" => Some("/"),
        query if query.starts_with('?') => Some(query),
        path => Some(path),
    }
}

/// One Host header in HTTP/1.1, at most one in 1.0, and nothing in it that a host cannot hold.
fn check_host(head: &Head<'_>) -> Result<(), HeadError> {
    let mut values = head.values("Host");
    match (values.next(), values.next()) {
        (None, _) if head.minor == 1 => Err(HeadError::MissingHost),
        (None, _) => Ok(()),
        (Some(host), None) if host.iter().all(|&byte| is_host(byte)) => Ok(()),
        _ => Err(HeadError::Malformed(Malformed::Host)),
    }
}

/// How the body is delimited (RFC 9112 section 6.3); every doubt is an error.
fn body(head: &Head<'_>) -> Result<Body, HeadError> {
    let mut lengths = head.values("Content-Length");
    let length = lengths.next();
    let encoded = head.values("Transfer-Encoding").next().is_some();
    match (encoded, length) {
        (true, Some(_)) => Err(HeadError::Framing(Framing::EncodingAndLength)),
        (true, None) if head.minor == 1 && is_chunked_alone(head) => Ok(Body::Chunked),
        (true, None) => Err(HeadError::Framing(Framing::Encoding)),
        (false, None) => Ok(Body::None),
        (false, Some(_)) if lengths.next().is_some() => Err(HeadError::Framing(Framing::Lengths)),
        (false, Some(value)) if value.contains(&b',') => Err(HeadError::Framing(Framing::Lengths)),
        (false, Some(value)) => decimal(value).map(Body::Length).ok_or(HeadError::Framing(Framing::Length)),
    }
}

fn is_chunked_alone(head: &Head<'_>) -> bool {
    let mut encodings = head.elements("Transfer-Encoding");
    encodings.next().is_some_and(|encoding| encoding.eq_ignore_ascii_case(b"chunked"))
        && encodings.next().is_none()
}

/// A number of decimal digits alone: no sign, no blank, no overflow, at least one digit.
fn decimal(digits: &[u8]) -> Option<u64> {
    let add = |sum: u64, digit: &u8| {
        digit.is_ascii_digit().then(|| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?
    };
    (!digits.is_empty()).then(|| digits.iter().try_fold(0, add))?
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Bytes of `host [":" port]` (RFC 3986 section 3.2.2).
fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> HeadError {
        parse_head(bytes).expect_err("refused")
    }

    fn with_header(line: &str) -> Vec<u8> {
        format!("POST /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n").into_bytes()
    }

    /// RFC 9112 section 3.2: origin, absolute and asterisk form.
    #[test]
    fn targets_are_split_into_path_and_query() {
        for (target, path, query) in [
            ("/socket.io/?EIO=4&t=a?b", "/socket.io/", "EIO=4&t=a?b"),
            ("/", "/", ""),
            ("http://h:80/p?q", "/p", "q"),
            ("HTTPS://h", "/", ""),
            ("http://h?q", "/", "q"),
            ("//double/p", "//double/p", ""),
        ] {
            let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let (head, len) = parse_head(bytes.as_bytes()).expect(target).expect(target);
            assert_eq!((head.target, head.path, head.query, len), (target, path, query, bytes.len()));
        }
        for target in ["*", "h:80", "ftp://h/p", "http:///p", "p"] {
            let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(error(bytes.as_bytes()), HeadError::Malformed(Malformed::Target), "{target}");
        }
    }

    /// RFC 9112 section 6.3: the shapes behind request smuggling.
    #[test]
    fn a_body_of_doubtful_length_is_refused() {
        for (line, framing) in [
            ("Transfer-Encoding: chunked\r\nContent-Length: 5", Framing::EncodingAndLength),
            ("Content-Length: 5\r\nContent-Length: 5", Framing::Lengths),
            ("Content-Length: 5, 5", Framing::Lengths),
            ("Content-Length: +5", Framing::Length),
            ("Content-Length: -5", Framing::Length),
            ("Content-Length:", Framing::Length),
            ("Content-Length: 0x5", Framing::Length),
            ("Content-Length: 18446744073709551616", Framing::Length),
            ("Transfer-Encoding: identity", Framing::Encoding),
            ("Transfer-Encoding: gzip, chunked", Framing::Encoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Framing::Encoding),
            ("Transfer-Encoding:", Framing::Encoding),
        ] {
            assert_eq!(error(&with_header(line)), HeadError::Framing(framing), "{line}");
        }
    }

    #[test]
    fn bodies_are_delimited_by_length_or_chunks() {
        for (line, body) in [
            ("X: y", Body::None),
            ("content-length: 0005", Body::Length(5)),
            ("Content-Length: 18446744073709551615", Body::Length(u64::MAX)),
            ("transfer-encoding: Chunked", Body::Chunked),
        ] {
            assert_eq!(parse_head(&with_header(line)).expect(line).expect(line).0.body, body, "{line}");
        }
    }

    /// RFC 6585 section 5, and the limit holds before the head is complete.
    #[test]
    fn a_head_over_the_limits_is_refused_while_still_partial() {
        let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: ".to_vec();
        head.resize(limits::HEAD_BYTES_MAX - 1, b'x');
        assert!(parse_head(&head).expect("within").is_none());
        head.push(b'x');
        assert_eq!(error(&head), HeadError::TooLarge);
    }

    #[test]
    fn a_head_of_exactly_the_limit_is_served() {
        let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: ".to_vec();
        head.resize(limits::HEAD_BYTES_MAX - 4, b'x');
        head.extend_from_slice(b"\r\n\r\nbody");
        let (_, len) = parse_head(&head).expect("valid").expect("complete");
        assert_eq!(len, limits::HEAD_BYTES_MAX);
    }

    #[test]
    fn header_lines_are_counted() {
        let head =
            |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
        assert!(parse_head(head(limits::HEADERS_MAX).as_bytes()).expect("within").is_some());
        assert_eq!(error(head(limits::HEADERS_MAX + 1).as_bytes()), HeadError::TooLarge);
    }

    /// A TLS hello on a plain port, and other bytes that begin no method.
    #[test]
    fn nonsense_is_refused_at_its_first_byte() {
        for bytes in [&b"\x16\x03\x01"[..], b"\x81", b" GET", b"\n", b"\r\n\r\n", b"\r\nGE\n", b"\0"] {
            assert_eq!(error(bytes).status(), 400, "{bytes:?}");
        }
        for bytes in [&b""[..], b"\r", b"\r\n", b"\r\nG", b"GET"] {
            assert!(parse_head(bytes).expect("may become a head").is_none(), "{bytes:?}");
        }
    }
}
