//! A reader that takes little or nothing: it costs its own bounded backlog, and nothing that is shared (invariant 8).

mod pair;

use pair::client::{frame, frames};
use pair::{Client, Pair};
use socketville_hub::limits::{LINGER_MS, STALL_MS};
use socketville_hub::{Config, Ending, Selector};

const BACKLOG: usize = 1_000;

/// A room of a slow client and two healthy ones; the slow one takes nothing from now on.
fn scene(pair: &mut Pair, slow: &Client) -> [Client; 2] {
    let healthy = [pair.join_websocket(), pair.join_polling()];
    pair.limit(slow.conn, 0);
    healthy
}

fn small_backlog() -> Pair {
    Pair::with(Config { backlog_bytes_max: BACKLOG, burst_bytes_max: 0, ..Config::default() })
}

/// Invariant 8: cut at its own limit; its neighbours lose nothing and see no delay.
#[test]
fn a_reader_that_takes_nothing_is_cut_at_its_limit() {
    let mut pair = small_backlog();
    let slow = pair.join_websocket();
    let [ws, polling] = scene(&mut pair, &slow);
    let json = format!("[\"{}\"]", "x".repeat(92));
    let mut turns = 0;
    while pair.hub.counters.slow_cut == 0 {
        turns += 1;
        pair.broadcast(&[], &json);
        pair.turn();
        assert_eq!(pair.frames(ws.conn), [format!("42{json}")], "turn {turns}");
        assert_eq!(pair.poll(&polling), Some(format!("42{json}")), "turn {turns}");
        assert!(turns < 100, "never cut");
    }
    assert_eq!(turns, 11, "ten frames of 100 bytes fill a thousand");
    assert_eq!(pair.take(slow.conn), b"");
    assert_eq!(pair.take_heard(), ["#0 left: slow reader []"]);
    assert!(pair.is_held(slow.conn), "it may read why it ends");
    pair.pass_ms(LINGER_MS);
    assert_eq!((pair.hub.counters.slow_cut, pair.hub.gauges().connections), (1, 3));
    pair.broadcast(&[], &json);
    pair.turn();
    assert_eq!((pair.frames(ws.conn).len(), pair.hub.gauges().arena_bytes), (1, 0));
}

/// RFC 6455 section 7.4: the reason comes behind the frame that was begun, and nothing of those that were dropped.
#[test]
fn a_reader_that_is_cut_reads_why() {
    let mut pair = small_backlog();
    let slow = pair.join_websocket();
    pair.limit(slow.conn, 150);
    let json = format!("[\"{}\"]", "x".repeat(92));
    while pair.hub.counters.slow_cut == 0 {
        pair.broadcast(&[], &json);
        pair.turn();
    }
    pair.limit(slow.conn, usize::MAX);
    pair.turn();
    let whole = format!("42{json}");
    assert_eq!(pair.frames(slow.conn), [whole.as_str(), whole.as_str(), "close 1008 slow reader"]);
    assert!(!pair.is_open(slow.conn));
}

/// The limit is passed in the turn in which the kernel takes bytes again: the reason must not be lost between the cut and the flush (found by
/// the fuzz target `server`, as a send of nothing).
#[test]
fn a_reader_that_is_cut_as_it_reads_again_reads_why() {
    for room in [150, 100] {
        let mut pair = small_backlog();
        let slow = pair.join_websocket();
        pair.limit(slow.conn, room);
        let json = format!("[\"{}\"]", "x".repeat(92));
        while pair.hub.outbox.owed(slow.conn) < BACKLOG {
            pair.broadcast(&[], &json);
            pair.turn();
        }
        pair.limit(slow.conn, usize::MAX);
        let sends = pair.sends;
        pair.broadcast(&[], &json);
        pair.turn();
        pair.turn();
        let mut expected = vec![format!("42{json}"); room.div_ceil(100)];
        expected.push("close 1008 slow reader".into());
        assert_eq!(pair.frames(slow.conn), expected, "room for {room} bytes");
        assert_eq!((pair.hub.counters.slow_cut, pair.sends - sends), (1, 1));
        assert_eq!(pair.take_heard(), ["#0 left: slow reader []"]);
        assert!(!pair.is_open(slow.conn));
    }
}

/// All in one turn: the limit is looked at before the rest is copied, not when something is added to it.
#[test]
fn a_rest_over_the_limit_is_not_kept() {
    let mut pair = small_backlog();
    let (slow, ws) = (pair.join_websocket(), pair.join_websocket());
    pair.limit(slow.conn, 0);
    (0..20).for_each(|_| _ = pair.broadcast(&[], &format!("[\"{}\"]", "x".repeat(92))));
    pair.turn();
    assert_eq!((pair.hub.counters.slow_cut, pair.frames(ws.conn).len()), (1, 20));
    assert_eq!(pair.take_heard(), ["#0 left: slow reader []"]);
}

