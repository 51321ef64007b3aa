//! The upgrade from polling to WebSocket: nothing lost, nothing doubled, and polling lives on if it fails (Engine.IO protocol v4, "Upgrade").

mod pair;

use pair::client::{BAD_REQUEST, binary, frame, frames, poll, polling_path, post, text, upgrade_session};
use pair::{Client, Pair};
use socketville_hub::limits::PROBED_POLL_MS;
use socketville_hub::{ConnId, Manner};
use socketville_proto::encode::Kind;

/// A WebSocket for the client's session; 101 has been read.
fn probe(pair: &mut Pair, client: &Client) -> ConnId {
    let conn = pair.open();
    let answer = pair.ask(conn, upgrade_session(&client.sid)).expect("an answer");
    assert_eq!(answer.status, 101);
    conn
}

/// A client whose upgrade has been done.
fn upgraded(pair: &mut Pair) -> (Client, ConnId) {
    let client = pair.join_polling();
    let conn = probe(pair, &client);
    pair.tell(conn, "2probe");
    pair.tell(conn, "5");
    assert_eq!(pair.frames(conn), ["3probe"]);
    (client, conn)
}

/// Engine.IO protocol v4, "Upgrade": before, between and after, everything arrives once and in order.
#[test]
fn packets_around_an_upgrade_arrive_once_and_in_order() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    assert_eq!(pair.poll(&client), None);
    pair.emit(client.key, "[\"before\"]");
    let conn = probe(&mut pair, &client);
    assert_eq!(pair.payload(&client).as_deref(), Some("42[\"before\"]"));
    assert_eq!(pair.poll(&client), None, "an unanswered probe lets polls wait");
    pair.feed(conn, text("2probe"));
    pair.emit(client.key, "[\"between\",1]");
    pair.turn();
    assert_eq!(pair.frames(conn), ["3probe"]);
    assert_eq!(pair.payload(&client).as_deref(), Some("42[\"between\",1]"), "the poll ends with what comes");
    pair.turn();
    pair.emit(client.key, "[\"between\",2]");
    pair.feed(conn, text("5"));
    pair.emit(client.key, "[\"after\"]");
    pair.turn();
    assert_eq!(pair.frames(conn), ["42[\"between\",2]", "42[\"after\"]"]);
    pair.tell(conn, "42[\"hello\"]");
    assert_eq!(pair.take_heard(), ["#0 event [\"hello\"]"]);
    assert_eq!((pair.hub.counters.upgrades, pair.hub.transport_of(client.key)), (1, "websocket"));
}

/// Engine.IO protocol v4, "Upgrade": a poll that waits gets a noop, as late as the reference sends it; one that finds packets takes them.
#[test]
fn a_waiting_poll_gets_a_noop() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    assert_eq!(pair.poll(&client), None);
    let conn = probe(&mut pair, &client);
    pair.tell(conn, "2probe");
    pair.pass_ms(PROBED_POLL_MS - 1);
    assert_eq!(pair.payload(&client), None, "clients count on nothing coming before");
    pair.pass_ms(1);
    assert_eq!(pair.payload(&client).as_deref(), Some("6"));
    assert_eq!(pair.poll(&client), None);
    pair.pass_ms(PROBED_POLL_MS);
    assert_eq!(pair.payload(&client).as_deref(), Some("6"), "again, as long as the client waits");
    pair.emit(client.key, "[\"more\"]");
    assert_eq!(pair.poll(&client).as_deref(), Some("42[\"more\"]"));
}

/// Binary that waited for a poll becomes binary frames.
#[test]
fn binary_that_waited_becomes_frames() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let payload = br#"["b",{"_placeholder":true,"num":0}]"#;
    pair.hub.send(client.key, Kind::Event, None, payload, &[vec![1, 2, 3]], Manner::default());
    let conn = probe(&mut pair, &client);
    pair.tell(conn, "2probe");
    pair.tell(conn, "5");
    let event = r#"451-["b",{"_placeholder":true,"num":0}]"#;
    assert_eq!(pair.frames(conn), ["3probe", event, "[1, 2, 3]"]);
}

/// Reliability 1.4, where we are stricter: frames in the same segment as the request and as the `5` are read.
#[test]
fn frames_in_one_segment_are_read() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let conn = pair.open();
    let all =
        [upgrade_session(&client.sid).as_bytes(), &text("2probe"), &text("5"), &text("42[\"at once\"]")]
            .concat();
    pair.say(conn, all);
    let bytes = pair.take(conn);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    assert_eq!(frames(&bytes[end..]), ["3probe"]);
    assert_eq!(pair.take_heard(), ["#0 event [\"at once\"]"]);
}

