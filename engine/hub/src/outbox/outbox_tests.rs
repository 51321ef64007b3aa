//! The outbox against a naive twin that keeps a queue of bytes per connection.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

fn conn(index: u32) -> ConnId {
    ConnId { index, generation: 7 }
}

fn opened(count: u32) -> Outbox {
    let mut outbox = Outbox::with_backlogs(100);
    (0..count).for_each(|index| outbox.open(conn(index)));
    outbox
}

/// Flushes everything; the kernel takes `take(connection, length)` bytes of each entry.
fn flush(outbox: &mut Outbox, got: &mut [Vec<u8>], mut take: impl FnMut(u32, usize) -> usize) -> Settled {
    let (mut batch, mut settled) = (Batch::default(), Settled::default());
    loop {
        outbox.take_batch(&mut batch, 3);
        if batch.is_empty() {
            outbox.settle(&batch, &[], &mut settled);
            return settled;
        }
        let mut refusals = Vec::new();
        for (position, (conn, bytes)) in outbox.slices(&batch).enumerate() {
            let taken = take(conn.index, bytes.len()).min(bytes.len());
            got[conn.index as usize].extend_from_slice(&bytes[..taken]);
            if taken < bytes.len() {
                refusals.push((position, Refusal::Took(taken)));
            }
        }
        outbox.settle(&batch, &refusals, &mut settled);
    }
}

#[test]
fn a_burst_to_one_room_is_one_send_per_socket() {
    let mut outbox = opened(2);
    for text in ["one", "two", "three"] {
        let range = outbox.write(|arena| arena.extend_from_slice(text.as_bytes()));
        outbox.append(0, range);
        outbox.append(1, range);
    }
    let mut batch = Batch::default();
    outbox.take_batch(&mut batch, 10);
    let slices: Vec<_> = outbox.slices(&batch).map(|(_, bytes)| bytes).collect();
    assert_eq!(slices, [b"onetwothree", b"onetwothree"]);
}

#[test]
fn a_newcomers_answer_waited_for_a_send_to_everybody() {
    let mut outbox = opened(9);
    let broadcast = outbox.write(|arena| arena.extend_from_slice(b"all"));
    (0..8).for_each(|index| outbox.append(index, broadcast));
    outbox.send(conn(8), |arena| arena.extend_from_slice(b"welcome"));
    outbox.send(conn(7), |arena| arena.extend_from_slice(b"ping"));
    let mut batch = Batch::default();
    outbox.take_batch(&mut batch, 2);
    let first: Vec<_> = outbox.slices(&batch).map(|(conn, bytes)| (conn.index, bytes)).collect();
    assert_eq!(first, [(8, b"welcome".as_slice()), (0, b"all".as_slice())]);
    let mut got = vec![Vec::new(); 9];
    flush(&mut outbox, &mut got, |_, len| len);
    assert_eq!(got[7], b"allping", "on a connection the order is that of the calls");
}

#[test]
fn a_batch_gathers_so_much_and_all_of_it_arrives() {
    const RANGE: usize = 200 << 10;
    let mut outbox = opened(5);
    for _ in 0..8 {
        let large = outbox.write(|arena| arena.extend_from_slice(&[b'x'; RANGE]));
        (0..4).for_each(|index| outbox.append(index, large));
        let small = outbox.write(|arena| arena.push(b'y')); // so that the large ones are scattered
        outbox.append(4, small);
    }
    let (mut batch, mut settled, mut arrived) = (Batch::default(), Settled::default(), [0; 5]);
    loop {
        outbox.take_batch(&mut batch, 256);
        if batch.is_empty() {
            break;
        }
        assert!(batch.gathered.len() <= crate::limits::GATHER_BYTES_MAX, "{}", batch.gathered.len());
        for (conn, bytes) in outbox.slices(&batch) {
            arrived[conn.index as usize] += bytes.len();
        }
        outbox.settle(&batch, &[], &mut settled);
    }
    assert_eq!(arrived, [8 * RANGE, 8 * RANGE, 8 * RANGE, 8 * RANGE, 8]);
}

#[test]
fn a_full_backlog_cuts_its_connection_and_no_other() {
    let mut outbox = opened(2);
    let mut got = vec![Vec::new(), Vec::new()];
    for _ in 0..20 {
        let range = outbox.write(|arena| arena.extend_from_slice(&[b'x'; 10]));
        outbox.append(0, range);
        outbox.append(1, range);
        flush(&mut outbox, &mut got, |index, len| if index == 0 { 0 } else { len });
    }
    assert_eq!(
        outbox.take_overflowed(),
        Some(Overflow { conn: conn(0), is_at_frame: false, reason: Reason::SlowReader })
    );
    assert_eq!(outbox.take_overflowed(), None);
    assert_eq!((got[0].len(), got[1].len()), (0, 200));
}

