//! Outgoing bytes of one core: an arena that every packet enters once, and a lane per connection that says which parts of it are due.
//!
//! The only owner of ranges: arena, lanes, the staged broadcast, batches and backlogs stand here, and what makes a range invalid knows
//! all that hold one. The server's flush takes batches from here, sends them and settles what the kernel did not take.
//!
//! Cost of a broadcast: its bytes are written to the arena once; each recipient costs two loads and two stores in its lane (24 bytes).
//! Adjacent ranges merge, so a burst to one room stays one range and one send per socket; scattered ranges are gathered by copy, at most
//! [`GATHER_BYTES_MAX`](crate::limits::GATHER_BYTES_MAX) a batch. A connection that the kernel refused keeps its rest in a backlog,
//! copied once, within limits that are looked at before the copy; past them the connection is cut, and nobody else notices.
//!
//! | file | what |
//! |---|---|
//! | `arena` | the bytes, and ranges of them |
//! | `lane` | what is due to one connection |
//! | `append` | bytes become due |
//! | `waiting` | lanes that may wait some milliseconds for more |
//! | `dirty` | the order of sends |
//! | `flush`, `batch` | what is sent, and what became of it |
//! | `backlog` | what the kernel did not take |

mod append;
mod arena;
mod backlog;
mod batch;
mod dirty;
mod flush;
mod lane;
mod waiting;

use self::arena::{Arena, Span};
use self::backlog::Backlogs;
use self::dirty::Dirty;
use self::lane::{FREE, Lane, Node, State, Then};
use crate::account::Account;
use crate::forms::Form;
use crate::limits::{ARENA_HARD_BYTES_MAX, ARENA_SOFT_BYTES_MAX, TORN_BYTES_MAX};
use crate::pages::Pages;
use crate::waves::Waves;
use crate::{ConnId, Reason};

pub use self::arena::Range;
pub use self::backlog::BacklogLimits;
pub use self::batch::{Batch, Refusal, Settled};

/// All outgoing bytes of one core.
pub struct Outbox {
    arena: Arena,
    /// Bytes of it above which what is due moves to backlogs.
    arena_bytes_max: usize,
    /// A broadcast that is written and due to nobody yet.
    staged: Option<Range>,
    lanes: Pages<Lane>,
    nodes: Vec<Node>,
    dirty: Dirty,
    /// Those who wait, by slot, and the time from which allowances count.
    waves: Waves<u32>,
    now_ms: u64,
    backlogs: Backlogs,
    overflowed: Vec<Overflow>,
    drained: Vec<ConnId>,
    spills: u64,
}

/// A connection that owed too much: nothing more becomes due to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Overflow {
    pub(crate) conn: ConnId,
    /// Whether frames of a WebSocket can follow what has left or will.
    pub(crate) is_at_frame: bool,
    /// That it reads slowly, or that the core has no memory for it.
    pub(crate) reason: Reason,
}

impl Outbox {
    /// An outbox whose backlogs keep to these limits, and are charged to this account.
    pub fn new(limits: BacklogLimits, account: Account) -> Self {
        Self {
            arena: Arena::default(),
            arena_bytes_max: ARENA_HARD_BYTES_MAX,
            staged: None,
            lanes: Pages::new(),
            nodes: Vec::new(),
            dirty: Dirty::default(),
            waves: Waves::default(),
            now_ms: 0,
            backlogs: Backlogs::new(limits, account),
            overflowed: Vec::new(),
            drained: Vec::new(),
            spills: 0,
        }
    }

    /// One whose connections may owe so many bytes, without an account.
    #[cfg(test)]
    pub(crate) fn with_backlogs(bytes_max: usize) -> Self {
        let limits = BacklogLimits {
            bytes_max,
            burst_bytes_max: 0,
            bursts_bytes_max: usize::MAX,
            held_bytes_max: usize::MAX,
        };
        Self::new(limits, Account::default())
    }

    /// What is due moves to backlogs above so many bytes of the arena, at [`ARENA_HARD_BYTES_MAX`] at the latest; at half of it nothing more
    /// is collected. A quarter of it is kept between turns, in each buffer.
    pub(crate) fn within(mut self, arena_bytes_max: usize) -> Self {
        self.arena_bytes_max = arena_bytes_max.min(ARENA_HARD_BYTES_MAX);
        self.arena.keep_at_most(self.arena_bytes_max / 4);
        self
    }

    /// A connection begins.
    pub fn open(&mut self, conn: ConnId) {
        let index = conn.index as usize;
        self.lanes.reach(index);
        self.lanes[index] = Lane { generation: conn.generation, state: State::Idle, ..FREE };
    }

    /// A connection is gone; what was due to it is dropped.
    pub fn forget(&mut self, conn: ConnId) {
        if let Some(lane) = self.lane_mut(conn) {
            *lane = FREE;
            self.backlogs.remove(conn.index);
        }
    }

    /// From now on the connection gets packets in this form.
    pub(crate) fn set_form(&mut self, conn: ConnId, form: Form) {
        if let Some(lane) = self.lane_mut(conn) {
            lane.form = form;
        }
    }

    /// In which form the connection in slot `index` gets packets.
    #[inline]
    pub(crate) fn form(&self, index: u32) -> Form {
        self.lanes.get(index as usize).map_or(Form::Plain, |lane| lane.form)
    }

    /// Nothing more is written to the connection; it is reported as drained once its bytes are with the kernel.
    pub fn close(&mut self, conn: ConnId) {
        self.hurry(conn);
        let Some(lane) = self.lane_mut(conn).filter(|lane| !lane.is_closing()) else { return };
        lane.then = Then::Close;
        if lane.state == State::Idle {
            self.drained.push(conn);
        }
    }

