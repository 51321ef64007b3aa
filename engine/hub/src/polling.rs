//! Long-polling: packets wait in a session's buffer until a GET takes them.
//!
//! Not HTTP: requests are read and answers written in `http`. A poll that finds packets is answered at once; one that finds none is parked
//! and answered at the next flush that has some, so that what one turn brings leaves in one response.

use socketville_proto::{eio, ws};

use crate::conns::Phase;
use crate::session::{Layer, Link, Polling};
use crate::{ConnId, Hub, Reason, SessionKey};

impl Hub {
    pub(crate) fn open_polling(&mut self, now_ms: u64, conn: ConnId, layer: Layer, head: &[u8]) {
        let id = self.new_session_id(head);
        self.add_cookie(conn, &id);
        let key = self.open_session(now_ms, id, Link::Polling(Box::default()), layer, head);
        self.ask_address(conn, key);
        let offers = self.config.transports.websocket() && self.config.allows_upgrades;
        let upgrades: &[&str] = if offers { &["websocket"] } else { &[] };
        let mut payload = Vec::with_capacity(160);
        self.write_open(&id, upgrades, &mut payload);
        if let Some(packet) = &self.config.initial_packet {
            payload.extend_from_slice(b"\x1e4");
            payload.extend_from_slice(packet.as_bytes());
        }
        self.answer_poll(now_ms, conn, &payload);
    }

    pub(crate) fn handle_poll(&mut self, now_ms: u64, conn: ConnId, key: SessionKey) {
        let Some(session) = self.sessions.find_mut(key) else { return };
        match &mut session.link {
            Link::Closing(farewell) => {
                let (payload, last) = (std::mem::take(&mut farewell.buffer), farewell.last);
                if payload.is_empty() {
                    self.answer_poll(now_ms, conn, last);
                    self.drop_session(key);
                } else {
                    // The close comes with the next poll: clients look at a close before the packets that came with it.
                    self.answer_poll(now_ms, conn, &payload);
                }
            }
            Link::Polling(polling) if polling.parked.is_some() => self.refuse_second_poll(now_ms, conn, key),
            Link::Polling(polling) => {
                if polling.buffer.is_empty() {
                    polling.parked = Some(conn);
                    self.park(conn, key);
                } else {
                    let payload = std::mem::take(&mut polling.buffer);
                    self.answer_poll(now_ms, conn, &payload);
                }
            }
            Link::WebSocket(_) => {}
        }
    }

    /// Whether a session that polls waits for the POST on this connection; one that was upgraded or closed meanwhile does not.
    pub(crate) fn is_posting(&self, key: SessionKey, conn: ConnId) -> bool {
        self.sessions.find(key).is_some_and(
            |session| matches!(&session.link, Link::Polling(polling) if polling.posting == Some(conn)),
        )
    }

    fn park(&mut self, conn: ConnId, key: SessionKey) {
        if let Some(state) = self.conn_mut(conn) {
            state.phase = Phase::Parked(key);
            self.set_conn_deadline(conn, u64::MAX);
        }
    }

    /// Two polls at once: neither can be trusted to be the client's; the session ends, the first is told so.
    fn refuse_second_poll(&mut self, now_ms: u64, conn: ConnId, key: SessionKey) {
        self.counters.protocol_errors += 1;
        self.answer_fault(now_ms, conn);
        if let Some(first) =
            self.sessions.find_mut(key).and_then(|s| s.polling_mut()).and_then(|p| p.parked.take())
        {
            self.answer_poll(now_ms, first, b"1");
        }
        self.lose_session(key, Reason::TransportError);
    }

    /// Appends frames to a polling session's buffer.
    pub(crate) fn append_to_poll(&mut self, index: u32, range: crate::Range) {
        let Some((key, _)) = self.sessions.at(index) else { return };
        let max = self.config.backlog_bytes_max;
        let Some(polling) = self.sessions.at_mut(index).and_then(|s| s.polling_mut()) else { return };
        if polling.buffer.len() >= max {
            self.slow_sessions.push(key);
            return;
        }
        eio::append_payload(&mut polling.buffer, self.outbox.bytes(range));
        if polling.parked.is_some() && !polling.is_due {
            polling.is_due = true;
            self.polls_due.push(key);
        }
    }

