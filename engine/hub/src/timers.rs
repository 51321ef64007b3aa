//! Deadlines of connections and sessions: one heap, one armed entry each.
//!
//! Not a scheduler: it knows when to look at something, not what to do then. The truth is the `due_ms` that stands in the
//! connection or session; an entry that fires early just looks and is armed again. So moving a deadline back, which every
//! pong does, costs nothing, and a timer needs no cancelling.

use crate::heap::Heap;
use crate::limits::SLOTS_MAX;

/// What an entry looks at, by its slot. Another may be there by then: an entry counts only if it fires when its alarm says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Watched {
    Conn(u32),
    Session(u32),
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

/// A time and a place in one word, for there is at least one a connection: the time first, so that words compare as times do.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u64);

/// Bits of a place: half for connections, half for sessions.
const PLACE_BITS: u32 = 24;
/// Tells sessions from connections.
const SESSION: u32 = 1 << (PLACE_BITS - 1);
/// 34 years of milliseconds.
const AT_MS_MAX: u64 = (1 << (u64::BITS - PLACE_BITS)) - 1;

const _: () = assert!(SLOTS_MAX <= SESSION as usize);

impl Entry {
    fn new(at_ms: u64, watched: Watched) -> Self {
        let place = match watched {
            Watched::Conn(index) => index,
            Watched::Session(index) => index | SESSION,
        };
        Self(at_ms.min(AT_MS_MAX) << PLACE_BITS | u64::from(place))
    }

    const fn at_ms(&self) -> u64 {
        self.0 >> PLACE_BITS
    }

    const fn watched(&self) -> Watched {
        let place = self.0 as u32 & ((1 << PLACE_BITS) - 1);
        match place & SESSION {
            0 => Watched::Conn(place),
            _ => Watched::Session(place & !SESSION),
        }
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
        if self.heap.peek()?.at_ms() > now_ms {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at_ms(), entry.watched()))
    }

    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.heap.peek().map(Entry::at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATCHED: Watched = Watched::Session(0);

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

    #[test]
    fn an_entry_is_a_time_and_a_place() {
        for watched in [Watched::Conn(0), Watched::Conn(SESSION - 1), Watched::Session(SESSION - 1)] {
            let entry = Entry::new(12_345, watched);
            assert_eq!((entry.at_ms(), entry.watched()), (12_345, watched));
        }
        assert!(Entry::new(1, Watched::Session(SESSION - 1)) < Entry::new(2, Watched::Conn(0)));
    }
}
