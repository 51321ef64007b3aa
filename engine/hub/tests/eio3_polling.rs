//! Engine.IO 3 over HTTP: payloads with lengths, bytes, scripts and forms (Engine.IO protocol v3, "Payload" and "Transports").

mod pair;

use pair::Pair;
use pair::client::{BAD_REQUEST, get, upgrade};
use pair::eio3::{allowing, post, target};
use socketville_hub::{Config, Ending, Manner};
use socketville_proto::encode::Kind;

const BINARY: &[u8] = br#"["b",{"_placeholder":true,"num":0}]"#;
const TEXT: &str = "text/plain; charset=UTF-8";
const UNSUPPORTED: &str = r#"{"code":5,"message":"Unsupported protocol version"}"#;

fn v3() -> Pair {
    allowing(Config::default())
}

/// Source: the reference's `handshake`: the same object as in the fourth revision, behind its length; then `40` by itself.
#[test]
fn a_session_opens_with_a_length_and_is_in_the_main_namespace() {
    let mut pair = v3();
    let conn = pair.open();
    let answer = pair.ask(conn, get(&target("/socket.io/", "polling", ""))).expect("an answer");
    let (length, packet) = answer.body.split_once(':').expect("a length");
    assert_eq!(length.parse(), Ok(packet.len()));
    let sid = pair::client::sid_of(packet);
    assert_eq!(
        packet,
        format!(
            r#"0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#
        )
    );
    assert_eq!(answer.header("Content-Type"), Some(TEXT));
    assert_eq!(pair.take_heard(), ["connect / -"]);
    let polled = pair.ask(conn, get(&target("/socket.io/", "polling", &format!("&sid={sid}"))));
    assert_eq!(polled.expect("an answer").body, "2:40");
    assert_eq!((pair.hub.gauges().sessions, pair.hub.gauges().sessions_v3), (1, 1));
}

/// Source: `allowEIO3`, default false; a request that does not say its revision means the third.
#[test]
fn without_the_option_the_third_revision_is_unsupported() {
    for (mut pair, status) in [(Pair::new(), 400), (v3(), 200)] {
        for path in ["/socket.io/?EIO=3&transport=polling", "/socket.io/?transport=polling"] {
            let (found, body) = pair.ask_once(get(path));
            assert_eq!((found, body == UNSUPPORTED), (status, status == 400), "{path}");
        }
        for version in ["2", "5", "abc", ""] {
            let (status, body) = pair.ask_once(get(&format!("/socket.io/?EIO={version}&transport=polling")));
            assert_eq!((status, &*body), (400, UNSUPPORTED), "{version}");
        }
    }
    assert_eq!(Pair::new().ask_once(upgrade(&target("/socket.io/", "websocket", ""))).0, 400);
}

/// Reliability 1.4: a session is spoken to in the revision it was opened in.
#[test]
fn a_session_of_one_revision_is_none_of_the_other() {
    let mut pair = v3();
    let three = pair.poll_v3("");
    let four = pair.join_polling();
    for (sid, version) in [(&three.sid, 4), (&four.sid, 3)] {
        for transport in ["polling", "websocket"] {
            let path = format!("/socket.io/?EIO={version}&transport={transport}&sid={sid}");
            assert_eq!(pair.ask_once(get(&path)), (400, BAD_REQUEST.into()), "{path}");
            assert_eq!(pair.ask_once(upgrade(&path)).0, 400, "{path}");
        }
        let nothing = format!("/socket.io/?transport=polling&sid={}", four.sid);
        assert_eq!(pair.ask_once(get(&nothing)), (400, BAD_REQUEST.into()));
    }
    pair.emit(three.key, "[\"alive\"]");
    assert_eq!(pair.text_v3(&three).as_deref(), Some("11:42[\"alive\"]"));
}

/// Engine.IO protocol v3, "Payload": lengths are those of UTF-16, in both directions.
#[test]
fn lengths_are_utf16_units() {
    let mut pair = v3();
    let client = pair.poll_v3("");
    pair.post_v3(&client, "12:42[\"a\",\"😀\"]");
    assert_eq!(pair.take_heard(), ["#0 event [\"a\",\"😀\"]"]);
    pair.emit(client.key, "[\"é\"]");
    pair.emit(client.key, "[\"😀\"]");
    assert_eq!(pair.text_v3(&client).as_deref(), Some("7:42[\"é\"]8:42[\"😀\"]"));
}

