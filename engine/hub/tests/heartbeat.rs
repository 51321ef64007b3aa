//! The heartbeat: a ping after the interval, a pong within the timeout, and nothing else that counts (Engine.IO protocol v4, "Heartbeat").

mod pair;

use pair::Pair;
use pair::client::{UNKNOWN, poll, text};

/// Engine.IO protocol v4, "Heartbeat": the first ping comes one interval after the handshake.
#[test]
fn the_first_ping_comes_at_the_interval_and_not_before() {
    let mut pair = Pair::new();
    let (conn, _) = pair.websocket("/socket.io/");
    pair.pass_ms(24_999);
    assert!(pair.frames(conn).is_empty());
    pair.pass_ms(1);
    assert_eq!(pair.frames(conn), ["2"]);
    pair.pass_ms(19_999);
    assert!(pair.frames(conn).is_empty(), "one ping, not two");
}

/// Engine.IO protocol v4, "Heartbeat": the interval begins anew with each pong.
#[test]
fn the_next_ping_comes_an_interval_after_the_pong() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    for _ in 0..5 {
        pair.pass_ms(25_000);
        assert_eq!(pair.frames(ws.conn), ["2"]);
        pair.pass_ms(5_000);
        pair.tell(ws.conn, "3");
        pair.pass_ms(24_999);
        assert!(pair.frames(ws.conn).is_empty());
        pair.pass_ms(1);
        assert_eq!(pair.frames(ws.conn), ["2"]);
        pair.tell(ws.conn, "3");
    }
}

/// Engine.IO protocol v4, "Heartbeat": a client that does not answer is closed exactly `pingTimeout` after the ping.
#[test]
fn a_silent_client_is_closed_at_interval_plus_timeout() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.pass_ms(44_999);
    assert_eq!(pair.frames(ws.conn), ["2"]);
    assert!(pair.heard.is_empty());
    pair.pass_ms(1);
    assert_eq!(pair.frames(ws.conn), ["close"]);
    assert_eq!(pair.take_heard(), ["#0 left: ping timeout []"]);
    assert_eq!(pair.hub.counters.ping_timeouts, 1);
    assert!(!pair.is_open(ws.conn) && !pair.knows(&ws.sid));
}

/// A pong in the last millisecond saves the session.
#[test]
fn a_pong_in_the_last_millisecond_counts() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.pass_ms(44_999);
    pair.tell(ws.conn, "3");
    pair.pass_ms(24_999);
    assert_eq!(pair.frames(ws.conn), ["2"], "only the first ping");
    pair.pass_ms(1);
    assert_eq!(pair.frames(ws.conn), ["2"]);
    assert!(pair.heard.is_empty());
}

/// Only a pong counts, no other packet (engine.io `onPacket`; semantics 6): a talkative client times out all the same.
#[test]
fn packets_are_no_pongs() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    for _ in 0..44 {
        pair.pass_ms(1_000);
        pair.feed(ws.conn, text("42[\"alive\"]"));
        pair.feed(ws.conn, text("6"));
        pair.feed(ws.conn, pair::client::frame(0x89, b"hi"));
        pair.feed(ws.conn, pair::client::frame(0x8a, b"hi"));
    }
    pair.turn();
    assert!(pair.is_open(ws.conn));
    pair.pass_ms(1_000);
    assert!(!pair.is_open(ws.conn));
    assert_eq!(pair.heard.last().map(String::as_str), Some("#0 left: ping timeout []"));
}

/// A pong that nobody asked for does not postpone the next ping, and does not end anything (semantics 3).
#[test]
fn a_stray_pong_changes_nothing() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    for _ in 0..24 {
        pair.pass_ms(1_000);
        pair.tell(ws.conn, "3");
        pair.tell(ws.conn, "3whatever");
    }
    pair.pass_ms(1_000);
    assert_eq!(pair.frames(ws.conn), ["2"]);
}

/// A busy socket is still pinged (semantics 6), in time.
#[test]
fn a_busy_socket_is_pinged_in_time() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    for second in 1..=25 {
        pair.pass_ms(1_000);
        pair.emit(ws.key, "[\"tick\"]");
        pair.tell(ws.conn, "42[\"tock\"]");
        let expected: &[&str] = if second == 25 { &["2", "42[\"tick\"]"] } else { &["42[\"tick\"]"] };
        assert_eq!(pair.frames(ws.conn), expected, "second {second}");
    }
}