/// A burst beyond the limit is served to a reader that makes progress, and not kept for one that makes none.
#[test]
fn a_burst_is_served_to_a_reader_that_makes_progress() {
    let mut pair =
        Pair::with(Config { backlog_bytes_max: BACKLOG, burst_bytes_max: 100_000, ..Config::default() });
    let (steady, stopped) = (pair.join_websocket(), pair.join_websocket());
    for client in [&steady, &stopped] {
        pair.limit(client.conn, 0);
    }
    (0..200).for_each(|_| _ = pair.broadcast(&[], &format!("[\"{}\"]", "x".repeat(92))));
    pair.turn();
    for _ in 0..25 {
        pair.pass_ms(STALL_MS - 1);
        pair.limit(steady.conn, 1_000);
        pair.turn();
    }
    assert_eq!(pair.take_heard(), ["#1 left: slow reader []"]);
    assert_eq!(pair.frames(steady.conn).len(), 200);
    assert!(pair.hub.outbox.is_idle(steady.conn));
}

/// A burst for one that will read on and one that will not; the kernel takes nothing of either at first.
fn burst() -> (Pair, Client, Client) {
    let mut pair =
        Pair::with(Config { backlog_bytes_max: BACKLOG, burst_bytes_max: 100_000, ..Config::default() });
    let (steady, stopped) = (pair.join_websocket(), pair.join_websocket());
    pair.limit(steady.conn, 0);
    pair.limit(stopped.conn, 0);
    (0..200).for_each(|_| _ = pair.broadcast(&[], &format!("[\"{}\"]", "x".repeat(92))));
    pair.turn();
    (pair, steady, stopped)
}

/// `sim --scenario pauses --seed 7`: the time in which a stopped process offered the kernel nothing is no stall of its readers.
#[test]
fn a_pause_of_the_process_is_no_stall_of_its_readers() {
    let (mut pair, steady, _stopped) = burst();
    pair.now_ms += 60_000;
    pair.hub.handle_time(pair.now_ms);
    pair.turn();
    assert_eq!(pair.take_heard(), [""; 0], "not before the kernel has been offered something");
    pair.limit(steady.conn, usize::MAX);
    pair.turn();
    pair.pass_ms(STALL_MS);
    assert_eq!(pair.take_heard(), ["#1 left: slow reader []"]);
    let frames = pair.frames(steady.conn);
    assert_eq!(frames.iter().filter(|frame| frame.starts_with("42")).count(), 200);
}

/// A connection that can be written to again is written to before it is judged.
#[test]
fn a_reader_that_reads_on_in_the_last_moment_is_served() {
    let (mut pair, steady, _stopped) = burst();
    pair.pass_ms(STALL_MS - 1);
    pair.limit(steady.conn, usize::MAX);
    pair.pass_ms(1);
    assert_eq!(pair.take_heard(), ["#1 left: slow reader []"]);
    assert_eq!(pair.frames(steady.conn).len(), 200);
}

/// `sim --scenario drain --seed 12902`: a client that is told the end behind a burst has the end's own time to take it.
#[test]
fn a_reader_that_is_told_the_end_is_not_cut_for_its_burst() {
    let (mut pair, steady, _stopped) = burst();
    pair.hub.disconnect_socket(pair.now_ms, steady.key, Ending::Connection);
    pair.run_effects();
    pair.pass_ms(2 * STALL_MS);
    assert_eq!(pair.hub.counters.slow_cut, 1, "the other one");
    pair.limit(steady.conn, usize::MAX);
    pair.turn();
    let frames = pair.frames(steady.conn);
    assert_eq!((frames.len(), frames.last().map(String::as_str)), (202, Some("close")));
}

/// One packet may exceed the limit (the limit is for what piles up).
#[test]
fn one_packet_may_exceed_the_limit() {
    let mut pair = small_backlog();
    let slow = pair.join_websocket();
    let json = format!("[\"{}\"]", "x".repeat(50 * BACKLOG));
    pair.limit(slow.conn, 10);
    pair.emit(slow.key, &json);
    pair.turn();
    assert!(pair.is_open(slow.conn));
    pair.limit(slow.conn, usize::MAX);
    pair.turn();
    assert_eq!(pair.frames(slow.conn), [format!("42{json}")]);
}

