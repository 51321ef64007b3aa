//! Flush intervals: a broadcast may wait for others, and nothing else changes: not what arrives, not its order, not its cost in encodes.

mod pair;

use pair::client::{frame, text, upgrade_session};
use pair::eio3::allowing;
use pair::{Client, Pair};
use proptest::prelude::*;
use socketville_hub::limits::{ARENA_WAITING_BYTES_MAX, FLUSH_INTERVAL_MS_MAX};
use socketville_hub::{Config, Counters, Delivery, Ending, Selector};
use socketville_proto::encode::Kind;

impl Pair {
    /// A broadcast to all of `/` that may wait, and the end of its turn.
    fn within(&mut self, allowance_ms: u8, json: &str) -> Delivery {
        let selector = Selector { flush_within_ms: Some(allowance_ms), ..Selector::default() };
        let delivery = self.select(&selector, json);
        self.turn();
        delivery
    }
}

fn event(number: u64) -> String {
    format!("42[{number}]")
}

fn waiting_poll(pair: &mut Pair) -> Client {
    let client = pair.join_polling();
    assert_eq!(pair.poll(&client), None);
    client
}

#[test]
fn broadcasts_wait_for_each_other_and_leave_in_one_send() {
    let mut pair = Pair::new();
    let clients: Vec<Client> = (0..5).map(|_| pair.join_websocket()).collect();
    let (sends, encodes) = (pair.sends, pair.hub.counters.encodes);
    for number in 0..10 {
        pair.within(20, &format!("[{number}]"));
        pair.pass_ms(2);
        assert_eq!(pair.sends - sends, if number == 9 { 5 } else { 0 }, "after {number}");
    }
    let all: Vec<String> = (0..10).map(event).collect();
    for client in &clients {
        assert_eq!(pair.frames(client.conn), all);
    }
    assert_eq!((pair.hub.counters.encodes - encodes, pair.hub.counters.flushes_early), (10, 0));
    assert_eq!(pair.hub.gauges().arena_bytes, 0);
}

#[test]
fn the_namespace_allows_and_the_emit_decides() {
    let mut pair = Pair::new();
    let client = pair.join_websocket();
    let nsp = pair.nsp("/");
    pair.hub.set_flush_interval(nsp, 50);
    pair.broadcast(&[], "[1]");
    pair.turn();
    assert!(pair.frames(client.conn).is_empty());
    pair.within(0, "[2]");
    assert_eq!(pair.frames(client.conn), [event(1), event(2)]);
    pair.broadcast(&[], "[3]");
    pair.within(5, "[4]");
    pair.pass_ms(5);
    assert_eq!(pair.frames(client.conn), [event(3), event(4)]);
    pair.hub.set_flush_interval(nsp, 0);
    pair.broadcast(&[], "[5]");
    pair.turn();
    assert_eq!(pair.frames(client.conn), [event(5)]);
}

/// `FLUSH_INTERVAL_MS_MAX`: a longer allowance is taken as that.
#[test]
fn a_longer_allowance_is_taken_as_the_limit() {
    let mut pair = Pair::new();
    let client = pair.join_websocket();
    pair.within(u8::MAX, "[1]");
    pair.pass_ms(u64::from(FLUSH_INTERVAL_MS_MAX) - 1);
    assert!(pair.frames(client.conn).is_empty());
    pair.pass_ms(1);
    assert_eq!(pair.frames(client.conn), [event(1)]);
}