/// The same at every split of the segment.
#[test]
fn an_upgrade_may_be_split_anywhere() {
    let length = 400;
    for at in 1..length {
        let mut pair = Pair::new();
        let client = pair.join_polling();
        let conn = pair.open();
        let all = [upgrade_session(&client.sid).as_bytes(), &text("2probe"), &text("5"), &text("42[\"a\"]")]
            .concat();
        if at >= all.len() {
            return;
        }
        pair.say(conn, &all[..at]);
        pair.say(conn, &all[at..]);
        assert_eq!(pair.take_heard(), ["#0 event [\"a\"]"], "{at}");
    }
    panic!("the segment is longer than {length}");
}

/// Semantics 5: a wrong probe is dropped and leaves polling alive; the next one may do better.
#[test]
fn a_wrong_probe_leaves_polling_alive() {
    let wrongs = [text("2"), text("5"), text("2other"), text("42[\"x\"]"), text("x"), binary(b"2probe")];
    for wrong in wrongs {
        let mut pair = Pair::new();
        let client = pair.join_polling();
        assert_eq!(pair.poll(&client), None);
        let conn = probe(&mut pair, &client);
        pair.say(conn, &wrong);
        assert!(!pair.is_open(conn) && pair.heard.is_empty());
        pair.emit(client.key, "[\"alive\"]");
        pair.turn();
        assert_eq!(pair.payload(&client).as_deref(), Some("42[\"alive\"]"));
        let conn = probe(&mut pair, &client);
        pair.tell(conn, "2probe");
        pair.tell(conn, "5");
        assert_eq!(pair.hub.transport_of(client.key), "websocket");
    }
}

/// Bug: the WebSocket of a wrong probe was cut, so that its client saw a broken line instead of a close.
#[test]
fn a_wrong_probe_is_closed_like_a_websocket() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let conn = probe(&mut pair, &client);
    pair.tell(conn, "2other");
    assert_eq!(pair.take(conn), [0x88, 0x00], "a close frame without a code");
    assert!(!pair.is_open(conn));
}

/// Semantics 5: so is one that breaks, closes, or speaks no WebSocket; answered or not.
#[test]
fn a_probe_that_ends_leaves_polling_alive() {
    let ends: [fn(&mut Pair, ConnId); 4] = [
        |pair, conn| pair.end(conn),
        |pair, conn| pair.break_line(conn),
        |pair, conn| pair.say(conn, frame(0x88, &1000u16.to_be_bytes())),
        |pair, conn| pair.say(conn, frame(0xf1, b"")),
    ];
    for (case, end) in ends.into_iter().enumerate() {
        for answered in [false, true] {
            let mut pair = Pair::new();
            let client = pair.join_polling();
            let conn = probe(&mut pair, &client);
            if answered {
                pair.tell(conn, "2probe");
            }
            end(&mut pair, conn);
            assert!(!pair.is_open(conn), "{case}");
            assert_eq!(pair.poll(&client), None, "{case}: polls wait again");
            pair.emit(client.key, "[\"alive\"]");
            pair.turn();
            assert_eq!(pair.payload(&client).as_deref(), Some("42[\"alive\"]"), "{case}");
            assert!(pair.heard.is_empty(), "{case}");
        }
    }
}

/// Source: `upgradeTimeout`, 10 s: a probe that is not finished in time is dropped, polling goes on.
#[test]
fn a_probe_has_ten_seconds() {
    for message in [None, Some("2probe")] {
        let mut pair = Pair::new();
        let client = pair.join_polling();
        let conn = probe(&mut pair, &client);
        if let Some(message) = message {
            pair.tell(conn, message);
        }
        pair.pass_ms(9_999);
        assert!(pair.is_open(conn));
        pair.pass_ms(1);
        assert!(!pair.is_open(conn));
        assert_eq!(pair.poll(&client), None);
        pair.pass_ms(15_000);
        assert_eq!(pair.payload(&client).as_deref(), Some("2"), "the heartbeat is where it was");
    }
}

