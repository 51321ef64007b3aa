//! What one core has broadcast lately, for clients that come back after a lost transport: one history a core, never one a socket.
//!
//! Not a log of deliveries: an entry says for whom it was, as its selector did, and who missed what is found when somebody asks. A position is the
//! core that made an event and its number there; every core sees the events of one core in that order, so a vector of numbers, one per core,
//! says exactly what had been seen at a moment, on whatever core it is read.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::limits::EVICTED_ROOMS_MAX;
use crate::{NspId, Record};

/// Which core made an event, and its number there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// The core.
    pub core: u16,
    /// Counted from 1.
    pub seq: u64,
}

/// What had been seen at a moment: the last number of each core.
pub(crate) type Seen = Vec<u64>;

/// Whose events are asked for.
#[derive(Debug, Clone)]
pub struct Audience {
    /// The namespace.
    pub nsp: NspId,
    /// The socket's id.
    pub id: Box<str>,
    /// Its rooms, but for that of its own id.
    pub rooms: Vec<Box<str>>,
}

/// How much is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bounds {
    pub(crate) age_ms: u64,
    pub(crate) packets: usize,
    pub(crate) bytes: usize,
}

pub(crate) struct History {
    bounds: Bounds,
    entries: VecDeque<Entry>,
    /// The number of the first entry, in this core's own order.
    first: u64,
    bytes: usize,
    seen: Seen,
    /// The last number of each core that never arrived here: who needs it, or one before it, cannot be made whole.
    holes: Seen,
    /// Cores of which something may be missing; their next event shows how much.
    torn: Vec<bool>,
    /// The same in this core's own order: nothing before this number is whole.
    torn_before: u64,
    evicted: Evicted,
    pub(crate) now_ms: u64,
}

struct Entry {
    at_ms: u64,
    position: Position,
    /// `None` for a volatile event: it has a place, but is not kept.
    record: Option<Arc<Record>>,
}

/// The last that was dropped, by room: nobody who missed it can be made whole.
struct Evicted {
    rooms: HashMap<(NspId, Box<str>), Lost, ahash::RandomState>,
    /// Events for whole namespaces.
    all: HashMap<NspId, Lost, ahash::RandomState>,
    /// Before this number even that is forgotten.
    floor: u64,
}

#[derive(Default)]
struct Lost {
    index: u64,
    positions: SmallVec<[(u16, u64); 2]>,
}

impl History {
    pub(crate) fn new(bounds: Bounds, cores: u16, hasher: &ahash::RandomState) -> Self {
        Self {
            bounds,
            entries: VecDeque::new(),
            first: 0,
            bytes: 0,
            seen: vec![0; usize::from(cores)],
            holes: vec![0; usize::from(cores)],
            torn: vec![false; usize::from(cores)],
            torn_before: 0,
            evicted: Evicted {
                rooms: HashMap::with_hasher(hasher.clone()),
                all: HashMap::with_hasher(hasher.clone()),
                floor: 0,
            },
            now_ms: 0,
        }
    }

    /// Bytes of the events that are kept.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The place of the next event of this core.
    pub(crate) fn next(&self, core: u16) -> Position {
        let seq = self.seen.get(usize::from(core)).map_or(1, |seq| seq + 1);
        Position { core, seq }
    }

