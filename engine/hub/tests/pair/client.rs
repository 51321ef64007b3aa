//! What clients write and how they read: requests, masked frames, answers.
//!
//! Not a client library: just enough of HTTP/1.1, RFC 6455 and Engine.IO 4 to talk as the official clients do, or worse.

use std::fmt::Write as _;

use socketville_hub::{ConnId, Id, SocketKey};
use socketville_proto::ws;

use super::Pair;

/// A client that has joined `/`.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Its Engine.IO id.
    pub(crate) sid: String,
    /// Its WebSocket, or where it polls.
    pub(crate) conn: ConnId,
    /// Where it posts, if it polls.
    pub(crate) post: ConnId,
    pub(crate) key: SocketKey,
    pub(crate) id: Id,
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// The path of a polling request of a session.
pub(crate) fn polling_path(sid: &str) -> String {
    format!("/socket.io/?EIO=4&transport=polling&sid={sid}")
}

/// A GET.
pub(crate) fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: here\r\n\r\n")
}

/// A GET that polls.
pub(crate) fn poll(sid: &str) -> String {
    get(&polling_path(sid))
}

/// A POST of packets.
pub(crate) fn post(sid: &str, body: &str) -> String {
    let (path, length) = (polling_path(sid), body.len());
    format!(
        "POST {path} HTTP/1.1\r\nHost: here\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// A WebSocket's opening handshake (RFC 6455 section 1.2, with its key).
pub(crate) fn upgrade(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// The opening handshake of a probe.
pub(crate) fn upgrade_session(sid: &str) -> String {
    upgrade(&format!("/socket.io/?EIO=4&transport=websocket&sid={sid}"))
}

/// A masked frame with this first byte (RFC 6455 section 5.2).
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [1, 2, 3, 4];
    let mut out = Vec::new();
    let opcode = ws::Opcode::Text;
    ws::write_header(&mut out, opcode, payload.len());
    out[0] = first;
    out[1] |= 0x80;
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// A text message.
pub(crate) fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// A binary message.
pub(crate) fn binary(bytes: &[u8]) -> Vec<u8> {
    frame(0x82, bytes)
}

/// Frames of the server in words: text as it is, others named.
pub(crate) fn frames(bytes: &[u8]) -> Vec<String> {
    ws::server_frames(bytes)
        .map(|(opcode, payload)| match opcode {
            ws::Opcode::Text => String::from_utf8(payload.to_vec()).expect("text is UTF-8"),
            ws::Opcode::Binary => format!("{payload:?}"),
            ws::Opcode::Close => payload.first_chunk().map_or("close".into(), |code| {
                let reason = String::from_utf8_lossy(&payload[2..]);
                format!("close {} {reason}", u16::from_be_bytes(*code)).trim_end().to_owned()
            }),
            other => format!("{other:?} {}", String::from_utf8_lossy(payload)),
        })
        .collect()
}

impl Pair {
    /// Sends a text message and ends the turn.
    pub(crate) fn tell(&mut self, conn: ConnId, message: &str) {
        self.say(conn, text(message));
    }

    /// The frames that have come.
    pub(crate) fn frames(&mut self, conn: ConnId) -> Vec<String> {
        let bytes = self.take(conn);
        frames(&bytes)
    }

    /// The first response that has come; the rest stays. `None` if nothing has.
    pub(crate) fn answer(&mut self, conn: ConnId) -> Option<Answer> {
        let bytes = self.take(conn);
        if bytes.is_empty() {
            return None;
        }
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
        let status = head[9..12].parse().expect("a status");
        let mut answer = Answer { status, head, body: String::new() };
        let length: usize =
            answer.header("Content-Length").map_or(0, |value| value.parse().expect("a length"));
        answer.body = String::from_utf8(bytes[end..end + length].to_vec()).expect("a body of text");
        self.lines[conn.index as usize].received = bytes[end + length..].to_vec();
        Some(answer)
    }

    /// Sends a request and reads its answer, if it came at once.
    pub(crate) fn ask(&mut self, conn: ConnId, request: impl AsRef<[u8]>) -> Option<Answer> {
        self.say(conn, request);
        self.answer(conn)
    }

    /// A request on a connection of its own: status and body.
    pub(crate) fn ask_once(&mut self, request: impl AsRef<[u8]>) -> (u16, String) {
        let conn = self.open();
        let answer = self.ask(conn, request).expect("an answer");
        (answer.status, answer.body)
    }

    /// A session over WebSocket that has joined nothing: its connection and id.
    pub(crate) fn websocket(&mut self, path: &str) -> (ConnId, String) {
        let conn = self.open();
        let answer =
            self.ask(conn, upgrade(&format!("{path}?EIO=4&transport=websocket"))).expect("an answer");
        assert_eq!(answer.status, 101);
        assert_eq!(answer.header("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        let frames = self.frames(conn);
        assert_eq!(frames.len(), 1, "{frames:?}");
        (conn, sid_of(&frames[0]))
    }

    /// A session over polling that has joined nothing: a connection for polls, and its id.
    pub(crate) fn polling(&mut self, path: &str) -> (ConnId, String) {
        let conn = self.open();
        let answer = self.ask(conn, get(&format!("{path}?EIO=4&transport=polling"))).expect("an answer");
        assert_eq!(answer.status, 200);
        (conn, sid_of(&answer.body))
    }

    /// A client in `/` over WebSocket.
    pub(crate) fn join_websocket(&mut self) -> Client {
        let (conn, sid) = self.websocket("/socket.io/");
        self.tell(conn, "40");
        let (key, id) = *self.sockets.last().expect("a socket");
        assert_eq!(self.frames(conn), [format!(r#"40{{"sid":"{}"}}"#, id.as_str())]);
        self.heard.clear();
        Client { sid, conn, post: conn, key, id }
    }

    /// A client in `/` over polling, with no poll under way.
    pub(crate) fn join_polling(&mut self) -> Client {
        let (conn, sid) = self.polling("/socket.io/");
        let post_conn = self.open();
        let answer = self.ask(post_conn, post(&sid, "40")).expect("an answer");
        assert_eq!((answer.status, &*answer.body), (200, "ok"));
        let (key, id) = *self.sockets.last().expect("a socket");
        let client = Client { sid, conn, post: post_conn, key, id };
        assert_eq!(self.poll(&client), Some(format!(r#"40{{"sid":"{}"}}"#, id.as_str())));
        self.heard.clear();
        client
    }

    /// Polls; the payload, or nothing if the poll waits now.
    pub(crate) fn poll(&mut self, client: &Client) -> Option<String> {
        let answer = self.ask(client.conn, poll(&client.sid))?;
        assert_eq!(answer.status, 200, "{answer:?}");
        Some(answer.body)
    }

    /// Posts packets.
    pub(crate) fn post(&mut self, client: &Client, body: &str) {
        let answer = self.ask(client.post, post(&client.sid, body)).expect("an answer");
        assert_eq!((answer.status, &*answer.body), (200, "ok"));
    }

    /// The payload of a poll that waited.
    pub(crate) fn payload(&mut self, client: &Client) -> Option<String> {
        self.answer(client.conn).map(|answer| answer.body)
    }

    /// Whether the server knows a session: a poll of an unknown one has an answer that says so.
    pub(crate) fn knows(&mut self, sid: &str) -> bool {
        let mut stray = String::new();
        let _ = write!(stray, "DELETE {} HTTP/1.1\r\nHost: here\r\n\r\n", polling_path(sid));
        let conn = self.open();
        let answer = self.ask(conn, stray).expect("an answer");
        self.break_line(conn);
        match (answer.status, answer.body) {
            (400, body) if body == UNKNOWN => false,
            (400, body) if body == BAD_REQUEST => true,
            other => panic!("{other:?}"),
        }
    }
}

/// The errors that tests meet most.
pub(crate) const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;
/// See [`UNKNOWN`].
pub(crate) const BAD_REQUEST: &str = r#"{"code":3,"message":"Bad request"}"#;

/// The id in an `open` packet.
pub(crate) fn sid_of(open: &str) -> String {
    let (_, rest) = open.split_once(r#"0{"sid":""#).unwrap_or_else(|| panic!("no open packet: {open}"));
    rest.split('"').next().expect("an id").to_owned()
}
