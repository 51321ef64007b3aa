//! Requests on a connection: one after the other, each answered, each within its limits (RFC 9112; the reference's error codes).

mod pair;

use pair::Pair;
use pair::client::{BAD_REQUEST, UNKNOWN, get, poll, post, upgrade, upgrade_session};
use socketville_hub::{Config, ConnId, Consults, Cors, Progress, Response, Transports};

fn ok(body: &str) -> Response {
    Response { status: 200, headers: Vec::new(), body: body.into() }
}

/// The reference's `Server.errors`, and its order of checks: exact status and JSON (semantics 1, reliability 1.4).
#[test]
fn errors_have_the_codes_of_the_reference() {
    let mut pair = Pair::new();
    let (_, sid) = pair.polling("/socket.io/");
    let (_, ws_sid) = pair.websocket("/socket.io/");
    let transport = r#"{"code":0,"message":"Transport unknown"}"#;
    let method = r#"{"code":2,"message":"Bad handshake method"}"#;
    let version = r#"{"code":5,"message":"Unsupported protocol version"}"#;
    let cases = [
        ("GET", "EIO=4", transport),
        ("GET", "EIO=4&transport=tcp", transport),
        ("GET", "EIO=4&transport=__proto__", transport),
        ("GET", "EIO=4&transport=constructor", transport),
        ("GET", "EIO=4&transport=polling&sid=__proto__", UNKNOWN),
        ("GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", UNKNOWN),
        ("GET", "EIO=4&transport=polling&sid=_AAAAAAAAAAAAAAAAAAA", UNKNOWN),
        ("POST", "EIO=4&transport=polling", method),
        ("PUT", "EIO=4&transport=polling", method),
        ("GET", "EIO=4&transport=websocket", BAD_REQUEST),
        ("GET", &format!("EIO=4&transport=websocket&sid={sid}"), BAD_REQUEST),
        ("GET", &format!("EIO=4&transport=polling&sid={ws_sid}"), BAD_REQUEST),
        ("POST", &format!("EIO=4&transport=polling&sid={ws_sid}"), BAD_REQUEST),
        ("GET", &format!("EIO=3&transport=polling&sid={sid}"), BAD_REQUEST),
        ("PUT", &format!("EIO=4&transport=polling&sid={sid}"), BAD_REQUEST),
        ("DELETE", &format!("EIO=4&transport=polling&sid={sid}"), BAD_REQUEST),
        ("GET", "EIO=3&transport=polling", version),
        ("GET", "transport=polling", version),
    ];
    for (method, query, expected) in cases {
        let request = get(&format!("/socket.io/?{query}")).replacen("GET", method, 1);
        assert_eq!(pair.ask_once(request), (400, expected.into()), "{method} {query}");
    }
    assert_eq!(pair.hub.gauges().sessions, 2, "no refusal harmed anyone");
}