/// Invariant 9: a direct emit, an answer, a ping take along what waits before them, and nobody else's.
#[test]
fn what_does_not_wait_takes_along_what_does() {
    let mut pair = Pair::new();
    let (client, other) = (pair.join_websocket(), pair.join_websocket());
    pair.within(100, "[1]");
    let sends = pair.sends;
    pair.emit(client.key, "[2]");
    pair.turn();
    assert_eq!((pair.frames(client.conn), pair.sends - sends), (vec![event(1), event(2)], 1));
    pair.within(100, "[0]");
    pair.say(client.conn, frame(0x89, b"you?"));
    assert_eq!(pair.frames(client.conn), [event(0), "Pong you?".into()], "who waits reads");
    pair.within(100, "[3]");
    pair.tell(client.conn, "40/a,");
    let frames = pair.frames(client.conn);
    assert!(frames[0] == event(3) && frames[1].starts_with("40/a,") && frames.len() == 2, "{frames:?}");
    assert!(pair.frames(other.conn).is_empty());
    pair.pass_ms(100);
    assert_eq!(pair.frames(other.conn), [event(1), event(0), event(3)]);
    pair.pass_ms(25_000 - 100 - 10);
    pair.within(100, "[4]");
    pair.pass_ms(50);
    assert_eq!(pair.frames(other.conn), [event(4), "2".into()]);
}

/// A timer for each moment, not for each recipient; and none before the first is over.
#[test]
fn there_is_one_timer_for_all_who_wait() {
    let mut pair = Pair::new();
    (0..50).for_each(|_| drop(pair.join_websocket()));
    let (before, sends) = (pair.hub.next_timer_ms(), pair.sends);
    pair.within(20, "[1]");
    assert_eq!(pair.hub.next_timer_ms(), Some(pair.now_ms + 20));
    assert!(!pair.hub.is_due());
    pair.now_ms += 20;
    pair.hub.handle_time(pair.now_ms);
    assert!(pair.hub.is_due());
    assert_eq!(pair.hub.next_timer_ms(), before);
    pair.turn();
    assert_eq!(pair.sends - sends, 50);
}

#[test]
fn a_parked_poll_is_answered_when_the_allowance_is_over() {
    let mut pair = Pair::new();
    let client = waiting_poll(&mut pair);
    pair.within(20, "[1]");
    pair.pass_ms(10);
    pair.within(20, "[2]");
    pair.pass_ms(9);
    assert_eq!(pair.payload(&client), None);
    pair.pass_ms(1);
    assert_eq!(pair.payload(&client).as_deref(), Some("42[1]\x1e42[2]"));
    assert_eq!(pair.poll(&client), None);
    pair.pass_ms(100);
    assert_eq!(pair.payload(&client), None);
    pair.within(20, "[3]");
    pair.pass_ms(5);
    pair.within(1, "[4]");
    pair.pass_ms(1);
    assert_eq!(pair.payload(&client).as_deref(), Some("42[3]\x1e42[4]"), "the earlier moment counts");
}

#[test]
fn a_direct_emit_answers_the_poll_with_what_waits() {
    let mut pair = Pair::new();
    let client = waiting_poll(&mut pair);
    pair.within(20, "[1]");
    pair.emit(client.key, "[2]");
    pair.turn();
    assert_eq!(pair.payload(&client).as_deref(), Some("42[1]\x1e42[2]"));
    pair.pass_ms(10);
    assert_eq!(pair.poll(&client), None);
    pair.within(20, "[3]");
    pair.pass_ms(10);
    assert_eq!(pair.payload(&client), None, "the moment of before is stale");
    pair.pass_ms(10);
    assert_eq!(pair.payload(&client).as_deref(), Some("42[3]"));
    pair.within(20, "[4]");
    assert_eq!(pair.poll(&client).as_deref(), Some("42[4]"), "a poll that finds packets is answered");
}

/// Waiting does not count against the client: its poll is answered before the buffer is so full that it would be cut.
#[test]
fn waiting_does_not_fill_a_polls_buffer() {
    let mut pair = Pair::with(Config { backlog_bytes_max: 1_000, burst_bytes_max: 0, ..Config::default() });
    let client = waiting_poll(&mut pair);
    let json = format!("[\"{}\"]", "x".repeat(94));
    let mut answers = 0;
    for _ in 0..50 {
        pair.within(250, &json);
        if pair.payload(&client).is_some() {
            answers += 1;
            assert_eq!(pair.poll(&client), None);
        }
    }
    assert_eq!((pair.hub.counters.slow_cut, pair.take_heard().len(), answers), (0, 0, 10));
}

