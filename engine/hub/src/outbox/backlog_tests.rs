//! Backlogs: limits at the copy and at the append, bursts that make progress, and what is left of one that is cut.

use proptest::prelude::*;
use socketville_proto::ws::{Opcode, server_frames, write_header};

use super::*;

const LIMITS: BacklogLimits =
    BacklogLimits { bytes_max: 100, burst_bytes_max: 400, bursts_bytes_max: 500, held_bytes_max: usize::MAX };

fn backlogs(limits: BacklogLimits) -> Backlogs {
    Backlogs::new(limits, Account::default())
}

/// Frames with payloads of these lengths.
fn frames(lengths: &[usize]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &len in lengths {
        write_header(&mut bytes, Opcode::Text, len);
        bytes.extend(std::iter::repeat_n(b'x', len));
    }
    bytes
}

fn conn(index: u32) -> ConnId {
    ConnId { index, generation: 0 }
}

fn keep(backlogs: &mut Backlogs, slot: u32, sent: &[u8], taken: usize) -> Kept {
    backlogs.keep(conn(slot), 0, &Rest { sent, taken, behind: &[], is_last: false }, &Arena::default())
}

#[test]
fn the_limit_is_looked_at_before_the_copy() {
    let mut backlogs = backlogs(BacklogLimits { burst_bytes_max: 0, ..LIMITS });
    let sent = frames(&[48; 20]);
    assert_eq!(keep(&mut backlogs, 0, &sent, 0), Kept::Nothing);
    assert_eq!((backlogs.owed(0), backlogs.account.held()), (0, 0));
    assert_eq!(keep(&mut backlogs, 1, &sent, sent.len() - 100), Kept::All);
    assert_eq!((backlogs.owed(1), backlogs.account.held()), (100, 100));
    assert_eq!(backlogs.append(1, 0, b"one more"), Kept::Nothing);
}

#[test]
fn one_packet_may_exceed_the_limit() {
    let mut backlogs = backlogs(BacklogLimits { burst_bytes_max: 0, ..LIMITS });
    let sent = frames(&[10, 5_000]);
    assert_eq!(keep(&mut backlogs, 0, &sent, 3), Kept::All);
    assert_eq!(backlogs.owed(0), sent.len() - 3);
    assert_eq!(keep(&mut backlogs, 1, &frames(&[10, 20, 5_000]), 3), Kept::Nothing);
}

#[test]
fn a_burst_is_kept_while_its_reader_makes_progress() {
    let mut backlogs = backlogs(LIMITS);
    assert_eq!(keep(&mut backlogs, 0, &frames(&[48; 8]), 0), Kept::All);
    assert_eq!(backlogs.next_ms(), Some(STALL_MS));
    backlogs.progress(0, STALL_MS - 1, 10);
    assert_eq!(backlogs.take_stalled(STALL_MS), [0; 0]);
    assert_eq!(backlogs.next_ms(), Some(2 * STALL_MS - 1));
    backlogs.progress(0, STALL_MS + 1, 0);
    assert_eq!(backlogs.take_stalled(2 * STALL_MS - 1), [0], "nothing taken is no progress");
}

#[test]
fn a_burst_that_has_become_small_is_not_watched() {
    let mut backlogs = backlogs(LIMITS);
    assert_eq!(keep(&mut backlogs, 0, &frames(&[48; 8]), 0), Kept::All);
    backlogs.progress(0, 1, 350);
    assert_eq!(backlogs.take_stalled(u64::MAX / 2), [0; 0]);
    assert_eq!(backlogs.next_ms(), None);
}

#[test]
fn all_bursts_together_have_a_limit_too() {
    let mut backlogs = backlogs(LIMITS);
    let sent = frames(&[48; 8]);
    assert_eq!(keep(&mut backlogs, 0, &sent, 0), Kept::All);
    assert_eq!(keep(&mut backlogs, 1, &sent, 0), Kept::Nothing);
    backlogs.remove(0);
    assert_eq!(keep(&mut backlogs, 1, &sent, 0), Kept::All);
    assert!(backlogs.cut(1, usize::MAX));
    assert_eq!((backlogs.bursts_bytes, backlogs.owed(1)), (0, 0));
}

