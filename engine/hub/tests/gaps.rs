//! Who is late is judged after all that came has been read, and not for a time in which nobody read: a stopped process, a handler that blocks.

mod pair;

use pair::client::{post, text, upgrade_session};
use pair::{Client, Pair};
use socketville_hub::limits::LOOKS_MAX;
use socketville_hub::{Config, ConnId, Ending, Look, Pause};

/// A ping is out, its time-out over by this much when the loop runs again.
fn pinged(pair: &mut Pair) -> Client {
    let ws = pair.join_websocket();
    pair.pass_ms(25_000);
    assert_eq!(pair.frames(ws.conn), ["2"]);
    ws
}

/// The kernel still has something when the deadline is over: it is read first, though the deadline was seen before.
#[test]
fn a_pong_that_had_arrived_counts_though_its_deadline_is_seen_first() {
    let mut pair = Pair::new();
    let ws = pinged(&mut pair);
    pair.now_ms += 20_000;
    for _ in 0..100 {
        pair.hub.handle_timers(pair.now_ms, Look::Busy);
        pair.hub.handle_timers(pair.now_ms, Look::Averted);
        assert_eq!(pair.hub.next_timer_ms(), Some(0), "the loop does not sleep meanwhile");
    }
    pair.tell(ws.conn, "3");
    assert!(pair.is_open(ws.conn) && pair.heard.is_empty());
    pair.pass_ms(25_000);
    assert_eq!(pair.frames(ws.conn), ["2"], "the next ping comes an interval after the pong");
}

/// The bug: while a flood left something for the next turn in each turn, a head that never ends had no deadline. A peer that stands in line is not late.
#[test]
fn a_core_that_is_behind_judges_all_but_those_in_line() {
    let mut pair = Pair::new();
    let (ws, head) = (pinged(&mut pair), pair.open());
    pair.feed(head, "GET / HTTP/1.1\r\nX: y");
    pair.hub.pause(ws.conn, Pause::Turn);
    for _ in 0..3 * LOOKS_MAX {
        pair.now_ms += 100;
        pair.hub.handle_timers(pair.now_ms, Look::Behind);
    }
    while pair.flush_batch() {}
    assert!(String::from_utf8_lossy(&pair.take(head)).starts_with("HTTP/1.1 408 "));
    assert!(pair.is_open(ws.conn));
    pair.hub.resume(ws.conn, Pause::Turn);
    pair.hub.handle_timers(pair.now_ms, Look::Behind);
    assert_eq!(pair.hub.counters.ping_timeouts, 1);
}

/// A core that is never idle still cuts who is silent; one that takes nothing in does not.
#[test]
fn a_busy_core_judges_after_so_many_looks() {
    let mut pair = Pair::new();
    let ws = pinged(&mut pair);
    pair.now_ms += 20_000;
    for _ in 0..1_000 {
        pair.hub.handle_timers(pair.now_ms, Look::Averted);
    }
    for _ in 0..LOOKS_MAX {
        pair.hub.handle_timers(pair.now_ms, Look::Busy);
    }
    assert_eq!(pair.hub.counters.ping_timeouts, 0);
    pair.hub.handle_timers(pair.now_ms, Look::Busy);
    assert_eq!(pair.hub.counters.ping_timeouts, 1);
    pair.turn();
    assert!(!pair.is_open(ws.conn));
}

/// A pause while pings are out: nobody is cut before a new ping has had its whole time-out, however long the pause.
#[test]
fn a_pause_costs_one_more_ping_round() {
    for pause_ms in [20_251, 60_000, 86_400_000] {
        let mut pair = Pair::new();
        let silent = pair.join_websocket();
        let healthy = pinged(&mut pair);
        pair.now_ms += pause_ms;
        pair.turn();
        assert_eq!(pair.hub.counters.gaps, 1, "{pause_ms}");
        assert_eq!(pair.frames(healthy.conn), ["2"], "a new ping");
        // The pong to the first one lay in a buffer; the second one is answered as well.
        pair.tell(healthy.conn, "3");
        pair.tell(healthy.conn, "3");
        pair.pass_ms(19_999);
        assert!(pair.is_open(silent.conn));
        pair.pass_ms(25_000);
        assert!(pair.is_open(healthy.conn) && !pair.is_open(silent.conn), "{pause_ms}");
        assert_eq!(pair.heard, ["#0 left: ping timeout []"]);
    }
}

/// Clients of Engine.IO 3 ping; after a pause they have their whole patience again.
#[test]
fn a_pause_renews_the_patience_with_clients_of_engine_io_3() {
    let mut pair = pair::eio3::allowing(Config::default());
    let conn = pair.join_v3("").conn;
    pair.now_ms += 100_000;
    pair.turn();
    pair.pass_ms(44_999);
    assert!(pair.is_open(conn));
    pair.pass_ms(1);
    assert!(!pair.is_open(conn));
}