    /// The number of the next entry.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(crate) fn push(&mut self, position: Position, record: Option<Arc<Record>>) {
        let core = usize::from(position.core);
        if let Some(seq) = self.seen.get_mut(core) {
            if position.seq != *seq + 1 {
                self.holes[core] = position.seq - 1;
            }
            self.torn[core] = false;
            *seq = position.seq;
        }
        self.bytes += record.as_ref().map_or(0, |record| record.bytes.len());
        self.entries.push_back(Entry { at_ms: self.now_ms, position, record });
        self.prune();
    }

    /// Something of the other cores has not arrived: whoever was away or is lost now begins anew.
    pub(crate) fn tear(&mut self, own: u16) {
        self.torn.iter_mut().enumerate().for_each(|(core, torn)| *torn |= core != usize::from(own));
        // An entry of its own, so that "all up to now" is before it.
        let nowhere = Position { core: u16::MAX, seq: 0 };
        self.entries.push_back(Entry { at_ms: self.now_ms, position: nowhere, record: None });
        self.torn_before = self.end();
    }

    /// Drops what is too old or too much.
    pub(crate) fn prune(&mut self) {
        while let Some(oldest) = self.entries.front() {
            let is_old = oldest.at_ms.saturating_add(self.bounds.age_ms) < self.now_ms;
            if !is_old && self.entries.len() <= self.bounds.packets && self.bytes <= self.bounds.bytes {
                return;
            }
            if let Some(Entry { position, record: Some(record), .. }) = self.entries.pop_front() {
                self.bytes -= record.bytes.len();
                self.evicted.note(self.first, position, &record);
            }
            self.first += 1;
        }
    }

    /// Where to begin for a client that has everything up to its offset, and surely everything up to `sure`; `None` if something for it is gone, and for
    /// an offset that no event has had.
    pub(crate) fn start(&self, offset: Option<Position>, sure: u64, audience: &Audience) -> Option<u64> {
        let has_been = |at: Position| {
            self.seen.get(usize::from(at.core)).is_some_and(|&last| (1..=last).contains(&at.seq))
        };
        if offset.is_some_and(|offset| !has_been(offset)) {
            return None;
        }
        // An offset that is not found is older than all that is kept.
        let found = offset.and_then(|offset| self.entries.iter().rposition(|entry| entry.position == offset));
        let start = found.map_or(sure, |at| (self.first + at as u64 + 1).max(sure));
        if start < self.torn_before {
            return None;
        }
        let is_whole = start >= self.first
            || (start >= self.evicted.floor && !self.evicted.any(audience, |lost| lost.index >= start));
        is_whole.then_some(start.max(self.first))
    }

    /// What had been seen before an entry.
    pub(crate) fn seen_before(&self, start: u64) -> Seen {
        let mut seen = self.seen.clone();
        let from = usize::try_from(start.saturating_sub(self.first)).unwrap_or(usize::MAX);
        for entry in self.entries.iter().skip(from).rev() {
            if let Some(seq) = seen.get_mut(usize::from(entry.position.core)) {
                *seq = entry.position.seq - 1;
            }
        }
        seen
    }

    /// What this socket has missed since a moment, in this core's order; `None` if something is gone. What was sent to it alone is only on
    /// the core that sent it, and comes with the question.
    pub(crate) fn missed(
        &self,
        seen: &Seen,
        audience: &Audience,
        alone: &[Arc<Record>],
    ) -> Option<Vec<Arc<Record>>> {
        let is_after =
            |position: Position| seen.get(usize::from(position.core)).is_none_or(|seq| position.seq > *seq);
        let is_lost =
            |lost: &Lost| lost.positions.iter().any(|&(core, seq)| is_after(Position { core, seq }));
        let has_hole = self.holes.iter().zip(seen).any(|(hole, seq)| seq < hole);
        if has_hole || self.torn.contains(&true) {
            return None;
        }
        if self.evicted.floor > 0 && self.first_after(seen) < self.evicted.floor
            || self.evicted.any(audience, is_lost)
        {
            return None;
        }
        let mut alone = alone.iter().peekable();
        let mut missed = Vec::new();
        for entry in self.entries.iter().filter(|entry| is_after(entry.position)) {
            while let Some(record) = alone.next_if(|record| record.is_before(entry.position)) {
                missed.push(Arc::clone(record));
            }
            let record = entry.record.as_ref().filter(|record| !record.is_alone && audience.hears(record));
            missed.extend(record.cloned());
        }
        missed.extend(alone.cloned());
        Some(missed)
    }

    /// The number of the first entry after a moment, at the lowest the first there is.
    fn first_after(&self, seen: &Seen) -> u64 {
        let is_after = |entry: &Entry| {
            seen.get(usize::from(entry.position.core)).is_none_or(|seq| entry.position.seq > *seq)
        };
        self.first + self.entries.iter().position(is_after).unwrap_or(self.entries.len()) as u64
    }

    /// What was sent to one socket alone since an entry.
    pub(crate) fn alone_since(&self, start: u64, audience: &Audience) -> Vec<Arc<Record>> {
        let from = usize::try_from(start.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let records = self.entries.iter().skip(from).filter_map(|entry| entry.record.as_ref());
        records.filter(|record| record.is_alone && audience.hears(record)).cloned().collect()
    }
}

impl Audience {
    fn is_in(&self, room: &str) -> bool {
        *room == *self.id || self.rooms.iter().any(|own| **own == *room)
    }

    /// Whether a record was for this socket; the same rule as a selector's.
    fn hears(&self, record: &Record) -> bool {
        record.nsp == self.nsp
            && (record.to.is_empty() || record.to.iter().any(|room| self.is_in(room)))
            && !record.except.iter().any(|room| self.is_in(room))
            && record.skip.is_none_or(|id| id.as_str() != &*self.id)
    }
}

