//! Bytes are written, and become due: to one connection, to many, or to nobody yet.

use super::arena::{Range, Span};
use super::backlog::{Kept, Rest};
use super::lane::{Lane, NONE, Node, State, Then};
use super::{Outbox, Overflow};
use crate::limits::TORN_BYTES_MAX;
use crate::{ConnId, Reason};

impl Outbox {
    /// Writes bytes to the arena; they are due to nobody yet. The range is valid until something else is written.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range {
        if self.arena.reach() > self.arena_bytes_max {
            self.spill();
        }
        self.arena.write(write)
    }

    /// The bytes of a range.
    pub fn bytes(&self, range: Range) -> &[u8] {
        self.arena.bytes(self.arena.check(range))
    }

    /// Keeps another form of a packet that was just written, made of its frames; it is due to nobody yet. Unlike [`Outbox::write`] it
    /// leaves the ranges that were written before as they are.
    pub(crate) fn write_form(&mut self, packet: Range, write: impl FnOnce(&[u8], &mut Vec<u8>)) -> Range {
        self.arena.write_form(packet, write)
    }

    /// Keeps the range of a broadcast that is due to nobody yet, while other bytes are written.
    pub(crate) fn stage(&mut self, range: Range) {
        debug_assert!(self.staged.is_none(), "one broadcast is staged at a time");
        self.staged = Some(range);
    }

    /// Adds a range to the staged one, if it lies right behind and both have at most so many bytes.
    pub(crate) fn extend_staged(&mut self, range: Range, bytes_max: usize) -> bool {
        let joined = self.staged.and_then(|staged| staged.joined(range));
        let Some(joined) = joined.filter(|joined| joined.len() <= bytes_max) else { return false };
        self.staged = Some(joined);
        true
    }

    /// The staged range, which is staged no longer.
    pub(crate) fn take_staged(&mut self) -> Option<Range> {
        self.staged.take()
    }

    /// Whether a broadcast is staged.
    #[inline]
    pub(crate) const fn is_staged(&self) -> bool {
        self.staged.is_some()
    }

    /// Writes bytes for one connection, ahead of broadcasts.
    pub fn send(&mut self, conn: ConnId, write: impl FnOnce(&mut Vec<u8>)) {
        let range = self.write(write);
        if self.lane(conn).is_some() {
            self.append_ahead(conn.index, range);
        }
    }

    /// Makes a range due to the connection in slot `index`, which goes ahead of broadcasts if nothing else is due to it.
    pub(crate) fn append_ahead(&mut self, index: u32, range: Range) {
        match self.lanes.get_mut(index as usize) {
            Some(lane) if lane.state == State::Idle && !lane.is_closing() && !range.is_empty() => {
                *lane = Lane { first: self.arena.check(range), next: NONE, state: State::Dirty, ..*lane };
                self.dirty.push_ahead(index);
            }
            _ => self.append(index, range),
        }
    }

    /// Makes a range due to a connection, if it is still there.
    pub(crate) fn append_to(&mut self, conn: ConnId, range: Range) {
        if self.lane(conn).is_some() {
            self.append(conn.index, range);
        }
    }

    /// Makes a range due to the connection in slot `index`: the hot path of every broadcast.
    #[inline]
    pub(crate) fn append(&mut self, index: u32, range: Range) {
        let Some(lane) = self.lanes.get_mut(index as usize) else { return };
        if lane.is_closing() || range.is_empty() {
            return;
        }
        let span = self.arena.check(range);
        match lane.state {
            State::Idle => {
                lane.first = span;
                lane.next = NONE;
                lane.state = State::Dirty;
                self.dirty.push(index);
            }
            State::Dirty if lane.next == NONE && lane.first.end == span.start => lane.first.end = span.end,
            State::Dirty => self.append_scattered(index, span),
            State::Blocked | State::Draining => self.append_backlog(index, span),
            State::Waiting => self.append_hurried(index, span),
            State::Free => {}
        }
    }

    pub(super) fn append_scattered(&mut self, index: u32, span: Span) {
        let lane = &mut self.lanes[index as usize];
        if lane.next != NONE {
            let last = &mut self.nodes[lane.last as usize];
            if last.span.end == span.start {
                last.span.end = span.end;
                return;
            }
        }
        let node = self.nodes.len() as u32;
        self.nodes.push(Node { span, next: NONE });
        if lane.next == NONE {
            lane.next = node;
        } else {
            self.nodes[lane.last as usize].next = node;
        }
        lane.last = node;
    }

    fn append_backlog(&mut self, index: u32, span: Span) {
        let mut kept = self.backlogs.append(index, self.now_ms, self.arena.bytes(span));
        let owed = self.backlogs.owed(index);
        if kept == Kept::NoMemory && self.relieve(owed, span.len(), &[State::Blocked, State::Draining]) {
            kept = self.backlogs.append(index, self.now_ms, self.arena.bytes(span));
        }
        if let Some(reason) = kept.refusal() {
            self.overflow(index, reason);
        }
    }

    /// Cuts those in these states that owe more than so many bytes, largest debts first, until there is memory for so many `more`; false if
    /// there are none.
    #[cold]
    pub(super) fn relieve(&mut self, owed: usize, more: usize, states: &[State]) -> bool {
        let mut has_cut = false;
        for slot in self.backlogs.debtors(owed) {
            if self.backlogs.is_relieved(more) {
                break;
            }
            let lane = self.lanes[slot as usize];
            if states.contains(&lane.state) && !lane.is_closing() {
                let is_at_frame = self.backlogs.cut(slot, TORN_BYTES_MAX);
                self.end_overflowed(slot, is_at_frame, Reason::MemoryLimit);
                has_cut = true;
            }
        }
        has_cut
    }

    /// A connection that is behind owes too much.
    pub(super) fn overflow(&mut self, index: u32, reason: Reason) {
        let is_at_frame = self.backlogs.cut(index, usize::MAX);
        self.end_overflowed(index, is_at_frame, reason);
    }

    /// Nothing more becomes due to the connection; its owner is told.
    pub(super) fn end_overflowed(&mut self, index: u32, is_at_frame: bool, reason: Reason) {
        let lane = &mut self.lanes[index as usize];
        lane.then = Then::Cut;
        let conn = ConnId { index, generation: lane.generation };
        self.overflowed.push(Overflow { conn, is_at_frame, reason });
    }

    /// Moves all that is due into backlogs, so that the arena can start anew. Only a handler that emits more than
    /// [`ARENA_HARD_BYTES_MAX`](crate::limits::ARENA_HARD_BYTES_MAX), or half of the core's memory, without yielding gets here; a connection that is owed more than it may owe is cut.
    #[cold]
    pub(super) fn spill(&mut self) {
        self.spills += 1;
        self.release_all();
        let dirty = std::mem::take(&mut self.dirty);
        for index in dirty.iter() {
            let lane = self.lanes[index as usize];
            if lane.state != State::Dirty {
                continue;
            }
            let spans: Vec<Span> = lane.spans(&self.nodes).collect();
            let rest = Rest { sent: &[], taken: 0, behind: &spans, is_last: lane.is_closing() };
            self.lanes[index as usize].state = State::Draining;
            let conn = ConnId { index, generation: lane.generation };
            let mut kept = self.backlogs.keep(conn, self.now_ms, &rest, &self.arena);
            let bytes = spans.iter().map(|span| span.len()).sum();
            if kept == Kept::NoMemory && self.relieve(bytes, bytes, &[State::Blocked, State::Draining]) {
                kept = self.backlogs.keep(conn, self.now_ms, &rest, &self.arena);
            }
            let Some(reason) = kept.refusal() else { continue };
            let is_at_frame = self.backlogs.keep_frame(conn, &[], 0);
            self.end_overflowed(index, is_at_frame, reason);
        }
        self.dirty = dirty;
        self.nodes.clear();
        self.staged = self.arena.restart_with(self.staged.take());
    }
}