/// Heads, bodies, upgrades and namespaces that are due after a pause have a moment more.
#[test]
fn a_pause_leaves_a_moment_for_everything_else() {
    let mut pair = Pair::new();
    let half = pair.open();
    pair.say(half, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n");
    let (joins_late, _) = pair.websocket("/socket.io/");
    pair.take(joins_late);
    let body = pair.join_polling();
    let whole = post(&body.sid, "42[\"hello\"]");
    pair.say(body.post, &whole[..whole.len() - 3]);
    pair.now_ms += 46_000;
    pair.turn();
    assert!(pair.is_open(half) && pair.is_open(joins_late) && pair.is_open(body.post));
    pair.say(half, "Host: here\r\n\r\n");
    assert!(pair.take(half).starts_with(b"HTTP/1.1 200 "));
    pair.feed(joins_late, text("40"));
    pair.say(body.post, &whole[whole.len() - 3..]);
    assert!(pair.take(body.post).starts_with(b"HTTP/1.1 200 "));
    pair.pass_ms(6_000);
    assert!(pair.is_open(joins_late));
}

/// What is late in the ordinary way is no gap: a turn of some tens of milliseconds, a wake-up that was planned for later.
#[test]
fn a_late_turn_is_no_gap() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.pass_ms(24_999);
    pair.now_ms += 1 + 250;
    pair.turn();
    assert_eq!(pair.hub.counters.gaps, 0);
    assert_eq!(pair.frames(ws.conn), ["2"]);
    pair.now_ms += 20_000 + 250;
    pair.turn();
    assert!(!pair.is_open(ws.conn));
    pair.pass_ms(60_000);
    pair.now_ms += 1_000_000;
    pair.turn();
    assert_eq!(pair.hub.counters.gaps, 0, "nothing was due");
}

/// `sim --scenario pauses --seed 90158`: pauses that follow each other at once leave a client its time to answer the one ping more.
#[test]
fn pauses_in_a_row_leave_the_time_of_the_ping_after_the_first() {
    let mut pair = Pair::new();
    let ws = pinged(&mut pair);
    for _ in 0..3 {
        pair.now_ms += 46_000;
        pair.turn();
        pair.pass_ms(20);
    }
    assert!(pair.is_open(ws.conn) && pair.heard.is_empty());
    assert_eq!(pair.frames(ws.conn), ["2"]);
    pair.pass_ms(20_000);
    assert!(!pair.is_open(ws.conn));
}

/// A client that owes something, and the connection that shows whether it was cut.
type Owing = fn(&mut Pair) -> ConnId;

fn half_a_head(pair: &mut Pair) -> ConnId {
    let conn = pair.open();
    pair.say(conn, "GET / HT");
    conn
}

fn nothing_at_all(pair: &mut Pair) -> ConnId {
    pair.open()
}

fn half_a_body(pair: &mut Pair) -> ConnId {
    let client = pair.join_polling();
    let whole = post(&client.sid, "42[\"hello\"]");
    pair.say(client.post, &whole[..whole.len() - 3]);
    client.post
}

fn a_namespace(pair: &mut Pair) -> ConnId {
    pair.websocket("/socket.io/").0
}

fn a_pong(pair: &mut Pair) -> ConnId {
    pair.join_websocket().conn
}

fn an_attachment(pair: &mut Pair) -> ConnId {
    let ws = pair.join_websocket();
    pair.tell(ws.conn, "51-[\"e\",{\"_placeholder\":true,\"num\":0}]");
    ws.conn
}

fn an_upgrade(pair: &mut Pair) -> ConnId {
    let client = pair.join_polling();
    let probe = pair.open();
    pair.ask(probe, upgrade_session(&client.sid));
    probe
}

fn the_next_request(pair: &mut Pair) -> ConnId {
    let client = pair.join_polling();
    client.conn
}

fn its_end(pair: &mut Pair) -> ConnId {
    let ws = pair.join_websocket();
    pair.hub.disconnect_socket(pair.now_ms, ws.key, Ending::Connection);
    pair.run_effects();
    pair.turn();
    ws.conn
}

const OWING: [(&str, Owing, u64); 9] = [
    ("half a head", half_a_head, 10),
    ("nothing at all", nothing_at_all, 10),
    ("half a body", half_a_body, 30),
    ("a namespace", a_namespace, 45),
    ("a pong", a_pong, 45 + 20),
    ("an attachment", an_attachment, 45 + 20),
    ("an upgrade", an_upgrade, 10),
    ("the next request", the_next_request, 65),
    ("its end", its_end, 5),
];

/// What two deadlines in a row, a moment more for each, and a loop that may sleep for a ping interval besides, add at the most.
const SLACK_MS: u64 = 60_000;

/// A loop that stands still again and again leaves a peer the time that it has while the loop runs, and a moment more once; a pong one more ping.
#[test]
fn gaps_that_come_again_lift_no_deadline() {
    for gap_ms in [300, 3_000, 6_000] {
        for (name, owing, due_s) in OWING {
            let mut pair = Pair::new();
            pair.join_websocket(); // whose pings and pongs let the loop wake
            let conn = owing(&mut pair);
            let (start_ms, mut stood_ms) = (pair.now_ms, 0);
            while pair.is_held(conn) && pair.now_ms < start_ms + 600_000 {
                pair.pass_ms(3_700);
                let next_ms = pair.hub.next_timer_ms().unwrap_or(pair.now_ms).max(pair.now_ms);
                pair.now_ms = next_ms + gap_ms;
                stood_ms += gap_ms;
                pair.turn();
            }
            let most_ms = due_s * 1_000 + SLACK_MS;
            let passed_ms = pair.now_ms - start_ms - stood_ms;
            assert!(passed_ms <= most_ms, "{name}, {gap_ms} ms: cut after {passed_ms} ms of {most_ms}");
        }
    }
}
