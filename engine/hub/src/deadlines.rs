//! Deadlines of peers: when a peer that is late is cut.
//!
//! Not the timers, which say when to look. A peer is late only if what it sent in time would have been read by now. So a deadline that is
//! over makes its peer a *suspect*, and a suspect is judged when the kernel has nothing more to read, or after so many turns that all which had
//! arrived before has been read. After a gap, a time in which the loop did not run, a whole ping round comes first: what the peers have sent
//! meanwhile lies in many buffers, and what they were owed did not leave.

use hashbrown::HashMap;

use crate::limits::{GAP_MS, GRACE_AFTER_GAP_MS, LOOKS_MAX, PAUSE_MS_MAX};
use crate::reading::Pause;
use crate::session::{Beat, Link, Session};
use crate::timers::Watched;
use crate::{ConnId, Hub, Reason, SessionKey};

/// What a turn found when it looked at the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Nothing: all that has arrived has been read.
    Quiet,
    /// Something; more may lie behind it.
    Busy,
    /// More than a turn reads: the rest stands in line, and is read in one of the next turns.
    Behind,
    /// Nobody looked, since the core takes nothing in at the moment.
    Averted,
}

/// A moment by which a peer must have done something. A gap moves it by as much as the loop stood still, so that what is left of the time is left
/// of it; if it is over all the same, a gap grants a moment once: a peer that is late again is late, however often the loop stands still.
///
/// Twice the milliseconds, and one if a gap has moved it, for there are several a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Due(u64);

impl Due {
    /// Nothing is expected.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) const fn at(ms: u64) -> Self {
        if ms < u64::MAX / 2 { Self(ms << 1) } else { Self::NEVER }
    }

    /// The moment; `u64::MAX` if there is none.
    pub(crate) const fn ms(self) -> u64 {
        if self.0 == Self::NEVER.0 { u64::MAX } else { self.0 >> 1 }
    }

    pub(crate) const fn is_over(self, now_ms: u64) -> bool {
        self.ms() <= now_ms
    }

    /// The loop did not run for so long.
    fn shift(&mut self, lasted_ms: u64) {
        if *self != Self::NEVER {
            self.0 = Self::at(self.ms() + lasted_ms).0 | self.0 & 1;
        }
    }

    /// A gap grants that moment; false if one has before.
    const fn put_off(&mut self, until_ms: u64) -> bool {
        let may_move = self.0 & 1 == 0;
        if may_move {
            self.0 = until_ms << 1 | 1;
        }
        may_move
    }

    /// It is not before that moment, for another reason than a gap.
    fn allow(&mut self, until_ms: u64) {
        if self.is_over(until_ms) {
            self.0 = until_ms << 1 | self.0 & 1;
        }
    }
}

/// A time in which the loop did not run.
#[derive(Clone, Copy)]
struct Gap {
    ended_ms: u64,
    lasted_ms: u64,
}

/// A peer whose deadline is over.
struct Suspect {
    at_ms: u64,
    watched: Watched,
    /// Turns that have read since.
    looks: u16,
}

/// A session that is not read: since when, and for which reasons (bits of [`Pause`]).
struct Unread {
    since_ms: u64,
    reasons: u8,
}

/// What the hub knows of its own punctuality.
pub(crate) struct Deadlines {
    suspects: Vec<Suspect>,
    /// When the last turn began.
    turn_ms: Option<u64>,
    /// The last one.
    gap: Option<Gap>,
    /// Sessions that are not read at the moment.
    paused: HashMap<SessionKey, Unread, ahash::RandomState>,
}

impl Deadlines {
    pub(crate) fn new(hasher: ahash::RandomState) -> Self {
        let paused = HashMap::with_hasher(hasher);
        Self { suspects: Vec::new(), turn_ms: None, gap: None, paused }
    }

    /// Whether somebody is to be judged as soon as all has been read.
    pub(crate) const fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Whether a gap has ended after this moment.
    pub(crate) fn had_gap_since(&self, since_ms: u64) -> bool {
        self.gap.is_some_and(|gap| gap.ended_ms > since_ms)
    }

    /// When this turn began.
    pub(crate) fn now_ms(&self) -> u64 {
        self.turn_ms.unwrap_or_default()
    }

    /// Whether a session is not read at the moment, so that nothing of it can be late.
    pub(crate) fn is_paused(&self, key: SessionKey) -> bool {
        !self.paused.is_empty() && self.paused.contains_key(&key)
    }

