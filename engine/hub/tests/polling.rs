//! HTTP long-polling: packets wait for a GET, and leave together (Engine.IO protocol v4, "HTTP long-polling").

mod pair;

use pair::Pair;
use pair::client::{BAD_REQUEST, UNKNOWN, get, poll, polling_path, post};
use socketville_hub::{Config, Ending, Manner, Selector};
use socketville_proto::encode::Kind;

/// Engine.IO protocol v4, "Handshake": the `open` packet with its five fields, and nothing else.
#[test]
fn a_session_opens_with_one_packet() {
    let mut pair = Pair::new();
    let conn = pair.open();
    let answer = pair.ask(conn, get("/socket.io/?EIO=4&transport=polling")).expect("an answer");
    let sid = pair::client::sid_of(&answer.body);
    assert_eq!(
        answer.body,
        format!(
            r#"0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#
        )
    );
    assert_eq!(answer.header("Content-Type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!((sid.len(), pair.hub.gauges().sessions), (20, 1));
}

/// Source: the reference's `JSONP`, which is for both revisions: clients 3.x speak the fourth and still have it.
#[test]
fn a_client_of_the_fourth_revision_that_asks_for_scripts_gets_them() {
    let mut pair = Pair::new();
    let (conn, posting) = (pair.open(), pair.open());
    let opened = pair.ask(conn, get("/socket.io/?EIO=4&transport=polling&j=5")).expect("an answer").body;
    let packet =
        opened.strip_prefix("___eio[5](\"").and_then(|rest| rest.strip_suffix("\");")).expect("a script");
    let sid = pair::client::sid_of(&packet.replace("\\\"", "\""));
    let form = "d=40%1E42%5B%22a%5C%5Cnb%22%5D%1E451-%5B%22b%22%2C%7B%22_placeholder%22%3Atrue%2C%22num%22%3A0%7D%5D%1EbAQI%3D";
    assert_eq!(pair.ask(posting, post(&sid, form)).map(|answer| answer.body).as_deref(), Some("ok"));
    let events = ["#0 event [\"a\\nb\"]", "#0 event [\"b\",{\"_placeholder\":true,\"num\":0}] [1, 2]"];
    assert_eq!(pair.take_heard(), ["connect / -", events[0], events[1]]);
    let key = pair.sockets.last().expect("a socket").0;
    let id = pair.hub.name_of(key).expect("a name").to_owned();
    pair.hub.send(key, Kind::Event, None, b"[]", &[vec![1]], Manner::default());
    let polled = pair.ask(conn, poll(&sid)).expect("an answer");
    let script = format!(r#"___eio[5]("40{{\"sid\":\"{id}\"}}\u001e451-[]\u001ebAQ==");"#);
    assert_eq!(polled.header("Content-Type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(polled.body, script);
}

/// A `j` may be the application's own: only a number asks for scripts, in this revision.
#[test]
fn a_letter_asks_for_no_script() {
    let mut pair = Pair::new();
    let (status, body) = pair.ask_once(get("/socket.io/?EIO=4&transport=polling&j=x"));
    assert!(status == 200 && body.starts_with("0{"), "{body}");
}

/// A poll with nothing to say waits for the next flush and gets all packets of that turn, in order, in one response.
#[test]
fn a_waiting_poll_gets_the_whole_turn() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    assert_eq!(pair.poll(&client), None);
    pair.emit(client.key, "[\"one\"]");
    pair.broadcast(&[], "[\"two\"]");
    assert_eq!(pair.payload(&client), None, "nothing leaves before the flush");
    pair.emit(client.key, "[\"three\"]");
    pair.turn();
    let expected = "42[\"one\"]\x1e42[\"two\"]\x1e42[\"three\"]";
    assert_eq!(pair.payload(&client).as_deref(), Some(expected));
    pair.turn();
    assert_eq!(pair.payload(&client), None, "and once");
}

/// What comes between two polls waits for the second.
#[test]
fn packets_wait_for_the_next_poll() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    for number in 0..3 {
        pair.emit(client.key, &format!("[\"n\",{number}]"));
        pair.turn();
    }
    assert_eq!(pair.poll(&client).as_deref(), Some("42[\"n\",0]\x1e42[\"n\",1]\x1e42[\"n\",2]"));
    assert_eq!(pair.poll(&client), None);
}

/// Engine.IO protocol v4, "HTTP long-polling": binary is `b` and base64, in both directions.
#[test]
fn binary_is_base64() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let payload = br#"["b",{"_placeholder":true,"num":0}]"#;
    pair.hub.send(client.key, Kind::Event, None, payload, &[vec![1, 2, 3, 4]], Manner::default());
    let text = String::from_utf8(payload.to_vec()).expect("JSON");
    assert_eq!(pair.poll(&client), Some(format!("451-{text}\x1ebAQIDBA==")));
    pair.post(&client, &format!("451-{text}\x1ebAQIDBA=="));
    assert_eq!(pair.take_heard(), [format!("#0 event {text} [1, 2, 3, 4]")]);
}

/// Attachments may come in later POSTs (semantics 12), with a pong between.
#[test]
fn attachments_may_come_in_a_later_post() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let text = r#"["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    pair.post(&client, &format!("452-{text}\x1ebAQ=="));
    assert!(pair.heard.is_empty());
    pair.post(&client, "3\x1ebAg==\x1e42[\"next\"]");
    assert_eq!(pair.take_heard(), [format!("#0 event {text} [1] [2]"), "#0 event [\"next\"]".into()]);
}

/// The reference and semantics 3: two polls at once end the session; the first is told so, the second refused.
#[test]
fn a_second_poll_ends_the_session() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    assert_eq!(pair.poll(&client), None);
    assert_eq!(pair.ask_once(poll(&client.sid)), (400, BAD_REQUEST.into()));
    assert_eq!(pair.payload(&client).as_deref(), Some("1"));
    assert_eq!(pair.take_heard(), ["#0 left: transport error []"]);
    assert_eq!(pair.ask_once(poll(&client.sid)), (400, UNKNOWN.into()));
}

