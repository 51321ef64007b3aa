//! Sockets in namespaces: joining, speaking and leaving (Socket.IO protocol v5, "Packet types").

mod pair;

use pair::client::{binary, poll, post, text};
use pair::{Client, Pair};
use socketville_hub::limits::{EARLY_BYTES_MAX, NAMESPACES_PER_SESSION_MAX};
use socketville_hub::{Effect, Ending, Manner, Sent};
use socketville_proto::encode::Kind;

/// The client that joins `/a` too; the label of that socket is the next one.
fn join_a(pair: &mut Pair, client: &Client) {
    pair.tell(client.conn, "40/a,");
    let (_, id) = *pair.sockets.last().expect("a socket");
    assert_eq!(pair.frames(client.conn), [format!(r#"40/a,{{"sid":"{}"}}"#, id.as_str())]);
    pair.heard.clear();
}

/// Socket.IO protocol v5, "Connection to a namespace": each gets an id of its own, and `auth` is the namespace's.
#[test]
fn namespaces_are_joined_apart() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.tell(ws.conn, r#"40/a,{"token":"123"}"#);
    assert_eq!(pair.take_heard(), [r#"connect /a {"token":"123"}"#]);
    let (key, id) = pair.sockets[1];
    assert_ne!((key, id), (ws.key, ws.id));
    assert_eq!(pair.frames(ws.conn), [format!(r#"40/a,{{"sid":"{}"}}"#, id.as_str())]);
    assert_ne!(id.as_str(), ws.sid, "the session's id is not told to others");
    pair.tell(ws.conn, "42/a,7[\"x\",1]");
    pair.tell(ws.conn, "42[\"y\"]");
    assert_eq!(pair.take_heard(), ["#1 event 7[\"x\",1]", "#0 event [\"y\"]"]);
    pair.hub.send(key, Kind::Ack, Some(7), b"[\"ok\"]", &[], Manner::default());
    pair.hub.send(ws.key, Kind::Event, Some(3), b"[\"ask\"]", &[], Manner::default());
    pair.turn();
    assert_eq!(pair.frames(ws.conn), ["43/a,7[\"ok\"]", "423[\"ask\"]"]);
    pair.tell(ws.conn, "433[\"answer\"]");
    assert_eq!(pair.take_heard(), ["#0 ack 3[\"answer\"]"]);
}

/// The reference, measured: an unknown namespace is refused and the connection stays.
#[test]
fn unknown_namespaces_are_refused() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    for name in ["/nope", "/constructor", "/a?x=1", "/a/"] {
        pair.tell(ws.conn, &format!("40{name},"));
        assert_eq!(pair.frames(ws.conn), [format!(r#"44{name},{{"message":"Invalid namespace"}}"#)]);
    }
    pair.tell(ws.conn, "42[\"fine\"]");
    assert_eq!(pair.take_heard(), ["#0 event [\"fine\"]"]);
}

/// Semantics 11 and reliability 1.4: what may not come closes the whole connection, cleanly, as a forced close.
#[test]
fn what_may_not_come_closes_everything() {
    let cases = [
        "40",
        "4",
        "47",
        "4x",
        "44{\"message\":\"no\"}",
        "42/a,[\"x\"]",
        "42/nope,[\"x\"]",
        "41/a,",
        "43/a,1[]",
        "42{}",
        "42[]",
        "42[null]",
        "42[\"connect\"]",
        "42[\"disconnecting\"]",
        "42[\"newListener\"]",
        "42[\"a\"]x",
        "431{}",
        "41{}",
        "40/a,[]",
        "40/a,\"x\"",
        "40/a,{",
        "450-[\"x\"]",
        "4511-[\"x\"]",
        "451.5-[\"x\"]",
    ];
    for case in cases {
        let mut pair = Pair::new();
        let (ws, bystander) = (pair.join_websocket(), pair.join_websocket());
        pair.tell(ws.conn, case);
        assert_eq!(pair.frames(ws.conn), ["close"], "{case}");
        assert_eq!(pair.take_heard(), ["#0 left: forced close []"], "{case}");
        assert!(!pair.is_open(ws.conn) && pair.is_open(bystander.conn), "{case}");
    }
}

/// Reliability 1.4: any packet but CONNECT before a namespace was joined closes.
#[test]
fn packets_before_connect_close() {
    for packet in ["42[\"x\"]", "41", "431[]", "451-[\"x\",{\"_placeholder\":true,\"num\":0}]"] {
        let mut pair = Pair::new();
        let (conn, _) = pair.websocket("/socket.io/");
        pair.tell(conn, packet);
        assert_eq!((pair.frames(conn), pair.is_open(conn)), (vec!["close".into()], false), "{packet}");
    }
}

/// A second CONNECT closes all sockets of the connection, also one that comes while the first is being looked at.
#[test]
fn a_duplicate_connect_closes_everything() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    join_a(&mut pair, &ws);
    pair.tell(ws.conn, "40/a,");
    assert_eq!(pair.take_heard(), ["#0 left: forced close []", "#1 left: forced close []"]);
    let (conn, _) = pair.websocket("/socket.io/");
    pair.keeps_waiting = true;
    pair.feed(conn, text("40"));
    pair.tell(conn, "40");
    assert_eq!(pair.take_heard(), ["waits /", "#2 abandoned"]);
    assert_eq!(pair.hub.gauges().sockets, 0);
}

/// The client leaves one namespace; the others and the connection stay, and it may come back.
#[test]
fn a_client_may_leave_and_come_back() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    join_a(&mut pair, &ws);
    let (key, _) = pair.sockets[1];
    pair.hub.join(key, "r").expect("a room");
    pair.tell(ws.conn, "41/a,");
    assert_eq!(pair.take_heard(), ["#1 left: client namespace disconnect [\"r\"]"]);
    assert!(!pair.emit(key, "[\"late\"]") && !pair.hub.is_connected(key));
    assert!(pair.take(ws.conn).is_empty(), "a leave is not answered");
    join_a(&mut pair, &ws);
    assert_ne!(pair.sockets[2].1, pair.sockets[1].1, "a new socket, a new id");
    assert!(!pair.emit(key, "[\"late\"]"), "a stale key finds nothing");
}

/// The server ends one socket: DISCONNECT behind what was emitted before, and nothing after.
#[test]
fn a_server_may_end_one_socket() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    join_a(&mut pair, &ws);
    pair.emit(ws.key, "[\"before\"]");
    pair.broadcast(&[], "[\"all\"]");
    pair.hub.disconnect_socket(pair.now_ms, ws.key, Ending::Namespace);
    assert!(!pair.emit(ws.key, "[\"after\"]"));
    assert_eq!(pair.broadcast(&[], "[\"after\"]"), 0);
    pair.hub.disconnect_socket(pair.now_ms, ws.key, Ending::Namespace);
    pair.run_effects();
    pair.turn();
    assert_eq!(pair.frames(ws.conn), ["42[\"before\"]", "42[\"all\"]", "41"]);
    assert_eq!(pair.take_heard(), ["#0 left: server namespace disconnect []"]);
    pair.tell(ws.conn, "42/a,[\"here\"]");
    assert_eq!(pair.take_heard(), ["#1 event [\"here\"]"]);
}

/// Source: `socket.disconnect(true)`: every namespace gets its DISCONNECT (else its client would connect again), then the close.
#[test]
fn a_server_may_end_the_whole_connection() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    join_a(&mut pair, &ws);
    pair.hub.disconnect_socket(pair.now_ms, pair.sockets[1].0, Ending::Connection);
    pair.run_effects();
    pair.turn();
    assert_eq!(pair.frames(ws.conn), ["41", "41/a,", "close"]);
    let left = |n: usize| format!("#{n} left: server namespace disconnect []");
    assert_eq!(pair.take_heard(), [left(0), left(1)]);
    assert!(!pair.is_open(ws.conn));
}

/// The reasons come before the connection goes: `disconnecting` of every socket, then the cut (semantics 16).
#[test]
fn effects_come_in_order() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    join_a(&mut pair, &ws);
    pair.hub.handle_end(ws.conn, socketville_hub::Reason::TransportClose);
    let effects: Vec<Effect> = std::iter::from_fn(|| pair.hub.take_effect()).collect();
    let [Effect::Disconnecting(first, _), Effect::Disconnecting(second, _), Effect::Close(conn)] =
        effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!((first, second, conn), (ws.key, pair.sockets[1].0, ws.conn));
}

/// Socket.IO protocol v5, "Binary": an event waits for its attachments, over several messages and segments.
#[test]
fn attachments_come_one_by_one() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    let args = r#"["b",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#;
    pair.tell(ws.conn, &format!("452-9{args}"));
    pair.tell(ws.conn, "3");
    pair.say(ws.conn, binary(&[1, 2]));
    assert!(pair.heard.is_empty());
    for byte in binary(b"") {
        pair.say(ws.conn, [byte]);
    }
    assert_eq!(pair.take_heard(), [format!("#0 event 9{args} [1, 2] []")]);
    pair.tell(ws.conn, r#"461-5[{"_placeholder":true,"num":0}]"#);
    pair.say(ws.conn, binary(&[3]));
    assert_eq!(pair.take_heard(), [r#"#0 ack 5[{"_placeholder":true,"num":0}] [3]"#]);
}

/// Reliability 1.4: text while attachments are due, and binary that nobody waits for, close the connection.
#[test]
fn attachments_out_of_turn_close() {
    let event = text(r#"451-["b",{"_placeholder":true,"num":0}]"#);
    let cases = [
        [event.clone(), text("42[\"x\"]")].concat(),
        [event.clone(), event.clone()].concat(),
        [event.clone(), text("41")].concat(),
        binary(b"stray"),
        [event, binary(b"1"), binary(b"2")].concat(),
    ];
    for (case, bytes) in cases.into_iter().enumerate() {
        let mut pair = Pair::new();
        let ws = pair.join_websocket();
        pair.say(ws.conn, bytes);
        assert_eq!(pair.frames(ws.conn), ["close"], "{case}");
        assert_eq!(pair.heard.last().map(String::as_str), Some("#0 left: forced close []"), "{case}");
    }
}

/// A packet's text and attachments have the limit of a message together.
#[test]
fn attachments_have_a_limit_together() {
    let config = socketville_hub::Config { message_bytes_max: 200, ..Default::default() };
    let mut pair = Pair::with(config);
    let ws = pair.join_websocket();
    let event = r#"452-["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    pair.tell(ws.conn, event);
    let rest = 200 - (event.len() - 1) - 50; // without the `4` of Engine.IO
    pair.say(ws.conn, binary(&[0; 50]));
    pair.say(ws.conn, binary(&vec![0; rest]));
    assert_eq!(pair.take_heard().len(), 1);
    pair.tell(ws.conn, event);
    pair.say(ws.conn, binary(&[0; 50]));
    pair.say(ws.conn, binary(&vec![0; rest + 1]));
    assert_eq!(pair.take_heard(), ["#0 left: forced close []"]);
}

/// `NAMESPACES_PER_SESSION_MAX`: one more is refused for itself alone (Socket.IO protocol v5, "Connection to a namespace"), and there is room
/// again when one is left.
#[test]
fn a_connection_joins_so_many_namespaces() {
    let mut pair = Pair::new();
    for number in 0..NAMESPACES_PER_SESSION_MAX {
        pair.hub.add_namespace(&format!("/n{number}"));
    }
    let ws = pair.join_websocket();
    for number in 0..NAMESPACES_PER_SESSION_MAX - 1 {
        pair.feed(ws.conn, text(&format!("40/n{number},")));
    }
    pair.turn();
    assert_eq!(pair.hub.gauges().sockets, NAMESPACES_PER_SESSION_MAX);
    assert!(pair.is_open(ws.conn));
    pair.frames(ws.conn);
    pair.tell(ws.conn, "40/a,");
    assert_eq!(pair.frames(ws.conn), [r#"44/a,{"message":"too many namespaces"}"#]);
    assert_eq!(pair.hub.gauges().sockets, NAMESPACES_PER_SESSION_MAX);
    pair.tell(ws.conn, "41/n0,");
    pair.tell(ws.conn, "40/a,");
    assert!(pair.frames(ws.conn)[0].starts_with("40/a,{"));
}

/// A client that is being looked at hears nothing and may say nothing; then it is in, with the rooms it was put into (semantics 19).
#[test]
fn a_waiting_client_is_not_in_yet() {
    let mut pair = Pair::new();
    let (conn, _) = pair.websocket("/socket.io/");
    pair.keeps_waiting = true;
    pair.tell(conn, "40");
    let (key, id) = pair.sockets[0];
    pair.hub.join(key, "r").expect("a room");
    assert_eq!((pair.broadcast(&[], "[1]"), pair.broadcast(&["r"], "[1]")), (0, 0));
    assert_eq!(pair.broadcast(&[id.as_str()], "[1]"), 0);
    assert!(pair.hub.welcome(key) && !pair.hub.welcome(key));
    assert_eq!(pair.broadcast(&["r"], "[2]"), 1);
    pair.turn();
    assert_eq!(pair.frames(conn), [format!(r#"40{{"sid":"{}"}}"#, id.as_str()), "42[2]".into()]);
}

/// What is emitted to it alone follows the answer to its CONNECT, in order and once, with what is emitted then behind it (the reference's clients keep
/// what comes before); over polling and WebSocket.
#[test]
fn what_is_emitted_to_a_waiting_client_follows_its_connect() {
    for is_polling in [false, true] {
        let mut pair = Pair::new();
        let (conn, sid) =
            if is_polling { pair.polling("/socket.io/") } else { pair.websocket("/socket.io/") };
        pair.keeps_waiting = true;
        match is_polling {
            true => assert_eq!(pair.ask_once(post(&sid, "40")).0, 200),
            false => pair.tell(conn, "40"),
        }
        let (key, id) = pair.sockets[0];
        assert!(pair.emit(key, "[1]") && pair.emit_volatile(key, "[2]"));
        let attached = pair.hub.send(key, Kind::Event, Some(7), b"[3]", &[vec![1]], Manner::default());
        assert!(attached.is_due() && pair.hub.early_bytes() > 0);
        pair.turn();
        assert!(is_polling || pair.frames(conn).is_empty());
        assert!(pair.hub.welcome(key) && pair.emit(key, "[4]"));
        let connect = format!(r#"40{{"sid":"{}"}}"#, id.as_str());
        if is_polling {
            let payload = pair.ask(conn, poll(&sid)).expect("packets").body;
            assert_eq!(
                payload,
                format!("{connect}\u{1e}42[1]\u{1e}42[2]\u{1e}451-7[3]\u{1e}bAQ==\u{1e}42[4]")
            );
        } else {
            pair.turn();
            assert_eq!(pair.frames(conn), [&*connect, "42[1]", "42[2]", "451-7[3]", "[1]", "42[4]"]);
        }
        assert_eq!(pair.hub.early_bytes(), 0);
    }
}

/// `EARLY_BYTES_MAX`, and nothing is kept for who is turned down or leaves.
#[test]
fn what_waits_for_a_client_is_bounded_and_goes_with_it() {
    let mut pair = Pair::new();
    pair.keeps_waiting = true;
    let conns: Vec<_> = (0..2).map(|_| pair.websocket("/socket.io/").0).collect();
    conns.iter().for_each(|conn| pair.tell(*conn, "40"));
    let large = format!("[\"{}\"]", "x".repeat(EARLY_BYTES_MAX / 4));
    for (key, _) in pair.sockets.clone() {
        let sent: Vec<_> = (0..4)
            .map(|_| pair.hub.send(key, Kind::Event, None, large.as_bytes(), &[], Manner::default()))
            .collect();
        assert_eq!(sent, [Sent::Due, Sent::Due, Sent::Due, Sent::TooEarly]);
    }
    let (turned_down, left) = (pair.sockets[0].0, pair.sockets[1].0);
    pair.hub.turn_down(turned_down, r#"{"message":"no"}"#);
    pair.break_line(conns[1]);
    pair.turn();
    assert_eq!(pair.hub.early_bytes(), 0);
    for key in [turned_down, left] {
        assert_eq!(pair.hub.send(key, Kind::Event, None, b"[1]", &[], Manner::default()), Sent::Gone);
    }
    assert_eq!(pair.frames(conns[0]), [r#"44{"message":"no"}"#]);
}

/// One that leaves meanwhile never connects, and one that was refused is gone with its rooms (semantics 19).
#[test]
fn a_waiting_client_that_leaves_never_connects() {
    let mut pair = Pair::new();
    pair.keeps_waiting = true;
    let (conn, _) = pair.websocket("/socket.io/");
    pair.tell(conn, "40");
    let (left, _) = pair.sockets[0];
    pair.hub.join(left, "r").expect("a room");
    pair.hub.handle_end(conn, socketville_hub::Reason::TransportClose);
    assert!(!pair.hub.welcome(left), "even before it is forgotten");
    pair.run_effects();
    assert!(!pair.hub.welcome(left));
    let (conn, _) = pair.websocket("/socket.io/");
    pair.tell(conn, "40");
    let (refused, _) = pair.sockets[1];
    pair.hub.turn_down(refused, r#"{"message":"no"}"#);
    pair.hub.turn_down(refused, r#"{"message":"again"}"#);
    assert!(!pair.hub.welcome(refused));
    pair.run_effects();
    pair.turn();
    assert_eq!(pair.frames(conn), [r#"44{"message":"no"}"#]);
    assert_eq!(pair.take_heard(), ["waits /", "#0 abandoned", "waits /", "#1 abandoned"]);
    assert_eq!((pair.hub.gauges().sockets, pair.hub.gauges().rooms), (0, 0));
    pair.tell(conn, "40");
    assert!(pair.is_open(conn), "it may try again");
}
