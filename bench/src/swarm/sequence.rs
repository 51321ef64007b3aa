//! What one client has heard of a numbered series: the next number it expects, and the holes. It knows
//! numbers only, no bytes and no time.
//!
//! The common case is one comparison. Holes cost memory only where there are some: a number that comes late
//! fills its hole and counts as disorder, one that came before counts as a repeat, and what is still a hole
//! at the end is lost.

use std::ops::Range;

/// One client's view of a series.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    next: u32,
    holes: Option<Box<Holes>>,
}

/// What is missing, in no order. Boxed: a client without a fault pays for one pointer.
#[derive(Clone, Debug, Default)]
struct Holes {
    ranges: Vec<Range<u32>>,
}

/// What a number was, when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The one expected.
    InOrder,
    /// Some before it are missing yet.
    Ahead,
    /// It was missing, and comes after later ones.
    Late,
    /// It had come already.
    Repeated,
}

impl Sequence {
    /// Takes note of a number.
    #[inline]
    pub fn note(&mut self, number: u32) -> Arrival {
        if number == self.next {
            self.next = self.next.wrapping_add(1);
            return Arrival::InOrder;
        }
        self.note_unexpected(number)
    }

    /// How many of the numbers below `end` have not come.
    #[must_use]
    pub fn missing_below(&self, end: u32) -> u64 {
        let holes = self.holes.iter().flat_map(|holes| &holes.ranges);
        let in_holes: u64 = holes.map(|hole| u64::from(hole.end.min(end).saturating_sub(hole.start))).sum();
        in_holes + u64::from(end.saturating_sub(self.next))
    }

    #[cold]
    fn note_unexpected(&mut self, number: u32) -> Arrival {
        if number > self.next {
            self.holes.get_or_insert_default().ranges.push(self.next..number);
            self.next = number.wrapping_add(1);
            return Arrival::Ahead;
        }
        let Some(Holes { ranges }) = self.holes.as_deref_mut() else { return Arrival::Repeated };
        let Some(at) = ranges.iter().position(|hole| hole.contains(&number)) else {
            return Arrival::Repeated;
        };
        let hole = ranges.swap_remove(at);
        ranges.extend([hole.start..number, number + 1..hole.end].into_iter().filter(|part| !part.is_empty()));
        Arrival::Late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(numbers: &[u32]) -> (Sequence, Vec<Arrival>) {
        let mut sequence = Sequence::default();
        let arrivals = numbers.iter().map(|number| sequence.note(*number)).collect();
        (sequence, arrivals)
    }

    #[test]
    fn a_whole_series_has_no_fault() {
        let (sequence, arrivals) = noted(&[0, 1, 2, 3]);
        assert!(arrivals.iter().all(|arrival| *arrival == Arrival::InOrder));
        assert_eq!(sequence.missing_below(4), 0);
    }

    #[test]
    fn loss_is_seen_in_the_middle_at_the_start_and_at_the_end() {
        assert_eq!(noted(&[0, 1, 4, 5]).0.missing_below(6), 2);
        assert_eq!(noted(&[3]).0.missing_below(4), 3);
        assert_eq!(noted(&[0, 1]).0.missing_below(10), 8);
        assert_eq!(noted(&[]).0.missing_below(10), 10);
    }

    #[test]
    fn a_repeat_is_seen() {
        let (sequence, arrivals) = noted(&[0, 1, 1, 0, 2]);
        assert_eq!(arrivals.iter().filter(|arrival| **arrival == Arrival::Repeated).count(), 2);
        assert_eq!(sequence.missing_below(3), 0);
    }

    #[test]
    fn disorder_is_neither_loss_nor_repeat() {
        let (sequence, arrivals) = noted(&[0, 3, 2, 1, 4]);
        assert_eq!(
            arrivals,
            [Arrival::InOrder, Arrival::Ahead, Arrival::Late, Arrival::Late, Arrival::InOrder]
        );
        assert_eq!(sequence.missing_below(5), 0);
    }

    #[test]
    fn a_late_number_that_comes_twice_is_a_repeat() {
        let (_, arrivals) = noted(&[0, 5, 2, 2]);
        assert_eq!(arrivals.last(), Some(&Arrival::Repeated));
    }

    /// The clever structure agrees with a set, whatever comes.
    #[test]
    fn it_agrees_with_a_plain_set() {
        let mut seed = 12_345u32;
        for _ in 0..200 {
            let mut seen = std::collections::BTreeSet::new();
            let (mut sequence, mut repeats, mut expected_repeats) = (Sequence::default(), 0, 0);
            for _ in 0..60 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let number = (seed >> 16) % 40;
                expected_repeats += u32::from(!seen.insert(number));
                repeats += u32::from(sequence.note(number) == Arrival::Repeated);
            }
            assert_eq!(repeats, expected_repeats);
            assert_eq!(sequence.missing_below(40), 40 - seen.len() as u64);
        }
    }
}
