//! The application's side of the pair: it lets everyone in and writes down what it sees.
//!
//! Not handlers: what a test wants emitted, it emits itself. The order of the calls is that of the server's dispatch.

use socketville_hub::{
    ConnId, Effect, FrameReader, Incoming, NspId, Payload, Peer, Post, Reason, SessionKey, SocketKey, Text,
};
use socketville_proto::{eio, sio, ws};

use super::Pair;

impl Pair {
    pub(super) fn read_websocket(&mut self, conn: ConnId, mut reader: FrameReader, bytes: &mut [u8]) {
        let message_max = self.hub.message_bytes_max(conn);
        let mut at = 0;
        loop {
            match reader.decoder.decode(&mut bytes[at..], message_max) {
                Ok((_, None)) => break,
                Ok((taken, Some(message))) => {
                    at += taken;
                    let is_last = matches!(message, ws::Message::Close(_));
                    let incoming = self.hub.handle_message(self.now_ms, conn, message);
                    dispatch(self, incoming);
                    if is_last {
                        self.hub.ignore(conn, bytes.len() - at);
                        break;
                    }
                }
                Err(error) => {
                    self.hub.handle_ws_error(self.now_ms, conn, &error);
                    return self.run_effects();
                }
            }
        }
        self.hub.return_decoder(conn, reader);
    }

    pub(super) fn read_payload(&mut self, conn: ConnId, session: SessionKey, post: &Post) {
        let now_ms = self.now_ms;
        for item in post.items() {
            let incoming = match item {
                Ok(eio::PayloadItem::Packet(packet)) => self.hub.handle_packet(now_ms, session, packet),
                Ok(eio::PayloadItem::Binary(bytes)) => self.hub.handle_binary(now_ms, session, bytes.into()),
                Err(_) => {
                    self.hub.reject(now_ms, session);
                    None
                }
            };
            dispatch(self, incoming);
        }
        self.hub.finish_post(now_ms, conn, session);
    }

    /// Does what the hub asked for, but for what only the loop can do.
    pub(crate) fn run_effects(&mut self) {
        while let Some(effect) = self.hub.take_effect() {
            match effect {
                Effect::Disconnecting(key, reason) => self.see_off(key, reason),
                Effect::Abandoned(key) => {
                    self.heard.push(format!("{} abandoned", self.label(key)));
                    self.hub.forget_socket(key);
                }
                Effect::Request(conn, request) => self.requests.push((conn, *request)),
                Effect::Resume(conn) => {
                    if let Some(mut held) = self.hub.take_held(conn) {
                        self.read(conn, &mut held);
                    }
                }
                Effect::PostOver(conn, session) => self.hub.end_post(self.now_ms, conn, session),
                Effect::Room(_)
                | Effect::AskAddress(..)
                | Effect::Consider(..)
                | Effect::Refused(_)
                | Effect::Lapsed(_) => {}
                effect @ (Effect::Close(_)
                | Effect::Pass(..)
                | Effect::HandOver(..)
                | Effect::Read(_)
                | Effect::Join(..)) => self.errands.push_back(effect),
            }
        }
    }

    /// The rooms can be seen until the socket is forgotten.
    fn see_off(&mut self, key: SocketKey, reason: Reason) {
        assert!(!self.hub.is_connected(key), "nothing reaches a socket that is leaving");
        let mut rooms = self.hub.rooms_of(key).split_off(1);
        rooms.sort();
        self.heard.push(format!("{} left: {} {rooms:?}", self.label(key), reason.as_str()));
        self.hub.forget_socket(key);
        assert_eq!(self.hub.rooms_of(key), [""; 0], "a forgotten socket has no rooms");
    }

    pub(super) fn connect(&mut self, session: SessionKey, nsp: NspId, auth: Option<&str>) {
        let name = self.hub.namespace_name(nsp).to_owned();
        if self.keeps_waiting {
            self.heard.push(format!("waits {name}"));
            return self.sockets.extend(self.hub.reserve(session, nsp));
        }
        if let Some(error) = self.refusal {
            self.heard.push(format!("refused {name}"));
            return self.hub.refuse(session, &name, error);
        }
        self.heard.push(format!("connect {name} {}", auth.unwrap_or("-")));
        self.sockets.extend(self.hub.admit(session, nsp));
    }

    fn label(&self, key: SocketKey) -> String {
        let position = self.sockets.iter().position(|(other, _)| *other == key);
        position.map_or("?".into(), |position| format!("#{position}"))
    }
}

/// A function, since what arrived may borrow from the bytes but not from the pair.
fn dispatch(pair: &mut Pair, incoming: Option<Incoming<'_>>) {
    match incoming {
        None => {}
        Some(Incoming::Unknown { .. }) => {}
        Some(Incoming::Connect { session, nsp, auth }) => pair.connect(session, nsp, auth.as_deref()),
        Some(Incoming::Event { socket, id, args, attachments }) => {
            let line = format!("{} event {}", pair.label(socket), words(id, &args, &attachments));
            pair.heard.push(line);
        }
        Some(Incoming::Ack { socket, id, args, attachments }) => {
            let line = format!("{} ack {}", pair.label(socket), words(Some(id), &args, &attachments));
            pair.heard.push(line);
        }
        Some(Incoming::Message(peer, payload)) => {
            let from = if matches!(peer, Peer::Session(_)) { "session" } else { "conn" };
            pair.heard.push(match payload {
                Payload::Text(text) => format!("{from} text {text}"),
                Payload::Binary(bytes) => format!("{from} binary {bytes:?}"),
            });
        }
    }
    pair.run_effects();
}

/// Id, arguments and attachments, as near to the wire as words can be.
fn words(id: Option<u64>, args: &Text<'_>, attachments: &[Vec<u8>]) -> String {
    let id = id.map(|id| id.to_string()).unwrap_or_default();
    let json = match args {
        Text::Borrowed(args) => args.json().to_owned(),
        Text::Scanned(json, _) => json.clone(),
        Text::Owned(text) => match sio::decode(text).expect("it was read before") {
            sio::Packet::Event { args, .. } | sio::Packet::Ack { args, .. } => args.json().to_owned(),
            other => panic!("{other:?} has no attachments"),
        },
    };
    let attachments: String = attachments.iter().map(|bytes| format!(" {bytes:?}")).collect();
    format!("{id}{json}{attachments}")
}
