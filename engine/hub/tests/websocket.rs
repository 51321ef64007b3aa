//! WebSocket as a transport: control frames, closing, faults and their codes (RFC 6455), and the bare WebSocket without Engine.IO.

mod pair;

use pair::Pair;
use pair::client::{binary, frame, frames, text, upgrade};
use socketville_hub::{Config, Payload, Peer};

/// RFC 6455 section 5.5.2: a ping is answered with its payload, also between fragments.
#[test]
fn pings_are_answered_also_between_fragments() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.feed(ws.conn, frame(0x89, b""));
    pair.feed(ws.conn, frame(0x01, b"42[\"a"));
    pair.feed(ws.conn, frame(0x89, b"still?"));
    pair.feed(ws.conn, frame(0x8a, b"unasked"));
    pair.say(ws.conn, frame(0x80, b"\"]"));
    assert_eq!(pair.frames(ws.conn), ["Pong ", "Pong still?"]);
    assert_eq!(pair.take_heard(), ["#0 event [\"a\"]"]);
}

/// Reliability 5.4: pongs do not pile up for a reader that takes nothing.
#[test]
fn pings_of_a_blocked_reader_are_not_answered() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.limit(ws.conn, 1);
    pair.emit(ws.key, "[\"a\"]");
    pair.turn();
    for _ in 0..1_000 {
        pair.say(ws.conn, frame(0x89, &[b'p'; 125]));
    }
    pair.limit(ws.conn, usize::MAX);
    pair.turn();
    assert_eq!(pair.frames(ws.conn), ["42[\"a\"]"]);
    pair.say(ws.conn, frame(0x89, b"now"));
    assert_eq!(pair.frames(ws.conn), ["Pong now"]);
}

/// RFC 6455 section 5.5.1: a close frame is answered with its code, behind what was due, and what follows it is ignored.
#[test]
fn a_close_is_echoed() {
    for (payload, expected) in
        [(&[][..], "close"), (&[0x03, 0xe8], "close 1000"), (b"\x0f\xa0bye", "close 4000")]
    {
        let mut pair = Pair::new();
        let ws = pair.join_websocket();
        pair.emit(ws.key, "[\"due\"]");
        pair.say(ws.conn, [frame(0x88, payload), text("42[\"late\"]")].concat());
        assert_eq!(pair.frames(ws.conn), ["42[\"due\"]", expected]);
        assert_eq!(pair.take_heard(), ["#0 left: transport close []"]);
        assert!(!pair.is_open(ws.conn) && !pair.knows(&ws.sid));
    }
}

/// A connection that just ends is a transport close, and its socket leaves at once.
#[test]
fn an_end_without_a_close_frame_is_a_transport_close() {
    for end in [Pair::end, Pair::break_line] {
        let mut pair = Pair::new();
        let ws = pair.join_websocket();
        pair.hub.join(ws.key, "r").expect("a room");
        end(&mut pair, ws.conn);
        assert_eq!(pair.take_heard(), ["#0 left: transport close [\"r\"]"]);
        assert!(!pair.is_open(ws.conn));
        let gauges = pair.hub.gauges();
        assert_eq!((gauges.connections, gauges.sessions, gauges.sockets, gauges.rooms), (0, 0, 0, 0));
    }
}

