//! Clients of Engine.IO 3 (socket.io-client 2.x): they say so in their requests, and are in `/` unasked.
#![allow(dead_code, reason = "each behaviour uses a part of it")]

use socketville_hub::{Config, ConnId};

use super::Pair;
use super::client::{Client, get, sid_of, upgrade};

/// A path of bare Engine.IO, where every message is seen as it is.
pub(crate) const ENGINE: &str = "/engine.io/";

/// A hub that serves them, with the rest as given.
pub(crate) fn allowing(config: Config) -> Pair {
    Pair::with(Config { allows_eio3: true, engine_paths: vec![ENGINE.into()], ..config })
}

/// The path of a request of a session, or of the first one with what else it says.
pub(crate) fn target(path: &str, transport: &str, rest: &str) -> String {
    format!("{path}?EIO=3&transport={transport}{rest}")
}

/// A POST with a body of any kind.
pub(crate) fn post(client: &Client, kind: &str, body: &[u8]) -> Vec<u8> {
    let target = target("/socket.io/", "polling", &format!("&sid={}", client.sid));
    let length = body.len();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: here\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

impl Pair {
    /// A WebSocket whose `open` packet has come; its id.
    pub(crate) fn open_v3(&mut self, path: &str, rest: &str) -> (ConnId, String) {
        let conn = self.open();
        let answer = self.ask(conn, upgrade(&target(path, "websocket", rest))).expect("an answer");
        assert_eq!(answer.status, 101);
        assert!(self.frames(conn).is_empty(), "nothing comes with the answer");
        self.pass_ms(socketville_hub::limits::V3_OPEN_DELAY_MS);
        let frames = self.frames(conn);
        (conn, sid_of(&frames[0]))
    }

    /// A client in `/` over WebSocket.
    pub(crate) fn join_v3(&mut self, rest: &str) -> Client {
        let (conn, sid) = self.open_v3("/socket.io/", rest);
        self.client_v3(conn, sid)
    }

    /// A client in `/` over polling that has had its CONNECT; `rest` is what its first request says besides.
    pub(crate) fn poll_v3(&mut self, rest: &str) -> Client {
        let conn = self.open();
        let answer = self.ask(conn, get(&target("/socket.io/", "polling", rest))).expect("an answer");
        assert_eq!(answer.status, 200);
        let sid = sid_of(&answer.body[answer.body.find('{').expect("an object") - 1..].replace("\\\"", "\""));
        let client = self.client_v3(conn, sid);
        self.get_v3(&client).expect("CONNECT");
        client
    }

    fn client_v3(&mut self, conn: ConnId, sid: String) -> Client {
        let (key, id) = *self.sockets.last().expect("a socket");
        self.heard.clear();
        let post = self.open();
        Client { sid, conn, post, key, id }
    }

    /// Polls: content type and body, or nothing if the poll waits now.
    pub(crate) fn get_v3(&mut self, client: &Client) -> Option<(String, Vec<u8>)> {
        self.say(client.conn, get(&target("/socket.io/", "polling", &format!("&sid={}", client.sid))));
        self.payload_v3(client)
    }

    /// The answer to a poll that waited.
    pub(crate) fn payload_v3(&mut self, client: &Client) -> Option<(String, Vec<u8>)> {
        let bytes = self.take(client.conn);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let kind = head.lines().find_map(|line| line.strip_prefix("Content-Type: ")).expect("a type");
        Some((kind.to_owned(), bytes[end..].to_vec()))
    }

    /// Polls for text.
    pub(crate) fn text_v3(&mut self, client: &Client) -> Option<String> {
        let (kind, body) = self.get_v3(client)?;
        assert_eq!(kind, "text/plain; charset=UTF-8");
        Some(String::from_utf8(body).expect("text"))
    }

    /// Posts a text payload.
    pub(crate) fn post_v3(&mut self, client: &Client, body: &str) {
        self.post_octets_v3(client, "text/plain;charset=UTF-8", body.as_bytes());
    }

    /// Posts a body of any kind.
    pub(crate) fn post_octets_v3(&mut self, client: &Client, kind: &str, body: &[u8]) {
        let conn = if self.is_open(client.post) { client.post } else { self.open() }; // idle ones are closed
        let answer = self.ask(conn, post(client, kind, body)).expect("an answer");
        assert_eq!((answer.status, &*answer.body), (200, "ok"));
        assert_eq!(answer.header("Content-Type"), Some("text/html"));
    }
}
