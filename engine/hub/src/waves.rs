//! Those who wait, by the moment until which they may: one wave a millisecond, the earliest first.
//!
//! Not timers: a wave is one entry for all who are in it, however many, and nobody is taken out of it before its moment. Who is no longer waiting
//! by then, or for another moment, is for the caller to see.

use std::collections::VecDeque;

/// Waves of members, in the order of their moments.
pub(crate) struct Waves<T> {
    waves: VecDeque<Wave<T>>,
    /// Kept lists, so that in steady state a wave does not allocate.
    spare: Vec<Vec<T>>,
}

struct Wave<T> {
    due_ms: u64,
    members: Vec<T>,
}

/// Lists kept for later waves: at 20 ms and a message a millisecond this many are in use at a time.
const SPARE_MAX: usize = 20;

/// Members for whom a kept list has room: 64 KiB of lanes each.
const SPARE_MEMBERS_MAX: usize = 1 << 14;

impl<T> Default for Waves<T> {
    fn default() -> Self {
        Self { waves: VecDeque::new(), spare: Vec::new() }
    }
}

impl<T> Waves<T> {
    /// One more who waits until then.
    pub(crate) fn push(&mut self, due_ms: u64, member: T) {
        let at = self.waves.partition_point(|wave| wave.due_ms < due_ms);
        match self.waves.get_mut(at).filter(|wave| wave.due_ms == due_ms) {
            Some(wave) => wave.members.push(member),
            None => {
                let mut members = self.spare.pop().unwrap_or_default();
                members.push(member);
                self.waves.insert(at, Wave { due_ms, members });
            }
        }
    }

    /// The first wave whose moment has come, with that moment; the list comes back by [`Waves::give_back`].
    pub(crate) fn pop(&mut self, now_ms: u64) -> Option<(u64, Vec<T>)> {
        self.waves.front().filter(|wave| wave.due_ms <= now_ms)?;
        let wave = self.waves.pop_front()?;
        Some((wave.due_ms, wave.members))
    }

    /// Keeps the memory of a wave that is over.
    pub(crate) fn give_back(&mut self, mut members: Vec<T>) {
        if self.spare.len() < SPARE_MAX {
            members.clear();
            members.shrink_to(SPARE_MEMBERS_MAX);
            self.spare.push(members);
        }
    }

    /// The earliest moment.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.waves.front().map(|wave| wave.due_ms)
    }

    /// Whether there is no wave.
    pub(crate) fn is_empty(&self) -> bool {
        self.waves.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_come_in_the_order_of_their_moments() {
        let mut waves = Waves::default();
        for (due_ms, member) in [(30, 'c'), (10, 'a'), (20, 'b'), (10, 'A'), (30, 'C')] {
            waves.push(due_ms, member);
        }
        assert_eq!((waves.next_ms(), waves.pop(9)), (Some(10), None));
        assert_eq!(waves.pop(25), Some((10, vec!['a', 'A'])));
        assert_eq!(waves.pop(25), Some((20, vec!['b'])));
        assert_eq!((waves.pop(25), waves.next_ms(), waves.is_empty()), (None, Some(30), false));
        assert_eq!(waves.pop(u64::MAX), Some((30, vec!['c', 'C'])));
        assert!(waves.is_empty());
    }

    #[test]
    fn a_list_is_used_again() {
        let mut waves = Waves::default();
        (0..100).for_each(|member| waves.push(1, member));
        let (_, members) = waves.pop(1).expect("a wave");
        let memory = (members.as_ptr(), members.capacity());
        waves.give_back(members);
        waves.push(2, 7);
        let (_, members) = waves.pop(2).expect("a wave");
        assert_eq!(((members.as_ptr(), members.capacity()), members.as_slice()), (memory, &[7][..]));
    }
}
