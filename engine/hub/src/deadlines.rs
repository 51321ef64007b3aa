//! Deadlines of peers: when a peer that is late is cut.
//!
//! Not the timers, which say when to look. A peer is late only if what it sent in time would have been read by now. So a deadline that is
//! over makes its peer a *suspect*, and a suspect is judged when the kernel has nothing more to read, or after so many turns that all which had
//! arrived before has been read. After a gap, a time in which the loop did not run, a whole ping round comes first: what the peers have sent
//! meanwhile lies in many buffers, and what they were owed did not leave.

use crate::limits::{GAP_MS, GRACE_AFTER_GAP_MS, LOOKS_MAX};
use crate::reading::Pause;
use crate::session::{Link, Session};
use crate::timers::Watched;
use crate::{ConnId, Hub, Reason, SessionKey};

/// What a turn found when it looked at the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Nothing: all that has arrived has been read.
    Quiet,
    /// Something; more may lie behind it.
    Busy,
    /// Nobody looked, since the core takes nothing in at the moment.
    Averted,
}

/// A peer whose deadline is over.
struct Suspect {
    at_ms: u64,
    watched: Watched,
    /// Turns that have read since.
    looks: u16,
}

/// What the hub knows of its own punctuality.
pub(crate) struct Deadlines {
    suspects: Vec<Suspect>,
    /// When the last turn began.
    turn_ms: Option<u64>,
    /// When the first turn after the last gap began.
    gap_ms: Option<u64>,
    /// Sessions that are not read at the moment.
    paused: hashbrown::HashSet<SessionKey, ahash::RandomState>,
}

impl Deadlines {
    pub(crate) fn new(hasher: ahash::RandomState) -> Self {
        let paused = hashbrown::HashSet::with_hasher(hasher);
        Self { suspects: Vec::new(), turn_ms: None, gap_ms: None, paused }
    }

    /// Whether somebody is to be judged as soon as all has been read.
    pub(crate) const fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Whether a gap has ended after this moment.
    pub(crate) fn had_gap_since(&self, since_ms: u64) -> bool {
        self.gap_ms.is_some_and(|gap_ms| gap_ms > since_ms)
    }

    /// Whether a session is not read at the moment, so that nothing of it can be late.
    pub(crate) fn is_paused(&self, key: SessionKey) -> bool {
        !self.paused.is_empty() && self.paused.contains(&key)
    }

    pub(crate) fn forget(&mut self, key: SessionKey) {
        if !self.paused.is_empty() {
            self.paused.remove(&key);
        }
    }

    /// If nobody is cut yet, since the loop did not run a moment ago: until when.
    pub(crate) fn grace(&self, now_ms: u64) -> Option<u64> {
        self.grace_end_ms().filter(|&until_ms| now_ms < until_ms)
    }

    /// Until when nobody is cut after the last gap.
    pub(crate) fn grace_end_ms(&self) -> Option<u64> {
        self.gap_ms.map(|gap_ms| gap_ms + GRACE_AFTER_GAP_MS)
    }
}

impl Hub {
    /// A turn begins that was planned for the earliest timer, but not before the turn that planned it.
    pub(crate) fn note_gap(&mut self, now_ms: u64) {
        let next_ms = self.next_timer_ms();
        let before_ms = self.deadlines.turn_ms.replace(now_ms);
        let (Some(before_ms), Some(next_ms)) = (before_ms, next_ms) else { return };
        if now_ms.saturating_sub(before_ms.max(next_ms)) > GAP_MS {
            self.counters.gaps += 1;
            self.deadlines.gap_ms = Some(now_ms);
            self.outbox.forgive_stalls(now_ms);
        }
    }

    /// A session is not read from now on: its WebSocket is paused, its POSTs are its server's affair. What its client owes is not expected
    /// meanwhile.
    pub fn pause_session(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.find(key) else { return };
        self.deadlines.paused.insert(key);
        if let Link::WebSocket(conn) = session.link {
            self.pause(conn, Pause::Handlers);
        }
    }