/// The reference: two POSTs at once end the session; the first's connection is closed, the second refused.
#[test]
fn a_second_post_ends_the_session() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let whole = post(&client.sid, "42[\"first\"]");
    pair.say(client.post, &whole[..whole.len() - 1]);
    assert_eq!(pair.ask_once(post(&client.sid, "42[\"second\"]")), (400, BAD_REQUEST.into()));
    assert!(!pair.is_open(client.post));
    assert_eq!(pair.take(client.post), b"");
    assert_eq!(pair.take_heard(), ["#0 left: transport error []"]);
    assert!(!pair.knows(&client.sid));
}

/// Semantics 3: a poll that is aborted ends the session.
#[test]
fn an_aborted_poll_ends_the_session() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    assert_eq!(pair.poll(&client), None);
    pair.break_line(client.conn);
    assert_eq!(pair.take_heard(), ["#0 left: transport error []"]);
    assert!(!pair.is_open(client.conn) && !pair.knows(&client.sid));
}

/// A connection that ends between polls ends nothing: the next poll may come on another one.
#[test]
fn a_connection_that_ends_between_polls_ends_nothing() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    pair.end(client.conn);
    pair.end(client.post);
    assert!(!pair.is_open(client.conn) && pair.heard.is_empty());
    pair.emit(client.key, "[\"hi\"]");
    assert_eq!(pair.ask_once(poll(&client.sid)), (200, "42[\"hi\"]".into()));
}

/// Semantics 4: the client's `1` releases the waiting poll with a noop, and the session is gone.
#[test]
fn a_client_may_close() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    assert_eq!(pair.poll(&client), None);
    pair.post(&client, "42[\"last\"]\x1e1\x1e42[\"never\"]\x1ebAQ==");
    assert_eq!(pair.payload(&client).as_deref(), Some("6"));
    assert_eq!(pair.take_heard(), ["#0 event [\"last\"]", "#0 left: transport close []"]);
    assert_eq!(pair.ask_once(poll(&client.sid)), (400, UNKNOWN.into()));
}