/// `transports` leaves the others unknown.
#[test]
fn a_transport_that_is_off_is_unknown() {
    for (transports, query) in
        [(Transports::WebSocketOnly, "polling"), (Transports::PollingOnly, "websocket")]
    {
        let mut pair = Pair::with(Config { transports, ..Config::default() });
        let (status, body) = pair.ask_once(get(&format!("/socket.io/?EIO=4&transport={query}")));
        assert_eq!((status, &*body), (400, r#"{"code":0,"message":"Transport unknown"}"#));
    }
    let mut pair = Pair::with(Config { transports: Transports::PollingOnly, ..Config::default() });
    let (_, body) = pair.ask_once(get("/socket.io/?EIO=4&transport=polling"));
    assert!(body.contains(r#""upgrades":[]"#), "{body}");
}

/// Source: engine.io `abortUpgrade`: an upgrade that cannot be is refused in plain words, before 101.
#[test]
fn upgrades_are_refused_in_plain_words() {
    let cases = [
        ("EIO=3&transport=websocket", "Unsupported protocol version"),
        ("EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA", "Session ID unknown"),
        ("EIO=4&transport=polling", "Bad request"),
    ];
    for (query, expected) in cases {
        let mut pair = Pair::new();
        let conn = pair.open();
        let answer = pair.ask(conn, upgrade(&format!("/socket.io/?{query}"))).expect("an answer");
        assert_eq!((answer.status, &*answer.body), (400, expected));
        assert!(!pair.is_open(conn));
    }
}

/// RFC 6455 section 4.2: a handshake without a proper key or version.
#[test]
fn broken_handshakes_are_refused() {
    for (from, to) in [("Version: 13", "Version: 8"), ("dGhlIHNhbXBsZSBub25jZQ==", "short")] {
        let mut pair = Pair::new();
        let conn = pair.open();
        let request = upgrade("/socket.io/?EIO=4&transport=websocket").replace(from, to);
        assert_eq!(pair.ask(conn, request).map(|answer| answer.status), Some(400));
        assert!(!pair.is_open(conn) && pair.hub.gauges().sessions == 0);
    }
}

/// RFC 9112 section 2.2 and reliability 1.4: what two readers could understand differently is refused, and the connection closes.
#[test]
fn malformed_heads_close_the_connection() {
    let long = "x".repeat(20_000);
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\nHost: here\n\n".to_owned(), 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                .to_owned(),
            400,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n".to_owned(), 400),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nx: {long}"), 431),
    ];
    for (request, status) in cases {
        let mut pair = Pair::new();
        let conn = pair.open();
        let answer = pair.ask(conn, &request).expect("an answer");
        let shown = &request[..request.len().min(60)];
        assert_eq!((answer.status, answer.header("Connection")), (status, Some("close")), "{shown}");
        assert!(!pair.is_open(conn), "{shown}");
    }
}

/// RFC 9112 section 9.3: a connection is kept unless someone says otherwise.
#[test]
fn connections_are_kept_unless_told_otherwise() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    assert!(pair.is_open(client.conn) && pair.is_open(client.post));
    pair.emit(client.key, "[\"a\"]");
    let request = poll(&client.sid).replace("Host:", "Connection: close\r\nHost:");
    let answer = pair.ask(client.conn, request).expect("an answer");
    assert_eq!((&*answer.body, answer.header("Connection")), ("42[\"a\"]", Some("close")));
    assert!(!pair.is_open(client.conn) && pair.heard.is_empty());
}

/// A poll that waits keeps its `Connection: close` until it is answered.
#[test]
fn a_waiting_poll_closes_after_its_answer() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let request = poll(&client.sid).replace("Host:", "Connection: close\r\nHost:");
    assert_eq!(pair.ask(client.conn, request), None);
    assert!(pair.is_open(client.conn));
    pair.emit(client.key, "[\"a\"]");
    pair.turn();
    assert_eq!(pair.payload(&client).as_deref(), Some("42[\"a\"]"));
    assert!(!pair.is_open(client.conn) && pair.knows(&client.sid));
}

/// RFC 9112 section 9.3.2: pipelined requests are answered in the order in which they came.
#[test]
fn pipelined_requests_are_served_in_order() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let both = [post(&client.sid, "42[\"one\"]"), post(&client.sid, "42[\"two\"]"), get("/page")].concat();
    pair.say(client.post, both);
    for expected in ["ok", "ok"] {
        assert_eq!(pair.answer(client.post).expect("an answer").body, expected);
    }
    assert_eq!(pair.take_heard(), ["#0 event [\"one\"]", "#0 event [\"two\"]"]);
    assert_eq!(pair.requests.pop().map(|(_, request)| request.target).as_deref(), Some("/page"));
}