/// Engine.IO protocol v3, "Payload": bytes if there is binary and the client takes it, text else.
#[test]
fn a_payload_with_binary_is_bytes() {
    let mut pair = v3();
    let (bytes, base64) = (pair.poll_v3(""), pair.poll_v3("&b64=1"));
    for client in [&bytes, &base64] {
        pair.emit(client.key, "[\"é\"]");
        pair.hub.send(client.key, Kind::Event, None, BINARY, &[vec![1, 2, 3, 4]], Manner::default());
    }
    let text = format!("451-{}", std::str::from_utf8(BINARY).expect("JSON"));
    let (kind, body) = pair.get_v3(&bytes).expect("packets");
    let mut expected = [&[0, 8, 255][..], "42[\"é\"]".as_bytes(), &[0, 3, 9, 255]].concat();
    assert_eq!(text.len(), 39);
    expected.extend_from_slice(text.as_bytes());
    expected.extend_from_slice(&[1, 5, 255, 4, 1, 2, 3, 4]);
    assert_eq!((kind.as_str(), body), ("application/octet-stream", expected));
    let payload = format!("7:42[\"é\"]39:{text}10:b4AQIDBA==");
    assert_eq!(pair.text_v3(&base64), Some(payload));
    pair.emit(bytes.key, "[\"text\"]");
    assert_eq!(pair.text_v3(&bytes).as_deref(), Some("10:42[\"text\"]"), "text alone is text");
}

/// Engine.IO protocol v3, "Payload": requests come as text or as bytes, whichever the content type says.
#[test]
fn requests_are_text_or_bytes() {
    let mut pair = v3();
    let client = pair.poll_v3("");
    let text = format!("451-{}", std::str::from_utf8(BINARY).expect("JSON"));
    pair.post_v3(&client, &format!("{}:{text}10:b4AQIDBA==", text.len()));
    let body = [&[0, 3, 9, 255], text.as_bytes(), &[1, 5, 255, 4, 1, 2, 3, 4]].concat();
    pair.post_octets_v3(&client, "application/octet-stream", &body);
    let event = format!("#0 event {} [1, 2, 3, 4]", std::str::from_utf8(BINARY).expect("JSON"));
    assert_eq!(pair.take_heard(), [event.clone(), event]);
}

/// Source: `httpCompression`, which is for bytes as for text.
#[test]
fn long_answers_are_compressed() {
    let mut pair = v3();
    let client = pair.poll_v3("");
    pair.hub.send(client.key, Kind::Event, None, BINARY, &[vec![7; 4000]], Manner::default());
    let request = get(&target("/socket.io/", "polling", &format!("&sid={}", client.sid)));
    pair.say(client.conn, request.replace("\r\n\r\n", "\r\nAccept-Encoding: gzip\r\n\r\n"));
    let answer = String::from_utf8_lossy(&pair.take(client.conn)).into_owned();
    for line in ["Content-Type: application/octet-stream\r\n", "Content-Encoding: gzip\r\n"] {
        assert!(answer.contains(line), "{answer}");
    }
    assert!(answer.len() < 500);
}

