//! Engine.IO 3 over WebSocket: the client's heartbeat, typed binary frames made once for all, the upgrade from polling (Engine.IO protocol v3).

mod pair;

use pair::Pair;
use pair::client::{Client, binary, frames, get, upgrade};
use pair::eio3::{ENGINE, allowing, target};
use socketville_hub::limits::{PROBED_POLL_MS, V3_OPEN_DELAY_MS};
use socketville_hub::{Config, ConnId, Deflate, Selector};
use socketville_proto::encode::Kind;

/// The defaults' `pingInterval` and `pingTimeout`.
const PATIENCE_MS: u64 = 25_000 + 20_000;

fn v3() -> Pair {
    allowing(Config::default())
}

/// An event with an attachment, to all of `/`.
fn broadcast_binary(pair: &mut Pair, bytes: &[u8]) -> usize {
    let nsp = pair.nsp("/");
    let payload = br#"["b",{"_placeholder":true,"num":0}]"#;
    pair.hub.broadcast(nsp, &Selector::default(), Kind::Event, payload, &[bytes.to_vec()]).sockets
}

/// The open packet leaves a moment after the connection (the official suite misses it otherwise), then `40`.
#[test]
fn the_open_packet_leaves_after_the_connection() {
    let mut pair = v3();
    let conn = pair.open();
    assert_eq!(pair.ask(conn, upgrade(&target("/socket.io/", "websocket", ""))).expect("101").status, 101);
    pair.pass_ms(V3_OPEN_DELAY_MS - 1);
    assert!(pair.frames(conn).is_empty() && pair.heard.is_empty());
    pair.pass_ms(1);
    let frames = pair.frames(conn);
    assert!(frames[0].starts_with(r#"0{"sid":""#) && frames[0].contains(r#""upgrades":[]"#), "{frames:?}");
    assert_eq!(frames[1..], ["40"]);
    assert_eq!(pair.take_heard(), ["connect / -"]);
}

/// Source: `initialPacket`, right behind the handshake.
#[test]
fn the_initial_packet_comes_before_the_namespace() {
    let mut pair = allowing(Config { initial_packet: Some("hello".into()), ..Config::default() });
    let conn = pair.open();
    pair.say(conn, upgrade(&target("/socket.io/", "websocket", "")));
    pair.take(conn);
    pair.pass_ms(V3_OPEN_DELAY_MS);
    assert_eq!(pair.frames(conn)[1..], ["4hello", "40"]);
    let conn = pair.open();
    let answer = pair.ask(conn, get(&target("/socket.io/", "polling", ""))).expect("an answer");
    assert!(answer.body.ends_with("6:4hello"), "{}", answer.body);
}

/// Engine.IO protocol v3, "Heartbeat": the client pings, the server answers and never pings.
#[test]
fn the_client_pings() {
    let mut pair = v3();
    let (ws, polls) = (pair.join_v3(""), pair.poll_v3(""));
    for _ in 0..4 {
        pair.pass_ms(PATIENCE_MS - V3_OPEN_DELAY_MS - 1);
        assert!(pair.frames(ws.conn).is_empty(), "no ping of the server's");
        pair.tell(ws.conn, "2");
        assert_eq!(pair.frames(ws.conn), ["3"]);
        pair.post_v3(&polls, "1:2");
        assert_eq!(pair.text_v3(&polls).as_deref(), Some("1:3"));
    }
    assert!(pair.heard.is_empty());
}

/// Source: `resetPingTimeout` for protocol 3: interval and timeout together, from the handshake and from each ping; nothing else counts.
#[test]
fn silence_ends_the_session() {
    let mut pair = v3();
    let ws = pair.join_v3("");
    pair.tell(ws.conn, "2");
    pair.pass_ms(PATIENCE_MS - 1);
    pair.tell(ws.conn, "42[\"chatter\"]");
    assert_eq!(pair.take_heard(), ["#0 event [\"chatter\"]"]);
    pair.pass_ms(1);
    assert_eq!(pair.take_heard(), ["#0 left: ping timeout []"]);
    assert_eq!(pair.frames(ws.conn), ["3", "close"]);
    let polls = pair.poll_v3("");
    pair.pass_ms(PATIENCE_MS - 1);
    assert!(pair.heard.is_empty());
    pair.pass_ms(1);
    assert_eq!(pair.take_heard(), ["#1 left: ping timeout []"]);
    assert_eq!((pair.hub.counters.ping_timeouts, pair.hub.gauges().sessions_v3), (2, 0));
    assert_eq!(pair.ask_once(get(&target("/socket.io/", "polling", &format!("&sid={}", polls.sid)))).0, 400);
}

/// Source: "invalid heartbeat direction", in both revisions.
#[test]
fn a_heartbeat_in_the_wrong_direction_ends_the_session() {
    let mut pair = v3();
    let (three, four) = (pair.join_v3(""), pair.join_websocket());
    pair.tell(three.conn, "3");
    pair.tell(four.conn, "2");
    assert_eq!(pair.take_heard(), ["#0 left: parse error []", "#1 left: parse error []"]);
}

/// Engine.IO protocol v3, "Packet": a binary frame begins with its type, whichever way it goes; base64 may come in text.
#[test]
fn binary_frames_begin_with_their_type() {
    let mut pair = v3();
    let (conn, _) = pair.open_v3(ENGINE, "");
    pair.say(conn, binary(&[4, 1, 2]));
    pair.tell(conn, "b4AQI=");
    pair.tell(conn, "4text");
    assert_eq!(pair.take_heard(), ["session binary [1, 2]", "session binary [1, 2]", "session text text"]);
    for wrong in [binary(&[2, 1]), binary(&[]), pair::client::text("b2AQI="), pair::client::text("abc")] {
        let (conn, _) = pair.open_v3(ENGINE, "");
        pair.say(conn, wrong);
        assert_eq!(pair.frames(conn), ["close"]);
    }
    assert_eq!(pair.hub.counters.protocol_errors, 4);
}

/// Invariant 6: a broadcast is encoded once; with binary once more for all WebSockets of the third revision, and once for those without binary.
#[test]
fn a_broadcast_has_one_form_for_each_framing() {
    let mut pair = v3();
    let four: Vec<Client> = (0..3).map(|_| pair.join_websocket()).collect();
    let three: Vec<Client> = (0..3).map(|_| pair.join_v3("")).collect();
    let base64: Vec<Client> = (0..2).map(|_| pair.join_v3("&b64=1")).collect();
    let polls = pair.poll_v3("");
    let before = pair.hub.counters;
    pair.sends = 0;
    for bytes in [[1, 2, 3], [4, 5, 6]] {
        assert_eq!(broadcast_binary(&mut pair, &bytes), 9);
    }
    pair.broadcast(&[], "[\"text\"]");
    pair.turn();
    assert_eq!(pair.sends, 8, "one send a WebSocket");
    let event = r#"451-["b",{"_placeholder":true,"num":0}]"#;
    for (clients, first, second) in [
        (&four, "[1, 2, 3]", "[4, 5, 6]"),
        (&three, "[4, 1, 2, 3]", "[4, 4, 5, 6]"),
        (&base64, "b4AQID", "b4BAUG"),
    ] {
        for client in clients {
            assert_eq!(pair.frames(client.conn), [event, first, event, second, "42[\"text\"]"]);
        }
    }
    assert_eq!(pair.get_v3(&polls).expect("packets").0, "application/octet-stream");
    let after = pair.hub.counters;
    assert_eq!((after.encodes - before.encodes, after.encodes_v3 - before.encodes_v3), (3, 4));
}

/// Text is the same in both revisions, so it costs nothing more.
#[test]
fn text_is_not_written_again() {
    let mut pair = v3();
    let (three, four) = (pair.join_v3(""), pair.join_websocket());
    for _ in 0..3 {
        pair.broadcast(&[], "[\"text\"]");
    }
    pair.turn();
    assert_eq!(pair.take(three.conn), pair.take(four.conn));
    assert_eq!(pair.hub.counters.encodes_v3, 0);
}

/// RFC 7692, as in the fourth revision: once a window; a packet of text once for both revisions.
#[test]
fn compression_is_shared_where_the_frames_are() {
    let mut pair = allowing(Config { per_message_deflate: Some(Deflate::default()), ..Config::default() });
    let mut join = |version: u8| {
        let conn = pair.open();
        let request = upgrade(&format!("/socket.io/?EIO={version}&transport=websocket"))
            .replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
        let answer = pair.ask(conn, request).expect("an answer");
        assert!(answer.header("Sec-WebSocket-Extensions").is_some(), "{}", answer.head);
        if version == 4 {
            pair.tell(conn, "40");
        }
        pair.pass_ms(V3_OPEN_DELAY_MS);
        pair.take(conn);
        conn
    };
    let (four, three): ([ConnId; 2], [ConnId; 2]) = ([join(4), join(4)], [join(3), join(3)]);
    pair.broadcast(&[], &format!("[\"{}\"]", "text ".repeat(500)));
    pair.turn();
    let bytes = four.map(|conn| pair.take(conn));
    assert_eq!(three.map(|conn| pair.take(conn)), bytes);
    assert!(bytes[0].len() < 200);
    assert_eq!((pair.hub.counters.deflates, pair.hub.counters.encodes_v3), (1, 0));
    broadcast_binary(&mut pair, &[7; 3000]);
    pair.turn();
    let [(a, b), (c, d)] = [0, 1].map(|i| (pair.take(four[i]), pair.take(three[i])));
    assert!(a == c && b == d && a != b && a.len() < 200 && b.len() < 200);
    assert_eq!((pair.hub.counters.deflates, pair.hub.counters.encodes_v3), (3, 1));
}

/// Engine.IO protocol v3, "Upgrading": nothing is lost or doubled; what waited for a poll becomes frames of the third revision.
#[test]
fn a_session_that_polls_goes_on_over_websocket() {
    for rest in ["", "&b64=1", "&j=0"] {
        let mut pair = v3();
        let client = pair.poll_v3(rest);
        let conn = pair.open();
        let request = upgrade(&target("/socket.io/", "websocket", &format!("&sid={}", client.sid)));
        assert_eq!(pair.ask(conn, request).expect("an answer").status, 101);
        pair.tell(conn, "2probe");
        assert_eq!(pair.frames(conn), ["3probe"]);
        assert_eq!(pair.get_v3(&client), None);
        pair.pass_ms(PROBED_POLL_MS);
        let (_, body) = pair.payload_v3(&client).expect("the poll is let go");
        assert!(String::from_utf8(body).expect("text").contains("1:6"));
        pair.emit(client.key, "[\"é\"]");
        broadcast_binary(&mut pair, &[1, 2]);
        pair.tell(conn, "5");
        let event = r#"451-["b",{"_placeholder":true,"num":0}]"#;
        assert_eq!(pair.frames(conn), ["42[\"é\"]", event, "[4, 1, 2]"], "{rest}");
        broadcast_binary(&mut pair, &[3]);
        pair.turn();
        assert_eq!(pair.frames(conn), [event, "[4, 3]"]);
        pair.tell(conn, "2");
        assert_eq!(pair.frames(conn), ["3"]);
        let poll = get(&target("/socket.io/", "polling", &format!("&sid={}", client.sid)));
        assert_eq!(pair.ask_once(poll).0, 400);
        assert!(pair.heard.is_empty());
    }
}

/// The reference forgets the deadline when a session upgrades; here a client that is silent afterwards is missed all the same.
#[test]
fn the_deadline_survives_an_upgrade() {
    let mut pair = v3();
    let client = pair.poll_v3("");
    let conn = pair.open();
    pair.say(conn, upgrade(&target("/socket.io/", "websocket", &format!("&sid={}", client.sid))));
    pair.tell(conn, "2probe");
    pair.tell(conn, "5");
    pair.pass_ms(PATIENCE_MS);
    assert_eq!(pair.take_heard(), ["#0 left: ping timeout []"]);
}

/// What a slow reader is owed is in its form, whichever that is.
#[test]
fn a_slow_reader_gets_its_form_whole() {
    let mut pair = v3();
    let client = pair.join_v3("");
    for i in 0..20 {
        pair.limit(client.conn, usize::from(i % 3) * 9);
        broadcast_binary(&mut pair, &[i]);
        pair.turn();
    }
    pair.limit(client.conn, usize::MAX);
    pair.turn();
    let bytes = pair.take(client.conn);
    let seen: Vec<String> = frames(&bytes).into_iter().filter(|frame| frame.starts_with("[4, ")).collect();
    assert_eq!(seen, (0..20).map(|i| format!("[4, {i}]")).collect::<Vec<_>>());
}