/// What comes behind a request that is not answered yet is held, and read when it is.
#[test]
fn requests_behind_a_waiting_one_are_held() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    pair.say(client.conn, [poll(&client.sid), get("/page")].concat());
    pair.say(client.conn, &post(&client.sid, "42[\"held\"]")[..9]);
    pair.say(client.conn, &post(&client.sid, "42[\"held\"]")[9..]);
    assert!(pair.heard.is_empty() && pair.requests.is_empty());
    pair.emit(client.key, "[\"a\"]");
    pair.turn();
    pair.turn();
    assert_eq!(pair.payload(&client).as_deref(), Some("42[\"a\"]"));
    assert!(pair.take_heard().is_empty() && pair.requests.len() == 1);
    pair.hub.respond(pair.now_ms, client.conn, &ok("page"));
    pair.turn();
    pair.turn();
    assert_eq!(pair.payload(&client).as_deref(), Some("page"));
    assert_eq!(pair.payload(&client).as_deref(), Some("ok"));
    assert_eq!(pair.take_heard(), ["#0 event [\"held\"]"]);
}

/// `HEAD_TIMEOUT_MS`: a head has ten seconds from its first byte, however slowly it drips (slow-loris).
#[test]
fn a_head_has_a_deadline() {
    let mut pair = Pair::new();
    let (silent, dripping) = (pair.open(), pair.open());
    for byte in get("/socket.io/?EIO=4&transport=polling").bytes().take(10) {
        pair.say(dripping, [byte]);
        pair.pass_ms(999);
    }
    assert!(pair.is_open(silent) && pair.is_open(dripping));
    pair.pass_ms(10);
    assert!(!pair.is_open(silent) && !pair.is_open(dripping));
}

/// `KEEP_ALIVE_MS`: an idle connection stays 65 seconds, a begun head on it ten.
#[test]
fn idle_connections_are_kept_a_while() {
    let mut pair = Pair::new();
    let ((idle, _), (late, _)) = (pair.polling("/socket.io/"), pair.polling("/socket.io/"));
    pair.pass_ms(60_000);
    pair.say(late, "GET /");
    pair.pass_ms(4_999);
    assert!(pair.is_open(idle));
    pair.pass_ms(1);
    assert!(!pair.is_open(idle) && !pair.is_open(late), "a begun head does not lengthen the wait");
}

/// Semantics 9: preflight is answered 204, and CORS headers are on errors too; without `cors` there are none.
#[test]
fn cross_origin_requests_are_answered_as_configured() {
    let mut pair = Pair::with(Config { cors: Cors::any(), ..Config::default() });
    let conn = pair.open();
    let preflight = get("/socket.io/?EIO=4&transport=polling").replacen("GET", "OPTIONS", 1);
    let answer = pair.ask(conn, &preflight).expect("an answer");
    assert_eq!((answer.status, answer.header("Access-Control-Allow-Origin")), (204, Some("*")));
    assert_eq!(answer.header("Access-Control-Allow-Methods"), Some("GET,HEAD,PUT,PATCH,POST,DELETE"));
    let answer = pair.ask(conn, get("/socket.io/")).expect("an answer on the same connection");
    assert_eq!((answer.status, answer.header("Access-Control-Allow-Origin")), (400, Some("*")));
    let mut plain = Pair::new();
    let conn = plain.open();
    let answer = plain.ask(conn, preflight).expect("an answer");
    assert_eq!((answer.status, answer.header("Access-Control-Allow-Origin")), (400, None));
}

