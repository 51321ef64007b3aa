//! POSTs behind a waiting GET on one connection: handled at once, answered in order (RFC 9112 section 9.3.2).

mod pair;

use pair::client::{BAD_REQUEST, get, poll, polling_path, post};
use pair::{Pair, client::Client};
use socketville_hub::limits::PIPELINED_POSTS_MAX;

/// A client whose poll waits on the connection that everything else comes on.
fn waiting() -> (Pair, Client) {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    assert_eq!(pair.poll(&client), None);
    (pair, client)
}

fn chunked(sid: &str, body: &str) -> String {
    let path = polling_path(sid);
    let size = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"
    )
}

/// What the GET is answered with may be the answer to the POST behind it.
#[test]
fn a_post_is_handled_while_the_get_before_it_waits() {
    for request in [post, chunked] {
        let (mut pair, client) = waiting();
        pair.say(client.conn, request(&client.sid, "42[\"ask\"]"));
        assert_eq!(pair.take_heard(), ["#0 event [\"ask\"]"]);
        assert_eq!(pair.payload(&client), None, "answers come in the order of their requests");
        pair.emit(client.key, "[\"told\"]");
        pair.turn();
        assert_eq!(pair.payload(&client).as_deref(), Some("42[\"told\"]"));
        assert_eq!(pair.payload(&client).as_deref(), Some("ok"));
        assert_eq!(pair.poll(&client), None, "the connection serves on");
    }
}

/// Wherever its bytes are cut, and wherever the GET's answer falls between them.
#[test]
fn a_post_is_whole_wherever_it_is_cut() {
    let whole = |client: &Client| post(&client.sid, "42[\"a\"]");
    let length = whole(&waiting().1).len();
    for at in 0..=length {
        for is_answered_between in [false, true] {
            let (mut pair, client) = waiting();
            let whole = whole(&client);
            pair.say(client.conn, &whole[..at]);
            if is_answered_between {
                pair.emit(client.key, "[\"b\"]");
                pair.turn();
            }
            pair.say(client.conn, &whole[at..]);
            assert_eq!(pair.take_heard(), ["#0 event [\"a\"]"], "{at}");
            if !is_answered_between {
                pair.emit(client.key, "[\"b\"]");
                pair.turn();
            }
            assert_eq!(pair.payload(&client).as_deref(), Some("42[\"b\"]"), "{at}");
            assert_eq!(pair.payload(&client).as_deref(), Some("ok"), "{at}");
        }
    }
}

/// Several POSTs, then a request of another kind, which waits for its turn.
#[test]
fn posts_behind_a_get_are_answered_in_order() {
    let (mut pair, client) = waiting();
    let posts: String = (0..3).map(|i| post(&client.sid, &format!("42[\"{i}\"]"))).collect();
    pair.say(client.conn, [posts, get("/page")].concat());
    pair.turn();
    assert_eq!(pair.take_heard(), ["#0 event [\"0\"]", "#0 event [\"1\"]", "#0 event [\"2\"]"]);
    assert!(pair.requests.is_empty());
    pair.emit(client.key, "[\"b\"]");
    pair.turn();
    pair.turn();
    let came: Vec<_> = std::iter::from_fn(|| pair.payload(&client)).collect();
    assert_eq!(came, ["42[\"b\"]", "ok", "ok", "ok"]);
    assert_eq!(pair.requests.len(), 1);
}

/// `PIPELINED_POSTS_MAX`: what is owed has an end; then the next one waits, and nothing is lost.
#[test]
fn posts_behind_a_get_have_a_limit() {
    let (mut pair, client) = waiting();
    let posts: String = (0..20).map(|i| post(&client.sid, &format!("42[\"{i}\"]"))).collect();
    pair.say(client.conn, posts);
    for _ in 0..3 {
        pair.turn();
    }
    assert_eq!(pair.heard.len(), PIPELINED_POSTS_MAX);
    pair.emit(client.key, "[\"b\"]");
    for _ in 0..3 {
        pair.turn();
    }
    assert_eq!(pair.heard.len(), 20);
    assert_eq!(std::iter::from_fn(|| pair.payload(&client)).count(), 21);
}

/// A body that cannot be read ends the session: the GET is told that, the POST why.
#[test]
fn a_bad_body_behind_a_get_is_refused_in_order() {
    for (body, status) in [("zz", 400), ("ffffffff\r\n", 413)] {
        let (mut pair, client) = waiting();
        let path = polling_path(&client.sid);
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        pair.say(client.conn, head + body);
        assert_eq!(pair.payload(&client).as_deref(), Some("1"));
        assert_eq!(pair.answer(client.conn).map(|answer| answer.status), Some(status));
        assert_eq!(pair.take_heard(), ["#0 left: transport error []"]);
        assert!(!pair.is_open(client.conn));
    }
}

/// A body that does not come.
#[test]
fn a_late_body_behind_a_get_is_refused_in_order() {
    let (mut pair, client) = waiting();
    let whole = post(&client.sid, "42[\"a\"]");
    pair.say(client.conn, &whole[..whole.len() - 3]);
    pair.pass_ms(20_000);
    pair.emit(client.key, "[\"b\"]");
    pair.turn();
    assert_eq!(pair.payload(&client).as_deref(), Some("42[\"b\"]"), "the GET does not wait for it");
    pair.pass_ms(30_000);
    assert_eq!(pair.answer(client.conn).map(|answer| answer.status), Some(408));
}

/// A second GET is refused, as anywhere, when its turn has come; and two POSTs at once are too.
#[test]
fn other_mistakes_are_mistakes_here_too() {
    let (mut pair, client) = waiting();
    let whole = post(&client.sid, "42[\"a\"]");
    pair.say(client.conn, &whole[..whole.len() - 3]);
    let answer = pair.ask(client.post, &whole).expect("an answer");
    assert_eq!((answer.status, &*answer.body), (400, BAD_REQUEST));
    assert_eq!(pair.take_heard(), ["#0 left: transport error []"]);
    assert!(!pair.is_held(client.conn), "the poll's connection is cut with its session");
    let (mut pair, client) = waiting();
    pair.say(client.conn, poll(&client.sid));
    assert_eq!(pair.payload(&client), None);
    assert!(pair.knows(&client.sid));
}