/// Semantics 15: volatile packets are for transports that have nothing else to do, and one that waits has.
#[test]
fn volatile_is_dropped_where_something_waits() {
    let mut pair = Pair::new();
    let (client, polling) = (pair.join_websocket(), waiting_poll(&mut pair));
    let volatile = Selector { volatile: true, flush_within_ms: Some(20), ..Selector::default() };
    assert_eq!(pair.select(&volatile, "[1]").sockets, 2);
    pair.pass_ms(10);
    assert_eq!(pair.select(&volatile, "[2]").sockets, 0);
    assert!(!pair.emit_volatile(client.key, "[3]") && !pair.emit_volatile(polling.key, "[3]"));
    pair.pass_ms(10);
    assert_eq!(pair.frames(client.conn), [event(1)]);
    assert_eq!(pair.payload(&polling), Some(event(1)));
    assert!(pair.emit_volatile(client.key, "[4]"));
}

/// On every core the allowance counts from when the record arrives.
#[test]
fn the_allowance_counts_where_the_record_arrives() {
    let [mut here, mut there] = [0, 1].map(|core| Pair::core(Config::default(), core, 2));
    let (near, far) = (here.join_websocket(), there.join_websocket());
    let record = here.within(20, "[1]").record.expect("a record");
    there.pass_ms(15);
    assert_eq!(there.hub.deliver_record(&record), 1);
    there.turn();
    here.pass_ms(20);
    there.pass_ms(19);
    assert_eq!((here.frames(near.conn), there.frames(far.conn)), (vec![event(1)], vec![]));
    there.pass_ms(1);
    assert_eq!(there.frames(far.conn), [event(1)]);
}

/// Invariant 8: who does not read gets into its backlog as ever, and is cut as ever.
#[test]
fn a_slow_reader_is_as_slow_as_ever() {
    let mut pair = Pair::with(Config { backlog_bytes_max: 1_000, burst_bytes_max: 0, ..Config::default() });
    let (slow, healthy) = (pair.join_websocket(), pair.join_websocket());
    pair.limit(slow.conn, 3);
    for number in 0..5 {
        pair.within(10, &format!("[{number}]"));
        pair.pass_ms(10);
    }
    pair.limit(slow.conn, usize::MAX);
    pair.turn();
    let all: Vec<String> = (0..5).map(event).collect();
    assert_eq!((pair.frames(slow.conn), pair.frames(healthy.conn)), (all.clone(), all));
    pair.limit(slow.conn, 0);
    for _ in 0..200 {
        pair.within(10, "[\"0123456789\"]");
        pair.pass_ms(10);
    }
    assert!(pair.is_open(healthy.conn));
    assert_eq!((pair.hub.counters.slow_cut, pair.frames(healthy.conn).len()), (1, 200));
}

/// `ARENA_WAITING_BYTES_MAX`: all that waits leaves with the flush, counted; the arena starts anew.
#[test]
fn a_full_arena_ends_all_allowances() {
    let mut pair = Pair::new();
    let client = pair.join_websocket();
    let json = format!("[\"{}\"]", "x".repeat(100_000));
    let mut emits = 0;
    while pair.frames(client.conn).is_empty() {
        pair.within(250, &json);
        emits += 1;
    }
    assert_eq!(emits, ARENA_WAITING_BYTES_MAX / 100_000 + 1);
    assert_eq!((pair.hub.counters.flushes_early, pair.hub.gauges().arena_bytes), (1, 0));
}

#[test]
fn a_close_takes_along_what_waits() {
    for ending in [Ending::Connection, Ending::Namespace] {
        let mut pair = Pair::new();
        let (client, other) = (pair.join_websocket(), pair.join_websocket());
        pair.within(100, "[1]");
        pair.hub.disconnect_socket(pair.now_ms, client.key, ending);
        pair.run_effects();
        pair.turn();
        let frames = pair.frames(client.conn);
        assert_eq!(frames[..2], [event(1), "41".into()], "{frames:?}");
        pair.pass_ms(100);
        assert_eq!(pair.frames(other.conn), [event(1)]);
    }
}