    /// Whether a session is not read at the moment, and not for too long.
    pub(crate) fn may_be_unheard(&self, now_ms: u64, key: SessionKey) -> bool {
        !self.paused.is_empty()
            && self
                .paused
                .get(&key)
                .is_some_and(|unread| now_ms < unread.since_ms.saturating_add(PAUSE_MS_MAX))
    }

    pub(crate) fn forget(&mut self, key: SessionKey) {
        if !self.paused.is_empty() {
            self.paused.remove(&key);
        }
    }

    /// If the loop did not run a moment ago: until when a deadline is put off, by as much as it did not run.
    pub(crate) fn grace(&self, now_ms: u64) -> Option<u64> {
        self.grace_end_ms().filter(|&until_ms| now_ms < until_ms)
    }

    /// Until when nobody is cut after the last gap.
    pub(crate) fn grace_end_ms(&self) -> Option<u64> {
        self.gap.map(|gap| gap.ended_ms + gap.lasted_ms.min(GRACE_AFTER_GAP_MS))
    }
}

impl Hub {
    /// A turn begins that was planned for the earliest timer, but not before the turn that planned it.
    pub(crate) fn note_gap(&mut self, now_ms: u64) {
        let next_ms = self.next_timer_ms();
        let before_ms = self.deadlines.turn_ms.replace(now_ms);
        let (Some(before_ms), Some(next_ms)) = (before_ms, next_ms) else { return };
        let late_ms = now_ms.saturating_sub(before_ms.max(next_ms));
        if late_ms > GAP_MS {
            self.counters.gaps += 1;
            // A sleep that was planned and a stop look the same: whichever was longer counts for both.
            let planned_ms = next_ms.saturating_sub(before_ms);
            let lasted_ms = if late_ms > planned_ms { now_ms - before_ms } else { late_ms };
            self.deadlines.gap = Some(Gap { ended_ms: now_ms, lasted_ms });
            self.shift_dues(lasted_ms);
            self.outbox.forgive_stalls(now_ms, lasted_ms);
        }
    }

    /// Looks at everybody, as no turn does but the one after a gap.
    #[cold]
    fn shift_dues(&mut self, lasted_ms: u64) {
        for index in 0..self.conns.len() {
            self.conns[index].due.shift(lasted_ms);
        }
        for key in self.sessions.keys().collect::<Vec<_>>() {
            if let Some(session) = self.sessions.find_mut(key) {
                session.shift_dues(lasted_ms);
            }
        }
    }

    /// A session is not read from now on: its WebSocket is paused, its POSTs are its server's affair. What its client owes is not expected
    /// meanwhile, for [`PAUSE_MS_MAX`] at the most; pings go on, so that the client hears from us.
    pub fn pause_session(&mut self, key: SessionKey, why: Pause) {
        let Some(session) = self.sessions.find(key) else { return };
        let since_ms = self.deadlines.now_ms();
        let unread = self.deadlines.paused.entry(key).or_insert(Unread { since_ms, reasons: 0 });
        unread.reasons |= why as u8;
        if let Link::WebSocket(conn) = session.link {
            self.pause(conn, why);
        }
    }

    /// A session is read again, if this was the last reason why it was not: its client has the whole time for what it owes.
    pub fn resume_session(&mut self, now_ms: u64, key: SessionKey, why: Pause) {
        if let Some(unread) = self.deadlines.paused.get_mut(&key) {
            unread.reasons &= !(why as u8);
            if unread.reasons == 0 {
                self.deadlines.forget(key);
            }
        }
        let until_ms = now_ms + self.config.ping_timeout.ms();
        let Some(session) = self.sessions.find_mut(key) else { return };
        session.expect_from(until_ms);
        if let Link::WebSocket(conn) = session.link {
            self.resume(conn, why);
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
            suspect.looks = suspect.looks.saturating_add(1);
            let is_over = suspect.looks > LOOKS_MAX && !self.is_in_line(suspect.watched);
            if look == Look::Quiet || is_over {
                self.settle(now_ms, suspect.at_ms, suspect.watched);
            } else {
                self.deadlines.suspects.push(suspect);
            }
        }
    }

