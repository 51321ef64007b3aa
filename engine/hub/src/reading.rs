//! Whether a connection is read from: why not, and what happens when it may be again.
//!
//! A connection that is not read from costs nothing: its bytes stay in the kernel, whose window tells the peer to wait. Several reasons
//! may hold at a time; the last that goes lets the bytes come that were held here, then those that wait in the kernel.
//!
//! A peer that leaves while its connection is not read is noticed all the same, by one rule for all reasons ([`Hub::note_end`]):
//!
//! ```text
//! the kernel says       a WebSocket                                    HTTP
//! it is broken          ends at once                                   ends at once
//! its peer has ended    ends when it has not been read for the         answers still leave, as ever: then it is read to its end
//!                       ping time-out, with what it said unread
//! nothing               pings go on; ends after PAUSE_MS_MAX           pings answer its polls; as a WebSocket
//! ```

use crate::account::{Account, Charge, Kind, Owner};
use crate::conns::{Conn, Phase};
use crate::limits::{ANSWERS_BYTES_MAX, HELD_BYTES_MAX};
use crate::{ConnId, Effect, Hub, Reason};

/// Why a connection is not read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Pause {
    /// [`HELD_BYTES_MAX`] of it wait here for the answer to an earlier request, or for its bytes to leave.
    Held = 1,
    /// As many of its handlers as may be have not ended.
    Handlers = 2,
    /// A turn has read of it what it may; the rest has its turn later.
    Turn = 4,
    /// Its events made records while another core was behind with those that it had.
    Records = 8,
    /// A large message of it waits until handlers hold less.
    Memory = 16,
}

/// What keeps a connection from being read: bits of [`Pause`], and [`UNREAD`]. One byte, for each connection has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reading(u8);

/// The driver has said that bytes wait, and they were not read.
const UNREAD: u8 = 1 << 7;

/// It is received from in this turn. A driver may say more than once that bytes wait; what a second receive brings must not overtake what the
/// first had to put off.
const ASKED: u8 = 1 << 6;

/// Its peer has ended, behind bytes that were not read.
const ENDED: u8 = 1 << 5;

/// The bits that are no [`Pause`].
const NOTES: u8 = UNREAD | ASKED | ENDED;

/// How a peer has ended, as the kernel says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerEnd {
    /// It sends nothing more; it may still read.
    Finished,
    /// The connection is gone in both directions.
    Broken,
}

impl Reading {
    /// Nothing does.
    pub(crate) const FREE: Self = Self(0);

    /// Whether nothing is received.
    const fn is_stopped(self) -> bool {
        self.0 & !NOTES != 0
    }

    /// Whether what was read already must wait too.
    const fn is_paused(self) -> bool {
        self.0 & !(NOTES | Pause::Held as u8) != 0
    }

    /// Whether it is received from in one of the next turns, whatever anybody does.
    pub(crate) const fn is_put_off(self) -> bool {
        self.0 & !NOTES == Pause::Turn as u8
    }

    /// Whether it was not set.
    const fn set(&mut self, why: Pause) -> bool {
        let was_clear = self.0 & why as u8 == 0;
        self.0 |= why as u8;
        was_clear
    }

    /// Whether it was set.
    const fn clear(&mut self, why: Pause) -> bool {
        let was_set = self.0 & why as u8 != 0;
        self.0 &= !(why as u8);
        was_set
    }
}

impl Hub {
    /// The connection is not read from until [`Hub::resume`], and what has been read of it already is to be [held](Hub::hold).
    pub fn pause(&mut self, conn: ConnId, why: Pause) {
        let Some(state) = self.conn_mut(conn) else { return };
        let is_left = state.reading.set(why) && state.reading.0 & ENDED != 0;
        if is_left {
            self.expect_end(conn);
        }
    }

    /// A reason is gone. If it was the last, bytes that were held and those in the kernel can be read: [`Effect::Resume`], then
    /// [`Effect::Read`].
    pub fn resume(&mut self, conn: ConnId, why: Pause) {
        let Some(state) = self.conn_mut(conn) else { return };
        if !state.reading.clear(why) {
            return;
        }
        if state.held.is_some() && !state.reading.is_paused() {
            self.effects.push_back(Effect::Resume(conn));
        } else {
            self.read_on(conn);
        }
    }

    /// What waits in the kernel can be read, unless bytes that came before wait here.
    fn read_on(&mut self, conn: ConnId) {
        let Some(state) = self.conn_mut(conn).filter(|state| !state.reading.is_stopped()) else { return };
        if state.reading.0 & UNREAD != 0 {
            state.reading.0 &= !UNREAD;
            self.effects.push_back(Effect::Read(conn));
        }
    }

    /// Whether bytes of the connection that have been read already must be held.
    pub fn is_paused(&self, conn: ConnId) -> bool {
        self.conn(conn).is_some_and(|state| state.reading.is_paused())
    }

