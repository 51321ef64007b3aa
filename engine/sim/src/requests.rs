//! The client's side of HTTP: requests as the official client makes them, and its reader of responses.
//!
//! Not a general client: lengths are always declared, as the engine declares them.

use crate::random::Random;

/// A whole response.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the connection ends with it.
    pub is_last: bool,
}

/// Reads responses from bytes that come in any pieces.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
}

/// A GET that opens a session, or asks for its packets.
pub fn get(sid: Option<&str>) -> Vec<u8> {
    let sid = sid.map_or_else(String::new, |sid| format!("&sid={sid}"));
    format!("GET /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: sim\r\nAccept: */*\r\n\r\n")
        .into()
}

/// A POST of packets, chunked now and then.
pub fn post(random: &mut Random, sid: &str, body: &str) -> Vec<u8> {
    let line = format!("POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: sim\r\n");
    let kind = "Content-Type: text/plain;charset=UTF-8\r\n";
    if !random.percent(15) {
        return format!("{line}{kind}Content-Length: {}\r\n\r\n{body}", body.len()).into();
    }
    let (a, b) = body.as_bytes().split_at(random.below(body.len()));
    let mut out = format!("{line}{kind}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in [a, b] {
        if !chunk.is_empty() {
            out.extend(format!("{:x}\r\n", chunk.len()).bytes());
            out.extend(chunk);
            out.extend(b"\r\n");
        }
    }
    out.extend(b"0\r\n\r\n");
    out
}

/// The beginning of a POST with a body of a megabyte: so many bytes of it.
pub fn beginning_of_post(sid: &str, bytes: usize) -> Vec<u8> {
    let line = format!("POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: sim\r\n");
    let kind = "Content-Type: text/plain;charset=UTF-8\r\n";
    let mut out = format!("{line}{kind}Content-Length: {BODY_BYTES_MAX}\r\n\r\n").into_bytes();
    out.resize(out.len() + bytes, b'4');
    out
}

/// Bytes as payloads have them (RFC 4648 section 4).
pub fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for three in bytes.chunks(3) {
        let number =
            three.iter().fold(0_u32, |sum, &byte| sum << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes of a body that the engine takes; the official client keeps to what it is told at the start.
pub const BODY_BYTES_MAX: usize = 1_000_000;

/// A GET that becomes a WebSocket, for a session or a new one.
pub fn websocket(sid: Option<&str>) -> Vec<u8> {
    let sid = sid.map_or_else(String::new, |sid| format!("&sid={sid}"));
    format!(
        "GET /socket.io/?EIO=4&transport=websocket{sid} HTTP/1.1\r\nHost: sim\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into()
}

impl Reader {
    /// More bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole response.
    ///
    /// # Errors
    /// What a server must not send, in words.
    pub fn take(&mut self) -> Result<Option<Response>, String> {
        let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let head = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
        let status = head.get(9..12).and_then(|digits| digits.parse().ok());
        let status: u16 = status.ok_or_else(|| format!("a response that begins with {head:.20?}"))?;
        let length = match header(&head, "content-length") {
            None if status == 101 => 0,
            found => found
                .and_then(|value| value.parse::<usize>().ok())
                .ok_or_else(|| format!("a response {status} without a length"))?,
        };
        if self.bytes.len() < end + 4 + length {
            return Ok(None);
        }
        let body = self.bytes[end + 4..end + 4 + length].to_vec();
        self.bytes.drain(..end + 4 + length);
        let is_last = header(&head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Ok(Some(Response { status, body, is_last }))
    }

    /// What follows the responses that were taken.
    pub fn into_rest(self) -> Vec<u8> {
        self.bytes
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use socketville_proto::http;

    use super::*;

    #[test]
    fn the_engine_reads_these_requests() {
        let mut random = Random::new(1);
        for request in [get(None), get(Some("a")), websocket(Some("a")), post(&mut random, "a", "42[\"x\"]")]
        {
            let (head, _) = http::parse_head(&request).expect("a good head").expect("a whole head");
            assert!(head.path.starts_with("/socket.io/"));
        }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let vectors = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (bytes, text) in vectors {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn responses_come_in_any_pieces() {
        let mut bytes = Vec::new();
        http::write_response(&mut bytes, 200, &[], b"", b"ok", http::KeepAlive::Keep);
        http::write_response(&mut bytes, 503, &[], b"", b"", http::KeepAlive::Close);
        let (mut reader, mut found) = (Reader::default(), Vec::new());
        for piece in bytes.chunks(3) {
            reader.push(piece);
            while let Some(response) = reader.take().expect("good responses") {
                found.push((response.status, response.body.len(), response.is_last));
            }
        }
        assert_eq!(found, [(200, 2, false), (503, 0, true)]);
        assert_eq!(reader.into_rest(), b"");
    }
}