/// A partial send goes on where it stopped, whatever is emitted meanwhile.
#[test]
fn partial_sends_go_on_where_they_stopped() {
    for step in [1, 2, 3, 7, 64] {
        let mut pair = Pair::new();
        let slow = pair.join_websocket();
        pair.limit(slow.conn, 0);
        let mut expected = Vec::new();
        for number in 0..20 {
            let json = format!("[{number}]");
            if number % 2 == 0 {
                pair.emit(slow.key, &json)
            } else {
                pair.broadcast(&[], &json) > 0
            };
            expected.push(format!("42{json}"));
            pair.turn();
            pair.limit(slow.conn, step);
            pair.turn();
        }
        for _ in 0..200 {
            pair.limit(slow.conn, step);
            pair.turn();
        }
        let bytes = pair.take(slow.conn);
        assert_eq!(frames(&bytes), expected, "step {step}");
        assert!(pair.hub.outbox.is_idle(slow.conn));
    }
}

/// Volatile packets are dropped while their reader is blocked, for it alone, and all frames of one together (semantics 15).
#[test]
fn volatile_is_dropped_while_blocked() {
    let mut pair = Pair::new();
    let slow = pair.join_websocket();
    let healthy = pair.join_websocket();
    let volatile = Selector { volatile: true, ..Selector::default() };
    pair.limit(slow.conn, 3);
    pair.emit(slow.key, "[\"kept\"]");
    assert_eq!(pair.select(&volatile, "[\"first\"]").sockets, 1, "right behind another packet it is dropped");
    assert_eq!(pair.select(&volatile, "[\"second\"]").sockets, 0, "also behind another volatile one");
    pair.turn();
    assert_eq!(pair.select(&volatile, "[\"one\"]").sockets, 1);
    assert!(!pair.emit_volatile(slow.key, "[\"none\"]"));
    assert_eq!(pair.hub.counters.volatile_dropped, 5);
    pair.turn();
    pair.limit(slow.conn, usize::MAX);
    assert!(!pair.emit_volatile(slow.key, "[\"still busy\"]"), "its backlog has not left yet");
    pair.turn();
    assert!(pair.emit_volatile(slow.key, "[\"free\"]"));
    pair.turn();
    assert_eq!(pair.frames(slow.conn), ["42[\"kept\"]", "42[\"free\"]"]);
    assert_eq!(pair.frames(healthy.conn), ["42[\"first\"]", "42[\"one\"]"]);
}

/// A blocked connection that is closed still gets its bytes, then the close, then the end; nothing that is emitted later.
#[test]
fn a_closing_reader_gets_its_last_bytes() {
    let mut pair = Pair::new();
    let slow = pair.join_websocket();
    pair.limit(slow.conn, 0);
    pair.emit(slow.key, "[\"due\"]");
    pair.turn();
    pair.hub.disconnect_socket(pair.now_ms, slow.key, Ending::Connection);
    pair.run_effects();
    pair.turn();
    assert!(pair.is_open(slow.conn));
    for _ in 0..100 {
        pair.limit(slow.conn, 1);
        pair.turn();
    }
    assert!(!pair.is_open(slow.conn));
    assert_eq!(pair.frames(slow.conn), ["42[\"due\"]", "41", "close"]);
}

/// `LINGER_MS`: who does not take them is cut five seconds later.
#[test]
fn a_closing_reader_that_takes_nothing_is_cut() {
    let mut pair = Pair::new();
    let slow = pair.join_websocket();
    pair.limit(slow.conn, 0);
    pair.say(slow.conn, frame(0x88, b""));
    pair.pass_ms(4_999);
    assert!(pair.is_open(slow.conn));
    pair.pass_ms(1);
    assert!(!pair.is_open(slow.conn));
    assert_eq!(pair.hub.gauges().connections, 0);
}

/// Over polling the buffer has the same limit: a client that does not come is lost once, and nobody else.
#[test]
fn a_client_that_does_not_poll_is_cut() {
    let mut pair = small_backlog();
    let slow = pair.join_polling();
    let healthy = pair.join_websocket();
    let json = format!("[\"{}\"]", "x".repeat(94));
    for _ in 0..30 {
        pair.broadcast(&[], &json);
    }
    assert!(pair.heard.is_empty(), "not inside a delivery");
    pair.turn();
    assert_eq!(pair.take_heard(), ["#0 left: slow reader []"]);
    assert_eq!((pair.hub.counters.slow_cut, pair.knows(&slow.sid)), (1, false));
    assert_eq!(pair.frames(healthy.conn).len(), 30);
}

/// A connection that breaks in a flush takes nobody with it.
#[test]
fn a_connection_that_breaks_in_a_flush_is_alone() {
    let mut pair = Pair::new();
    let all: Vec<Client> = (0..7).map(|_| pair.join_websocket()).collect();
    pair.sever(all[3].conn);
    pair.broadcast(&[], "[1]");
    pair.turn();
    assert_eq!(pair.take_heard(), ["#3 left: transport close []"]);
    for (number, client) in all.iter().enumerate() {
        assert_eq!(pair.frames(client.conn).len(), usize::from(number != 3), "{number}");
    }
    pair.turn();
    assert_eq!(pair.hub.gauges().connections, 6);
}