    /// Answers the parked polls of sessions that have packets now; a step of the flush.
    pub fn settle_polls(&mut self, now_ms: u64) {
        while let Some(key) = self.polls_due.pop() {
            let Some(polling) = self.sessions.find_mut(key).and_then(|s| s.polling_mut()) else { continue };
            polling.is_due = false;
            self.release_poll(now_ms, key, b"");
        }
    }

    /// Answers the parked poll, if there is one, with the buffer and `last`.
    pub(crate) fn release_poll(&mut self, now_ms: u64, key: SessionKey, last: &[u8]) {
        let Some(polling) = self.sessions.find_mut(key).and_then(|s| s.polling_mut()) else { return };
        if let Some(conn) = polling.parked.take() {
            let mut payload = std::mem::take(&mut polling.buffer);
            append(&mut payload, last);
            self.answer_poll(now_ms, conn, &payload);
        }
    }

    /// The server ends a session that polls, or a fault of the peer does.
    pub(crate) fn close_polling(
        &mut self,
        now_ms: u64,
        key: SessionKey,
        mut polling: Polling,
        reason: Reason,
    ) {
        if let Some(probe) = polling.probe.take() {
            self.close_websocket(now_ms, probe.conn, None);
        }
        let is_told_later = matches!(
            reason,
            Reason::ForcedClose | Reason::ServerShuttingDown | Reason::ServerNamespaceDisconnect
        ) || (reason == Reason::TransportClose && self.cores > 1);
        let last: &[u8] = if matches!(reason, Reason::TransportClose) { b"6" } else { b"1" };
        match polling.parked.take() {
            Some(conn) if is_told_later && !polling.buffer.is_empty() => {
                self.answer_poll(now_ms, conn, &polling.buffer);
                self.arm_session(key);
            }
            Some(conn) => {
                append(&mut polling.buffer, last);
                self.answer_poll(now_ms, conn, &polling.buffer);
                self.drop_session(key);
            }
            None if is_told_later => {
                if let Some(Link::Closing(farewell)) =
                    self.sessions.find_mut(key).map(|session| &mut session.link)
                {
                    farewell.buffer = polling.buffer;
                }
                self.arm_session(key);
            }
            None => self.drop_session(key),
        }
    }

    /// The session goes on over WebSocket: what waited for a poll becomes frames, in order.
    pub(crate) fn take_over(&mut self, now_ms: u64, key: SessionKey, conn: ConnId) {
        self.release_poll(now_ms, key, b"6");
        let Some(session) = self.sessions.find_mut(key) else { return };
        let Link::Polling(polling) = std::mem::replace(&mut session.link, Link::WebSocket(conn)) else {
            return;
        };
        let Ok(text) = std::str::from_utf8(&polling.buffer) else { return };
        if text.is_empty() {
            return;
        }
        self.outbox.send(conn, |arena| {
            for item in text.split(char::from(eio::SEPARATOR)) {
                write_item(arena, item);
            }
        });
    }
}

/// One item of a payload that we wrote ourselves, as a frame.
fn write_item(out: &mut Vec<u8>, item: &str) {
    match eio::payload(item).next() {
        Some(Ok(eio::PayloadItem::Binary(bytes))) => {
            ws::write_header(out, ws::Opcode::Binary, bytes.len());
            out.extend_from_slice(&bytes);
        }
        _ => {
            ws::write_header(out, ws::Opcode::Text, item.len());
            out.extend_from_slice(item.as_bytes());
        }
    }
}

fn append(payload: &mut Vec<u8>, last: &[u8]) {
    if !payload.is_empty() && !last.is_empty() {
        payload.push(eio::SEPARATOR);
    }
    payload.extend_from_slice(last);
}
