//! Connections on their way to a core, with what was read of them: a queue that is bounded by number and by bytes.
//!
//! Not the transfer itself, which is the driver's. A connection that finds no room is closed, and its client asks again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_queue::ArrayQueue;
use socketville_hub::Budget;

use crate::limits::{CROSSING_BYTES_MAX, PASSED_MAX};

/// Connections on their way to one core.
pub(crate) struct Crossing<P> {
    queue: ArrayQueue<(P, Vec<u8>)>,
    bytes: AtomicUsize,
    bytes_max: usize,
}

/// By core.
pub(crate) fn crossings<P>(cores: usize, budget: Budget) -> Arc<[Crossing<P>]> {
    (0..cores).map(|_| Crossing::within(budget.hard_bytes)).collect()
}

impl<P> Crossing<P> {
    /// One of a core that may hold so many bytes of everything.
    pub(crate) fn within(budget_bytes: usize) -> Self {
        let bytes_max = CROSSING_BYTES_MAX.min(budget_bytes / 8);
        Self { queue: ArrayQueue::new(PASSED_MAX), bytes: AtomicUsize::new(0), bytes_max }
    }

    /// Whether there was room. One connection's bytes may exceed what is left of it.
    pub(crate) fn push(&self, passed: P, bytes: Vec<u8>) -> bool {
        let held = bytes.capacity();
        let is_full = self.bytes.fetch_add(held, Ordering::AcqRel) >= self.bytes_max;
        let is_there = !is_full && self.queue.push((passed, bytes)).is_ok();
        if !is_there {
            self.bytes.fetch_sub(held, Ordering::AcqRel);
        }
        is_there
    }

    pub(crate) fn pop(&self) -> Option<(P, Vec<u8>)> {
        let next = self.queue.pop()?;
        self.bytes.fetch_sub(next.1.capacity(), Ordering::AcqRel);
        Some(next)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes of those that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_have_room_for_so_many_bytes() {
        let crossing = Crossing::within(8_000);
        assert!(crossing.push(1, Vec::with_capacity(900)) && crossing.push(2, Vec::with_capacity(900)));
        assert!(!crossing.push(3, Vec::new()), "1000 bytes are taken");
        assert_eq!((crossing.bytes(), crossing.pop().map(|(passed, _)| passed)), (1_800, Some(1)));
        assert!(crossing.push(4, Vec::new()));
        while crossing.pop().is_some() {}
        assert_eq!((crossing.bytes(), crossing.is_empty()), (0, true));
    }

    #[test]
    fn connections_have_room_for_so_many() {
        let crossing = Crossing::within(usize::MAX);
        let pushed = (0..).take_while(|&passed| crossing.push(passed, vec![0; 10])).count();
        assert_eq!((pushed, crossing.bytes()), (PASSED_MAX, 10 * PASSED_MAX));
    }
}