/// RFC 6455 section 7.4.1 and reliability 1.4: each fault closes with its code, and its peer alone.
#[test]
fn faults_close_with_their_codes() {
    let unmasked = b"\x81\x0242".to_vec();
    let mut huge = frame(0x82, b"");
    huge[1] = 0xff;
    huge.splice(2..2, 2u64.pow(53).to_be_bytes());
    let cases = [
        ("unmasked", unmasked, 1002),
        ("a reserved bit", frame(0xc1, b"4"), 1002),
        ("an unknown opcode", frame(0x83, b""), 1002),
        ("a continuation of nothing", frame(0x80, b""), 1002),
        ("a message inside a message", [frame(0x01, b"4"), frame(0x81, b"4")].concat(), 1002),
        ("a fragmented ping", frame(0x09, b""), 1002),
        ("a long ping", frame(0x89, &[0; 126]), 1002),
        ("half a close code", frame(0x88, b"\x03"), 1002),
        ("a close code of nobody", frame(0x88, &1005u16.to_be_bytes()), 1002),
        ("no UTF-8", frame(0x81, b"\xff"), 1007),
        ("no UTF-8 in a reason", frame(0x88, b"\x03\xe8\xff"), 1007),
        ("a declared giant", huge, 1009),
        ("too many fragments", [frame(0x01, b""), frame(0x00, b"").repeat(16_384)].concat(), 1008),
    ];
    for (what, bytes, code) in cases {
        let mut pair = Pair::new();
        let (ws, bystander) = (pair.join_websocket(), pair.join_websocket());
        pair.say(ws.conn, bytes);
        assert_eq!(pair.frames(ws.conn), [format!("close {code}")], "{what}");
        assert_eq!(pair.take_heard(), ["#0 left: transport error []"], "{what}");
        assert!(!pair.is_open(ws.conn), "{what}");
        assert_eq!(pair.broadcast(&[], "[\"fine\"]"), 1, "{what}");
        pair.turn();
        assert_eq!(pair.frames(bystander.conn), ["42[\"fine\"]"], "{what}");
    }
}

/// `maxPayload` is inclusive and counts the sum of the fragments (semantics 2); what goes out is not limited.
#[test]
fn a_message_may_have_just_the_limit() {
    let mut pair = Pair::with(Config { message_bytes_max: 100, ..Config::default() });
    let ws = pair.join_websocket();
    let fits = format!("42[\"{}\"]", "a".repeat(94));
    pair.tell(ws.conn, &fits);
    pair.say(ws.conn, [frame(0x01, &fits.as_bytes()[..60]), frame(0x80, &fits.as_bytes()[60..])].concat());
    assert_eq!(pair.take_heard().len(), 2);
    let big = format!("[\"{}\"]", "b".repeat(200_000));
    pair.emit(ws.key, &big);
    pair.turn();
    assert_eq!(pair.frames(ws.conn), [format!("42{big}")]);
    pair.feed(ws.conn, frame(0x01, &fits.as_bytes()[..60]));
    pair.say(ws.conn, &frame(0x80, &[b' '; 41])[..6]);
    assert_eq!(pair.frames(ws.conn), ["close 1009"], "at once, without the bytes");
}

/// The reference, measured (reliability 1.4): rubbish at the Engine.IO level closes without a code.
#[test]
fn rubbish_packets_close_without_a_code() {
    for rubbish in ["", "x", "7", "2", "2probe"] {
        let mut pair = Pair::new();
        let ws = pair.join_websocket();
        pair.tell(ws.conn, rubbish);
        assert_eq!(pair.frames(ws.conn), ["close"], "{rubbish:?}");
        assert_eq!(pair.take_heard(), ["#0 left: parse error []"], "{rubbish:?}");
    }
}

/// The reference, measured: packets that mean nothing from a client are ignored; `1` ends (there it does not, which helps nobody).
#[test]
fn meaningless_packets_are_ignored() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    for packet in ["0{}", "5", "6", "3", "3x"] {
        pair.tell(ws.conn, packet);
    }
    assert!(pair.is_open(ws.conn) && pair.take(ws.conn).is_empty() && pair.heard.is_empty());
    pair.tell(ws.conn, "1");
    assert_eq!(pair.frames(ws.conn), ["close"]);
    assert_eq!(pair.take_heard(), ["#0 left: transport close []"]);
}

/// Reliability 1.4, where we are stricter: frames in the same segment as the upgrade request are read.
#[test]
fn frames_in_the_segment_of_the_request_are_read() {
    let whole = [
        upgrade("/socket.io/?EIO=4&transport=websocket").as_bytes(),
        &text("40"),
        &text("42[\"a\"]"),
        &frame(0x89, b"p"),
    ]
    .concat();
    for at in 0..whole.len() {
        let mut pair = Pair::new();
        let conn = pair.open();
        if at > 0 {
            pair.say(conn, &whole[..at]);
        }
        pair.say(conn, &whole[at..]);
        assert_eq!(pair.take_heard(), ["connect / -", "#0 event [\"a\"]"], "{at}");
        let bytes = pair.take(conn);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let frames = frames(&bytes[end..]);
        assert_eq!((frames.len(), &*frames[2]), (3, "Pong p"), "{at}");
    }
}

