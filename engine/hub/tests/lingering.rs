//! Ends whose peer may still be sending: our last bytes, our end, and then its own, within limits (RFC 9112 section 9.6, RFC 6455 section
//! 7.1.1). A connection that closed with bytes of its peer on their way would be reset, and the peer might never read why.

mod pair;

use pair::Pair;
use pair::client::{binary, frame, get, text};
use socketville_hub::{ConnId, Consults, Decision, Gauges, Remains, Response};

const CLOSE: u8 = 0x88;

/// Whether the client has seen the end, and whether the server still hears it.
fn ends(pair: &Pair, conn: ConnId) -> (bool, bool) {
    (!pair.is_open(conn), pair.is_held(conn))
}

fn lingering(pair: &Pair) -> usize {
    pair.hub.gauges().connections_lingering
}

/// The bug: the code of a fault was lost to a reset when the client had sent more behind it.
#[test]
fn a_close_code_survives_the_bytes_behind_a_fault() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.say(ws.conn, frame(0x83, b"reserved"));
    assert_eq!(pair.frames(ws.conn), ["close 1002"]);
    assert_eq!(ends(&pair, ws.conn), (true, true));
    assert_eq!((lingering(&pair), pair.hub.gauges().connections), (1, 1), "it counts as a connection");
    for _ in 0..10 {
        pair.say(ws.conn, binary(&[7; 5_000]));
    }
    assert!(pair.take(ws.conn).is_empty() && pair.is_held(ws.conn));
    pair.end(ws.conn);
    assert!(!pair.is_held(ws.conn));
    assert_eq!(pair.hub.gauges(), Gauges::default());
}

/// A close of our own crosses with what the client says.
#[test]
fn a_close_of_ours_hears_the_client_out() {
    let mut pair = Pair::new();
    let (rude, silent) = (pair.join_websocket(), pair.join_websocket());
    pair.say(rude.conn, text("no packet"));
    pair.pass_ms(45_000);
    for conn in [rude.conn, silent.conn] {
        assert_eq!(pair.frames(conn).last().map(String::as_str), Some("close"));
    }
    assert_eq!(ends(&pair, silent.conn), (true, true), "no pong came, but something may");
    pair.say(silent.conn, text("3"));
    pair.say(silent.conn, frame(CLOSE, b""));
    assert!(pair.take(silent.conn).is_empty());
    pair.end(silent.conn);
    assert_eq!(pair.hub.gauges(), Gauges::default());
}

/// RFC 6455 section 7.1.1: after its close frame the client waits for the server to close, which costs nothing more.
#[test]
fn a_client_that_closed_first_is_closed_at_once() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.say(ws.conn, frame(CLOSE, &1000_u16.to_be_bytes()));
    assert_eq!(pair.frames(ws.conn), ["close 1000"]);
    assert!(!pair.is_held(ws.conn));
}

/// Section 5.5.1 forbids it; but who sends on after its close frame may do so for a while.
#[test]
fn a_client_that_sends_on_after_its_close_frame_is_heard_out() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.say(ws.conn, [frame(CLOSE, &1000_u16.to_be_bytes()), text("42[\"a\"]")].concat());
    assert_eq!(pair.frames(ws.conn), ["close 1000"]);
    assert_eq!(ends(&pair, ws.conn), (true, true));
    pair.end(ws.conn);
    assert!(!pair.is_held(ws.conn));
    assert_eq!(pair.take_heard().last().map(String::as_str), Some("#0 left: transport close []"));
}

/// What is no request is answered, and may go on.
#[test]
fn an_answer_to_rubbish_survives_the_rest_of_it() {
    let mut pair = Pair::new();
    let conn = pair.open();
    assert_eq!(pair.ask(conn, "HELO example\r\n\r\n").map(|answer| answer.status), Some(400));
    pair.say(conn, [0; 5_000]);
    assert_eq!(ends(&pair, conn), (true, true));
    pair.end(conn);
    assert!(!pair.is_held(conn));
}

/// A request that was read to its end leaves nothing to wait for; one that others follow does.
#[test]
fn only_who_sends_more_than_a_last_request_is_heard_out() {
    let mut pair = Pair::new();
    let last = get("/socket.io/?EIO=4&transport=polling").replace("Host:", "Connection: close\r\nHost:");
    let (alone, followed) = (pair.open(), pair.open());
    pair.say(alone, &last);
    assert!(!pair.is_held(alone));
    pair.say(followed, last + &get("/"));
    assert_eq!(ends(&pair, followed), (true, true));
    pair.end(followed);
    assert_eq!((pair.hub.gauges().connections, lingering(&pair)), (0, 0));
}

