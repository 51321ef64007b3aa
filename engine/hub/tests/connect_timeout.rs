//! A session must join a namespace in time (the reference's `connectTimeout`; semantics 10).

mod pair;

use pair::Pair;
use pair::client::{UNKNOWN, poll, post, text, upgrade_session};
use socketville_hub::{Config, Ending};

/// Answers the ping of the 25th second, so that only the connect timeout is left, and goes on to just before it.
fn to_the_last_millisecond(pair: &mut Pair, pong: impl FnOnce(&mut Pair)) {
    pair.pass_ms(25_000);
    pong(pair);
    pair.pass_ms(19_999);
}

/// Source: the reference's `connectTimeout`, 45 s by default.
#[test]
fn a_websocket_that_joins_nothing_is_closed() {
    let mut pair = Pair::new();
    let (conn, sid) = pair.websocket("/socket.io/");
    to_the_last_millisecond(&mut pair, |pair| pair.tell(conn, "3"));
    assert_eq!(pair.frames(conn), ["2"]);
    pair.pass_ms(1);
    assert_eq!(pair.frames(conn), ["close"]);
    assert!(!pair.is_open(conn) && !pair.knows(&sid));
}

/// The same over polling: the poll that waits is told.
#[test]
fn a_polling_session_that_joins_nothing_is_closed() {
    let mut pair = Pair::new();
    let (conn, sid) = pair.polling("/socket.io/");
    to_the_last_millisecond(&mut pair, |pair| {
        let post_conn = pair.open();
        pair.ask(post_conn, post(&sid, "3"));
        assert_eq!(pair.ask(conn, poll(&sid)).map(|answer| answer.body).as_deref(), Some("2"));
        assert_eq!(pair.ask(conn, poll(&sid)), None);
    });
    assert_eq!(pair.answer(conn), None);
    pair.pass_ms(1);
    assert_eq!(pair.answer(conn).map(|answer| answer.body).as_deref(), Some("1"));
    assert_eq!(pair.ask_once(poll(&sid)), (400, UNKNOWN.into()));
}

/// A refused CONNECT does not stop it, be it for an unknown namespace or by the application (semantics 10).
#[test]
fn a_refused_connect_does_not_stop_it() {
    let mut pair = Pair::new();
    let (conn, _) = pair.websocket("/socket.io/");
    pair.refusal = Some(r#"{"message":"no"}"#);
    pair.feed(conn, text("40"));
    pair.tell(conn, "40/nowhere,");
    assert_eq!(pair.frames(conn), [r#"44{"message":"no"}"#, r#"44/nowhere,{"message":"Invalid namespace"}"#]);
    to_the_last_millisecond(&mut pair, |pair| pair.tell(conn, "3"));
    assert!(pair.is_open(conn));
    pair.pass_ms(1);
    assert!(!pair.is_open(conn));
}

/// Leaving all namespaces does not start it again (semantics 10), whoever ended it.
#[test]
fn leaving_all_does_not_restart_it() {
    let mut pair = Pair::new();
    let (left, put_out) = (pair.join_websocket(), pair.join_websocket());
    pair.tell(left.conn, "41");
    pair.hub.disconnect_socket(pair.now_ms, put_out.key, Ending::Namespace);
    pair.run_effects();
    for _ in 0..4 {
        pair.pass_ms(25_000);
        pair.tell(left.conn, "3");
        pair.tell(put_out.conn, "3");
    }
    assert!(pair.is_open(left.conn) && pair.is_open(put_out.conn));
}

/// An upgrade neither stops nor restarts it.
#[test]
fn an_upgrade_does_not_stop_it() {
    let mut pair = Pair::new();
    let (_, sid) = pair.polling("/socket.io/");
    pair.pass_ms(20_000);
    let conn = pair.open();
    pair.say(conn, upgrade_session(&sid));
    pair.tell(conn, "2probe");
    pair.tell(conn, "5");
    pair.pass_ms(5_000);
    pair.tell(conn, "3");
    pair.pass_ms(19_999);
    assert!(pair.is_open(conn));
    pair.pass_ms(1);
    assert!(!pair.is_open(conn));
}

/// Bare Engine.IO has no namespaces, so nothing to join.
#[test]
fn bare_sessions_have_none() {
    let config = Config { engine_paths: vec!["/engine.io/".into()], ..Config::default() };
    let mut pair = Pair::with(config);
    let (conn, _) = pair.websocket("/engine.io/");
    pair.pass_ms(25_000);
    pair.tell(conn, "3");
    pair.pass_ms(24_999);
    pair.tell(conn, "4still here");
    assert_eq!(pair.heard, ["session text still here"]);
}
