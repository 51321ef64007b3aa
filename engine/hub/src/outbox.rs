//! Outgoing bytes of one core: an arena that every packet enters once, and a lane per connection that says which parts of it are due.
//!
//! Not a sender: the server's flush takes batches from here, sends them and settles what the kernel did not take.
//!
//! ```text
//!                 write            take_batch           settle: all sent
//!   Free -> Idle --------> Dirty ---------------> Idle <---------------+
//!                                       |  settle: a rest               |
//!                                       v                               |
//!                                    Blocked --handle_writable--> Draining
//! ```
//!
//! Beside `Dirty` there is `Waiting`, for bytes that are allowed some milliseconds: see `waiting`.
//!
//! Cost of a broadcast: its bytes are written to the arena once; each recipient costs two loads and two stores in its lane (24 bytes).
//! Other forms of packets, such as compressed ones, have an arena of their own, so that they too lie side by side. Adjacent ranges merge, so a burst to one room stays one range and one send per socket; scattered ranges are gathered by copy.
//! A lane that the kernel refused keeps its rest in a backlog of its own, copied once, bounded; when that is full the connection
//! is cut, and nobody else notices.

use std::collections::HashMap;

use crate::ConnId;
use crate::batch::{Batch, Entry, Refusal, Settled, Source};
use crate::forms::Form;
use crate::limits::{ARENA_HARD_BYTES_MAX, ARENA_SOFT_BYTES_MAX};
use crate::pages::Pages;
use crate::waves::Waves;

mod dirty;
mod range;
mod waiting;

use self::dirty::Dirty;
pub use self::range::Range;

/// All outgoing bytes of one core.
pub struct Outbox {
    arena: Vec<u8>,
    forms: Vec<u8>,
    lanes: Pages<Lane>,
    nodes: Vec<Node>,
    dirty: Dirty,
    /// Those who wait, by slot, and the time from which allowances count.
    waves: Waves<u32>,
    now_ms: u64,
    backlogs: HashMap<u32, Backlog>,
    backlog_bytes_max: usize,
    overflowed: Vec<ConnId>,
    drained: Vec<ConnId>,
}

#[derive(Clone, Copy)]
struct Lane {
    generation: u32,
    first: Range,
    next: u32,
    last: u32,
    state: State,
    closing: bool,
    form: Form,
    /// While it waits: until when, the low byte of the milliseconds.
    due_low: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    Idle,
    Dirty,
    Blocked,
    Draining,
    Waiting,
}

struct Node {
    range: Range,
    next: u32,
}

struct Backlog {
    bytes: Vec<u8>,
    sent: usize,
}

impl Default for Lane {
    fn default() -> Self {
        FREE
    }
}

const NONE: u32 = u32::MAX;
const FREE: Lane = Lane {
    generation: 0,
    first: Range { start: 0, end: 0 },
    next: NONE,
    last: NONE,
    state: State::Free,
    closing: false,
    form: Form::Plain,
    due_low: 0,
};

/// Marks positions of the arena of other forms. Neither arena grows so far: the bound of both is looked at before each packet.
const OTHER_FORM: u32 = 1 << 31;

const _: () = assert!(ARENA_HARD_BYTES_MAX < OTHER_FORM as usize / 2);

/// Bytes of arena and gather buffer that are kept between turns: a working set that fits the second-level cache.
pub(crate) const KEPT_BYTES: usize = 1 << 20;

const _: () = assert!(size_of::<Lane>() <= 24);