    /// Whether to receive from the connection now that bytes are there; if not, [`Effect::Read`] says when. Once a turn, until
    /// [`Hub::note_received`].
    pub fn may_read(&mut self, conn: ConnId) -> bool {
        let Some(state) = self.conn_mut(conn) else { return true };
        let is_asked = state.reading.0 & ASKED != 0;
        let is_stopped = state.reading.is_stopped();
        state.reading.0 |= if is_stopped { UNREAD } else { ASKED };
        !is_stopped && !is_asked
    }

    /// Whether the connection is received from when its turn comes: it [may be read](Hub::may_read) and was not. One that is gone is, for its driver counts it.
    pub fn is_awaited(&self, conn: ConnId) -> bool {
        self.conn(conn).is_none_or(|state| state.reading.0 & ASKED != 0)
    }

    /// The kernel says that the peer has ended, perhaps behind bytes that are not read now. A connection that is read learns it by receiving, a connection that is
    /// not read by this. Every reason for which a connection is not read comes here.
    pub fn note_end(&mut self, conn: ConnId, end: PeerEnd) {
        let Some(state) = self.conn_mut(conn).filter(|state| state.reading.is_stopped()) else { return };
        state.reading.0 |= ENDED;
        match end {
            _ if state.reading.is_put_off() => {} // it is read to its end
            PeerEnd::Broken => self.handle_end(conn, Reason::TransportClose),
            PeerEnd::Finished => self.expect_end(conn),
        }
    }

    /// The peer of a connection that is not read has ended. What it sent before is still read, if that is soon; a peer that speaks HTTP may still
    /// wait for answers.
    fn expect_end(&mut self, conn: ConnId) {
        let until_ms = self.deadlines.now_ms() + self.config.ping_timeout.ms();
        if self.conn(conn).is_some_and(|state| matches!(state.phase, Phase::WebSocket { .. })) {
            self.set_conn_deadline(conn, until_ms);
        }
    }

    /// The connection was received from.
    pub fn note_received(&mut self, conn: ConnId) {
        if let Some(state) = self.conn_mut(conn) {
            state.reading.0 &= !ASKED;
        }
    }

    /// The connection closes: what it sends is read and ignored, whatever kept it from being read.
    pub(crate) fn read_to_the_end(&mut self, conn: ConnId) {
        let Some(state) = self.conn_mut(conn) else { return };
        state.held = None;
        state.reading.0 &= NOTES;
        self.read_on(conn);
    }

    /// Keeps bytes that were read and cannot be dealt with now; they come before new ones. When there are [`HELD_BYTES_MAX`] of them, the
    /// connection is not read on.
    pub fn hold(&mut self, conn: ConnId, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let account = self.account.clone();
        let Some(state) = self.conn_mut(conn) else { return };
        let held = state.held.get_or_insert_with(|| Box::new(Held::new(&account, conn)));
        held.extend(bytes);
        if held.bytes.len() >= HELD_BYTES_MAX {
            let _was_read = state.reading.set(Pause::Held);
        }
    }

    /// Bytes that were held; they come before new ones. Nothing while the connection is paused.
    pub fn take_held(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        if self.is_paused(conn) { None } else { self.take_all_held(conn) }
    }

    /// Bytes that are held.
    pub(crate) fn held_bytes_of(&self, conn: ConnId) -> Option<&[u8]> {
        Some(&self.conn(conn)?.held.as_ref()?.bytes)
    }

    /// As [`Hub::take_held`], paused or not.
    pub(crate) fn take_all_held(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        let state = self.conn_mut(conn)?;
        let held = state.held.take()?;
        state.reading.clear(Pause::Held);
        self.read_on(conn);
        Some(held.bytes)
    }

    /// Whether the connection owes so much that its next request waits; [`Effect::Resume`] says when it does no longer.
    pub(crate) fn owes_answers(&mut self, conn: ConnId) -> bool {
        self.outbox.owed(conn) >= ANSWERS_BYTES_MAX && self.outbox.report_idle(conn)
    }

    /// All that was due to the connection is with the kernel.
    pub fn handle_idle(&mut self, conn: ConnId) {
        if self.conn(conn).is_some_and(|state| state.held.is_some()) {
            self.effects.push_back(Effect::Resume(conn));
        }
    }
}

impl Conn {
    /// Whether its peer has ended and what it said before is not read; `None` if nobody knows of an end.
    pub(crate) fn is_left_unread(&self) -> Option<bool> {
        let Reading(bits) = self.reading;
        (bits & ENDED != 0 && matches!(self.phase, Phase::WebSocket { .. }))
            .then(|| self.reading.is_stopped())
    }
}

/// Bytes of a connection that wait here.
pub(crate) struct Held {
    bytes: Vec<u8>,
    charge: Charge,
}

impl Held {
    fn new(account: &Account, conn: ConnId) -> Self {
        Self { bytes: Vec::new(), charge: account.charge(Kind::Input, Owner::Conn(conn), 0) }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.charge.set(self.bytes.capacity());
    }
}