/// Source: the reference's `JSONP`: a script that calls a function by its number; a form with the field `d`.
#[test]
fn a_script_calls_the_client() {
    let mut pair = v3();
    let client = pair.poll_v3("&j=3");
    pair.emit(client.key, "[\"\u{2028}\\n\"]");
    pair.hub.send(client.key, Kind::Event, None, b"[]", &[vec![1]], Manner::default());
    let (kind, body) = pair.get_v3(&client).expect("packets");
    let script = r#"___eio[3]("9:42[\"\u2028\\n\"]6:451-[]6:b4AQ==");"#;
    assert_eq!((kind.as_str(), String::from_utf8(body).expect("text").as_str()), (TEXT, script));
    let form = "d=10%3A42%5B%22a%5C%5Cnb%22%5D";
    pair.post_octets_v3(&client, "application/x-www-form-urlencoded", form.as_bytes());
    assert_eq!(pair.take_heard(), ["#0 event [\"a\\nb\"]"]);
    assert_eq!(pair.get_v3(&client), None);
    pair.hub.disconnect_socket(pair.now_ms, client.key, Ending::Namespace);
    pair.turn();
    let (_, body) = pair.payload_v3(&client).expect("a script");
    assert_eq!(body, br#"___eio[3]("2:41");"#);
}

/// Where we are stricter: a number that is none could be a script of somebody else's.
#[test]
fn a_script_needs_a_number() {
    let mut pair = v3();
    for number in ["", "x", "1);alert(1", "-1", "99999999999"] {
        let path = target("/socket.io/", "polling", &format!("&j={number}"));
        assert_eq!(pair.ask_once(get(&path)), (400, BAD_REQUEST.into()), "{number}");
    }
    assert_eq!(pair.hub.gauges().sessions, 0);
}

/// Engine.IO protocol v3, "Payload": rubbish ends the session with a parse error.
#[test]
fn rubbish_ends_the_session() {
    for (rest, kind, body) in [
        ("", "text/plain", &b"abc"[..]),
        ("", "text/plain", b""),
        ("", "text/plain", b"4hello\x1e2"),
        ("", "text/plain", b"\xff"),
        ("", "text/plain", b"1:3"),
        ("", "application/octet-stream", b"1:2"),
        ("", "application/octet-stream", b"\x01\x02\xff\x02\x00"),
        ("&j=0", "text/plain", b"1:2"),
        ("&j=0", "application/x-www-form-urlencoded", b"e=1%3A2"),
    ] {
        let mut pair = v3();
        let client = pair.poll_v3(rest);
        pair.post_octets_v3(&client, kind, body);
        assert_eq!(pair.take_heard(), ["#0 left: parse error []"], "{body:?}");
        assert_eq!(pair.hub.gauges().sessions_v3, 0, "{body:?}");
    }
}

/// Bytes are still none of the fourth revision's.
#[test]
fn the_fourth_revision_takes_no_bytes() {
    let mut pair = v3();
    let client = pair.join_polling();
    let request = String::from_utf8(post(&client, "application/octet-stream", b"1:2")).expect("text");
    let answer = pair.ask(client.post, request.replace("EIO=3", "EIO=4")).expect("an answer");
    assert_eq!((answer.status, &*answer.body), (400, BAD_REQUEST));
}

/// Semantics 4: a poll that waits is told of the end in its own form.
#[test]
fn a_waiting_poll_hears_of_the_end() {
    for (rest, noop, close) in [("", "1:6", "1:1"), ("&j=0", r#"___eio[0]("1:6");"#, r#"___eio[0]("1:1");"#)]
    {
        let mut pair = v3();
        let (by_client, twice) = (pair.poll_v3(rest), pair.poll_v3(rest));
        for client in [&by_client, &twice] {
            assert_eq!(pair.get_v3(client), None);
        }
        let body = if rest.is_empty() { "1:1" } else { "d=1%3A1" };
        pair.post_v3(&by_client, body);
        assert_eq!(pair.payload_v3(&by_client).map(|(_, body)| body), Some(noop.as_bytes().to_vec()));
        let second = target("/socket.io/", "polling", &format!("&sid={}", twice.sid));
        assert_eq!(pair.ask_once(get(&second)), (400, BAD_REQUEST.into()));
        assert_eq!(pair.payload_v3(&twice).map(|(_, body)| body), Some(close.as_bytes().to_vec()));
    }
}

/// What the server closes is told with the polls that follow: first what was due, then the end.
#[test]
fn a_session_that_the_server_closed_hears_it_with_its_polls() {
    let mut pair = v3();
    let client = pair.poll_v3("");
    pair.emit(client.key, "[\"last\"]");
    pair.hub.disconnect_socket(pair.now_ms, client.key, Ending::Connection);
    pair.turn();
    assert_eq!(pair.text_v3(&client).as_deref(), Some("10:42[\"last\"]2:41"));
    assert_eq!(pair.text_v3(&client).as_deref(), Some("1:61:1"));
    assert_eq!(pair.hub.gauges().sessions, 0);
}

/// Source: `Polling.headers`: old Explorers take the answer for an attack unless told otherwise.
#[test]
fn old_explorers_are_told_that_it_is_no_attack() {
    for (mut pair, agent, is_told) in [
        (v3(), "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", true),
        (v3(), "Mozilla/5.0 (compatible;MSIE 9.0)", true),
        (v3(), "Mozilla/5.0 Firefox/130.0", false),
    ] {
        let conn = pair.open();
        let request = get(&target("/socket.io/", "polling", ""))
            .replace("\r\n\r\n", &format!("\r\nUser-Agent: {agent}\r\n\r\n"));
        let answer = pair.ask(conn, request).expect("an answer");
        assert_eq!(answer.header("X-XSS-Protection"), is_told.then_some("0"), "{agent}");
    }
}