/// `sim --scenario hard-mark --seed 8`: a connection that owes next to nothing is no debtor, however full the core is.
#[test]
fn a_full_core_keeps_what_is_next_to_nothing() {
    let mut backlogs = backlogs(BacklogLimits { bytes_max: 100_000, held_bytes_max: 10_000, ..LIMITS });
    let others = backlogs.account.charge(Kind::Body, Owner::Core, 10_000);
    assert_eq!(keep(&mut backlogs, 0, &frames(&[DEBT_BYTES_MIN]), 0), Kept::NoMemory);
    assert_eq!(keep(&mut backlogs, 0, &frames(&[1_000]), 0), Kept::All);
    assert_eq!(backlogs.append(0, 0, &frames(&[1_000])), Kept::All);
    assert_eq!(backlogs.append(0, 0, &frames(&[DEBT_BYTES_MIN])), Kept::NoMemory);
    drop(others);
    assert_eq!(backlogs.append(0, 0, &frames(&[DEBT_BYTES_MIN])), Kept::All);
}

/// A frame that is larger than the limit and torn stays owed when its connection is cut.
#[test]
fn a_torn_frame_beyond_the_limit_is_counted_until_it_has_left() {
    let mut backlogs = backlogs(LIMITS);
    assert_eq!(keep(&mut backlogs, 0, &frames(&[300]), 10), Kept::All);
    assert!(backlogs.cut(0, usize::MAX) && backlogs.is_sound());
    backlogs.finish(0, b"\x88\0");
    assert!(backlogs.is_sound());
    backlogs.progress(0, 1, 50);
    assert!(backlogs.is_sound());
    backlogs.remove(0);
    assert!(backlogs.keep_frame(conn(1), &frames(&[300, 5]), 10) && backlogs.is_sound());
    backlogs.remove(1);
    assert_eq!(backlogs.bursts_bytes, 0);
}

#[test]
fn what_is_no_frame_is_cut_without_a_rest() {
    let mut backlogs = backlogs(LIMITS);
    assert_eq!(keep(&mut backlogs, 0, b"HTTP/1.1 200 OK\r\n\r\n", 4), Kept::All);
    assert!(!backlogs.cut(0, usize::MAX));
    for (slot, taken) in [(1, 0), (2, 4)] {
        assert!(!backlogs.keep_frame(conn(slot), b"HTTP/1.1 200 OK\r\n\r\n", taken));
    }
}

/// A giant that crosses the limit in one step is watched as one that was kept, and for as long.
#[test]
fn a_packet_behind_others_may_exceed_the_limit_while_it_makes_progress() {
    let mut backlogs = backlogs(BacklogLimits { burst_bytes_max: 0, ..LIMITS });
    assert_eq!(keep(&mut backlogs, 0, &frames(&[20]), 1), Kept::All);
    assert_eq!(backlogs.append(0, 1_000, &frames(&[5_000])), Kept::All);
    assert_eq!(backlogs.append(0, 1_000, &frames(&[1])), Kept::Nothing, "one packet");
    assert_eq!(backlogs.next_ms(), Some(1_000 + PACKET_STALL_MS));
    backlogs.progress(0, 2_000, 10);
    assert_eq!(backlogs.take_stalled(1_000 + PACKET_STALL_MS), [0; 0]);
    assert_eq!(backlogs.take_stalled(2_000 + PACKET_STALL_MS), [0]);
}

/// The bug: a reader that had stopped held a burst of 9 MB for as long as one packet may be owed, since its first packet beyond the limit was one.
#[test]
fn a_burst_behind_one_packet_has_the_patience_of_a_burst() {
    let mut backlogs = backlogs(LIMITS);
    assert_eq!(keep(&mut backlogs, 0, &frames(&[20]), 1), Kept::All);
    assert_eq!(backlogs.append(0, 1_000, &frames(&[101])), Kept::All);
    assert_eq!(backlogs.next_ms(), Some(1_000 + PACKET_STALL_MS));
    assert_eq!(backlogs.append(0, 1_100, &frames(&[1])), Kept::All);
    assert_eq!(backlogs.next_ms(), Some(1_100 + STALL_MS));
    assert_eq!(backlogs.append(0, 1_200, &frames(&[1])), Kept::All);
    assert_eq!(backlogs.take_stalled(1_100 + STALL_MS), [0]);
    assert_eq!(backlogs.take_stalled(1_000 + PACKET_STALL_MS), [0; 0], "once");
}

#[test]
fn several_packets_at_once_cross_the_limit_only_as_a_burst() {
    let mut backlogs = backlogs(LIMITS);
    let sent = frames(&[48; 12]);
    assert_eq!(keep(&mut backlogs, 0, &frames(&[20]), 1), Kept::All);
    assert_eq!(backlogs.append(0, 0, &sent), Kept::Nothing);
    assert_eq!(backlogs.append(0, 0, &sent[..400]), Kept::All);
    assert_eq!(backlogs.take_stalled(STALL_MS), [0]);
}