/// What is not the engine's is the application's, with its body; HEAD gets the head alone (RFC 9110 section 9.3.2).
#[test]
fn other_paths_are_the_applications() {
    let mut pair = Pair::new();
    let conn = pair.open();
    pair.say(conn, "POST /api?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    assert!(pair.requests.is_empty());
    pair.say(conn, "llo");
    let (of, request) = pair.requests.pop().expect("a request");
    assert_eq!((of, &*request.target, &*request.body), (conn, "/api?x=1", &b"hello"[..]));
    pair.hub.respond(pair.now_ms, conn, &ok("hi"));
    pair.hub.respond(pair.now_ms, conn, &ok("twice"));
    pair.turn();
    assert_eq!(pair.answer(conn).map(|answer| answer.body).as_deref(), Some("hi"));
    assert_eq!(pair.answer(conn), None, "one answer a request");
    pair.say(conn, get("/api").replacen("GET", "HEAD", 1));
    pair.hub.respond(pair.now_ms, conn, &ok("hi"));
    pair.turn();
    let head = String::from_utf8(pair.take(conn)).expect("text");
    assert!(head.contains("Content-Length: 2\r\n") && head.ends_with("\r\n\r\n"), "{head}");
}

/// An answer that comes after its connection has ended touches nothing (invariant 5).
#[test]
fn a_late_answer_touches_nothing() {
    let mut pair = Pair::new();
    let conn = pair.open();
    pair.say(conn, get("/slow"));
    pair.hub.handle_end(conn, socketville_hub::Reason::TransportClose);
    pair.hub.respond(pair.now_ms, conn, &ok("late"));
    pair.run_effects();
    pair.turn();
    assert_eq!((pair.take(conn), pair.is_open(conn)), (Vec::new(), false));
    pair.hub.respond(pair.now_ms, conn, &ok("later"));
    assert_eq!(pair.hub.gauges().connections, 0);
}

/// A client that closes its sending half still gets the answer that is being made (RFC 9112 section 9.6).
#[test]
fn a_half_closed_client_gets_its_answer() {
    let mut pair = Pair::new();
    let conn = pair.open();
    pair.say(conn, get("/slow"));
    pair.end(conn);
    assert!(pair.is_open(conn));
    pair.hub.respond(pair.now_ms, conn, &ok("here"));
    pair.turn();
    assert_eq!(pair.answer(conn).map(|answer| answer.body).as_deref(), Some("here"));
    assert!(!pair.is_open(conn));
}

/// `connections_max`: one more is closed at once, the others stay.
#[test]
fn connections_over_the_limit_are_closed() {
    let mut pair = Pair::with(Config { connections_max: 2, ..Config::default() });
    let conns = [pair.open(), pair.open(), pair.open()];
    pair.turn();
    assert_eq!(conns.map(|conn| pair.is_open(conn)), [true, true, false]);
    pair.end(conns[0]);
    let fourth = pair.open();
    pair.turn();
    assert!(pair.is_open(fourth));
    assert_eq!(pair.hub.counters.connections_refused, 1);
}

/// Each request of a session split at every position is the same request.
#[test]
fn requests_may_be_split_anywhere() {
    let mut pair = Pair::new();
    let (_, sid) = pair.polling("/socket.io/");
    for whole in
        [post(&sid, "6"), get("/socket.io/?EIO=4&transport=polling"), upgrade_session("AAAAAAAAAAAAAAAAAAAA")]
    {
        let expected = pair.ask_once(&whole).0;
        for at in 1..whole.len() {
            let conn = pair.open();
            pair.say(conn, &whole[..at]);
            assert_eq!(pair.ask(conn, &whole[at..]).map(|answer| answer.status), Some(expected), "{at}");
        }
    }
}

/// Bug: a refused POST ended its connection although its body had come along and could be passed over.
#[test]
fn a_refused_post_whose_body_came_along_keeps_its_connection() {
    let mut pair = Pair::new();
    let conn = pair.open();
    let answer = pair.ask(conn, post("nobody", "40")).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str(), answer.header("Connection")), (400, UNKNOWN, None));
    let next = pair.ask(conn, get("/socket.io/?EIO=4&transport=polling")).expect("another answer");
    assert_eq!(next.status, 200);
}

/// Bug: `sid=` was taken for an unknown session; the reference opens one, as without it.
#[test]
fn an_empty_sid_is_none() {
    let mut pair = Pair::new();
    let conn = pair.open();
    let answer = pair.ask(conn, get("/socket.io/?EIO=4&transport=polling&sid=")).expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("0{"), "{}", answer.body);
}

