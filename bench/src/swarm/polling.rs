//! A client that long-polls: one connection, one request at a time. A poll waits for packets; what there is
//! to say (joining, a pong) goes out between two polls. It knows HTTP/1.1 only as far as the servers measured
//! here answer.
//!
//! ```text
//! GET (handshake) -> 0{sid} -> POST 40 -> ok -> GET (poll) -> packets -> GET … ;  after a ping: POST 3 -> ok -> GET
//! ```

use std::fmt::Write as _;

use super::client::Phase;
use super::{Sink, Swarm};

/// What a polling client has asked and not been answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// For a session.
    Handshake,
    /// That a packet be taken.
    Post,
    /// For packets.
    Poll,
}

/// The polling side of a client.
pub(super) struct Poller {
    pub(super) sid: String,
    pub(super) asked: Asked,
}

impl Poller {
    pub(super) fn new() -> Poller {
        Poller { sid: String::new(), asked: Asked::Handshake }
    }
}

impl Swarm {
    pub(super) fn start_polling(&mut self, index: usize) {
        self.ask(index, Asked::Handshake, "");
    }

    /// Handles the first response of `bytes`; `None` if it is incomplete, else its length.
    pub(super) fn handle_response<S: Sink>(
        &mut self,
        index: usize,
        bytes: &[u8],
        now_ns: u64,
        sink: &mut S,
    ) -> Option<usize> {
        let response = Response::read(bytes)?;
        if !response.is_ok {
            let line = String::from_utf8_lossy(bytes.split(|byte| *byte == b'\r').next().unwrap_or_default());
            self.lose(index, &format!("a request was refused: {line}"));
            return Some(response.length);
        }
        let asked = self.clients.get(index)?.poller.as_ref()?.asked;
        match asked {
            Asked::Handshake => self.handle_session(index, &response.body),
            Asked::Post => self.ask(index, Asked::Poll, ""),
            Asked::Poll => self.handle_packets(index, &response.body, now_ns, sink),
        }
        Some(response.length)
    }

    fn handle_session(&mut self, index: usize, body: &[u8]) {
        let sid = sid(body).map(str::to_owned);
        match (sid, self.clients.get_mut(index)) {
            (Some(sid), Some(client)) => {
                client.phase = Phase::Joining;
                client.poller = Some(Poller { sid, asked: Asked::Post });
                self.ask(index, Asked::Post, "40");
            }
            _ => self.lose(index, "no session was opened"),
        }
    }

    fn handle_packets<S: Sink>(&mut self, index: usize, body: &[u8], now_ns: u64, sink: &mut S) {
        let mut has_ping = false;
        for packet in body.split(|byte| *byte == SEPARATOR) {
            match packet.first() {
                Some(b'4') if self.phase(index) == Phase::Joined => sink.packet(index, packet, now_ns),
                Some(b'4') if packet.starts_with(b"40") => self.handle_joined(index),
                Some(b'2') => has_ping = true,
                Some(b'6') | None => {}
                Some(_) => return self.lose(index, "an unexpected packet in a poll"),
            }
        }
        if has_ping {
            self.ask(index, Asked::Post, "3");
        } else {
            self.ask(index, Asked::Poll, "");
        }
    }

    fn ask(&mut self, index: usize, asked: Asked, packet: &str) {
        let Some(poller) = self.clients.get_mut(index).and_then(|client| client.poller.as_mut()) else {
            return;
        };
        poller.asked = asked;
        let text = request(asked, &poller.sid, packet);
        self.say(index, |bytes| bytes.extend_from_slice(text.as_bytes()));
    }
}

fn request(asked: Asked, sid: &str, packet: &str) -> String {
    let verb = if asked == Asked::Post { "POST" } else { "GET" };
    let mut text = format!("{verb} /socket.io/?EIO=4&transport=polling");
    // Writing to a String cannot fail.
    if asked != Asked::Handshake {
        let _ = write!(text, "&sid={sid}");
    }
    text.push_str(" HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    if asked == Asked::Post {
        let _ =
            write!(text, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n", packet.len());
    }
    text.push_str("\r\n");
    text.push_str(packet);
    text
}

/// The session's id in Engine.IO's open packet.
fn sid(open: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(open).ok()?.strip_prefix('0')?;
    let rest = text.split_once(r#""sid":""#)?.1;
    Some(rest.split_once('"')?.0)
}

/// A whole response.
struct Response {
    is_ok: bool,
    body: Vec<u8>,
    length: usize,
}

impl Response {
    /// Reads the response at the start of `bytes`; `None` while it is incomplete.
    fn read(bytes: &[u8]) -> Option<Response> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(bytes.get(..end)?).unwrap_or_default();
        let is_ok = head.starts_with("HTTP/1.1 200");
        let value = |name: &str| {
            let mut fields = head.lines().filter_map(|line| line.split_once(':'));
            fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        let rest = bytes.get(end..)?;
        if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            let (body, length) = unchunked(rest)?;
            return Some(Response { is_ok, body, length: end + length });
        }
        let length = value("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        Some(Response { is_ok, body: rest.get(..length)?.to_vec(), length: end + length })
    }
}

/// A chunked body (RFC 9112 section 7.1) and its length on the wire.
fn unchunked(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let rest = bytes.get(at..)?;
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..line)?).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let chunk = rest.get(line + 2..)?;
        body.extend_from_slice(chunk.get(..size)?);
        chunk.get(size..size + 2)?;
        at += line + 2 + size + 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}

/// Between two packets of a payload (Engine.IO 4).
const SEPARATOR: u8 = 0x1e;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_however_its_length_is_told() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP";
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\nHTTP";
        for bytes in [plain.as_slice(), chunked] {
            let response = Response::read(bytes).expect("complete");
            assert!(response.is_ok);
            assert_eq!(response.body, b"abc");
            assert_eq!(bytes.get(response.length..), Some(b"HTTP".as_slice()));
            assert!((0..response.length).all(|cut| Response::read(&bytes[..cut]).is_none()));
        }
    }

    #[test]
    fn a_refusal_is_one() {
        assert!(!Response::read(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("complete").is_ok);
    }

    #[test]
    fn a_session_has_an_id() {
        assert_eq!(sid(br#"0{"sid":"abc","upgrades":[]}"#), Some("abc"));
        assert_eq!(sid(b"0{}"), None);
    }

    #[test]
    fn requests_are_whole() {
        assert_eq!(
            request(Asked::Poll, "x", ""),
            "GET /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        );
        assert!(request(Asked::Post, "x", "40").ends_with("Content-Length: 2\r\n\r\n40"));
    }
}
