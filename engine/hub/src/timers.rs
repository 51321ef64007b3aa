//! Deadlines of connections and sessions: one heap, one armed entry each.
//!
//! Not a scheduler: it knows when to look at something, not what to do then. The truth is the `due_ms` that stands in the
//! connection or session; an entry that fires early just looks and is armed again. So moving a deadline back, which every
//! pong does, costs nothing, and a timer needs no cancelling.

use crate::heap::Heap;
use crate::{ConnId, SessionKey};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watched {
    Conn(ConnId),
    Session(SessionKey),
}

#[derive(Default)]
pub(crate) struct Timers {
    heap: Heap<Entry>,
}

/// When the entry fires that watches a deadline, `u64::MAX` if there is none. Lies with the deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alarm(u64);

impl Alarm {
    pub(crate) const NONE: Self = Self(u64::MAX);
}

/// 16 bytes, for there is at least one a connection.
#[derive(PartialEq, Eq)]
struct Entry {
    at_ms: u64,
    /// The slot, with the bit `SESSION` if it is a session's.
    place: u32,
    generation: u32,
}

/// Tells sessions from connections. Slots are far below: each has a descriptor.
const SESSION: u32 = 1 << 31;

const _: () = assert!(size_of::<Entry>() == 16);

impl Entry {
    fn new(at_ms: u64, watched: Watched) -> Self {
        let (place, generation) = match watched {
            Watched::Conn(conn) => (conn.index, conn.generation),
            Watched::Session(key) => (key.index | SESSION, key.generation),
        };
        Self { at_ms, place, generation }
    }

    const fn watched(&self) -> Watched {
        let (index, generation) = (self.place & !SESSION, self.generation);
        match self.place & SESSION {
            0 => Watched::Conn(ConnId { index, generation }),
            _ => Watched::Session(SessionKey::new(index, generation)),
        }
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at_ms.cmp(&other.at_ms)
    }
}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Timers {
    /// Watches a deadline; a heap entry is added only if none fires before it.
    pub(crate) fn watch(&mut self, alarm: &mut Alarm, due_ms: u64, watched: Watched) {
        if due_ms < alarm.0 {
            alarm.0 = due_ms;
            self.heap.push(Entry::new(due_ms, watched));
        }
    }

    /// After the entry of `at_ms` fired: true if the deadline is due; otherwise it is watched on. An entry that was superseded says nothing.
    pub(crate) fn settle(
        &mut self,
        alarm: &mut Alarm,
        due_ms: u64,
        at_ms: u64,
        now_ms: u64,
        watched: Watched,
    ) -> bool {
        if alarm.0 != at_ms {
            return false;
        }
        *alarm = Alarm::NONE;
        if due_ms <= now_ms {
            return true;
        }
        self.watch(alarm, due_ms, watched);
        false
    }

    /// The next entry that fired, with the time it was armed for.
    pub(crate) fn pop(&mut self, now_ms: u64) -> Option<(u64, Watched)> {
        if self.heap.peek()?.at_ms > now_ms {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at_ms, entry.watched()))
    }

    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.heap.peek().map(|entry| entry.at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATCHED: Watched = Watched::Session(SessionKey::new(0, 0));

    #[test]
    fn a_deadline_moved_back_fires_once_at_its_new_time() {
        let (mut timers, mut alarm) = (Timers::default(), Alarm::NONE);
        timers.watch(&mut alarm, 100, WATCHED);
        timers.watch(&mut alarm, 300, WATCHED);
        let (at, watched) = timers.pop(100).expect("the first entry");
        assert!(!timers.settle(&mut alarm, 300, at, 100, watched));
        assert_eq!(timers.next_ms(), Some(300));
        let (at, watched) = timers.pop(300).expect("the second entry");
        assert!(timers.settle(&mut alarm, 300, at, 300, watched));
        assert_eq!(timers.next_ms(), None);
    }

    #[test]
    fn a_deadline_moved_forward_fires_early_and_only_then() {
        let (mut timers, mut alarm) = (Timers::default(), Alarm::NONE);
        timers.watch(&mut alarm, 300, WATCHED);
        timers.watch(&mut alarm, 100, WATCHED);
        let (at, watched) = timers.pop(100).expect("the early entry");
        assert!(timers.settle(&mut alarm, 100, at, 100, watched));
        let (at, watched) = timers.pop(300).expect("the stale entry");
        assert!(!timers.settle(&mut alarm, 100, at, 300, watched));
    }

    #[test]
    fn a_deadline_that_was_given_up_is_not_watched_on() {
        let (mut timers, mut alarm) = (Timers::default(), Alarm::NONE);
        timers.watch(&mut alarm, 100, WATCHED);
        let (at, watched) = timers.pop(100).expect("the entry");
        assert!(!timers.settle(&mut alarm, u64::MAX, at, 100, watched));
        assert_eq!(timers.next_ms(), None);
    }
}
