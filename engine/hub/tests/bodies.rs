//! Bodies of requests: how long they may be and take, and what happens to one that is not wanted (RFC 9112; `maxPayload`).

mod pair;

use pair::Pair;
use pair::client::{polling_path, post};
use socketville_hub::Config;

/// `BODY_TIMEOUT_MS`: a body has thirty seconds; then its session is lost.
#[test]
fn a_body_has_a_deadline() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let whole = post(&client.sid, "42[\"a\"]");
    let (head, body) = whole.split_at(whole.len() - 7);
    pair.say(client.post, head);
    for byte in body.bytes().take(5) {
        pair.pass_ms(5_999);
        pair.say(client.post, [byte]);
    }
    pair.pass_ms(4);
    assert!(pair.is_open(client.post));
    pair.pass_ms(1);
    let answer = pair.answer(client.post).expect("an answer");
    assert_eq!((answer.status, answer.header("Connection")), (408, Some("close")));
    assert!(!pair.is_open(client.post));
    assert_eq!(pair.take_heard(), ["#0 left: transport error []"]);
}

/// RFC 9110 section 15.5.9: whoever has begun a request is told that the rest did not come, be it of the head or of a body for anybody; who has
/// said nothing has no request.
#[test]
fn a_request_that_stops_in_the_middle_is_answered() {
    let late = "HTTP/1.1 408";
    for (begun, expected) in [
        ("", ""),
        ("GET /a HTTP/1.1\r\nHo", late),
        ("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1234", late),
        ("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n1234", late),
    ] {
        let mut pair = Pair::new();
        let conn = pair.open();
        pair.say(conn, begun);
        pair.pass_ms(30_000);
        let came = String::from_utf8(pair.take(conn)).expect("text");
        assert_eq!(came.get(..12).unwrap_or_default(), expected, "{begun}");
        assert!(!pair.is_open(conn), "{begun}");
    }
}

/// RFC 9110 section 15.5.14: the size that a chunk announces is enough to refuse it, whoever the body is for.
#[test]
fn an_announced_chunk_over_the_limit_is_refused_at_once() {
    for size in ["f4241", "ffffffff", "ffffffffffffffff"] {
        let mut pair = Pair::new();
        let conn = pair.open();
        let head = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = pair.ask(conn, [head, size].concat()).expect("an answer without the bytes");
        assert_eq!((answer.status, answer.header("Connection")), (413, Some("close")), "{size}");
    }
}

/// `maxPayload` counts bytes, is inclusive, and holds for declared lengths at once (semantics 2).
#[test]
fn a_declared_body_over_the_limit_is_refused_at_once() {
    let mut pair = Pair::with(Config { message_bytes_max: 100, ..Config::default() });
    let client = pair.join_polling();
    let fits = format!("42[\"{}\"]", "é".repeat(47));
    assert_eq!(fits.len(), 100);
    pair.post(&client, &fits);
    assert_eq!(pair.take_heard().len(), 1);
    let whole = post(&client.sid, &format!("{fits} "));
    let head = &whole[..whole.len() - 101];
    let answer = pair.ask(client.post, head).expect("an answer without the body");
    assert_eq!((answer.status, answer.header("Connection")), (413, Some("close")));
    assert_eq!(pair.take_heard(), ["#0 left: transport error []"]);
    assert!(pair.is_held(client.post), "closing now would reset the connection and take the answer with it");
    pair.say(client.post, "4".repeat(101));
    pair.end(client.post);
    assert!(!pair.is_held(client.post));
}

/// The same for chunks (semantics 2); who never ends is cut after the linger.
#[test]
fn a_chunked_body_over_the_limit_is_refused() {
    let mut pair = Pair::with(Config { message_bytes_max: 100, ..Config::default() });
    let client = pair.join_polling();
    let path = polling_path(&client.sid);
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let fits = [&head, &chunk("42[\""), &chunk(&"a".repeat(94)), &chunk("\"]"), "0\r\n\r\n"].concat();
    assert_eq!(pair.ask(client.post, fits).map(|answer| answer.body).as_deref(), Some("ok"));
    assert_eq!(pair.take_heard().len(), 1);
    pair.say(client.post, [&head, &*chunk(&"4".repeat(60))].concat());
    let answer = pair.ask(client.post, chunk(&"4".repeat(41))).expect("an answer before the end");
    assert_eq!(answer.status, 413);
    assert!(!pair.knows(&client.sid));
    pair.pass_ms(4_999);
    assert!(pair.is_held(client.post));
    pair.pass_ms(1);
    assert!(!pair.is_held(client.post));
}

/// RFC 9112 section 7.1: a body that is not in chunks although it says so.
#[test]
fn a_malformed_body_is_refused() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let path = polling_path(&client.sid);
    let request = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
    assert_eq!(pair.ask(client.post, request).map(|answer| answer.status), Some(400));
    assert_eq!(pair.take_heard(), ["#0 left: transport error []"]);
}

/// RFC 9112 section 9.6: a refused request whose body still comes is closed after its end; closing before would reset the
/// connection and could take the answer with it.
#[test]
fn a_refused_body_is_waited_out() {
    let mut pair = Pair::new();
    let conn = pair.open();
    let request =
        "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1234";
    let answer = pair.ask(conn, request).expect("an answer");
    assert_eq!((answer.status, answer.header("Connection")), (400, Some("close")));
    pair.say(conn, "56789");
    assert!(pair.is_held(conn) && pair.take(conn).is_empty());
    pair.end(conn);
    assert!(!pair.is_held(conn));
}

/// RFC 9110 section 10.1.1: `Expect: 100-continue` is answered before the body is asked for.
#[test]
fn a_client_that_waits_for_a_go_gets_it() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let whole = post(&client.sid, "42[\"a\"]").replace("Host:", "Expect: 100-continue\r\nHost:");
    let (head, body) = whole.split_at(whole.len() - 7);
    assert_eq!(pair.ask(client.post, head).map(|answer| answer.status), Some(100));
    assert_eq!(pair.ask(client.post, body).map(|answer| answer.status), Some(200));
}