/// A deadline that was lifted meanwhile (here `connectTimeout`, by a late CONNECT) does not cut a probe that has time left.
#[test]
fn a_lifted_deadline_does_not_cut_a_probe() {
    let mut pair = Pair::new();
    let (conn, sid) = pair.polling("/socket.io/");
    pair.pass_ms(25_000);
    let post_conn = pair.open();
    assert!(pair.ask(conn, poll(&sid)).is_some() && pair.ask(post_conn, post(&sid, "3")).is_some());
    pair.pass_ms(13_000);
    let probe = pair.open();
    assert!(pair.ask(probe, upgrade_session(&sid)).is_some());
    pair.pass_ms(2_000);
    assert!(pair.ask(post_conn, post(&sid, "40")).is_some());
    pair.pass_ms(7_999);
    assert!(pair.is_open(probe));
    pair.pass_ms(1);
    assert!(!pair.is_open(probe));
}

/// Semantics 5: while one probe is under way a second is turned away, and the first goes on.
#[test]
fn a_second_probe_is_turned_away() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let first = probe(&mut pair, &client);
    let second = probe(&mut pair, &client);
    assert_eq!(pair.frames(second), ["close"]);
    assert!(!pair.is_open(second));
    pair.tell(first, "2probe");
    pair.tell(first, "5");
    pair.tell(first, "42[\"hi\"]");
    assert_eq!(pair.take_heard(), ["#0 event [\"hi\"]"]);
}

/// Semantics 5: afterwards a WebSocket is turned away, and polling with the id is a bad request.
#[test]
fn an_upgraded_session_takes_nothing_else() {
    let mut pair = Pair::new();
    let (client, conn) = upgraded(&mut pair);
    let second = probe(&mut pair, &client);
    assert_eq!(pair.frames(second), ["close"]);
    assert!(!pair.is_open(second));
    assert_eq!(pair.ask_once(poll(&client.sid)), (400, BAD_REQUEST.into()));
    assert_eq!(pair.ask_once(post(&client.sid, "6")), (400, BAD_REQUEST.into()));
    pair.tell(conn, "42[\"hi\"]");
    assert_eq!(pair.take_heard(), ["#0 event [\"hi\"]"]);
}

/// A POST that was under way when the WebSocket took over is read all the same.
#[test]
fn a_post_under_way_is_read() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let whole = post(&client.sid, "42[\"late\"]");
    let conn = probe(&mut pair, &client);
    pair.tell(conn, "2probe");
    pair.say(client.post, &whole[..whole.len() - 3]);
    pair.tell(conn, "5");
    assert_eq!(
        pair.ask(client.post, &whole[whole.len() - 3..]).map(|answer| answer.body).as_deref(),
        Some("ok")
    );
    assert_eq!(pair.take_heard(), ["#0 event [\"late\"]"]);
}

/// And one that breaks or times out then takes only itself.
#[test]
fn a_post_that_breaks_after_the_upgrade_harms_nobody() {
    let breaks: [fn(&mut Pair, &Client); 3] = [
        |pair, client| pair.break_line(client.post),
        |pair, client| pair.end(client.post),
        |pair, client| pair.say(client.post, "zzz\r\n"),
    ];
    for (case, end) in breaks.into_iter().enumerate() {
        let mut pair = Pair::new();
        let client = pair.join_polling();
        let path = polling_path(&client.sid);
        let conn = probe(&mut pair, &client);
        pair.tell(conn, "2probe");
        pair.say(
            client.post,
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        );
        pair.tell(conn, "5");
        end(&mut pair, &client);
        assert!(pair.heard.is_empty(), "{case}: {:?}", pair.heard);
        pair.tell(conn, "42[\"hi\"]");
        assert_eq!(pair.take_heard(), ["#0 event [\"hi\"]"], "{case}");
    }
}

/// The session's end takes a probe with it: in its own terms if the server ends it.
#[test]
fn a_session_that_ends_takes_its_probe_along() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let conn = probe(&mut pair, &client);
    pair.post(&client, "1");
    assert_eq!(pair.frames(conn), ["close"]);
    assert!(!pair.is_open(conn));
    let client = pair.join_polling();
    let conn = probe(&mut pair, &client);
    assert_eq!(pair.poll(&client), None);
    pair.break_line(client.conn);
    assert!(!pair.is_open(conn) && !pair.knows(&client.sid));
}

/// Rooms and broadcasts follow the socket to its new transport, within one turn.
#[test]
fn broadcasts_follow_the_upgrade() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    pair.hub.join(client.key, "r").expect("a room");
    let conn = probe(&mut pair, &client);
    pair.broadcast(&["r"], "[1]");
    pair.feed(conn, text("2probe"));
    pair.broadcast(&["r"], "[2]");
    pair.feed(conn, text("5"));
    assert_eq!(pair.broadcast(&["r"], "[3]"), 1);
    pair.turn();
    assert_eq!(pair.frames(conn), ["3probe", "42[1]", "42[2]", "42[3]"]);
}