impl Outbox {
    /// `backlog_bytes_max`: bytes that a slow reader may owe before it is cut.
    pub fn new(backlog_bytes_max: usize) -> Self {
        Self {
            arena: Vec::new(),
            forms: Vec::new(),
            lanes: Pages::new(),
            nodes: Vec::new(),
            dirty: Dirty::default(),
            waves: Waves::default(),
            now_ms: 0,
            backlogs: HashMap::new(),
            backlog_bytes_max,
            overflowed: Vec::new(),
            drained: Vec::new(),
        }
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
            self.backlogs.remove(&conn.index);
        }
    }

    /// Writes bytes to the arena; they are due to nobody yet.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range {
        if self.arena.len().max(self.forms.len()) > ARENA_HARD_BYTES_MAX {
            self.spill();
        }
        let start = self.arena.len() as u32;
        write(&mut self.arena);
        Range { start, end: self.arena.len() as u32 }
    }

    /// The bytes of a range written in this turn.
    pub fn bytes(&self, range: Range) -> &[u8] {
        bytes_of(&self.arena, &self.forms, range)
    }

    /// Keeps another form of a packet that was just written, made of its frames; it is due to nobody yet. Unlike [`Outbox::write`] it leaves
    /// the ranges that were written before as they are.
    pub(crate) fn write_form(&mut self, packet: Range, write: impl FnOnce(&[u8], &mut Vec<u8>)) -> Range {
        let start = self.forms.len() as u32;
        let frames = if packet.start & OTHER_FORM == 0 { bytes_of(&self.arena, &[], packet) } else { &[] };
        write(frames, &mut self.forms);
        Range { start: start | OTHER_FORM, end: self.forms.len() as u32 | OTHER_FORM }
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
            Some(lane) if lane.state == State::Idle && !lane.closing && range.start != range.end => {
                *lane = Lane { first: range, next: NONE, state: State::Dirty, ..*lane };
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

    /// Makes a range due to the connection in slot `index`. The hot line of the house.
    #[inline]
    pub(crate) fn append(&mut self, index: u32, range: Range) {
        let Some(lane) = self.lanes.get_mut(index as usize) else { return };
        if lane.closing || range.start == range.end {
            return;
        }
        match lane.state {
            State::Idle => {
                lane.first = range;
                lane.next = NONE;
                lane.state = State::Dirty;
                self.dirty.push(index);
            }
            State::Dirty if lane.next == NONE && lane.first.end == range.start => lane.first.end = range.end,
            State::Dirty => self.append_scattered(index, range),
            State::Blocked | State::Draining => self.append_backlog(index, range),
            State::Waiting => self.append_hurried(index, range),
            State::Free => {}
        }
    }

    fn append_scattered(&mut self, index: u32, range: Range) {
        let lane = &mut self.lanes[index as usize];
        if lane.next != NONE {
            let last = &mut self.nodes[lane.last as usize];
            if last.range.end == range.start {
                last.range.end = range.end;
                return;
            }
        }
        let node = self.nodes.len() as u32;
        self.nodes.push(Node { range, next: NONE });
        if lane.next == NONE {
            lane.next = node;
        } else {
            self.nodes[lane.last as usize].next = node;
        }
        lane.last = node;
    }

    fn append_backlog(&mut self, index: u32, range: Range) {
        let backlog = self.backlogs.get_mut(&index).expect("a blocked lane has a backlog");
        if backlog.bytes.len() - backlog.sent >= self.backlog_bytes_max {
            self.overflow(index);
            return;
        }
        let bytes = bytes_of(&self.arena, &self.forms, range);
        backlog.bytes.extend_from_slice(bytes);
    }

    fn overflow(&mut self, index: u32) {
        let lane = &mut self.lanes[index as usize];
        lane.closing = true;
        lane.state = State::Blocked;
        self.backlogs.insert(index, Backlog { bytes: Vec::new(), sent: 0 });
        self.overflowed.push(ConnId { index, generation: lane.generation });
    }

    /// Moves all that is due into backlogs, so that the arena can start anew. Only a handler that emits half a gigabyte without
    /// yielding gets here; whoever is owed more than a backlog holds is cut.
    #[cold]
    fn spill(&mut self) {
        self.release_all();
        let dirty = std::mem::take(&mut self.dirty);
        for index in dirty.iter() {
            if self.lanes[index as usize].state != State::Dirty {
                continue;
            }
            let mut bytes = Vec::new();
            self.gather(index, &mut bytes);
            if bytes.len() > self.backlog_bytes_max {
                self.overflow(index);
            } else {
                self.backlogs.insert(index, Backlog { bytes, sent: 0 });
                self.lanes[index as usize].state = State::Draining;
            }
        }
        self.dirty = dirty;
        self.arena.clear();
        self.forms.clear();
        self.nodes.clear();
    }

    fn gather(&self, index: u32, into: &mut Vec<u8>) {
        let lane = &self.lanes[index as usize];
        into.extend_from_slice(self.bytes(lane.first));
        let mut next = lane.next;
        while next != NONE {
            let node = &self.nodes[next as usize];
            into.extend_from_slice(self.bytes(node.range));
            next = node.next;
        }
    }

    /// Nothing more is written to the connection; it is reported as drained once its bytes are with the kernel.
    pub fn close(&mut self, conn: ConnId) {
        self.hurry(conn);
        let Some(lane) = self.lane_mut(conn).filter(|lane| !lane.closing) else { return };
        lane.closing = true;
        if lane.state == State::Idle {
            self.drained.push(conn);
        }
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
        self.lanes.get(index as usize).is_some_and(|lane| lane.state == State::Idle && !lane.closing)
    }

    /// Whether the connection's reader keeps up: the kernel has refused nothing.
    pub(crate) fn is_flowing(&self, index: u32) -> bool {
        self.lanes.get(index as usize).is_some_and(|lane| {
            matches!(lane.state, State::Idle | State::Dirty | State::Waiting) && !lane.closing
        })
    }

    /// Whether nothing is due to the connection.
    pub fn is_idle(&self, conn: ConnId) -> bool {
        self.lane(conn).is_some_and(|lane| lane.state == State::Idle)
    }

    /// Whether anything is due to anyone.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Whether the arena holds so much that nothing more should be collected before it is sent.
    pub fn is_full(&self) -> bool {
        self.arena_bytes() > ARENA_SOFT_BYTES_MAX
    }

    /// Bytes of the arenas in use.
    pub fn arena_bytes(&self) -> usize {
        self.arena.len() + self.forms.len()
    }

    /// Connections whose backlog is full since the last call; they are cut.
    pub fn take_overflowed(&mut self) -> Option<ConnId> {
        self.overflowed.pop()
    }

    /// Takes up to `entries_max` connections in the order in which bytes became due, but for those who go ahead.
    pub fn take_batch(&mut self, batch: &mut Batch, entries_max: usize) {
        batch.clear();
        let mut dirty = self.dirty.begin();
        while batch.entries.len() < entries_max
            && let Some(index) = dirty.pop_by_turns()
        {
            self.take(index, batch);
        }
        while batch.entries.len() < entries_max && !dirty.is_empty() {
            for index in dirty.drain(entries_max - batch.entries.len()) {
                self.take(index, batch);
            }
        }
        self.dirty = dirty;
    }

    /// Takes one connection, if anything is due to it still.
    #[inline]
    fn take(&mut self, index: u32, batch: &mut Batch) {
        let lane = self.lanes[index as usize];
        let source = match lane.state {
            State::Dirty if lane.next == NONE => Source::Arena(lane.first),
            State::Dirty => {
                let start = batch.gathered.len() as u32;
                self.gather(index, &mut batch.gathered);
                Source::Gathered(Range { start, end: batch.gathered.len() as u32 })
            }
            State::Draining => Source::Backlog,
            State::Free | State::Idle | State::Blocked | State::Waiting => return,
        };
        batch.needs_care |= lane.closing || matches!(source, Source::Backlog);
        self.lanes[index as usize].state = State::Idle;
        batch.entries.push(Entry { conn: ConnId { index, generation: lane.generation }, source });
    }

    /// The bytes of a batch's entries, in order.
    pub fn slices<'a>(&'a self, batch: &'a Batch) -> impl ExactSizeIterator<Item = (ConnId, &'a [u8])> {
        batch.entries.iter().map(|entry| (entry.conn, self.slice(batch, entry)))
    }

    fn slice<'a>(&'a self, batch: &'a Batch, entry: &Entry) -> &'a [u8] {
        match entry.source {
            Source::Arena(range) => self.bytes(range),
            Source::Gathered(range) => &batch.gathered[range.start as usize..range.end as usize],
            Source::Backlog => self.backlogs.get(&entry.conn.index).map_or(&[], |b| &b.bytes[b.sent..]),
        }
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
        if self.dirty.is_empty() && self.waves.is_empty() {
            self.start_anew();
        }
    }

    fn keep_rest(&mut self, batch: &Batch, entry: &Entry, count: usize) {
        let index = entry.conn.index;
        match entry.source {
            Source::Backlog => {
                if let Some(backlog) = self.backlogs.get_mut(&index) {
                    backlog.sent += count;
                    if backlog.sent > backlog.bytes.len() / 2 {
                        backlog.bytes.drain(..std::mem::take(&mut backlog.sent));
                    }
                }
            }
            Source::Arena(_) | Source::Gathered(_) => {
                let bytes = self.slice(batch, entry).get(count..).unwrap_or_default().to_vec();
                self.backlogs.insert(index, Backlog { bytes, sent: 0 });
            }
        }
        self.lanes[index as usize].state = State::Blocked;
    }

    fn settle_with_care(&mut self, batch: &Batch, refusals: &[(usize, Refusal)], settled: &mut Settled) {
        let mut refused = refusals.iter().map(|(position, _)| *position).peekable();
        for (position, entry) in batch.entries.iter().enumerate() {
            if refused.next_if_eq(&position).is_some() {
                continue;
            }
            if matches!(entry.source, Source::Backlog) {
                self.backlogs.remove(&entry.conn.index);
            }
            if self.lane(entry.conn).is_some_and(|lane| lane.closing) {
                settled.drained.push(entry.conn);
            }
        }
    }

    fn start_anew(&mut self) {
        self.nodes.clear();
        for arena in [&mut self.arena, &mut self.forms] {
            arena.clear();
            arena.shrink_to(KEPT_BYTES);
        }
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

#[inline]
fn bytes_of<'a>(arena: &'a [u8], forms: &'a [u8], range: Range) -> &'a [u8] {
    let (bytes, start, end) = match range.start & OTHER_FORM {
        0 => (arena, range.start, range.end),
        _ => (forms, range.start ^ OTHER_FORM, range.end ^ OTHER_FORM),
    };
    &bytes[start as usize..end as usize]
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