impl Evicted {
    fn note(&mut self, index: u64, position: Position, record: &Record) {
        if record.to.is_empty() {
            self.all.entry(record.nsp).or_default().note(index, position);
        }
        for room in &record.to {
            self.rooms.entry((record.nsp, room.clone())).or_default().note(index, position);
        }
        if self.rooms.len() > EVICTED_ROOMS_MAX {
            self.rooms.clear();
            self.all.clear();
            self.floor = index + 1;
        }
    }

    /// Whether anything that was dropped might have been for this audience, and is as `is_meant` says.
    fn any(&self, audience: &Audience, is_meant: impl Fn(&Lost) -> bool) -> bool {
        let room = |room: &str| self.rooms.get(&(audience.nsp, Box::from(room))).is_some_and(&is_meant);
        self.all.get(&audience.nsp).is_some_and(&is_meant)
            || room(&audience.id)
            || audience.rooms.iter().any(|name| room(name))
    }
}

impl Lost {
    fn note(&mut self, index: u64, position: Position) {
        self.index = index;
        match self.positions.iter_mut().find(|(core, _)| *core == position.core) {
            Some((_, seq)) => *seq = position.seq,
            None => self.positions.push((position.core, position.seq)),
        }
    }
}

impl Record {
    /// Whether its core made it before something of the same core.
    fn is_before(&self, other: Position) -> bool {
        self.position.is_some_and(|own| own.core == other.core && own.seq < other.seq)
    }
}

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl Position {
    /// As the last argument of an event: `core.seq`, in base 36.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        write_base36(out, u64::from(self.core));
        out.push(b'.');
        write_base36(out, self.seq);
    }

    /// Reads what a client sends back; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (core, seq) = text.split_once('.')?;
        let is_own =
            |text: &str| !text.is_empty() && text.len() <= 13 && text.bytes().all(|b| DIGITS.contains(&b));
        if !is_own(core) || !is_own(seq) {
            return None;
        }
        Some(Self { core: u16::from_str_radix(core, 36).ok()?, seq: u64::from_str_radix(seq, 36).ok()? })
    }
}

fn write_base36(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 13];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = DIGITS[(number % 36) as usize];
        number /= 36;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let bounds = Bounds { age_ms: 1000, packets: 100, bytes: 1000 };
        History::new(bounds, 3, &ahash::RandomState::with_seeds(1, 2, 3, 4))
    }

    #[test]
    fn who_needs_what_never_arrived_is_not_whole() {
        let audience = Audience { nsp: NspId::first(0), id: "someone".into(), rooms: Vec::new() };
        let mut history = history();
        let push = |history: &mut History, core, seq| history.push(Position { core, seq }, None);
        push(&mut history, 1, 1);
        let is_whole =
            |history: &History, seen: [u64; 3]| history.missed(&seen.to_vec(), &audience, &[]).is_some();
        assert!(history.start(None, history.end(), &audience).is_some() && is_whole(&history, [0, 1, 0]));
        let before = history.end();
        history.tear(0);
        assert!(history.start(None, before, &audience).is_none(), "who had all up to the tear");
        assert!(history.start(None, history.end(), &audience).is_some(), "who came after it");
        assert!(!is_whole(&history, [0, 1, 0]), "nobody knows what is missing");
        push(&mut history, 1, 5);
        assert!(!is_whole(&history, [0, 9, 9]), "of core 2 nobody knows yet");
        push(&mut history, 2, 1);
        assert!(is_whole(&history, [0, 4, 0]) && is_whole(&history, [0, 5, 1]));
        assert!(!is_whole(&history, [0, 3, 0]), "4 is missing");
        push(&mut history, 0, 1);
        push(&mut history, 0, 3);
        assert!(!is_whole(&history, [1, 5, 1]) && is_whole(&history, [2, 5, 1]), "every gap is seen");
    }

    #[test]
    fn positions_survive_text_and_nothing_else_is_one() {
        for position in [Position { core: 0, seq: 1 }, Position { core: 63, seq: u64::MAX }] {
            let mut text = Vec::new();
            position.write(&mut text);
            assert_eq!(Position::parse(std::str::from_utf8(&text).expect("ASCII")), Some(position));
        }
        for text in ["", ".", "1.", ".1", "1.-1", "1.+1", "A.1", "hello", "1.zzzzzzzzzzzzzz", "1.1.1"] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}