/// `sim --scenario pauses --seed 91133`: of pauses in a row the first is progress, and the others are no time.
#[test]
fn pauses_are_no_stall_however_many_and_lift_none() {
    let mut backlogs = backlogs(LIMITS);
    assert_eq!(keep(&mut backlogs, 0, &frames(&[48; 8]), 0), Kept::All);
    let mut now_ms = 0;
    for _ in 0..3 {
        now_ms += 46_000;
        backlogs.forgive(now_ms, 46_000);
        assert_eq!(backlogs.take_stalled(now_ms), [0; 0]);
        now_ms += 10;
    }
    let mut stalled = Vec::new();
    while stalled.is_empty() && now_ms < 200_000 {
        now_ms += 400; // it runs for 100 ms of each
        backlogs.forgive(now_ms, 300);
        stalled = backlogs.take_stalled(now_ms);
    }
    assert_eq!(stalled, [0]);
}

/// Churn: a slot that is emptied and filled again and again is looked at once.
#[test]
fn a_slot_is_watched_once_however_often_it_comes_and_goes() {
    let mut backlogs = backlogs(LIMITS);
    for now_ms in 0..100 {
        let _kept = backlogs.keep(
            conn(0),
            now_ms,
            &Rest { sent: &frames(&[48; 8]), taken: 0, behind: &[], is_last: false },
            &Arena::default(),
        );
        backlogs.remove(0);
    }
    assert_eq!((backlogs.watched.len(), backlogs.take_stalled(STALL_MS).len()), (1, 0));
    assert_eq!((backlogs.watched.len(), backlogs.next_ms()), (0, None));
}

proptest! {
    /// By whatever steps a connection comes to owe more than its limit, it is watched, and cut in the end if nothing of it is taken.
    #[test]
    fn who_is_beyond_its_limit_is_watched(
        steps in prop::collection::vec((0u32..3, 0usize..4, prop::collection::vec(0usize..150, 1..5), 0u64..500), 1..60),
    ) {
        let (mut backlogs, mut now_ms) = (backlogs(LIMITS), 0);
        for (slot, deed, lengths, ms) in steps {
            now_ms += ms;
            let bytes = frames(&lengths);
            let is_there = backlogs.by_slot.contains_key(&slot);
            match deed {
                0 if is_there => backlogs.remove(slot),
                1 if is_there => backlogs.progress(slot, now_ms, bytes.len().min(backlogs.owed(slot))),
                _ if is_there => _ = backlogs.append(slot, now_ms, &bytes),
                _ => _ = keep(&mut backlogs, slot, &bytes, 0),
            }
            prop_assert!(backlogs.is_sound());
            for slot in backlogs.take_stalled(now_ms) {
                backlogs.remove(slot);
            }
        }
        now_ms += 2 * PACKET_STALL_MS;
        backlogs.take_stalled(now_ms).into_iter().for_each(|slot| backlogs.remove(slot));
        now_ms += 2 * PACKET_STALL_MS;
        backlogs.take_stalled(now_ms).into_iter().for_each(|slot| backlogs.remove(slot));
        prop_assert!((0..3).all(|slot| backlogs.owed(slot) <= LIMITS.bytes_max));
    }

    /// Wherever the kernel stopped, what it took and what is left after a cut are whole frames.
    #[test]
    fn a_cut_leaves_whole_frames(
        first in prop::collection::vec(0usize..300, 1..6),
        later in prop::collection::vec(0usize..300, 0..6),
        takes in prop::collection::vec(0usize..200, 1..12),
    ) {
        let limits = BacklogLimits { bytes_max: usize::MAX, ..LIMITS };
        let (mut backlogs, sent) = (backlogs(limits), frames(&first));
        let mut takes = takes.into_iter();
        let taken = takes.next().unwrap().min(sent.len() - 1);
        let mut got = sent[..taken].to_vec();
        prop_assert_eq!(keep(&mut backlogs, 0, &sent, taken), Kept::All);
        let mut later = later.into_iter();
        for take in takes {
            if let Some(len) = later.next() {
                prop_assert_eq!(backlogs.append(0, 0, &frames(&[len])), Kept::All);
            }
            let take = take.min(backlogs.owed(0));
            got.extend_from_slice(&backlogs.bytes(0)[..take]);
            backlogs.progress(0, 0, take);
        }
        let owed = backlogs.owed(0);
        prop_assert!(backlogs.cut(0, usize::MAX));
        prop_assert!(backlogs.owed(0) <= owed);
        got.extend_from_slice(backlogs.bytes(0));
        let all: usize = server_frames(&got).map(|(_, payload)| frames(&[payload.len()]).len()).sum();
        prop_assert_eq!(all, got.len());
        backlogs.remove(0);
        prop_assert_eq!((backlogs.account.held(), backlogs.bursts_bytes), (0, 0));
    }
}