/// A late turn: the timeout begins when the ping was written, not when it was due.
#[test]
fn a_late_ping_leaves_the_whole_timeout() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.now_ms += 40_000;
    pair.turn();
    assert_eq!(pair.frames(ws.conn), ["2"]);
    pair.pass_ms(19_999);
    assert!(pair.is_open(ws.conn));
    pair.pass_ms(1);
    assert!(!pair.is_open(ws.conn));
}

/// Polling: the ping answers the poll that waits, and the pong comes as a POST.
#[test]
fn polling_clients_are_pinged_too() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    assert_eq!(pair.poll(&client), None);
    pair.pass_ms(24_999);
    assert_eq!(pair.payload(&client), None);
    pair.pass_ms(1);
    assert_eq!(pair.payload(&client).as_deref(), Some("2"));
    pair.post(&client, "3");
    assert_eq!(pair.poll(&client), None);
    pair.pass_ms(25_000);
    assert_eq!(pair.payload(&client).as_deref(), Some("2"));
}

/// Polling: without a pong the poll that waits is told of the end, and the id is gone.
#[test]
fn a_silent_polling_client_is_told_and_gone() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    pair.pass_ms(25_000);
    assert_eq!(pair.poll(&client).as_deref(), Some("2"));
    assert_eq!(pair.poll(&client), None);
    pair.pass_ms(19_999);
    assert_eq!(pair.payload(&client), None);
    pair.pass_ms(1);
    assert_eq!(pair.payload(&client).as_deref(), Some("1"));
    assert_eq!(pair.take_heard(), ["#0 left: ping timeout []"]);
    assert_eq!(pair.ask_once(poll(&client.sid)), (400, UNKNOWN.into()));
}

/// A client that opened a session and never came back costs 45 seconds, no more.
#[test]
fn a_session_that_nobody_polls_ends_in_time() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    pair.pass_ms(44_999);
    assert!(pair.knows(&client.sid));
    pair.pass_ms(1);
    assert!(!pair.knows(&client.sid));
    assert_eq!(pair.hub.gauges().sessions, 0);
}

/// Who cannot take the ping cannot answer it: a blocked connection times out like any other.
#[test]
fn a_blocked_socket_times_out() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.limit(ws.conn, 0);
    pair.pass_ms(45_000);
    assert_eq!(pair.take_heard(), ["#0 left: ping timeout []"]);
    assert!(pair.is_open(ws.conn), "its last bytes may still leave");
    pair.pass_ms(5_000);
    assert!(!pair.is_open(ws.conn), "but not for ever");
    assert_eq!(pair.hub.gauges().connections, 0);
}

/// While a pong is awaited another packet renews the time-out, once for each ping (engine.io 6.6.11).
#[test]
fn a_packet_renews_the_timeout_once_for_each_ping() {
    for packet in [text("42[\"alive\"]"), text("6"), pair::client::frame(0x82, b"x")] {
        let mut pair = Pair::new();
        let ws = pair.join_websocket();
        for _ in 0..2 {
            pair.pass_ms(25_000);
            assert_eq!(pair.frames(ws.conn), ["2"]);
            pair.pass_ms(12_000);
            if packet[0] == 0x82 {
                pair.feed(ws.conn, text("451-[\"file\",{\"_placeholder\":true,\"num\":0}]"));
            }
            pair.feed(ws.conn, packet.clone());
            pair.pass_ms(19_999);
            pair.feed(ws.conn, text("42[\"still here\"]"));
            pair.tell(ws.conn, "3");
            assert!(pair.frames(ws.conn).is_empty());
        }
        pair.pass_ms(25_000);
        pair.pass_ms(12_000);
        pair.feed(ws.conn, text("42[\"alive\"]"));
        pair.pass_ms(19_999);
        pair.feed(ws.conn, text("42[\"alive\"]"));
        assert!(pair.is_open(ws.conn), "the time-out is over with the next millisecond");
        pair.pass_ms(1);
        assert_eq!(pair.frames(ws.conn), ["2", "close"], "only once");
        assert_eq!(pair.heard.last().map(String::as_str), Some("#0 left: ping timeout []"));
    }
}
