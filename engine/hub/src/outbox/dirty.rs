//! Whose bytes are due, in the order of their sends: answers and heartbeats go ahead of broadcasts, every second send at most.
//!
//! Not an order of bytes: that of a connection is the order of calls, as ever, for a lane stands here once, with all that is due to it.
//!
//! Why: a broadcast to all makes every lane dirty, and whoever comes last waits for a send to each of them, 60 ms for ten thousand. A
//! newcomer asks three times before it hears anything, and a client gives its server up by the pings. What goes ahead is one send for
//! one request or one interval, never a copy for each of a crowd; and taking turns, it cannot keep a broadcast from leaving.

use std::collections::VecDeque;

/// The slots of lanes whose bytes are due.
#[derive(Default)]
pub(super) struct Dirty {
    ahead: VecDeque<u32>,
    rest: VecDeque<u32>,
    /// Whether the last one went ahead.
    was_ahead: bool,
}

impl Dirty {
    /// After all others.
    #[inline]
    pub(super) fn push(&mut self, index: u32) {
        self.rest.push_back(index);
    }

    /// Ahead of those who were pushed plainly, after those who go ahead already.
    pub(super) fn push_ahead(&mut self, index: u32) {
        self.ahead.push_back(index);
    }

    /// Takes all of them out for a batch, whose first place is for one who goes ahead.
    pub(super) fn begin(&mut self) -> Self {
        Self { was_ahead: false, ..std::mem::take(self) }
    }

    /// The next one while anybody goes ahead: one of those, then one of the rest.
    pub(super) fn pop_by_turns(&mut self) -> Option<u32> {
        if self.ahead.is_empty() {
            return None;
        }
        self.was_ahead = !self.was_ahead;
        if self.was_ahead || self.rest.is_empty() { self.ahead.pop_front() } else { self.rest.pop_front() }
    }

    /// The next so many when nobody goes ahead, or all there are.
    #[inline]
    pub(super) fn drain(&mut self, count: usize) -> impl Iterator<Item = u32> + '_ {
        let count = count.min(self.rest.len());
        self.rest.drain(..count)
    }

    /// Adds all of another one, behind.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.ahead.append(&mut other.ahead);
        self.rest.append(&mut other.rest);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.ahead.is_empty()
    }

    /// All of them, in no order that counts.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ahead.iter().chain(&self.rest).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(dirty: &mut Dirty) -> Vec<u32> {
        let mut drained: Vec<u32> = std::iter::from_fn(|| dirty.pop_by_turns()).collect();
        drained.extend(dirty.drain(usize::MAX));
        drained
    }

    #[test]
    fn who_goes_ahead_takes_every_second_place_and_nobody_is_forgotten() {
        let mut dirty = Dirty::default();
        (1..4).for_each(|index| dirty.push(index));
        (10..15).for_each(|index| dirty.push_ahead(index));
        assert_eq!(dirty.iter().count(), 8);
        assert_eq!(drained(&mut dirty), [10, 1, 11, 2, 12, 3, 13, 14]);
        assert!(dirty.is_empty());
    }

    #[test]
    fn an_endless_stream_of_answers_does_not_keep_a_broadcast_back() {
        let mut dirty = Dirty::default();
        (1..3).for_each(|index| dirty.push(index));
        let mut left = Vec::new();
        for answer in 10..14 {
            dirty.push_ahead(answer);
            left.extend(dirty.pop_by_turns());
        }
        assert!(left.contains(&1) && left.contains(&2), "{left:?}");
    }
}