/// The end has come already: there will be no other to wait for.
#[test]
fn a_client_that_has_ended_is_not_waited_for() {
    let mut pair = Pair::new();
    let conn = pair.open();
    pair.say(conn, get("/app") + &get("/second"));
    pair.end(conn);
    assert!(pair.is_open(conn), "its answer is being made");
    let ok = Response { status: 200, headers: Vec::new(), body: b"ok".to_vec() };
    pair.hub.respond(pair.now_ms, conn, &ok);
    pair.turn();
    assert!(pair.is_open(conn), "the second one came before the end");
    pair.hub.respond(pair.now_ms, conn, &ok);
    pair.turn();
    assert!(!pair.is_held(conn));
}

/// The bug: a client that ended while its request was being thought about was answered, and then kept as if it could ask again.
#[test]
fn a_client_that_ends_while_it_is_considered_is_answered_and_closed() {
    for (refusal, status) in [(None, "200"), (Some("no".to_owned()), "403")] {
        let mut pair = Pair::new();
        pair.hub.consult(Consults { openings: true, ..Consults::default() });
        let (conn, request) = (pair.open(), get("/socket.io/?EIO=4&transport=polling"));
        pair.say(conn, &request);
        pair.end(conn);
        assert!(pair.is_open(conn), "its answer is being made");
        let decision = Decision { refusal, ..Decision::default() };
        let bytes = pair.hub.take_considered(conn).expect("they wait");
        assert_eq!(bytes, request.as_bytes());
        pair.hub.handle_considered(pair.now_ms, conn, &bytes, &decision);
        pair.turn();
        assert!(pair.take(conn).starts_with(format!("HTTP/1.1 {status}").as_bytes()));
        assert!(!pair.is_held(conn));
    }
}

/// The bug: the client's end cut a connection whose answer to an unread body had not left yet.
#[test]
fn an_end_before_the_last_bytes_have_left_does_not_take_them_along() {
    let mut pair = Pair::new();
    let conn = pair.open();
    pair.limit(conn, 0);
    pair.say(conn, "HELO example\r\n\r\n");
    pair.end(conn);
    assert!(pair.is_held(conn), "the answer waits for room");
    pair.limit(conn, usize::MAX);
    pair.turn();
    assert!(pair.take(conn).starts_with(b"HTTP/1.1 400"));
    assert!(!pair.is_held(conn));
}

/// `LINGER_MS`, and no longer, whatever comes.
#[test]
fn who_never_ends_is_cut_after_five_seconds() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.say(ws.conn, frame(0x83, b""));
    for _ in 0..4 {
        pair.pass_ms(1_000);
        pair.say(ws.conn, "more");
    }
    pair.pass_ms(999);
    assert!(pair.is_held(ws.conn));
    pair.pass_ms(1);
    assert_eq!(pair.hub.gauges(), Gauges::default());
}

/// `LINGER_BYTES_MAX`: a flood is not drained for five seconds.
#[test]
fn a_flood_is_cut_after_sixteen_mebibytes() {
    let mut pair = Pair::new();
    let conn = pair.open();
    pair.say(conn, "HELO example\r\n\r\n");
    let mebibyte = vec![0; 1 << 20];
    for _ in 0..16 {
        pair.say(conn, &mebibyte);
    }
    assert!(pair.is_held(conn));
    pair.say(conn, "1");
    assert_eq!(pair.hub.gauges(), Gauges::default());
}

/// At a shutdown, too: a reset would take the last bytes along. How long is the server's to say.
#[test]
fn who_goes_on_sending_is_heard_out_at_a_shutdown() {
    let mut pair = Pair::new();
    let (silent, busy) = (pair.join_websocket(), pair.join_websocket());
    pair.hub.close_all(pair.now_ms, pair.now_ms + 10_000);
    pair.run_effects();
    pair.feed(busy.conn, text("42[\"a\"]"));
    pair.turn();
    for ws in [&silent, &busy] {
        assert_eq!(pair.frames(ws.conn), ["close"]);
        assert!(pair.is_held(ws.conn) && !pair.is_open(ws.conn));
    }
    assert_eq!(pair.hub.remains(), Remains::Ends);
    [&silent, &busy].into_iter().for_each(|ws| pair.end(ws.conn));
    assert_eq!(pair.hub.remains(), Remains::Nothing);
}