/// Semantics 4: after a close by the server the next poll gets what was left, the one after it `6\x1e1`, and then the id is gone.
#[test]
fn a_server_may_close_and_loses_nothing() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    pair.emit(client.key, "[\"last\"]");
    pair.hub.disconnect_socket(pair.now_ms, client.key, Ending::Connection);
    pair.run_effects();
    pair.turn();
    assert_eq!(pair.take_heard(), ["#0 left: server namespace disconnect []"]);
    assert_eq!(pair.poll(&client).as_deref(), Some("42[\"last\"]\x1e41"));
    assert_eq!(pair.poll(&client).as_deref(), Some("6\x1e1"));
    assert_eq!(pair.ask_once(poll(&client.sid)), (400, UNKNOWN.into()));
}

/// The same when a poll waits: it gets the packets, the next one the close.
#[test]
fn a_server_close_answers_the_waiting_poll() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    assert_eq!(pair.poll(&client), None);
    pair.hub.disconnect_socket(pair.now_ms, client.key, Ending::Connection);
    pair.run_effects();
    pair.turn();
    assert_eq!(pair.payload(&client).as_deref(), Some("41"));
    assert_eq!(pair.poll(&client).as_deref(), Some("6\x1e1"));
    assert!(!pair.knows(&client.sid));
}

/// Source: engine.io `closeTimeout`, 30 s: a closed session waits no longer for its last poll.
#[test]
fn a_closed_session_does_not_wait_for_ever() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    pair.hub.disconnect_socket(pair.now_ms, client.key, Ending::Connection);
    pair.run_effects();
    pair.pass_ms(29_999);
    assert!(pair.knows(&client.sid));
    pair.pass_ms(1);
    assert!(!pair.knows(&client.sid));
    assert_eq!(pair.hub.gauges().sessions, 0);
}

/// A POST that breaks after the server closed takes nothing from the last poll.
#[test]
fn a_broken_post_does_not_eat_the_farewell() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let whole = post(&client.sid, "42[\"late\"]");
    pair.say(client.post, &whole[..whole.len() - 1]);
    pair.hub.disconnect_socket(pair.now_ms, client.key, Ending::Connection);
    pair.run_effects();
    pair.break_line(client.post);
    assert_eq!(pair.poll(&client).as_deref(), Some("41"));
    assert_eq!(pair.poll(&client).as_deref(), Some("6\x1e1"));
}

/// The reference, measured: a payload that cannot be read is answered `ok`, and then the session is gone (semantics 11).
#[test]
fn rubbish_ends_the_session() {
    for rubbish in ["", "x", "2", "4\x1e", "\x1e4", "bA", "b====", "42[\"a\"]\x1ex"] {
        let mut pair = Pair::new();
        let client = pair.join_polling();
        pair.post(&client, rubbish);
        assert!(!pair.knows(&client.sid) || rubbish == "4\x1e", "{rubbish:?}");
        let last = pair.heard.last().cloned().unwrap_or_default();
        assert!(last.starts_with("#0 left: "), "{rubbish:?}: {last}");
    }
}

/// The reference, measured: bytes that are no UTF-8 are a parse error.
#[test]
fn bytes_that_are_no_text_end_the_session() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let mut request = post(&client.sid, "4__").into_bytes();
    let length = request.len();
    request[length - 2..].copy_from_slice(b"\xc3\x28");
    assert_eq!(pair.ask(client.post, request).map(|answer| answer.status), Some(200));
    assert_eq!(pair.take_heard(), ["#0 left: parse error []"]);
}

