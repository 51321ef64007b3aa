//! How connections end: after their last bytes, after their peer's, or at once.
//!
//! Not the ends of sessions, which are told before. The rule is that of RFC 9112 section 9.6 and RFC 6455 section 7.1.1: who closes while its peer
//! may still be sending resets the connection, and takes along what the peer has not read yet.
//!
//! ```text
//! the peer may be sending   Lingering: last bytes -> our end -> bytes are ignored -> the peer's end, or a limit -> closed
//! it has sent its last      Closing:   last bytes -> closed
//! it is broken, or too slow            closed
//! ```

use socketville_proto::http::KeepAlive;

use crate::account::Owner;
use crate::conns::{Conn, Course, Phase, Role};
use crate::limits::{BODY_TIMEOUT_MS, KEEP_ALIVE_MS, LINGER_BYTES_MAX};
use crate::{ConnId, Effect, Hub, Reason};

/// How a connection ends once its last bytes are with the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parting {
    /// It closes, and is forgotten.
    Close,
    /// Only our direction ends.
    HalfClose,
}

impl Phase {
    /// Whether a request is being read, or its answer made: one that ends, or has become a WebSocket, is not answered.
    pub(crate) const fn awaits_answer(&self) -> bool {
        matches!(self, Self::Http(_) | Self::Body(_) | Self::Parked(..) | Self::Answering)
    }

    const fn is_lingering(&self) -> bool {
        matches!(self, Self::Lingering { .. })
    }
}

impl Hub {
    /// The peer will send nothing more; it may still read. An answer that is due or being made still leaves.
    pub fn handle_eof(&mut self, now_ms: u64, conn: ConnId) {
        let is_idle = self.outbox.is_idle(conn);
        let Some(state) = self.conn_mut(conn) else { return };
        match state.phase {
            Phase::Answering => {
                // Requests that are held are still answered; the last of them closes.
                if state.held.is_none() {
                    state.keep = KeepAlive::Close;
                }
                state.course = Course::Ended;
            }
            Phase::Http(_) if !is_idle && state.held.is_some() => state.course = Course::Ended,
            Phase::Http(_) if !is_idle => self.close_conn(now_ms, conn),
            Phase::Closing | Phase::Lingering { .. } if !is_idle => _ = self.set_phase(conn, Phase::Closing),
            _ => self.handle_end(conn, Reason::TransportClose),
        }
    }

    /// The peer has ended or broken the connection.
    pub fn handle_end(&mut self, conn: ConnId, reason: Reason) {
        let Some(phase) = self.set_phase(conn, Phase::Closing) else { return };
        let is_cut = matches!(reason, Reason::SlowReader | Reason::MemoryLimit);
        let of_request = if is_cut { reason } else { Reason::TransportError };
        match phase {
            Phase::WebSocket { session, role: Role::Transport(_), .. } => self.lose_session(session, reason),
            Phase::WebSocket { session, role: Role::Probe, .. } => self.abandon_probe(session),
            Phase::Parked(session, _) => self.lose_session(session, of_request),
            Phase::Body(upload) => {
                if let Some(session) = upload.session().filter(|&key| self.is_posting(key, conn)) {
                    self.lose_session(session, of_request);
                }
            }
            // The answer to its poll is lost with the connection.
            Phase::Http(Some(session)) if is_cut => self.lose_whole_session(session, reason),
            Phase::WebSocket { role: Role::Bare, .. }
            | Phase::Vacant
            | Phase::Http(_)
            | Phase::Answering
            | Phase::Closing
            | Phase::Lingering { .. } => {}
        }
        self.cut(conn);
    }

    /// The server has closed the descriptor.
    pub fn forget(&mut self, conn: ConnId) {
        if let Some(state) = self.conn_mut(conn) {
            let was_lingering = state.phase.is_lingering();
            *state = Conn::vacant();
            self.conns_open -= 1;
            self.conns_lingering -= usize::from(was_lingering);
            self.outbox.forget(conn);
            self.address_shares.disconnect(conn.index);
            self.newcomers.forget(conn);
            self.account.end(Owner::Conn(conn));
        }
    }