/// All that one turn brings a socket leaves in one send.
#[test]
fn a_turn_is_one_send() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    let before = pair.sends;
    for number in 0..50 {
        pair.emit(ws.key, &format!("[{number}]"));
        pair.broadcast(&[], "[\"all\"]");
    }
    pair.turn();
    assert_eq!((pair.sends - before, pair.frames(ws.conn).len()), (1, 100));
}

/// A bare WebSocket is the application's: messages both ways, its own limit, pings and closes as RFC 6455 wants.
#[test]
fn a_bare_websocket_has_no_packets() {
    let config =
        Config { websocket_paths: vec!["/echo".into()], websocket_bytes_max: 10, ..Config::default() };
    let mut pair = Pair::with(config);
    let conn = pair.open();
    assert_eq!(pair.ask(conn, upgrade("/echo")).map(|answer| answer.status), Some(101));
    pair.tell(conn, "2");
    pair.say(conn, binary(b"1234567890"));
    assert_eq!(pair.take_heard(), ["conn text 2", "conn binary [49, 50, 51, 52, 53, 54, 55, 56, 57, 48]"]);
    pair.hub.send_message(Peer::Conn(conn), Payload::from("hi"));
    pair.hub.send_message(Peer::Conn(conn), Payload::from(&[1u8, 2][..]));
    pair.say(conn, frame(0x89, b"p"));
    assert_eq!(pair.frames(conn), ["hi", "[1, 2]", "Pong p"]);
    pair.pass_ms(1_000_000);
    assert!(pair.is_open(conn), "no heartbeat, no deadline");
    pair.say(conn, binary(b"12345678901"));
    assert_eq!(pair.frames(conn), ["close 1009"]);
    assert!(!pair.is_open(conn));
    pair.hub.send_message(Peer::Conn(conn), Payload::from("late"));
    assert!(!pair.hub.outbox.is_dirty());
}

/// A bare path without an upgrade is the application's request, and elsewhere an upgrade is too.
#[test]
fn bare_paths_are_exact() {
    let mut pair = Pair::with(Config { websocket_paths: vec!["/echo".into()], ..Config::default() });
    for request in [pair::client::get("/echo"), upgrade("/echo/more")] {
        let conn = pair.open();
        pair.say(conn, request);
    }
    assert_eq!(pair.requests.len(), 2);
}

/// Bare Engine.IO: messages are text `4...` and binary frames, in both directions.
#[test]
fn bare_sessions_speak_engine_io() {
    let mut pair = Pair::with(Config { engine_paths: vec!["/engine.io/".into()], ..Config::default() });
    let (conn, _) = pair.websocket("/engine.io/");
    pair.tell(conn, "40");
    pair.say(conn, binary(b"\x01"));
    assert_eq!(pair.take_heard(), ["session text 0", "session binary [1]"]);
    pair.tell(conn, "2");
    assert_eq!(pair.frames(conn), ["close"]);
}

/// A client that is told not to send binary frames sends base64 in text frames, over WebSocket too.
#[test]
fn binary_may_come_as_base64_in_a_text_frame() {
    let mut pair = Pair::with(Config { engine_paths: vec!["/engine.io/".into()], ..Config::default() });
    let (conn, _) = pair.websocket("/engine.io/");
    pair.tell(conn, "bAQID");
    let heard = pair.take_heard();
    assert_eq!(heard.len(), 1);
    assert!(heard[0].ends_with("[1, 2, 3]"), "{heard:?}");
    pair.tell(conn, "b!");
    assert!(!pair.is_open(conn), "what is no base64 is no packet");
}
