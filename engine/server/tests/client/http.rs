//! HTTP as the tests speak it: a kept connection, and a Socket.IO session over long-polling that may use any.
//! Not strict: heads and bodies are read by their `Content-Length` and nothing else.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use socketville_proto::eio;

use super::packet::Packet;
use super::{PATIENCE, read_more};

/// A keep-alive connection.
pub(crate) struct Http {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Http {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        Self { stream, bytes: Vec::new() }
    }

    /// Asks and waits for the answer.
    pub(crate) fn request(&mut self, method: &str, target: &str, body: &str) -> Reply {
        self.send(&request(method, target, body));
        self.reply().expect("an answer")
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("sent");
    }

    /// The next answer; `None` if the server closed instead.
    pub(crate) fn reply(&mut self) -> Option<Reply> {
        loop {
            if let Some((len, reply)) = read_reply(&self.bytes) {
                self.bytes.drain(..len);
                return Some(reply);
            }
            if read_more(&mut self.stream, &mut self.bytes) == 0 {
                return None;
            }
        }
    }

    /// The next answer's head in small letters, and its body, whatever bytes it has.
    pub(crate) fn raw_reply(&mut self) -> (String, Vec<u8>) {
        loop {
            if let Some(at) = self.bytes.windows(4).position(|end| end == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.bytes[..at]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.expect("a length").parse().expect("a number");
                if self.bytes.len() >= at + 4 + length {
                    let body = self.bytes[at + 4..at + 4 + length].to_vec();
                    self.bytes.drain(..at + 4 + length);
                    return (head, body);
                }
            }
            assert!(read_more(&mut self.stream, &mut self.bytes) > 0, "an answer");
        }
    }
}

/// A request's bytes.
pub(crate) fn request(method: &str, target: &str, body: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn read_reply(bytes: &[u8]) -> Option<(usize, Reply)> {
    let head_len = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_len]).expect("a head is ASCII").to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let len = head_len + length.map_or(0, |length| length.trim().parse::<usize>().expect("a length"));
    let body = String::from_utf8(bytes.get(head_len..len)?.to_vec()).expect("a text");
    let status = head.get(9..12).expect("a status").parse().expect("a number");
    Some((len, Reply { status, head, body }))
}

/// A session over long-polling in `/`. Each request names the connection that it takes.
pub(crate) struct Polling {
    pub(crate) sid: String,
    pub(crate) id: String,
    held: VecDeque<Packet>,
}

impl Polling {
    /// Opens a session and joins `/`.
    pub(crate) fn open(http: &mut Http) -> Self {
        let open = http.request("GET", "/socket.io/?EIO=4&transport=polling", "");
        assert_eq!((open.status, &open.body[..1]), (200, "0"), "{}", open.body);
        let handshake: Value = serde_json::from_str(&open.body[1..]).expect("JSON");
        let sid = handshake["sid"].as_str().expect("an id").to_owned();
        let mut polling = Self { sid, id: String::new(), held: VecDeque::new() };
        polling.post(http, "40");
        polling.id = polling.packet(http).args["sid"].as_str().expect("an id").to_owned();
        polling
    }

    pub(crate) fn target(&self) -> String {
        format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid)
    }

    /// A POST of one payload.
    pub(crate) fn post(&self, http: &mut Http, payload: &str) {
        let posted = http.request("POST", &self.target(), payload);
        assert_eq!((posted.status, posted.body.as_str()), (200, "ok"), "{}", self.sid);
    }

    /// Sends the request of a poll without waiting.
    pub(crate) fn begin_poll(&self, http: &mut Http) {
        http.send(&request("GET", &self.target(), ""));
    }

    /// Waits for the answer of a poll that was begun; pings are answered over the same connection.
    pub(crate) fn end_poll(&mut self, http: &mut Http) {
        let polled = http.reply().expect("a poll is answered");
        assert_eq!(polled.status, 200, "{}", polled.body);
        for item in eio::payload(&polled.body) {
            match item.expect("a packet") {
                eio::PayloadItem::Packet(eio::Packet::Message(text)) => {
                    self.held.push_back(Packet::read(text));
                }
                eio::PayloadItem::Packet(eio::Packet::Ping(_)) => self.post(http, "3"),
                eio::PayloadItem::Packet(_) => {}
                eio::PayloadItem::Binary(bytes) => {
                    self.held.back_mut().expect("an attachment belongs to a packet").attachments.push(bytes);
                }
            }
        }
    }

    /// The next packet; polls as often as it takes.
    pub(crate) fn packet(&mut self, http: &mut Http) -> Packet {
        while self.held.is_empty() {
            self.begin_poll(http);
            self.end_poll(http);
        }
        self.held.pop_front().expect("not empty")
    }

    /// Everything that came before the answer to a question asked now.
    pub(crate) fn before_fence(&mut self, http: &mut Http) -> Vec<Packet> {
        self.post(http, "421000000[\"fence\"]");
        let mut before = Vec::new();
        loop {
            let packet = self.packet(http);
            if packet.id == Some(1_000_000) {
                return before;
            }
            before.push(packet);
        }
    }
}