    /// Whether a peer's connection has more bytes than a turn reads, so that the rest is still to be read. Every other peer's bytes are read within a round of the line.
    fn is_in_line(&self, watched: Watched) -> bool {
        let conn = match watched {
            Watched::Conn(index) => self.conns.get(index as usize),
            Watched::Session(index) => match self.sessions.at(index).map(|(_, session)| &session.link) {
                Some(Link::WebSocket(conn)) => self.conn(*conn),
                _ => None,
            },
        };
        conn.is_some_and(|state| state.reading.is_put_off())
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
            Watched::Conn(index) => {
                self.conns.get(index as usize).is_some_and(|conn| conn.due.is_over(now_ms))
            }
            Watched::Session(index) => self
                .sessions
                .at(index)
                .is_some_and(|(key, session)| !self.deadlines.is_paused(key) && session.is_late(now_ms)),
        }
    }

    /// The connection's deadline is over: it ends, or a gap moves its deadline.
    pub(crate) fn expire_conn(&mut self, now_ms: u64, conn: ConnId) {
        let grace_ms = self.deadlines.grace(now_ms);
        let Some(state) = self.conn_mut(conn) else { return };
        let is_unread = state.is_left_unread();
        if grace_ms.is_some_and(|until_ms| state.due.put_off(until_ms)) {
            return self.arm_conn(conn);
        }
        match is_unread {
            Some(true) => self.handle_end(conn, Reason::TransportClose),
            Some(false) => self.set_conn_deadline(conn, u64::MAX), // the end is read now
            None if self.refuse_late(now_ms, conn) => {}
            None => self.handle_end(conn, Reason::TransportError),
        }
    }
}

impl Session {
    /// All that its client must have done by some moment, but for a pong: a namespace, attachments, an upgrade.
    pub(crate) fn dues(&self) -> impl Iterator<Item = Due> {
        let probe = match &self.link {
            Link::Polling(polling) => polling.probe.as_ref().map(|probe| probe.due),
            Link::WebSocket(_) | Link::Closing(_) => None,
        };
        [Some(self.connect), self.incoming.as_ref().map(|incomplete| incomplete.due), probe]
            .into_iter()
            .flatten()
    }

    /// The loop did not run for so long: the session's deadlines move by it. So does the deadline of a pong that an earlier gap has moved, for no further ping moves it.
    fn shift_dues(&mut self, lasted_ms: u64) {
        self.dues_mut().for_each(|due| due.shift(lasted_ms));
        if matches!(self.beat, Beat::LastEnd(_)) {
            self.heartbeat_ms = self.heartbeat_ms.saturating_add(lasted_ms);
        }
    }

    fn dues_mut(&mut self) -> impl Iterator<Item = &mut Due> {
        let probe = match &mut self.link {
            Link::Polling(polling) => polling.probe.as_mut().map(|probe| &mut probe.due),
            Link::WebSocket(_) | Link::Closing(_) => None,
        };
        let attachments = self.incoming.as_mut().map(|incomplete| &mut incomplete.due);
        [Some(&mut self.connect), attachments, probe].into_iter().flatten()
    }

    /// When something of it is due next.
    pub(crate) fn next_ms(&self) -> u64 {
        let release_ms = match &self.link {
            Link::Closing(farewell) => return farewell.until_ms,
            Link::Polling(polling) => polling.probe.as_ref().map_or(u64::MAX, |probe| probe.release_ms),
            Link::WebSocket(_) => u64::MAX,
        };
        self.dues().map(Due::ms).fold(self.heartbeat_ms.min(release_ms), u64::min)
    }

    /// Whether something of its client's is overdue.
    fn is_late(&self, now_ms: u64) -> bool {
        let is_open = !matches!(self.link, Link::Closing(_));
        let is_silent = self.beat.is_end() && self.heartbeat_ms <= now_ms;
        is_open && (is_silent || self.dues().any(|due| due.is_over(now_ms)))
    }

    /// Nothing of its client's is overdue before this moment: it is not read, or was not.
    pub(crate) fn expect_from(&mut self, until_ms: u64) {
        if self.beat.is_end() {
            self.heartbeat_ms = self.heartbeat_ms.max(until_ms);
        }
        self.dues_mut().for_each(|due| due.allow(until_ms));
    }

    /// As [`Session::expect_from`], for the deadlines that are over now. The pong's stays as it is, for a new ping sets it.
    pub(crate) fn allow_overdue(&mut self, now_ms: u64, until_ms: u64) {
        self.dues_mut().filter(|due| due.is_over(now_ms)).for_each(|due| due.allow(until_ms));
    }

    /// A gap moves what is overdue, once each, but for a pong: a new ping asks for it.
    pub(crate) fn put_off(&mut self, now_ms: u64, until_ms: u64) {
        self.dues_mut().filter(|due| due.is_over(now_ms)).for_each(|due| _ = due.put_off(until_ms));
    }
}