#[test]
fn a_shutdown_takes_along_what_waits() {
    let mut pair = Pair::new();
    let (client, polling) = (pair.join_websocket(), waiting_poll(&mut pair));
    pair.within(100, "[1]");
    pair.hub.close_all(pair.now_ms, pair.now_ms);
    pair.run_effects();
    pair.turn();
    assert_eq!(pair.frames(client.conn)[0], event(1));
    assert!(pair.payload(&polling).expect("an answer").starts_with("42[1]"));
    assert!(!pair.hub.is_due());
}

/// As without an interval: what was emitted before the peer's end leaves before ours.
#[test]
fn what_waits_leaves_before_a_connection_that_ends() {
    let mut pair = Pair::new();
    let client = pair.join_websocket();
    pair.within(100, "[1]");
    pair.end(client.conn);
    assert_eq!(pair.frames(client.conn), [event(1)]);
    assert!(!pair.is_open(client.conn));
}

#[test]
fn a_broken_connection_leaves_nothing_behind() {
    let mut pair = Pair::new();
    let (client, polling) = (pair.join_websocket(), waiting_poll(&mut pair));
    pair.within(100, "[1]");
    pair.break_line(client.conn);
    pair.break_line(polling.conn);
    pair.pass_ms(100);
    assert_eq!((pair.hub.gauges().arena_bytes, pair.hub.is_due()), (0, false));
    assert_eq!(pair.hub.gauges().sessions, 0);
}

/// An upgrade while a poll waits: it is answered with what waits, the rest follows over WebSocket.
#[test]
fn an_upgrade_while_waiting_loses_and_repeats_nothing() {
    let mut pair = Pair::new();
    let client = waiting_poll(&mut pair);
    let conn = pair.open();
    pair.within(100, "[1]");
    pair.ask(conn, upgrade_session(&client.sid));
    pair.say(conn, text("2probe"));
    assert_eq!(pair.frames(conn), ["3probe"]);
    pair.within(100, "[2]");
    pair.say(conn, text("5"));
    let payload = pair.payload(&client).expect("an answer");
    assert_eq!(payload.trim_end_matches("\x1e6"), "42[1]\x1e42[2]");
    pair.within(100, "[3]");
    assert!(pair.frames(conn).is_empty());
    pair.pass_ms(100);
    assert_eq!(pair.frames(conn), [event(3)]);
    pair.pass_ms(500);
    assert_eq!((pair.frames(conn).len(), pair.hub.gauges().arena_bytes), (0, 0));
}

/// Other forms of a packet wait as it does, made once, and lie side by side as it does.
#[test]
fn other_forms_wait_too() {
    let mut pair = allowing(Config::default());
    let (v3, v4) = ([pair.join_v3(""), pair.join_v3("")], pair.join_websocket());
    let (nsp, sends) = (pair.nsp("/"), pair.sends);
    let selector = Selector { flush_within_ms: Some(20), ..Selector::default() };
    for number in 0..3u8 {
        let payload = br#"["b",{"_placeholder":true,"num":0}]"#;
        pair.hub.broadcast(nsp, &selector, Kind::Event, payload, &[vec![number]]);
        pair.turn();
        pair.pass_ms(1);
    }
    assert_eq!((pair.sends - sends, pair.hub.counters.encodes_v3), (0, 3));
    pair.pass_ms(20);
    assert_eq!(pair.sends - sends, 3);
    for client in &v3 {
        let attachments: Vec<_> = pair.frames(client.conn).into_iter().skip(1).step_by(2).collect();
        assert_eq!(attachments, ["[4, 0]", "[4, 1]", "[4, 2]"]);
    }
    let attachments: Vec<_> = pair.frames(v4.conn).into_iter().skip(1).step_by(2).collect();
    assert_eq!(attachments, ["[0]", "[1]", "[2]"]);
    assert_eq!(pair.hub.gauges().arena_bytes, 0);
}

