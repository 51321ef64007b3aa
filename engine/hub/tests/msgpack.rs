//! A server whose packets are MessagePack (the reference's option `parser`): the same rules, one binary message a packet.
//! Not its bytes, which `proto` proves.

mod pair;

use socketville_hub::{Config, ConnId, Manner, Recovery, Selector};
use socketville_proto::encode::{self, Kind};
use socketville_proto::sio::Parser;
use socketville_proto::sio::msgpack::{self, Packet};
use socketville_proto::{eio, ws};

use pair::client::{binary, poll, post};
use pair::{Pair, names};

fn packed() -> Pair {
    Pair::with(Config { parser: Parser::MsgPack, ..Config::default() })
}

/// A client's packet: ours has the same form.
fn bytes(kind: Kind, nsp: &str, id: Option<u64>, json: &str) -> Vec<u8> {
    let mut frames = Vec::new();
    msgpack::write(&mut frames, &encode::Packet::new(kind, nsp, id, json.as_bytes()));
    ws::server_frames(&frames).next().expect("a frame").1.to_vec()
}

/// A packet in words.
fn words(bytes: &[u8]) -> String {
    match msgpack::decode(bytes) {
        Ok(Packet::Connect { nsp, auth }) => format!("connect {nsp} {}", auth.unwrap_or_default()),
        Ok(Packet::Disconnect { nsp }) => format!("disconnect {nsp}"),
        Ok(Packet::Event { nsp, id, payload }) => {
            format!("event {nsp} {id:?} {} {:?}", payload.json, payload.attachments)
        }
        Ok(Packet::Ack { nsp, id, payload }) => {
            format!("ack {nsp} {id:?} {} {:?}", payload.json, payload.attachments)
        }
        Err(error) => error.to_string(),
    }
}

/// The packets that came over a WebSocket.
fn heard(pair: &mut Pair, conn: ConnId) -> Vec<String> {
    let frames = pair.take(conn);
    ws::server_frames(&frames)
        .map(|(opcode, payload)| match opcode {
            ws::Opcode::Binary => words(payload),
            ws::Opcode::Text => String::from_utf8_lossy(payload).into_owned(),
            other => format!("{other:?}"),
        })
        .collect()
}

/// The packets of a payload.
fn unpacked(payload: &str) -> Vec<String> {
    let words = |item| match item {
        Ok(eio::PayloadItem::Binary(bytes)) => words(&bytes),
        other => format!("{other:?}"),
    };
    eio::payload(payload).map(words).collect()
}

/// CONNECT as an item of a payload.
fn connect_item() -> String {
    let (mut frames, mut item) = (Vec::new(), Vec::new());
    msgpack::write(&mut frames, &encode::Packet::new(Kind::Connect, "/", None, b""));
    eio::append_payload(&mut item, &frames);
    String::from_utf8(item).expect("base64")
}

fn connect(pair: &mut Pair, nsp: &str) -> ConnId {
    let (conn, _) = pair.websocket("/socket.io/");
    pair.say(conn, binary(&bytes(Kind::Connect, nsp, None, "")));
    conn
}

fn joined(pair: &mut Pair) -> (ConnId, socketville_hub::SocketKey) {
    let conn = connect(pair, "/");
    assert!(heard(pair, conn)[0].starts_with("connect / {\"sid\":"));
    (conn, pair.sockets.last().expect("a socket").0)
}

/// Socket.IO protocol v5, "Packet types", in the other encoding; invariant 6.
#[test]
fn a_broadcast_is_encoded_once_for_both_transports() {
    let mut pair = packed();
    let (conn, key) = joined(&mut pair);
    let (polling, sid) = pair.polling("/socket.io/");
    let posting = pair.open();
    assert_eq!(pair.ask(posting, post(&sid, &connect_item())).expect("an answer").body, "ok");
    let welcome = pair.ask(polling, poll(&sid)).expect("CONNECT").body;
    assert!(unpacked(&welcome)[0].starts_with("connect / {\"sid\":"), "{welcome}");
    let (encodes, emits) = (pair.hub.counters.encodes, pair.hub.counters.emits);
    let place = r#"["news",{"_placeholder":true,"num":0},1]"#;
    let selector = Selector::default();
    let nsp = pair.nsp("/");
    let delivery = pair.hub.broadcast(nsp, &selector, Kind::Event, place.as_bytes(), &[vec![7, 8]]);
    assert_eq!(delivery.sockets, 2);
    pair.turn();
    let expected = format!("event / None {place} [[7, 8]]");
    assert_eq!(heard(&mut pair, conn), [expected.as_str()]);
    assert_eq!(unpacked(&pair.ask(polling, poll(&sid)).expect("packets").body), [expected.as_str()]);
    let counted = (pair.hub.counters.encodes - encodes, pair.hub.counters.emits - emits);
    assert_eq!(counted, (1, 1));
    pair.hub.send(key, Kind::Ack, Some(4), b"[]", &[], Manner::default());
    pair.turn();
    assert_eq!(heard(&mut pair, conn), ["ack / Some(4) [] []"]);
}

