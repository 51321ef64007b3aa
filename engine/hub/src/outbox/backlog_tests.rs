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

/// `sim --scenario hard-mark --seed 8`: who owes next to nothing is no debtor, however full the core is.
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

proptest! {
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
