//! The flush: batches of sends are taken, and settled by what the kernel did with them.

use super::Outbox;
use super::arena::{Arena, Span};
use super::backlog::{Kept, Rest};
use super::batch::{Batch, Entry, Refusal, Settled, Source};
use super::lane::{Lane, NONE, Node, State, Then};
use crate::ConnId;
use crate::limits::GATHER_BYTES_MAX;

impl Outbox {
    /// Takes up to `entries_max` connections in the order in which bytes became due, but for those who go ahead; fewer if what has to be
    /// gathered for them passes [`GATHER_BYTES_MAX`].
    pub fn take_batch(&mut self, batch: &mut Batch, entries_max: usize) {
        batch.clear();
        let mut dirty = self.dirty.begin();
        while batch.len() < entries_max
            && let Some(index) = dirty.pop_by_turns()
        {
            self.take(index, batch);
        }
        while batch.len() < entries_max && !dirty.is_empty() {
            for index in dirty.drain(entries_max - batch.len()) {
                self.take(index, batch);
            }
        }
        dirty.append(&mut self.dirty);
        self.dirty = dirty;
    }

    /// Takes one connection, if anything is due to it still.
    #[inline(always)] // into the loop over a batch, twice
    fn take(&mut self, index: u32, batch: &mut Batch) {
        let lane = self.lanes[index as usize];
        let source = match lane.state {
            State::Dirty if lane.next == NONE => Source::Arena(lane.first),
            State::Dirty => return self.take_scattered(index, batch),
            State::Draining if lane.then == Then::Cut => return,
            State::Draining => Source::Backlog,
            State::Free | State::Idle | State::Blocked | State::Waiting => return,
        };
        batch.needs_care |= lane.then != Then::Nothing || matches!(source, Source::Backlog);
        self.lanes[index as usize].state = State::Idle;
        batch.entries.push(Entry { conn: ConnId { index, generation: lane.generation }, source });
    }

    /// Gathers scattered ranges, whole ones, as many as the batch has room for; what is left is due in a later batch. A range that has no
    /// room at all goes alone, from where it is.
    #[inline(never)]
    fn take_scattered(&mut self, index: u32, batch: &mut Batch) {
        let lane = self.lanes[index as usize];
        let start = batch.gathered.len();
        if start >= GATHER_BYTES_MAX {
            return self.dirty.push(index);
        }
        let (mut next, mut first) = (lane.next, lane.first);
        let source = if start + first.len() > GATHER_BYTES_MAX {
            Source::Arena(first)
        } else {
            batch.gathered.extend_from_slice(self.arena.bytes(first));
            while next != NONE {
                let node = &self.nodes[next as usize];
                if batch.gathered.len() + node.span.len() > GATHER_BYTES_MAX {
                    break;
                }
                batch.gathered.extend_from_slice(self.arena.bytes(node.span));
                next = node.next;
            }
            Source::Gathered(Span { start: start as u32, end: batch.gathered.len() as u32 })
        };
        batch.needs_care = true;
        batch.entries.push(Entry { conn: ConnId { index, generation: lane.generation }, source });
        let state = if next == NONE { State::Idle } else { State::Dirty };
        if next != NONE {
            first = self.nodes[next as usize].span;
            next = self.nodes[next as usize].next;
            self.dirty.push(index);
        }
        self.lanes[index as usize] = Lane { first, next, state, ..lane };
    }

    /// The bytes of a batch's entries, in order.
    pub fn slices<'a>(&'a self, batch: &'a Batch) -> impl ExactSizeIterator<Item = (ConnId, &'a [u8])> {
        batch.entries.iter().map(|entry| {
            let bytes = match entry.source {
                Source::Arena(span) => self.arena.bytes(span),
                Source::Gathered(span) => batch.gathered(span),
                Source::Backlog => self.backlogs.bytes(entry.conn.index),
            };
            (entry.conn, bytes)
        })
    }

    /// Takes note of what the kernel did with a batch: `refusals` are positions in it, ascending; all others were taken whole.
    pub fn settle(&mut self, batch: &Batch, refusals: &[(usize, Refusal)], settled: &mut Settled) {
        for &(position, refusal) in refusals {
            let entry = &batch.entries[position];
            match refusal {
                Refusal::Broken => settled.broken.push(entry.conn),
                Refusal::Took(count) => {
                    self.keep_rest(batch, entry, count);
                    settled.blocked.push(entry.conn);
                }
            }
        }
        if batch.needs_care {
            self.settle_with_care(batch, refusals, settled);
        }
        settled.drained.append(&mut self.drained);
        if self.dirty.is_empty() && self.waves.is_empty() && !self.is_staged() {
            self.nodes.clear();
            self.nodes.shrink_to(self.arena.kept_bytes() / size_of::<Node>());
            self.arena.restart();
        }
    }

    fn keep_rest(&mut self, batch: &Batch, entry: &Entry, taken: usize) {
        let index = entry.conn.index;
        let lane = self.lanes[index as usize];
        // Ranges that were left for a later batch follow what was refused now.
        let behind: Vec<Span> = match lane.state {
            State::Dirty => lane.spans(&self.nodes).collect(),
            _ => Vec::new(),
        };
        self.lanes[index as usize].state = State::Blocked;
        if matches!(entry.source, Source::Backlog) {
            return self.backlogs.progress(index, self.now_ms, taken);
        }
        let len = written(&self.arena, batch, entry).len();
        let taken = taken.min(len);
        let mut kept = self.try_to_keep(batch, entry, taken, &behind);
        let bytes = len - taken + behind.iter().map(|span| span.len()).sum::<usize>();
        // Connections that can be written to are about to be, perhaps by this very flush.
        if kept == Kept::NoMemory && self.relieve(bytes, bytes, &[State::Blocked]) {
            kept = self.try_to_keep(batch, entry, taken, &behind);
        }
        let Some(reason) = kept.refusal() else { return };
        let sent = written(&self.arena, batch, entry);
        let is_at_frame = self.backlogs.keep_frame(entry.conn, sent, taken);
        self.end_overflowed(index, is_at_frame, reason);
    }

    fn try_to_keep(&mut self, batch: &Batch, entry: &Entry, taken: usize, behind: &[Span]) -> Kept {
        let sent = written(&self.arena, batch, entry);
        let is_last = self.lanes[entry.conn.index as usize].is_closing();
        let rest = Rest { sent, taken, behind, is_last };
        self.backlogs.keep(entry.conn, self.now_ms, &rest, &self.arena)
    }

    fn settle_with_care(&mut self, batch: &Batch, refusals: &[(usize, Refusal)], settled: &mut Settled) {
        let mut refused = refusals.iter().map(|(position, _)| *position).peekable();
        for (position, entry) in batch.entries.iter().enumerate() {
            if refused.next_if_eq(&position).is_some() {
                continue;
            }
            if matches!(entry.source, Source::Backlog) {
                self.backlogs.remove(entry.conn.index);
            }
            let Some(lane) = self.lane_mut(entry.conn).filter(|lane| lane.state == State::Idle) else {
                continue;
            };
            match lane.then {
                Then::Nothing | Then::Cut => {}
                Then::Report => {
                    lane.then = Then::Nothing;
                    settled.idle.push(entry.conn);
                }
                Then::Close => settled.drained.push(entry.conn),
            }
        }
    }
}

/// What an entry of a batch has in the arena.
fn written<'a>(arena: &'a Arena, batch: &'a Batch, entry: &Entry) -> &'a [u8] {
    match entry.source {
        Source::Arena(span) => arena.bytes(span),
        Source::Gathered(span) => batch.gathered(span),
        Source::Backlog => &[],
    }
}
