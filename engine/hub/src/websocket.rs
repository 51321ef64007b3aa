//! WebSocket as a session's transport, from its first byte or after an upgrade.
//!
//! Not framing: messages arrive whole from `proto::ws`. During an upgrade the connection is a *probe*: polling stays alive until `5`.
//!
//! ```text
//! client  ws: 2probe ------> ws: 3probe, a parked poll gets 6 within 100 ms
//!         (lets its last poll end)
//!         ws: 5 -----------> WebSocket takes over with what the buffer holds
//! ```

use socketville_proto::eio::Revision;
use socketville_proto::http::Head;
use socketville_proto::ws::{self, Message, Opcode};
use socketville_proto::{eio, encode};

use crate::conns::{Phase, Role};
use crate::deadlines::Due;
use crate::forms::{Form, Forms, Framing};
use crate::limits::PROBED_POLL_MS;
use crate::session::{Link, Probe, Speech};
use crate::{ConnId, Deflate, Hub, Id, Incoming, Payload, Peer, Reason, SessionKey};

impl Hub {
    pub(crate) fn open_websocket(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        id: Id,
        (head, raw): (&Head<'_>, &[u8]),
        speech: Speech,
    ) {
        self.add_cookie(conn, &id);
        let framing = Framing::of(speech.revision, head);
        if !self.switch_protocols(now_ms, conn, head, self.config.per_message_deflate, framing) {
            return;
        }
        let key = self.open_session(now_ms, id, Link::WebSocket(conn), speech, raw);
        self.note_client(conn, key, head);
        self.become_websocket(now_ms, conn, key, Role::Transport(speech.revision));
        if speech.revision == Revision::V4 {
            self.send_open(conn, &id);
        }
    }

    fn send_open(&mut self, conn: ConnId, id: &Id) {
        let text = self.open_text(id, &[]);
        self.outbox.send(conn, |arena| encode::write_eio(arena, &eio::Packet::Open(&text)));
        if let Some(packet) = &self.config.initial_packet {
            self.outbox.send(conn, |arena| encode::write_eio(arena, &eio::Packet::Message(packet)));
        }
    }

    /// The `open` packet of Engine.IO 3, a moment after the connection.
    pub(crate) fn open_late(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.find(key) else { return };
        let (id, speech) = (session.id, Speech { layer: session.layer, revision: session.revision });
        if let Link::WebSocket(conn) = session.link {
            self.send_open(conn, &id);
        }
        self.join_unasked(key, speech);
    }

    /// A WebSocket without Engine.IO.
    pub(crate) fn open_bare(&mut self, now_ms: u64, conn: ConnId, head: &Head<'_>) {
        if self.switch_protocols(now_ms, conn, head, self.config.websocket_deflate, Framing::V4) {
            self.become_websocket(now_ms, conn, SessionKey::NONE, Role::Bare);
        }
    }

    /// Sends a message of the application's own.
    pub fn send_message(&mut self, peer: Peer, message: Payload<'_>) {
        let (opcode, prefix, bytes) = match (peer, message) {
            (Peer::Session(_), Payload::Text(text)) => (Opcode::Text, "4", text.as_bytes().to_vec()),
            (Peer::Conn(_), Payload::Text(text)) => (Opcode::Text, "", text.as_bytes().to_vec()),
            (_, Payload::Binary(bytes)) => (Opcode::Binary, "", bytes.into_owned()),
        };
        let range = self.outbox.write(|arena| {
            ws::write_header(arena, opcode, prefix.len() + bytes.len());
            arena.extend_from_slice(prefix.as_bytes());
            arena.extend_from_slice(&bytes);
        });
        match peer {
            Peer::Session(session) => {
                if let Some(route) = self.route_of(session) {
                    self.append_packet(route, range);
                }
            }
            Peer::Conn(conn) => {
                let (press, form) = (self.bare_press.as_mut(), self.outbox.form(conn.index));
                let range = Forms::new(range).of(form, press, &mut self.outbox, &mut self.counters);
                self.outbox.append_to(conn, range);
            }
        }
    }

    /// Bytes that a message on this connection may have.
    pub fn message_bytes_max(&self, conn: ConnId) -> usize {
        match self.conns.get(conn.index as usize).map(|c| &c.phase) {
            Some(Phase::WebSocket { role: Role::Bare, .. }) => self.config.websocket_bytes_max,
            _ => self.config.message_bytes_max,
        }
    }

    pub(crate) fn open_probe(&mut self, now_ms: u64, conn: ConnId, key: SessionKey, head: &Head<'_>) {
        let Some(session) = self.sessions.find_mut(key) else { return };
        let revision = session.revision;
        let is_free = session.polling_mut().is_some_and(|polling| polling.probe.is_none());
        if !is_free {
            return self.turn_away(now_ms, conn, head);
        }
        let framing = Framing::of(revision, head);
        if !self.switch_protocols(now_ms, conn, head, self.config.per_message_deflate, framing) {
            return;
        }
        let due = Due::at(now_ms + self.config.upgrade_timeout.ms());
        if let Some(polling) = self.sessions.find_mut(key).and_then(|s| s.polling_mut()) {
            polling.probe = Some(Probe { conn, due, is_answered: false, release_ms: u64::MAX });
        }
        self.become_websocket(now_ms, conn, key, Role::Probe);
        self.arm_session(key);
    }

    /// The session has a WebSocket, or one that is about to take over.
    pub(crate) fn turn_away(&mut self, now_ms: u64, conn: ConnId, head: &Head<'_>) {
        if self.switch_protocols(now_ms, conn, head, None, Framing::V4) {
            self.close_websocket(now_ms, conn, None);
        }
    }

    fn switch_protocols(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        head: &Head<'_>,
        deflate: Option<Deflate>,
        framing: Framing,
    ) -> bool {
        let deflate = deflate.filter(|_| framing != Framing::V3Base64);
        match ws::check_handshake(head) {
            Ok(accept) => {
                let agreement = deflate.and_then(|_| ws::agree_on_deflate(head));
                let extension = agreement.map(|agreement| ("Sec-WebSocket-Extensions", agreement.answer()));
                let protocol = ws::first_protocol(head).map(|name| ("Sec-WebSocket-Protocol", name));
                let agreed: Vec<_> = extension.into_iter().chain(protocol).collect();
                let extra = self.take_extra(conn);
                let lines = extra.as_ref().map_or(&[][..], |extra| &extra.lines);
                self.outbox.send(conn, |arena| {
                    ws::write_switching_protocols(arena, &accept, &agreed, lines);
                });
                let form = Form::new(framing, agreement.map(|agreement| agreement.window));
                self.outbox.set_form(conn, form);
                true
            }
            Err(error) => {
                self.refuse_handshake(now_ms, conn, error);
                false
            }
        }
    }

    fn become_websocket(&mut self, now_ms: u64, conn: ConnId, session: SessionKey, role: Role) {
        let _request = self.enter(now_ms, conn, Phase::WebSocket { session, partial: None, role });
    }

    /// Deals with one message. What concerns the application is returned.
    pub fn handle_message<'a>(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        message: Message<'a>,
    ) -> Option<Incoming<'a>> {
        let Phase::WebSocket { session, role, .. } = &self.conn_mut(conn)?.phase else { return None };
        let (session, role) = (*session, *role);
        match message {
            Message::Ping(payload) => self.answer_ping(conn, payload),
            Message::Pong(_) => {}
            Message::Close(status) => {
                self.end_websocket(session, role, Reason::TransportClose);
                self.close_websocket_now(now_ms, conn, status.map(|(code, _)| code));
            }
            Message::Text(text) if role == Role::Bare => {
                return Some(Incoming::Message(Peer::Conn(conn), text.into()));
            }
            Message::Binary(bytes) if role == Role::Bare => {
                return Some(Incoming::Message(Peer::Conn(conn), bytes.into()));
            }
            Message::Text(text) if role == Role::Probe => self.handle_probe(now_ms, session, conn, text),
            Message::Text(text) => match role.revision().item(text) {
                Ok(eio::PayloadItem::Packet(packet)) => return self.handle_packet(now_ms, session, packet),
                Ok(eio::PayloadItem::Binary(bytes)) => {
                    return self.handle_binary(now_ms, session, bytes.into());
                }
                Err(_) => self.reject(now_ms, session),
            },
            Message::Binary(_) if role == Role::Probe => self.turn_probe_away(now_ms, session),
            Message::Binary(bytes) => match role.revision().message(bytes) {
                Ok(bytes) => return self.handle_binary(now_ms, session, bytes.into()),
                Err(_) => self.reject(now_ms, session),
            },
        }
        None
    }

    /// Bytes that are no WebSocket: the code says why, the session ends.
    pub fn handle_ws_error(&mut self, now_ms: u64, conn: ConnId, error: &ws::Error) {
        self.counters.protocol_errors += 1;
        let Some(Phase::WebSocket { session, role, .. }) = self.conn_mut(conn).map(|c| &c.phase) else {
            return;
        };
        let (session, role) = (*session, *role);
        self.end_websocket(session, role, Reason::TransportError);
        self.close_websocket(now_ms, conn, Some(error.close_code().code()));
    }

    pub(crate) fn end_websocket(&mut self, session: SessionKey, role: Role, reason: Reason) {
        match role {
            Role::Transport(_) => self.lose_session(session, reason),
            Role::Probe => self.forget_probe(session),
            Role::Bare => {}
        }
    }

    /// Only while the peer reads: pongs must not pile up (the newest is enough, and it will ask again).
    fn answer_ping(&mut self, conn: ConnId, payload: &[u8]) {
        if self.outbox.is_flowing(conn.index) {
            self.outbox.send(conn, |arena| {
                ws::write_header(arena, Opcode::Pong, payload.len());
                arena.extend_from_slice(payload);
            });
        }
    }

    /// Ends a WebSocket from this side or after a fault: its peer may still be sending.
    pub(crate) fn close_websocket(&mut self, now_ms: u64, conn: ConnId, code: Option<u16>) {
        self.outbox.send(conn, |arena| ws::write_close(arena, code, ""));
        self.linger(now_ms, conn);
    }

    /// Ends one whose peer has said that it sends nothing more: the server closes first (RFC 6455 section 7.1.1).
    pub(crate) fn close_websocket_now(&mut self, now_ms: u64, conn: ConnId, code: Option<u16>) {
        self.outbox.send(conn, |arena| ws::write_close(arena, code, ""));
        self.close_conn(now_ms, conn);
    }

    fn handle_probe(&mut self, now_ms: u64, key: SessionKey, conn: ConnId, text: &str) {
        let probe = self.sessions.find_mut(key).and_then(|s| s.polling_mut()).and_then(|p| p.probe.as_mut());
        match (eio::decode(text), probe) {
            (Ok(eio::Packet::Ping("probe")), Some(probe)) => {
                probe.is_answered = true;
                probe.release_ms = now_ms + PROBED_POLL_MS;
                self.outbox.send(conn, |arena| {
                    encode::write_eio(arena, &eio::Packet::Pong("probe"));
                });
                self.arm_session(key);
            }
            (Ok(eio::Packet::Upgrade), Some(probe)) if probe.is_answered => self.upgrade(now_ms, key, conn),
            _ => self.turn_probe_away(now_ms, key),
        }
    }

    /// The client has heard `3probe` and waits for its poll to end; whatever has come for it until now goes along.
    pub(crate) fn release_probed_poll(&mut self, now_ms: u64, key: SessionKey) {
        if let Some(probe) =
            self.sessions.find_mut(key).and_then(|s| s.polling_mut()).and_then(|p| p.probe.as_mut())
        {
            probe.release_ms = now_ms + PROBED_POLL_MS;
        }
        self.release_poll(now_ms, key, &[eio::Packet::Noop]);
    }

    fn upgrade(&mut self, now_ms: u64, key: SessionKey, conn: ConnId) {
        let Some(revision) = self.sessions.find(key).map(|session| session.revision) else { return };
        self.counters.upgrades += 1;
        self.take_over(now_ms, key, conn);
        self.become_websocket(now_ms, conn, key, Role::Transport(revision));
        self.route_sockets_of(key);
        self.arm_session(key);
    }

    /// A probe that says something else: its WebSocket is closed, polling goes on.
    fn turn_probe_away(&mut self, now_ms: u64, key: SessionKey) {
        let probe = self.sessions.find_mut(key).and_then(|s| s.polling_mut()).and_then(|p| p.probe.take());
        if let Some(probe) = probe {
            self.close_websocket(now_ms, probe.conn, None);
        }
    }

    /// A probe that broke or took too long: its connection ends, polling goes on.
    pub(crate) fn abandon_probe(&mut self, key: SessionKey) {
        let probe = self.sessions.find_mut(key).and_then(|s| s.polling_mut()).and_then(|p| p.probe.take());
        if let Some(probe) = probe {
            self.cut(probe.conn);
        }
    }

    fn forget_probe(&mut self, key: SessionKey) {
        if let Some(polling) = self.sessions.find_mut(key).and_then(|s| s.polling_mut()) {
            polling.probe = None;
        }
    }
}