#[test]
fn events_acks_and_disconnects_arrive_with_their_binary() {
    let mut pair = packed();
    let (conn, _) = joined(&mut pair);
    pair.take_heard();
    let mut frames = Vec::new();
    let payload = br#"["a",{"_placeholder":true,"num":0}]"#;
    let packet = encode::Packet { kind: Kind::Event, nsp: "/", id: Some(3), payload, attachments: &[[9_u8]] };
    msgpack::write(&mut frames, &packet);
    let event = ws::server_frames(&frames).next().expect("a frame").1.to_vec();
    pair.say(conn, binary(&event));
    pair.say(conn, binary(&bytes(Kind::Ack, "/", Some(1), "[2]")));
    pair.say(conn, binary(&bytes(Kind::Disconnect, "/", None, "")));
    let expected = [
        r#"#0 event 3["a",{"_placeholder":true,"num":0}] [9]"#,
        "#0 ack 1[2]",
        "#0 left: client namespace disconnect []",
    ];
    assert_eq!(pair.take_heard()[..3], expected);
    assert_eq!(pair.hub.counters.packets_in, 4);
}

#[test]
fn text_and_rubbish_close_the_connection_cleanly() {
    for message in [pair::client::text("40"), pair::client::text("42[\"a\"]"), binary(b"\xc1"), binary(b"")] {
        for has_joined in [true, false] {
            let mut pair = packed();
            let (conn, _) = if has_joined {
                joined(&mut pair)
            } else {
                let (conn, _) = pair.websocket("/socket.io/");
                (conn, socketville_hub::SocketKey::NONE)
            };
            pair.say(conn, &message);
            assert_eq!(heard(&mut pair, conn), ["Close"], "{message:?}");
            assert_eq!(pair.hub.counters.protocol_errors, 1);
            assert_eq!(pair.hub.gauges().sockets, 0);
        }
    }
}

/// Text cannot say such names: a missing slash is none of ours, a comma is a letter like any other.
#[test]
fn names_of_namespaces_are_whole() {
    let mut pair = packed();
    pair.hub.add_namespace("/a,b");
    let conn = connect(&mut pair, "/a,b");
    assert!(heard(&mut pair, conn)[0].starts_with("connect /a,b {\"sid\":"));
    for unknown in ["a", "", "/nope,"] {
        let conn = connect(&mut pair, unknown);
        let frames = pair.take(conn);
        let refusal = bytes(Kind::ConnectError, unknown, None, socketville_hub::INVALID_NAMESPACE);
        let payloads: Vec<_> = ws::server_frames(&frames).map(|(_, payload)| payload).collect();
        assert_eq!(payloads, [refusal.as_slice()], "{unknown:?}");
    }
}

/// The place of an event is its last argument, and other cores can read what they deliver.
#[test]
fn records_keep_their_place_and_can_be_read() {
    let mut pair = packed();
    pair.hub.set_recovery(Recovery::default(), [7; 32]);
    let (conn, key) = joined(&mut pair);
    pair.hub.join(key, "room").expect("room");
    let rooms = names(&["room"]);
    let selector = Selector { to: &rooms, ..Selector::default() };
    let nsp = pair.nsp("/");
    let payload = br#"["news",{"_placeholder":true,"num":0}]"#;
    let record = pair.hub.record(nsp, &selector, None, payload, &[vec![1]]);
    let array = r#"["news",{"_placeholder":true,"num":0},"0.1"]"#;
    assert_eq!(record.array().as_deref(), Some(array));
    assert_eq!(pair.hub.deliver_record(&std::sync::Arc::new(record)), 1);
    pair.turn();
    assert_eq!(heard(&mut pair, conn), [format!("event / None {array} [[1]]")]);
    let plain = Pair::new().hub.record(nsp, &Selector::default(), None, b"[\"a\",1]", &[]);
    assert_eq!(plain.array().as_deref(), Some("[\"a\",1]"));
}

/// What waited for a poll goes on over the WebSocket that takes over.
#[test]
fn an_upgrade_takes_binary_packets_along() {
    let mut pair = packed();
    let (polling, sid) = pair.polling("/socket.io/");
    let posting = pair.open();
    pair.ask(posting, post(&sid, &connect_item()));
    let (key, _) = *pair.sockets.last().expect("a socket");
    pair.ask(polling, poll(&sid)).expect("CONNECT");
    let conn = pair.open();
    pair.ask(conn, pair::client::upgrade_session(&sid)).expect("101");
    pair.tell(conn, "2probe");
    pair.emit(key, r#"["late",1.5]"#);
    pair.turn();
    pair.tell(conn, "5");
    assert_eq!(heard(&mut pair, conn), ["3probe", "event / None [\"late\",1.5] []"]);
}
