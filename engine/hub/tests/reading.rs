//! A connection that owes answers, or whose requests wait, is not read on: what it costs is bounded, and nothing of it is lost.

mod pair;

use pair::Pair;
use pair::client::{get, post, text};
use socketville_hub::limits::{ANSWERS_BYTES_MAX, HELD_BYTES_MAX};
use socketville_hub::{Budget, Charge, Config, ConnId, Ending, Kind, Owner, Pause, Response};

fn page(bytes: usize) -> Response {
    Response { status: 200, headers: Vec::new(), body: vec![b'x'; bytes] }
}

/// The application answers all that it was asked; how many requests that were.
fn answer_all(pair: &mut Pair, conn: ConnId, bytes: usize) -> usize {
    let mut answered = 0;
    while !pair.requests.is_empty() {
        answered += pair.requests.drain(..).count();
        pair.hub.respond(pair.now_ms, conn, &page(bytes));
        pair.run_effects();
    }
    answered
}

/// Invariants 8 and 13: answers that are not read are not made.
#[test]
fn a_pipeline_whose_answers_are_not_read_waits() {
    let mut pair = Pair::new();
    let conn = pair.open();
    pair.limit(conn, 0);
    let requests = get("/page").repeat(1_000);
    pair.feed(conn, &requests);
    assert_eq!(answer_all(&mut pair, conn, 10_000), ANSWERS_BYTES_MAX / 10_000 + 1);
    pair.turn();
    assert!(pair.hub.outbox.owed(conn) < ANSWERS_BYTES_MAX + 11_000);
    assert!(pair.hub.account().held_of(Kind::Input) >= requests.len() / 2);
    let mut answered = 7;
    while answered < 1_000 {
        pair.limit(conn, usize::MAX);
        pair.turn();
        let more = answer_all(&mut pair, conn, 10_000);
        assert!(more > 0, "{answered} of 1000 answered");
        answered += more;
    }
    pair.turn();
    assert_eq!(pair.take(conn).windows(12).filter(|bytes| bytes == b"HTTP/1.1 200").count(), 1_000);
    assert_eq!(pair.hub.account().held(), 0);
}

/// `HELD_BYTES_MAX`: what comes behind a request that is not answered is bounded by not reading it.
#[test]
fn a_connection_with_enough_held_is_not_read_until_its_answer() {
    let mut pair = Pair::new();
    let conn = pair.open();
    pair.feed(conn, get("/page"));
    assert!(pair.hub.may_read(conn));
    let rest = get("/page").repeat(HELD_BYTES_MAX / get("/page").len() + 5);
    pair.feed(conn, &rest);
    assert!(!pair.hub.may_read(conn) && !pair.is_unread(conn));
    pair.hub.respond(pair.now_ms, conn, &page(2));
    pair.run_effects();
    pair.turn();
    assert!(pair.is_unread(conn), "it is said that it can be read on");
    assert!(!pair.hub.may_read(conn), "what was held is held again behind the second request");
}

/// The end of a peer that waits for many answers does not take them from it.
#[test]
fn a_peer_that_has_ended_gets_the_answers_of_its_pipeline() {
    let mut pair = Pair::new();
    let conn = pair.open();
    pair.feed(conn, get("/page").repeat(100));
    pair.end(conn);
    for _ in 0..100 {
        answer_all(&mut pair, conn, 10_000);
        pair.turn();
    }
    assert_eq!(pair.take(conn).windows(12).filter(|bytes| bytes == b"HTTP/1.1 200").count(), 100);
    assert!(!pair.is_held(conn));
}

#[test]
fn a_paused_connection_is_read_on_when_its_last_pause_ends() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.hub.pause(ws.conn, Pause::Handlers);
    assert!(pair.hub.is_paused(ws.conn) && !pair.hub.may_read(ws.conn));
    pair.hub.hold(ws.conn, b"\x81\x80\0\0\0\0");
    assert_eq!(pair.hub.take_held(ws.conn), None);
    pair.hub.resume(ws.conn, Pause::Handlers);
    pair.run_effects();
    pair.turn();
    assert!(pair.is_unread(ws.conn) && pair.hub.may_read(ws.conn));
    assert_eq!(pair.hub.account().held(), 0);
}

