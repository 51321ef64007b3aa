//! Long-polling: packets wait in a session's buffer until a GET takes them.
//!
//! Not HTTP: requests are read and answers written in `http`. A poll that finds packets is answered at once; one that finds none is parked
//! and answered at the next flush that has some, so that what one turn brings leaves in one response.

use socketville_proto::eio::Packet;
use socketville_proto::http::Head;

use crate::conns::Phase;
use crate::delivery::Route;
use crate::limits::DEBT_BYTES_MIN;
use crate::poll_buffer::{PollBuffer, PollForm};
use crate::session::{Layer, Link, Polling, Speech};
use crate::{ConnId, Hub, Id, Reason, SessionKey};

impl Hub {
    pub(crate) fn open_polling(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        id: Id,
        layer: Layer,
        form: PollForm,
        (head, raw): (&Head<'_>, &[u8]),
    ) {
        self.add_cookie(conn, &id);
        let link = Link::Polling(Box::default());
        let speech = Speech { layer, revision: form.revision() };
        let key = self.open_session(now_ms, id, link, speech, raw);
        if let Some(polling) = self.sessions.find_mut(key).and_then(|session| session.polling_mut()) {
            polling.buffer = PollBuffer::charged(form, &self.account, key);
        }
        self.note_client(conn, key, head);
        let offers = self.config.transports.websocket() && self.config.allows_upgrades;
        let upgrades: &[&str] = if offers { &["websocket"] } else { &[] };
        let mut opening = PollBuffer::new(form);
        opening.push(&[Packet::Open(&self.open_text(&id, upgrades))]);
        if let Some(packet) = &self.config.initial_packet {
            opening.push(&[Packet::Message(packet)]);
        }
        self.answer_poll(now_ms, conn, opening.take());
        self.join_unasked(key, speech);
    }

    pub(crate) fn handle_poll(&mut self, now_ms: u64, conn: ConnId, key: SessionKey) {
        let Some(session) = self.sessions.find_mut(key) else { return };
        match &mut session.link {
            Link::Closing(farewell) => {
                if farewell.is_last_poll() {
                    farewell.buffer.push(farewell.last);
                    let answer = farewell.buffer.take();
                    self.answer_poll(now_ms, conn, answer);
                    self.end_farewell(now_ms, key);
                } else {
                    // The close comes with the next poll: clients look at a close before the packets that came with it.
                    let answer = farewell.buffer.take();
                    self.answer_poll(now_ms, conn, answer);
                }
            }
            Link::Polling(polling) if polling.parked.is_some() => self.refuse_second_poll(now_ms, conn, key),
            Link::Polling(polling) => {
                if polling.buffer.is_empty() {
                    polling.parked = Some(conn);
                    let _request = self.enter(now_ms, conn, Phase::Parked(key, None));
                } else {
                    let answer = polling.buffer.take();
                    let _request = self.enter(now_ms, conn, Phase::Parked(key, None)); // so that it is known whose answer the connection owes
                    self.answer_poll(now_ms, conn, answer);
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

    /// Two polls at once: neither can be trusted to be the client's; the session ends, the first is told so.
    fn refuse_second_poll(&mut self, now_ms: u64, conn: ConnId, key: SessionKey) {
        self.counters.protocol_errors += 1;
        self.answer_fault(now_ms, conn);
        self.close_parked(now_ms, key);
        self.lose_session(key, Reason::TransportError);
    }

    /// Tells the waiting GET, if there is one, that the session ends.
    pub(crate) fn close_parked(&mut self, now_ms: u64, key: SessionKey) {
        if let Some(polling) = self.sessions.find_mut(key).and_then(|s| s.polling_mut())
            && let Some(first) = polling.parked.take()
        {
            let answer = polling.buffer.answer(&[Packet::Close]);
            self.answer_poll(now_ms, first, answer);
        }
    }

    /// The last of a session that was closed: a POST that waits for it is answered.
    pub(crate) fn end_farewell(&mut self, now_ms: u64, key: SessionKey) {
        let posting = match self.sessions.find_mut(key).map(|session| &mut session.link) {
            Some(Link::Closing(farewell)) => farewell.posting.take(),
            _ => None,
        };
        self.drop_session(key);
        if let Some(conn) = posting {
            self.answer_post(now_ms, conn);
        }
    }

    /// Appends frames to a polling session's buffer; a parked poll is answered within so many milliseconds, with 0 at the next flush.
    pub(crate) fn append_to_poll(&mut self, index: u32, range: crate::Range, allowance_ms: u8) {
        let Some((key, _)) = self.sessions.at(index) else { return };
        let (max, held) = (self.config.backlog_bytes_max, self.account.held());
        let Some(polling) = self.sessions.at_mut(index).and_then(|s| s.polling_mut()) else { return };
        if polling.buffer.len() >= max {
            return self.slow_sessions.push((key, Reason::SlowReader));
        }
        let is_debtor = polling.buffer.len() + range.len() > DEBT_BYTES_MIN;
        if is_debtor && held + range.len() > self.config.budget.hard_bytes {
            return self.slow_sessions.push((key, Reason::MemoryLimit));
        }
        polling.buffer.push_frames(self.outbox.bytes(range));
        if polling.parked.is_none() || polling.is_due {
            return;
        }
        // Waiting must not fill the buffer: who would be cut at the next packets is answered now.
        if allowance_ms == 0 || polling.buffer.len() > max / 2 {
            polling.is_due = true;
            self.polls_due.push(key);
            return;
        }
        let until_ms = self.outbox.now_ms() + u64::from(allowance_ms);
        if polling.waits_until_ms.is_none_or(|earlier_ms| until_ms < earlier_ms) {
            polling.waits_until_ms = Some(until_ms);
            self.polls_waiting.push(until_ms, key);
        }
    }

    /// Polls that may wait no longer are answered in the next flush.
    pub(crate) fn release_waiting_polls(&mut self, now_ms: u64) {
        while let Some((until_ms, keys)) = self.polls_waiting.pop(now_ms) {
            for &key in &keys {
                let Some(polling) = self.sessions.find_mut(key).and_then(|s| s.polling_mut()) else {
                    continue;
                };
                if polling.waits_until_ms == Some(until_ms) && !polling.is_due {
                    polling.is_due = true;
                    self.polls_due.push(key);
                }
            }
            self.polls_waiting.give_back(keys);
        }
    }

    /// Answers the parked polls of sessions that have packets now; a step of the flush.
    pub fn settle_polls(&mut self, now_ms: u64) {
        if self.outbox.is_crowded() {
            self.counters.flushes_early += 1;
            self.outbox.release_all();
        }
        while let Some(key) = self.polls_due.pop() {
            let Some(polling) = self.sessions.find_mut(key).and_then(|s| s.polling_mut()) else { continue };
            polling.is_due = false;
            self.release_poll(now_ms, key, &[]);
        }
        let (made, uncompressed) = self.poll_compression.end_turn();
        self.counters.poll_deflates += made;
        self.counters.polls_uncompressed += uncompressed;
        // Before anything is sent: a connection that was cut may have nothing to send, and its session must end first.
        self.cut_slow(now_ms);
    }

    /// Answers the parked poll, if there is one, with the buffer and `last`.
    pub(crate) fn release_poll(&mut self, now_ms: u64, key: SessionKey, last: &[Packet<'_>]) {
        let Some(polling) = self.sessions.find_mut(key).and_then(|s| s.polling_mut()) else { return };
        if let Some(conn) = polling.parked.take() {
            polling.waits_until_ms = None;
            polling.buffer.push(last);
            let answer = polling.buffer.take();
            self.answer_poll(now_ms, conn, answer);
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
        );
        // Its poll may have been sent before its close, and still be on its way from another core.
        let is_crossing = reason == Reason::TransportClose && self.cores > 1;
        let last = if matches!(reason, Reason::TransportClose) { Packet::Noop } else { Packet::Close };
        match polling.parked.take() {
            Some(conn) if is_told_later && !polling.buffer.is_empty() => {
                self.answer_poll(now_ms, conn, polling.buffer.take());
                self.arm_session(key);
            }
            Some(conn) => {
                polling.buffer.push(&[last]);
                self.answer_poll(now_ms, conn, polling.buffer.take());
                self.drop_session(key);
            }
            None if is_told_later || is_crossing => {
                if let Some(Link::Closing(farewell)) =
                    self.sessions.find_mut(key).map(|session| &mut session.link)
                {
                    farewell.buffer = polling.buffer;
                    farewell.is_crossing = is_crossing;
                }
                self.arm_session(key);
            }
            None => self.drop_session(key),
        }
    }

    /// The session goes on over WebSocket: what waited for a poll becomes frames, in order.
    pub(crate) fn take_over(&mut self, now_ms: u64, key: SessionKey, conn: ConnId) {
        self.release_poll(now_ms, key, &[Packet::Noop]);
        let Some(session) = self.sessions.find_mut(key) else { return };
        let Link::Polling(polling) = std::mem::replace(&mut session.link, Link::WebSocket(conn)) else {
            return;
        };
        let frames = self.outbox.write(|arena| polling.buffer.write_frames(arena));
        self.append(Route::Lane(conn.index), frames);
    }
}