/// Engine.IO protocol v4: a POST is text; `application/octet-stream` belongs to version 3.
#[test]
fn octets_are_refused() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let request = post(&client.sid, "42[\"a\"]").replace("text/plain", "application/octet-stream");
    let answer = pair.ask(client.post, request).expect("an answer");
    assert_eq!((answer.status, &*answer.body), (400, BAD_REQUEST));
    assert_eq!(pair.take_heard(), ["#0 left: transport error []"]);
}

/// A POST one byte at a time is a POST.
#[test]
fn a_post_may_drip() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    for byte in post(&client.sid, "42[\"a\"]\x1e42[\"b\"]").as_bytes() {
        pair.say(client.post, [*byte]);
    }
    assert_eq!(pair.answer(client.post).map(|answer| answer.body).as_deref(), Some("ok"));
    assert_eq!(pair.take_heard(), ["#0 event [\"a\"]", "#0 event [\"b\"]"]);
}

/// A volatile packet is dropped unless a poll waits (semantics 15).
#[test]
fn volatile_needs_a_waiting_poll() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let volatile = Selector { volatile: true, ..Selector::default() };
    assert!(!pair.emit_volatile(client.key, "[\"lost\"]"));
    assert_eq!(pair.select(&volatile, "[\"lost\"]").sockets, 0);
    assert_eq!(pair.hub.counters.volatile_dropped, 2);
    assert_eq!(pair.poll(&client), None);
    assert_eq!(pair.select(&volatile, "[\"kept\"]").sockets, 1);
    pair.turn();
    assert_eq!(pair.payload(&client).as_deref(), Some("42[\"kept\"]"));
}

/// Paths below the mount are served as the mount is (semantics 9).
#[test]
fn paths_below_the_mount_are_served() {
    let mut pair = Pair::new();
    let (_, sid) = pair.polling("/socket.io/any/thing/");
    let path = polling_path(&sid).replace("/socket.io/", "/socket.io/else");
    let conn = pair.open();
    assert_eq!(pair.ask(conn, get(&path)), None, "the poll waits");
}

/// A POST that crosses the server's close is answered and not heard: an error would keep the client from its last polls.
#[test]
fn a_post_that_crosses_the_close_is_answered_and_not_heard() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    pair.hub.disconnect_socket(pair.now_ms, client.key, Ending::Connection);
    pair.run_effects();
    pair.heard.clear();
    pair.post(&client, "42[\"late\"]\x1e40/a,\x1ebAQ==");
    assert_eq!((pair.take_heard(), pair.hub.gauges().sockets), (Vec::new(), 0));
    assert_eq!(pair.poll(&client).as_deref(), Some("41"));
    assert_eq!(pair.poll(&client).as_deref(), Some("6\x1e1"));
}

/// A bare session over polling: messages are the application's own, text and binary.
#[test]
fn bare_sessions_poll() {
    let config = Config { engine_paths: vec!["/engine.io/".into()], ..Config::default() };
    let mut pair = Pair::with(config);
    let (_, sid) = pair.polling("/engine.io/");
    let request = post(&sid, "4hi\x1ebAQI=\x1e1\x1e4late\x1ebAQI=").replace("/socket.io/", "/engine.io/");
    assert_eq!(pair.ask_once(request), (200, "ok".into()));
    assert_eq!(pair.take_heard(), ["session text hi", "session binary [1, 2]"]);
}

/// A bare session that the server has closed hears nothing any more, neither text nor binary.
#[test]
fn a_closed_bare_session_is_not_heard() {
    let config = Config { engine_paths: vec!["/engine.io/".into()], ..Config::default() };
    let mut pair = Pair::with(config);
    let (_, sid) = pair.polling("/engine.io/");
    let request = post(&sid, "4late\x1ebAQI=").replace("/socket.io/", "/engine.io/");
    let conn = pair.open();
    pair.say(conn, &request[..request.len() - 1]);
    pair.hub.close_all(pair.now_ms, pair.now_ms);
    pair.say(conn, &request[request.len() - 1..]);
    assert_eq!(pair.take_heard(), [""; 0]);
}