/// A driver may say twice that bytes wait; a second receive must not overtake what the first had to put off.
#[test]
fn a_connection_is_received_from_once_a_turn() {
    let mut pair = Pair::new();
    let conn = pair.open();
    assert!(pair.hub.may_read(conn) && !pair.hub.may_read(conn));
    pair.hub.pause(conn, Pause::Handlers);
    pair.hub.note_received(conn);
    assert!(!pair.hub.may_read(conn) && !pair.is_unread(conn));
    pair.hub.resume(conn, Pause::Handlers);
    pair.run_effects();
    pair.turn();
    assert!(pair.is_unread(conn) && pair.hub.may_read(conn));
}

/// RFC 6455 section 7.1.1: what a peer still sends is read, also if it was not read before.
#[test]
fn a_paused_connection_that_closes_is_read_to_its_end() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.hub.pause(ws.conn, Pause::Handlers);
    pair.hub.hold(ws.conn, b"held");
    assert!(!pair.hub.may_read(ws.conn));
    pair.hub.disconnect_socket(pair.now_ms, ws.key, Ending::Connection);
    pair.run_effects();
    pair.turn();
    assert!(pair.is_unread(ws.conn) && pair.hub.may_read(ws.conn));
    assert_eq!(pair.hub.account().held_of(Kind::Input), 0);
}

const SMALL: Budget = Budget { hard_bytes: 16 << 20 };

fn small_core() -> Pair {
    Pair::with(Config { budget: SMALL, ..Config::default() })
}

/// From now on handlers hold more than so many quarters of the core's budget.
fn hold(pair: &Pair, quarters: usize) -> Charge {
    pair.hub.charge(Kind::Requests, Owner::Core, SMALL.hard_bytes / 4 * quarters + 1)
}

/// The bug: 400 clients with an event of 950 KB each, and a handler that waits, made a core of 64 MiB hold 440. What has been taken cannot be given back.
#[test]
fn a_large_message_waits_while_handlers_hold_much() {
    let mut pair = small_core();
    let client = pair.join_websocket();
    let mut held = hold(&pair, 2);
    let message = text(&format!("42[\"large\",\"{}\"]", "x".repeat(100_000)));
    pair.feed(client.conn, text("42[\"small\"]"));
    pair.feed(client.conn, &message[..60_000]);
    assert!(!pair.hub.may_read(client.conn), "the rest waits");
    assert_eq!(pair.take_heard(), ["#0 event [\"small\"]"]);
    for _ in 0..4 {
        pair.pass_ms(60_000);
        assert!(pair.is_open(client.conn), "its pong waits as well, which is not its fault");
    }
    held.set(1_000);
    pair.turn();
    assert!(pair.hub.may_read(client.conn));
    pair.hub.note_received(client.conn);
    pair.feed(client.conn, &message[60_000..]);
    assert_eq!(pair.take_heard().len(), 1);
    assert_eq!(pair.hub.counters.messages_delayed, 1);
}

/// A body of a client's packets waits likewise, one of the application's with less room; either is told when its time is over.
#[test]
fn a_body_waits_while_handlers_hold_much() {
    for (quarters, application_waits) in [(2, false), (3, true)] {
        let mut pair = small_core();
        let client = pair.join_polling();
        let held = hold(&pair, quarters);
        let request = post(&client.sid, &format!("42[\"{}\"]", "x".repeat(100_000)));
        pair.feed(client.post, &request[..50_000]);
        assert!(!pair.hub.may_read(client.post));
        let upload = pair.open();
        pair.feed(
            upload,
            format!("POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n{}", "x".repeat(50_000)),
        );
        assert_eq!(!pair.hub.may_read(upload), application_waits);
        drop(held);
        pair.turn();
        assert!(pair.hub.may_read(client.post));
    }
}