/// Where the core has no memory, the largest debtor goes first, and not the connection that is due something at the moment.
#[test]
fn the_largest_debtor_makes_room_for_the_others() {
    let limits =
        BacklogLimits { bytes_max: 100_000, burst_bytes_max: 0, bursts_bytes_max: 0, held_bytes_max: 40_000 };
    let mut outbox = Outbox::new(limits, Account::default());
    (0..3).for_each(|index| outbox.open(conn(index)));
    let mut got = vec![Vec::new(); 3];
    for (index, bytes) in [(0, 25_000), (1, 8_000), (1, 8_000)] {
        outbox.send(conn(index), |arena| arena.resize(bytes, 7));
        flush(&mut outbox, &mut got, |_, _| 0);
    }
    let cut = outbox.take_overflowed().map(|overflow| (overflow.conn, overflow.reason));
    assert_eq!(cut, Some((conn(0), Reason::MemoryLimit)));
    assert_eq!((outbox.owed(conn(0)), outbox.owed(conn(1))), (0, 16_000));
    outbox.send(conn(2), |arena| arena.resize(30_000, 7));
    flush(&mut outbox, &mut got, |_, _| 0);
    let cut = outbox.take_overflowed().map(|overflow| (overflow.conn, overflow.reason));
    assert_eq!(cut, Some((conn(2), Reason::MemoryLimit)), "nobody owes more");
}

/// One that was cut while it was about to be written to has nothing more to send.
#[test]
fn a_connection_that_was_cut_is_not_sent_nothing() {
    let mut outbox = Outbox::with_backlogs(10);
    outbox.open(conn(0));
    let mut got = vec![Vec::new()];
    outbox.send(conn(0), |arena| arena.extend_from_slice(b"an answer"));
    flush(&mut outbox, &mut got, |_, _| 2);
    outbox.handle_writable(conn(0));
    outbox.send(conn(0), |arena| arena.extend_from_slice(b"and more"));
    outbox.send(conn(0), |arena| arena.extend_from_slice(b"and more"));
    assert!(outbox.take_overflowed().is_some());
    let mut batch = Batch::default();
    outbox.take_batch(&mut batch, 9);
    assert!(batch.is_empty());
}

#[test]
fn a_closing_connection_is_drained_after_its_last_byte() {
    let mut outbox = opened(1);
    outbox.send(conn(0), |arena| arena.extend_from_slice(b"bye"));
    outbox.close(conn(0));
    outbox.send(conn(0), |arena| arena.extend_from_slice(b"never"));
    let mut got = vec![Vec::new()];
    let settled = flush(&mut outbox, &mut got, |_, _| 1);
    assert!(settled.drained.is_empty());
    outbox.handle_writable(conn(0));
    let settled = flush(&mut outbox, &mut got, |_, len| len);
    assert_eq!((settled.drained, got[0].as_slice()), (vec![conn(0)], b"bye".as_slice()));
}

#[test]
fn a_stale_connection_gets_nothing() {
    let mut outbox = opened(1);
    outbox.forget(conn(0));
    outbox.open(ConnId { index: 0, generation: 8 });
    outbox.send(conn(0), |arena| arena.extend_from_slice(b"old"));
    outbox.handle_writable(conn(0));
    assert!(!outbox.is_dirty());
}

proptest! {
    #[test]
    fn each_connection_gets_its_bytes_once_and_in_order(
        steps in prop::collection::vec((prop::collection::vec(0u32..5, 1..5), 1usize..9, any::<u8>()), 1..60),
        takes in prop::collection::vec(0usize..12, 1..30),
    ) {
        let mut outbox = Outbox::with_backlogs(usize::MAX);
        (0..5).for_each(|index| outbox.open(conn(index)));
        let mut got = vec![Vec::new(); 5];
        let mut due = vec![Vec::new(); 5];
        let mut takes = takes.iter().copied().cycle();
        let mut blocked = VecDeque::new();
        for (number, (to, len, action)) in steps.into_iter().enumerate() {
            let text = vec![number as u8; len];
            let range = outbox.write(|arena| arena.extend_from_slice(&text));
            let mut to = to;
            to.sort_unstable();
            to.dedup();
            for index in to {
                outbox.append(index, range);
                due[index as usize].extend_from_slice(&text);
            }
            if action < 100 {
                blocked.extend(flush(&mut outbox, &mut got, |_, _| takes.next().unwrap()).blocked);
            } else if action < 180
                && let Some(conn) = blocked.pop_front()
            {
                outbox.handle_writable(conn);
            }
        }
        for _ in 0..2 {
            (0..5).for_each(|index| outbox.handle_writable(conn(index)));
            flush(&mut outbox, &mut got, |_, len| len);
        }
        prop_assert_eq!(got, due);
    }
}
