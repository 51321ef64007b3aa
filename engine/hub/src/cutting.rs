//! Connections that are cut by the server: slow readers, and those that hold most when the core holds too much.
//!
//! A client is told why in its transport's own terms, behind the frame that it has begun to read: 1008 for a slow reader, 1013 where the
//! core needs memory. The application sees the reason of the disconnect. Nobody else notices either.

use socketville_proto::ws::{self, CloseCode};

use crate::conns::Phase;
use crate::outbox::Overflow;
use crate::session::Link;
use crate::{ConnId, Hub, Reason, SessionKey};

/// Bytes below which cutting a connection brings nothing: that of an idle one.
const DEBT_BYTES_MIN: usize = 4 * 1024;

/// What holds bytes, and can be cut.
#[derive(Clone, Copy)]
enum Debtor {
    Conn(ConnId),
    /// A session that polls, with a connection or without.
    Session(SessionKey),
}

impl Hub {
    /// Cuts connections that owe too much, so that no peer makes us keep more than its share.
    pub fn cut_slow(&mut self, now_ms: u64) {
        self.outbox.judge_stalled(now_ms);
        while let Some(overflow) = self.outbox.take_overflowed() {
            self.counters.slow_cut += 1;
            self.end_overflowed(now_ms, overflow, Reason::SlowReader);
        }
        while let Some(session) = self.slow_sessions.pop() {
            // It stands here once per packet that did not fit.
            if self.sessions.find(session).is_some() {
                self.counters.slow_cut += 1;
                // It may have gone on to a WebSocket since its buffer was full.
                if let Some(Link::WebSocket(conn)) = self.sessions.find(session).map(|session| &session.link)
                {
                    let conn = *conn;
                    self.cut(conn);
                }
                self.lose_session(session, Reason::SlowReader);
            }
        }
    }

    /// Cuts those that hold most while the core is above its hard mark; after the flush, with which much has left.
    pub fn relieve(&mut self, now_ms: u64) {
        if self.account.held_by_debtors() > self.debts_bytes_max() {
            self.shed(now_ms);
        }
    }

    /// What all debtors may hold: what the core may hold but for what is nobody's debt, and a quarter at least, so that clients which cost
    /// little each do not take the room of all others.
    fn debts_bytes_max(&self) -> usize {
        let hard = self.config.budget.hard_bytes;
        let others = self.held_bytes() - self.account.held_by_debtors();
        hard.saturating_sub(others).max(hard / 4)
    }

    /// Whether the core holds so much that no session may begin.
    pub(crate) fn is_above_soft_mark(&self) -> bool {
        self.held_bytes() > self.config.budget.soft_bytes()
    }

    /// Cuts the largest debtors until the core is below its mark. What the arena holds leaves with the flush, and is nobody's debt.
    #[cold]
    fn shed(&mut self, now_ms: u64) {
        let relieved = self.debts_bytes_max() / 8 * 7;
        let mut debts = self.debts();
        debts.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        for (_, debtor) in debts {
            if self.account.held_by_debtors() <= relieved {
                return;
            }
            self.counters.shed += 1;
            match debtor {
                Debtor::Conn(conn) => self.end_for_memory(now_ms, conn),
                Debtor::Session(session) => self.lose_session(session, Reason::MemoryLimit),
            }
        }
    }

    fn debts(&self) -> Vec<(usize, Debtor)> {
        let mut debts = Vec::new();
        for index in 0..self.conns.len() {
            let conn = ConnId { index: index as u32, generation: self.conns[index].generation };
            let bytes = self.held_by(conn);
            if bytes >= DEBT_BYTES_MIN {
                debts.push((bytes, Debtor::Conn(conn)));
            }
        }
        for key in self.sessions.keys() {
            let bytes = match self.sessions.find(key) {
                Some(session) if !matches!(session.link, Link::WebSocket(_)) => session.held_bytes(),
                _ => 0,
            };
            if bytes >= DEBT_BYTES_MIN {
                debts.push((bytes, Debtor::Session(key)));
            }
        }
        debts
    }

    /// Bytes that are held for a connection, those of its session over WebSocket included.
    pub(crate) fn held_by(&self, conn: ConnId) -> usize {
        let Some(state) = self.conn(conn) else { return 0 };
        if matches!(state.phase, Phase::Closing | Phase::Lingering { .. }) {
            return 0; // it ends within a deadline, and has its last bytes
        }
        let phase = match &state.phase {
            Phase::Body(upload) => upload.held_bytes(),
            Phase::Parked(_, Some(behind)) => behind.held_bytes(),
            Phase::WebSocket { session, partial, .. } => {
                partial.as_ref().map_or(0, |reader| reader.held_bytes())
                    + self.sessions.find(*session).map_or(0, |session| session.held_bytes())
            }
            _ => 0,
        };
        phase + state.held.as_ref().map_or(0, |held| held.held_bytes()) + self.outbox.backlog_bytes(conn)
    }

    fn end_for_memory(&mut self, now_ms: u64, conn: ConnId) {
        if let Some(overflow) = self.outbox.give_up(conn) {
            return self.end_overflowed(now_ms, overflow, Reason::MemoryLimit);
        }
        match self.conn(conn).map(|state| &state.phase) {
            Some(Phase::WebSocket { session, role, .. }) => {
                let (session, role) = (*session, *role);
                self.end_websocket(session, role, Reason::MemoryLimit);
                self.close_websocket(now_ms, conn, Some(close_code(Reason::MemoryLimit).code()));
            }
            _ => self.handle_end(conn, Reason::MemoryLimit),
        }
    }

    /// A WebSocket is told why it ends, behind the frame that its peer has begun to read.
    fn end_overflowed(&mut self, now_ms: u64, overflow: Overflow, reason: Reason) {
        let conn = overflow.conn;
        let Some(Phase::WebSocket { session, role, .. }) =
            self.conn(conn).map(|state| &state.phase).filter(|_| overflow.is_at_frame)
        else {
            return self.handle_end(conn, reason);
        };
        let (session, role) = (*session, *role);
        let mut frame = Vec::new();
        ws::write_close(&mut frame, Some(close_code(reason).code()), reason.as_str());
        self.outbox.finish(conn, &frame);
        self.end_websocket(session, role, reason);
        self.linger(now_ms, conn);
    }
}

/// What a WebSocket is told (RFC 6455 section 7.4.1, and the registry of codes).
const fn close_code(reason: Reason) -> CloseCode {
    match reason {
        Reason::MemoryLimit => CloseCode::TryAgainLater,
        _ => CloseCode::Policy,
    }
}