/// What the engine is told in a step of the property below.
#[derive(Clone, Debug)]
enum Step {
    All(u8),
    Room(u8),
    Direct(usize),
    /// What a reader takes from now on: nothing, a little, everything.
    Reader(usize, usize),
    Pass(u64),
    Kick(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let allowance = || prop::sample::select(vec![0u8, 1, 5, 20, 250]);
    prop_oneof![
        4 => allowance().prop_map(Step::All),
        4 => allowance().prop_map(Step::Room),
        2 => (0usize..6).prop_map(Step::Direct),
        2 => (0usize..6, 0usize..40).prop_map(|(who, bytes)| Step::Reader(who, bytes)),
        4 => (0u64..60).prop_map(Step::Pass),
        1 => (0usize..6).prop_map(Step::Kick),
    ]
}

/// Does a step in a world with intervals, or in one without.
fn act(pair: &mut Pair, clients: &[Client], number: usize, step: &Step, waits: bool) {
    let json = format!("[{number}]");
    let allow = |ms: u8| Some(if waits { ms } else { 0 });
    match *step {
        Step::All(ms) => {
            pair.select(&Selector { flush_within_ms: allow(ms), ..Selector::default() }, &json);
        }
        Step::Room(ms) => {
            let to = pair::names(&["room"]);
            pair.select(&Selector { to: &to, flush_within_ms: allow(ms), ..Selector::default() }, &json);
        }
        Step::Direct(who) => _ = pair.emit(clients[who].key, &json),
        Step::Reader(who, bytes) if pair.is_open(clients[who].conn) => {
            pair.limit(clients[who].conn, if bytes > 30 { usize::MAX } else { bytes });
        }
        Step::Reader(..) => {}
        Step::Pass(ms) => pair.pass_ms(ms),
        Step::Kick(who) => {
            pair.hub.disconnect_socket(pair.now_ms, clients[who].key, Ending::Namespace);
            pair.run_effects();
        }
    }
    pair.turn();
}

/// A client that polls again whenever it has an answer.
fn drain(pair: &mut Pair, polling: &Client, got: &mut Vec<String>) {
    let mut answer = pair.payload(polling);
    while let Some(payload) = answer {
        got.extend(payload.split('\x1e').map(str::to_owned));
        answer = pair.poll(polling);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The twin has no intervals: what arrives, and in which order, is the same in the end.
    #[test]
    fn everyone_gets_what_they_would_get_at_once(steps in prop::collection::vec(step(), 1..80)) {
        let mut worlds = [true, false].map(|waits| {
            let mut pair = Pair::new();
            let clients: Vec<Client> = (0..6).map(|_| pair.join_websocket()).collect();
            let polling = waiting_poll(&mut pair);
            for client in clients.iter().step_by(2).chain([&polling]) {
                pair.hub.join(client.key, "room").expect("a room");
            }
            (pair, clients, polling, Vec::new(), waits)
        });
        for (number, step) in steps.iter().enumerate() {
            for (pair, clients, polling, polled, waits) in &mut worlds {
                act(pair, clients, number, step, *waits);
                drain(pair, polling, polled);
            }
        }
        let [waiting, at_once] = worlds.map(|(mut pair, clients, polling, mut polled, _)| {
            pair.pass_ms(250);
            drain(&mut pair, &polling, &mut polled);
            clients.iter().for_each(|client| pair.limit(client.conn, usize::MAX));
            pair.turn();
            let got: Vec<_> = clients.iter().map(|client| pair.frames(client.conn)).collect();
            // Who gets several packets with one answer asks less often.
            let counters = Counters { requests: 0, bytes_in: 0, ..pair.hub.counters };
            (got, polled, counters, pair.hub.gauges())
        });
        prop_assert_eq!(waiting.3.arena_bytes, 0);
        prop_assert_eq!(waiting, at_once);
    }
}