    /// Ends a connection after its last bytes; its peer has sent all that it had to.
    pub(crate) fn close_conn(&mut self, now_ms: u64, conn: ConnId) {
        if self.conn(conn).is_some() {
            self.read_to_the_end(conn);
            let _before = self.enter(now_ms, conn, Phase::Closing);
            self.outbox.close(conn);
        }
    }

    /// Ends a connection after its last bytes and whatever the peer still sends.
    pub(crate) fn linger(&mut self, now_ms: u64, conn: ConnId) {
        self.close_conn(now_ms, conn);
        if self.conn_mut(conn).is_some_and(|state| state.course != Course::Ended) {
            let _closing = self.set_phase(conn, Phase::Lingering { ignored_bytes: 0 });
        }
    }

    /// Bytes came that nobody reads. Who has more to say than it had to is heard out, up to a limit.
    pub fn ignore(&mut self, conn: ConnId, bytes: usize) {
        let may_linger = !self.outbox.is_idle(conn);
        let Some(state) = self.conn_mut(conn).filter(|_| bytes > 0) else { return };
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        match state.phase {
            Phase::Lingering { ref mut ignored_bytes } => {
                *ignored_bytes = ignored_bytes.saturating_add(count);
                if *ignored_bytes > LINGER_BYTES_MAX {
                    self.handle_end(conn, Reason::TransportError);
                }
            }
            Phase::Closing if may_linger => {
                let _closing = self.set_phase(conn, Phase::Lingering { ignored_bytes: count });
            }
            _ => {}
        }
    }

    /// What becomes of a connection whose last bytes are with the kernel.
    pub fn part(&self, conn: ConnId) -> Parting {
        let state = self.conns.get(conn.index as usize).filter(|state| state.generation == conn.generation);
        if state.is_some_and(|state| state.phase.is_lingering()) {
            Parting::HalfClose
        } else {
            Parting::Close
        }
    }

    /// What a connection is in the middle of from now on, and how long that may take: nothing of it has the deadline of what was before. What was
    /// before is returned; `None` if the connection is gone.
    pub(crate) fn enter(&mut self, now_ms: u64, conn: ConnId, phase: Phase) -> Option<Phase> {
        let before = self.set_phase(conn, phase)?;
        let due_ms = match &self.conn(conn)?.phase {
            Phase::Http(_) => now_ms + KEEP_ALIVE_MS,
            Phase::Body(_) => now_ms + self.unfinished_ms(BODY_TIMEOUT_MS),
            // As long as there are no packets, as the application takes, as the session lasts.
            Phase::Vacant | Phase::Parked(..) | Phase::Answering | Phase::WebSocket { .. } => u64::MAX,
            Phase::Closing | Phase::Lingering { .. } => self.closed_by_ms(now_ms, conn),
        };
        self.set_conn_deadline(conn, due_ms);
        Some(before)
    }

    /// As [`Hub::enter`], within the time of what was before.
    fn set_phase(&mut self, conn: ConnId, phase: Phase) -> Option<Phase> {
        let is_lingering = phase.is_lingering();
        let before = std::mem::replace(&mut self.conn_mut(conn)?.phase, phase);
        self.conns_lingering += usize::from(is_lingering);
        self.conns_lingering -= usize::from(before.is_lingering());
        Some(before)
    }

    /// Ends a connection at once.
    pub(crate) fn cut(&mut self, conn: ConnId) {
        if let Some(state) = self.conn_mut(conn) {
            state.held = None;
            let _before = self.set_phase(conn, Phase::Closing);
            // What waits for others leaves in this turn's flush, which comes before the end.
            self.outbox.hurry(conn);
            self.effects.push_back(Effect::Close(conn));
        }
    }

    /// This core has missed something of the others: its clients are cut, so that none of them has a gap, and begin anew.
    pub fn begin_anew(&mut self) {
        if let Some(recoveries) = &mut self.recoveries {
            recoveries.history.tear(self.core);
        }
        // A request that is being read may be for a session of another core, which has missed nothing.
        for index in 0..self.conns.len() {
            let state = &self.conns[index];
            if matches!(state.phase, Phase::WebSocket { .. } | Phase::Parked(..)) {
                let conn = ConnId { index: index as u32, generation: state.generation };
                self.handle_end(conn, Reason::TransportError);
            }
        }
        for key in self.sessions.keys().collect::<Vec<_>>() {
            self.lose_session(key, Reason::TransportError);
        }
    }
}