    /// A session is read again: its client has the whole time for what it owes.
    pub fn resume_session(&mut self, now_ms: u64, key: SessionKey) {
        self.deadlines.forget(key);
        let until_ms = now_ms + self.config.ping_timeout.ms();
        let Some(session) = self.sessions.find_mut(key) else { return };
        session.expect_from(until_ms);
        if let Link::WebSocket(conn) = session.link {
            self.resume(conn, Pause::Handlers);
        }
    }

    /// Deals with all deadlines up to now; last in a turn, after all that it has read. Who is late is cut if the look at the kernel says that
    /// nothing of it can be unread.
    pub fn handle_timers(&mut self, now_ms: u64, look: Look) {
        self.handle_time(now_ms);
        self.forget_unreturned(now_ms);
        while let Some((at_ms, watched)) = self.timers.pop(now_ms) {
            if self.is_late(now_ms, watched) {
                self.deadlines.suspects.push(Suspect { at_ms, watched, looks: 0 });
            } else {
                self.settle(now_ms, at_ms, watched);
            }
        }
        self.judge(now_ms, look);
    }

    fn judge(&mut self, now_ms: u64, look: Look) {
        if look == Look::Averted || !self.deadlines.has_suspects() {
            return;
        }
        for mut suspect in std::mem::take(&mut self.deadlines.suspects) {
            suspect.looks += 1;
            if look == Look::Quiet || suspect.looks > LOOKS_MAX {
                self.settle(now_ms, suspect.at_ms, suspect.watched);
            } else {
                self.deadlines.suspects.push(suspect);
            }
        }
    }

    fn settle(&mut self, now_ms: u64, at_ms: u64, watched: Watched) {
        match watched {
            Watched::Conn(index) => self.handle_conn_timer(now_ms, at_ms, index),
            Watched::Session(index) => self.handle_session_timer(now_ms, at_ms, index),
        }
    }

    /// Whether what is due is the fault of a peer.
    fn is_late(&self, now_ms: u64, watched: Watched) -> bool {
        match watched {
            Watched::Conn(index) => self.conns.get(index as usize).is_some_and(|conn| conn.due_ms <= now_ms),
            Watched::Session(index) => self
                .sessions
                .at(index)
                .is_some_and(|(key, session)| !self.deadlines.is_paused(key) && session.is_late(now_ms)),
        }
    }

    /// The connection's deadline is over: it ends, or a gap has moved its deadline.
    pub(crate) fn expire_conn(&mut self, now_ms: u64, conn: ConnId) {
        match self.deadlines.grace(now_ms) {
            Some(until_ms) => self.set_conn_deadline(conn, until_ms),
            None if self.refuse_late(now_ms, conn) => {}
            None => self.handle_end(conn, Reason::TransportError),
        }
    }
}

impl Session {
    /// Whether something of its client's is overdue: a pong, a namespace, an upgrade, attachments.
    fn is_late(&self, now_ms: u64) -> bool {
        let is_probe_late = match &self.link {
            Link::Closing(_) => return false,
            Link::Polling(polling) => polling.probe.as_ref().is_some_and(|probe| probe.due_ms <= now_ms),
            Link::WebSocket(_) => false,
        };
        let are_attachments_late =
            self.incoming.as_ref().is_some_and(|incomplete| incomplete.due_ms <= now_ms);
        self.connect_ms <= now_ms
            || are_attachments_late
            || (self.beat.is_end() && self.heartbeat_ms <= now_ms)
            || is_probe_late
    }

    /// Nothing of its client's is overdue before this moment.
    pub(crate) fn expect_from(&mut self, until_ms: u64) {
        if self.beat.is_end() {
            self.heartbeat_ms = self.heartbeat_ms.max(until_ms);
        }
        self.put_off(until_ms, until_ms);
    }

    /// A gap moves what is overdue, but for a pong: a new ping asks for that.
    pub(crate) fn put_off(&mut self, now_ms: u64, until_ms: u64) {
        if self.connect_ms <= now_ms {
            self.connect_ms = until_ms;
        }
        if let Some(incomplete) = self.incoming.as_mut().filter(|incomplete| incomplete.due_ms <= now_ms) {
            incomplete.due_ms = until_ms;
        }
        if let Some(probe) = self.polling_mut().and_then(|polling| polling.probe.as_mut())
            && probe.due_ms <= now_ms
        {
            probe.due_ms = until_ms;
        }
    }
}