/// Bug: a client of another version of WebSocket was not told which one would do (RFC 6455 section 4.4).
#[test]
fn another_version_of_websocket_is_told_which_one_would_do() {
    let mut pair = Pair::new();
    let conn = pair.open();
    let request = upgrade("/socket.io/?EIO=4&transport=websocket").replace("Version: 13", "Version: 8");
    let answer = pair.ask(conn, request).expect("an answer");
    assert_eq!((answer.status, answer.header("Sec-WebSocket-Version")), (400, Some("13")));
}

/// Bug: a WebSocket that offered subprotocols got none, which browsers take for a failure (RFC 6455 section 4.1).
#[test]
fn the_first_offered_subprotocol_is_agreed_upon() {
    for (offered, agreed) in [
        ("chat, superchat", Some("chat")),
        ("mine", Some("mine")),
        ("", None),
        (", chat", None),
        ("a b", None),
    ] {
        let mut pair = Pair::new();
        let conn = pair.open();
        let line = format!("\r\nSec-WebSocket-Protocol: {offered}\r\n\r\n");
        let request = upgrade("/socket.io/?EIO=4&transport=websocket").replace("\r\n\r\n", &line);
        let answer = pair.ask(conn, request).expect("an answer");
        assert_eq!((answer.status, answer.header("Sec-WebSocket-Protocol")), (101, agreed), "{offered}");
    }
}

/// A request that waits for the application, and the connection that it came on.
type Waiting = fn(&mut Pair) -> ConnId;

fn for_an_answer(pair: &mut Pair) -> ConnId {
    let conn = pair.open();
    pair.say(conn, get("/page"));
    conn
}

fn for_leave_to_open(pair: &mut Pair) -> ConnId {
    pair.hub.consult(Consults { openings: true, ..Consults::default() });
    let conn = pair.open();
    pair.say(conn, get("/socket.io/?EIO=4&transport=polling"));
    conn
}

fn for_leave_to_be_routed(pair: &mut Pair) -> ConnId {
    pair.hub.guard(std::iter::once("/page".into()), std::iter::empty());
    let conn = pair.open();
    pair.say(conn, get("/page"));
    conn
}

fn for_leave_to_post(pair: &mut Pair) -> ConnId {
    let client = pair.join_polling();
    pair.hub.consult(Consults { all: true, ..Consults::default() });
    pair.say(client.post, post(&client.sid, "3"));
    client.post
}

/// A connection that waits for the application waits as long as that takes: no deadline of its earlier phases is left.
#[test]
fn what_waits_for_the_application_waits_as_long_as_it_takes() {
    let ways: [(&str, Waiting); 4] = [
        ("an answer", for_an_answer),
        ("leave to open", for_leave_to_open),
        ("leave to be routed", for_leave_to_be_routed),
        ("leave to post", for_leave_to_post),
    ];
    for (what, waiting) in ways {
        let mut pair = Pair::new();
        let conn = waiting(&mut pair);
        pair.pass_ms(600_000);
        assert!(pair.is_held(conn), "for {what}");
        assert!(pair.take(conn).windows(5).all(|bytes| bytes != b" 408 "), "for {what}");
    }
}

/// A POST whose session was cut while its packets were handled is not answered as if they all had been.
#[test]
fn what_is_cut_is_not_answered() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let conn = pair.open();
    let session = pair.hub.session_of_socket(client.key).expect("a session");
    let request = post(&client.sid, "42[\"e\"]");
    let (taken, _) = pair.hub.handle_http(pair.now_ms, conn, request.as_bytes());
    let (_, progress) = pair.hub.handle_http(pair.now_ms, conn, &request.as_bytes()[taken..]);
    assert!(matches!(progress, Progress::Payload(..)), "{progress:?}");
    pair.hub.begin_anew();
    pair.run_effects();
    pair.hub.finish_post(pair.now_ms, conn, session);
    pair.turn();
    assert_eq!(pair.take(conn), b"");
    assert!(!pair.is_held(conn));
    assert_eq!(pair.hub.gauges().connections_lingering, 0);
}
