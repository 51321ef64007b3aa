//! Lanes that wait, against a twin that flushes everything at once.

use proptest::prelude::*;

use crate::limits::{ARENA_WAITING_BYTES_MAX, FLUSH_INTERVAL_MS_MAX};
use crate::{Batch, ConnId, Outbox, Range, Settled};

const CONNS: u32 = 4;

fn conn(index: u32) -> ConnId {
    ConnId { index, generation: 7 }
}

/// An outbox whose kernel takes everything, what each connection got, and how many sends that took.
struct Line {
    outbox: Outbox,
    got: Vec<Vec<u8>>,
    sends: usize,
}

impl Line {
    fn new() -> Self {
        let mut outbox = Outbox::with_backlogs(usize::MAX);
        (0..CONNS).for_each(|index| outbox.open(conn(index)));
        Self { outbox, got: vec![Vec::new(); CONNS as usize], sends: 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> Range {
        self.outbox.write(|arena| arena.extend_from_slice(bytes))
    }

    fn within(&mut self, index: u32, bytes: &[u8], allowance_ms: u8) {
        let range = self.write(bytes);
        self.outbox.append_within(index, range, allowance_ms);
    }

    fn at_once(&mut self, index: u32, bytes: &[u8]) {
        let range = self.write(bytes);
        self.outbox.append(index, range);
    }

    /// A turn's release and flush.
    fn turn(&mut self, now_ms: u64) -> Settled {
        self.outbox.release(now_ms);
        let (mut batch, mut settled) = (Batch::default(), Settled::default());
        loop {
            self.outbox.take_batch(&mut batch, 3);
            for (conn, bytes) in self.outbox.slices(&batch) {
                self.got[conn.index as usize].extend_from_slice(bytes);
                self.sends += 1;
            }
            self.outbox.settle(&batch, &[], &mut settled);
            if batch.is_empty() {
                return settled;
            }
        }
    }
}

#[test]
fn what_waits_is_one_send_at_the_end_of_the_first_allowance() {
    let mut line = Line::new();
    for now_ms in 0..20 {
        line.turn(now_ms);
        line.within(0, &[now_ms as u8], 20);
    }
    assert_eq!((line.sends, line.outbox.next_release_ms(), line.outbox.is_dirty()), (0, Some(20), false));
    line.turn(20);
    assert_eq!((line.sends, line.got[0].as_slice()), (1, (0..20).collect::<Vec<u8>>().as_slice()));
    assert_eq!((line.outbox.next_release_ms(), line.outbox.arena_bytes()), (None, 0));
}

#[test]
fn what_does_not_wait_takes_along_what_waits_before_it() {
    let mut line = Line::new();
    line.within(0, b"ab", 50);
    line.within(1, b"x", 50);
    line.at_once(0, b"c");
    line.within(0, b"d", 50);
    line.turn(1);
    assert_eq!((line.got[0].as_slice(), line.got[1].as_slice(), line.sends), (&b"abcd"[..], &b""[..], 1));
    line.turn(50);
    assert_eq!((line.got[1].as_slice(), line.sends), (&b"x"[..], 2));
}

/// The moment is a byte: the shorter allowance counts, whichever comes first, wherever the clock stands.
#[test]
fn the_earlier_of_two_moments_counts() {
    for start_ms in (0..600).step_by(7) {
        for (first, second) in [(100, 30), (30, 100), (250, 1), (1, 250), (250, 249)] {
            let mut line = Line::new();
            line.turn(start_ms);
            line.within(0, b"a", first);
            line.within(0, b"b", second);
            let due_ms = start_ms + u64::from(first.min(second));
            line.turn(due_ms - 1);
            assert_eq!(line.sends, 0, "{first} and {second} from {start_ms}");
            line.turn(due_ms);
            assert_eq!((line.sends, line.got[0].as_slice()), (1, &b"ab"[..]));
            line.within(0, b"c", 250);
            line.turn(due_ms + 249);
            assert_eq!(line.sends, 1, "the later moment of before is stale");
            line.turn(due_ms + 250);
            assert_eq!(line.sends, 2);
        }
    }
}

/// Who left early and waits again waits its whole allowance.
#[test]
fn a_stale_entry_does_not_end_a_new_allowance() {
    let mut line = Line::new();
    line.within(0, b"a", 20);
    line.at_once(0, b"b");
    line.turn(5);
    line.within(0, b"c", 20);
    line.turn(20);
    assert_eq!(line.got[0], b"ab");
    line.turn(25);
    assert_eq!(line.got[0], b"abc");
}

#[test]
fn closing_takes_along_what_waits() {
    let mut line = Line::new();
    line.within(0, b"last", 50);
    line.outbox.close(conn(0));
    line.within(0, b"never", 50);
    let settled = line.turn(0);
    assert_eq!((settled.drained, line.got[0].as_slice()), (vec![conn(0)], &b"last"[..]));
}

#[test]
fn a_connection_that_is_gone_leaves_nothing_to_its_successor() {
    let mut line = Line::new();
    line.within(0, b"old", 20);
    line.outbox.forget(conn(0));
    line.outbox.open(ConnId { index: 0, generation: 8 });
    line.turn(10);
    line.within(0, b"new", 20);
    line.turn(20);
    assert_eq!(line.got[0], b"");
    line.turn(30);
    assert_eq!(line.got[0], b"new");
}

#[test]
fn the_arena_is_crowded_by_bytes_or_by_links_while_somebody_waits() {
    let mut line = Line::new();
    let big = vec![0; ARENA_WAITING_BYTES_MAX + 1];
    line.write(&big);
    assert!(!line.outbox.is_crowded(), "nobody waits");
    line.within(0, b"x", FLUSH_INTERVAL_MS_MAX);
    assert!(line.outbox.is_crowded());
    line.outbox.release_all();
    line.turn(0);
    assert_eq!((line.sends, line.outbox.is_crowded(), line.outbox.arena_bytes()), (1, false, 0));
    let mut small = 0;
    while !line.outbox.is_crowded() {
        line.within(0, b"x", FLUSH_INTERVAL_MS_MAX);
        line.within(1, b"y", FLUSH_INTERVAL_MS_MAX);
        small += 2;
    }
    assert!(small < ARENA_WAITING_BYTES_MAX / 4, "links count");
}

/// The arena at its hard limit: what waits goes into backlogs with what is due, and loses nothing.
#[test]
fn a_spill_keeps_what_waits() {
    let mut line = Line::new();
    line.within(0, b"a", 50);
    line.within(1, b"x", 50);
    line.at_once(1, b"y");
    line.outbox.spill();
    line.within(0, b"b", 50);
    line.turn(0);
    assert_eq!((line.got[0].as_slice(), line.got[1].as_slice()), (&b"ab"[..], &b"xy"[..]));
}

proptest! {
    /// Content and order are those of a twin without allowances, nothing is later than allowed, and there are no more sends.
    #[test]
    fn allowances_change_when_and_nothing_else(
        steps in prop::collection::vec(
            (prop::collection::btree_set(0..CONNS, 1..4), 0usize..6, prop::sample::select(vec![0u8, 0, 1, 5, 20, 250]), 0u64..30),
            1..120,
        ),
    ) {
        let (mut line, mut twin) = (Line::new(), Line::new());
        let mut now_ms = 1_000;
        // By connection: when how much must have come.
        let mut owed: Vec<Vec<(u64, usize)>> = vec![Vec::new(); CONNS as usize];
        for (number, (to, len, allowance_ms, pause_ms)) in steps.into_iter().enumerate() {
            line.turn(now_ms);
            let bytes = vec![number as u8; len];
            let (range, same) = (line.write(&bytes), twin.write(&bytes));
            for &index in &to {
                match allowance_ms {
                    0 => line.outbox.append(index, range),
                    ms => line.outbox.append_within(index, range, ms),
                }
                twin.outbox.append(index, same);
            }
            line.turn(now_ms);
            twin.turn(now_ms);
            for &index in to.iter().filter(|_| len > 0) {
                let len = twin.got[index as usize].len();
                owed[index as usize].push((now_ms + u64::from(allowance_ms), len));
            }
            // The loop wakes at the moments that it was told.
            let until_ms = now_ms + pause_ms;
            while let Some(at_ms) = line.outbox.next_release_ms().filter(|&at_ms| at_ms <= until_ms) {
                line.turn(at_ms);
                prop_assert!(line.outbox.next_release_ms() > Some(at_ms) || line.outbox.next_release_ms().is_none());
            }
            now_ms = until_ms;
            for ((owed, got), sent) in owed.iter().zip(&line.got).zip(&twin.got) {
                prop_assert!(sent.starts_with(got), "content and order");
                let least = owed.iter().filter(|(at_ms, _)| *at_ms <= now_ms).map(|(_, len)| *len).max();
                prop_assert!(got.len() >= least.unwrap_or(0), "later than allowed");
            }
        }
        line.turn(now_ms + 250);
        prop_assert_eq!(&line.got, &twin.got);
        prop_assert!(line.sends <= twin.sends);
        prop_assert_eq!((line.outbox.next_release_ms(), line.outbox.arena_bytes()), (None, 0));
    }
}