    /// The connection is reported as idle once its bytes are with the kernel; false if they are already.
    pub(crate) fn report_idle(&mut self, conn: ConnId) -> bool {
        let Some(lane) = self.lane_mut(conn).filter(|lane| lane.state != State::Idle) else { return false };
        if lane.then == Then::Nothing {
            lane.then = Then::Report;
        }
        true
    }

    /// The kernel can take bytes of the connection again.
    pub fn handle_writable(&mut self, conn: ConnId) {
        if let Some(lane) = self.lane_mut(conn).filter(|lane| lane.state == State::Blocked) {
            lane.state = State::Draining;
            self.dirty.push(conn.index);
        }
    }

    /// Whether a volatile packet would be written at once: nothing is due, be it from this turn or from earlier ones.
    pub(crate) fn is_writable(&self, index: u32) -> bool {
        self.lanes.get(index as usize).is_some_and(|lane| lane.state == State::Idle && !lane.is_closing())
    }

    /// Whether the connection's reader keeps up: the kernel has refused nothing.
    pub(crate) fn is_flowing(&self, index: u32) -> bool {
        self.lanes.get(index as usize).is_some_and(|lane| {
            matches!(lane.state, State::Idle | State::Dirty | State::Waiting) && !lane.is_closing()
        })
    }

    /// Whether nothing is due to the connection.
    pub fn is_idle(&self, conn: ConnId) -> bool {
        self.lane(conn).is_some_and(|lane| lane.state == State::Idle)
    }

    /// Bytes that are due to the connection: of this turn and of earlier ones.
    pub fn owed(&self, conn: ConnId) -> usize {
        match self.lane(conn) {
            Some(lane) if matches!(lane.state, State::Dirty | State::Waiting) => {
                lane.spans(&self.nodes).map(Span::len).sum()
            }
            Some(_) => self.backlogs.owed(conn.index),
            None => 0,
        }
    }

    /// Whether the sums over all backlogs are right.
    pub(crate) fn is_sound(&self) -> bool {
        self.backlogs.is_sound()
    }

    pub(crate) fn backlog_capacity(&self, conn: ConnId) -> usize {
        self.lane(conn).map_or(0, |_| self.backlogs.capacity(conn.index))
    }

    /// Drops what the kernel did not take, but for the frame that the peer has begun to read if that is short; nothing more becomes due to
    /// the connection. `None` if it owes nothing or is closing.
    pub(crate) fn give_up(&mut self, conn: ConnId) -> Option<Overflow> {
        let lane = self.lane(conn).filter(|lane| !lane.is_closing())?;
        if !matches!(lane.state, State::Blocked | State::Draining) {
            return None;
        }
        let is_at_frame = self.backlogs.cut(conn.index, TORN_BYTES_MAX);
        self.end_overflowed(conn.index, is_at_frame, Reason::MemoryLimit);
        self.overflowed.pop()
    }

    /// Whether anything is due to anyone.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Whether connections are behind: the kernel has not taken all that was due to them.
    pub fn has_backlogs(&self) -> bool {
        !self.backlogs.is_empty()
    }

    /// Whether the arena holds so much that nothing more should be collected before it is sent.
    pub fn is_full(&self) -> bool {
        self.arena_bytes() > ARENA_SOFT_BYTES_MAX.min(self.arena_bytes_max / 2)
    }

    /// Bytes of the arenas in use.
    pub fn arena_bytes(&self) -> usize {
        self.arena.len()
    }

    /// How often all that was due moved to backlogs.
    pub const fn spills(&self) -> u64 {
        self.spills
    }

    /// Bytes of memory that are no connection's alone.
    pub(crate) fn shared_bytes(&self) -> usize {
        self.arena.capacity() + self.nodes.capacity() * size_of::<Node>()
    }

    /// Connections that owe too much since the last call; they are cut.
    pub(crate) fn take_overflowed(&mut self) -> Option<Overflow> {
        self.overflowed.pop()
    }

    /// The last bytes of a connection that was taken as overflowed.
    pub(crate) fn finish(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(lane) = self.lane_mut(conn).filter(|lane| lane.then == Then::Cut) else { return };
        lane.then = Then::Close;
        let is_draining = lane.state == State::Draining;
        self.backlogs.finish(conn.index, bytes);
        if is_draining {
            self.dirty.push(conn.index); // the kernel can take bytes, and has been offered none since the cut
        }
    }

    /// Connections that owe more than their limit and have made no progress are cut; not those that the kernel can take bytes of again, nor those
    /// that end anyway, within a deadline of their own.
    pub(crate) fn judge_stalled(&mut self, now_ms: u64) {
        for slot in self.backlogs.take_stalled(now_ms) {
            let lane = &self.lanes[slot as usize];
            match lane.state {
                _ if lane.is_closing() => self.backlogs.watch_no_more(slot),
                State::Draining => self.backlogs.watch_again(slot, now_ms),
                _ => self.overflow(slot, Reason::SlowReader),
            }
        }
    }

    /// The loop did not run for a while: nobody has stalled meanwhile.
    pub(crate) fn forgive_stalls(&mut self, now_ms: u64, lasted_ms: u64) {
        self.backlogs.forgive(now_ms, lasted_ms);
    }

    fn lane(&self, conn: ConnId) -> Option<&Lane> {
        self.lanes
            .get(conn.index as usize)
            .filter(|lane| lane.generation == conn.generation && lane.state != State::Free)
    }

    fn lane_mut(&mut self, conn: ConnId) -> Option<&mut Lane> {
        self.lanes
            .get_mut(conn.index as usize)
            .filter(|lane| lane.generation == conn.generation && lane.state != State::Free)
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
