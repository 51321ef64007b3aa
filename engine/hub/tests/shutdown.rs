//! A shutdown: every session is told in its transport's own terms, and every socket leaves with that reason.

mod pair;

use pair::Pair;
use pair::client::{UNKNOWN, get, poll, text, upgrade, upgrade_session};
use socketville_hub::limits::UNFINISHED_MS;
use socketville_hub::{Config, ConnId, Gauges, Owed, Remains, Response};

fn shut_down(pair: &mut Pair) {
    pair.hub.close_all(pair.now_ms, pair.now_ms + WINDOW_MS);
    pair.run_effects();
    pair.turn();
}

const WINDOW_MS: u64 = 10_000;

/// Source: the reference's reason `server shutting down`; a WebSocket gets what was due, then a close frame.
#[test]
fn websockets_get_what_is_due_and_a_close() {
    let mut pair = Pair::new();
    let (first, second) = (pair.join_websocket(), pair.join_websocket());
    pair.feed(second.conn, text("40/a,"));
    pair.heard.clear();
    pair.take(second.conn);
    pair.hub.join(first.key, "r").expect("a room");
    pair.broadcast(&[], "[\"bye\"]");
    shut_down(&mut pair);
    assert_eq!(pair.frames(first.conn), ["42[\"bye\"]", "close"]);
    assert_eq!(pair.frames(second.conn)[1..], ["42[\"bye\"]", "close"]);
    let left = |n: usize, rooms: &str| format!("#{n} left: server shutting down [{rooms}]");
    assert_eq!(pair.take_heard(), [left(0, "\"r\""), left(1, ""), left(2, "")]);
    assert_eq!(
        pair.hub.remains(),
        Remains::Ends,
        "for their ends, without which what they send might reset them"
    );
    [first.conn, second.conn].into_iter().for_each(|conn| pair.end(conn));
    assert_eq!((pair.hub.remains(), pair.hub.gauges()), (Remains::Nothing, Gauges::default()));
}

/// A poll that waits is told; one that comes later gets what was due, then the close, and the id is gone.
#[test]
fn polling_clients_are_told() {
    let mut pair = Pair::new();
    let (waiting, busy, absent) = (pair.join_polling(), pair.join_polling(), pair.join_polling());
    assert_eq!((pair.poll(&waiting), pair.poll(&busy)), (None, None));
    pair.emit(busy.key, "[\"bye\"]");
    pair.emit(absent.key, "[\"bye\"]");
    shut_down(&mut pair);
    assert_eq!(pair.payload(&waiting).as_deref(), Some("1"));
    assert_eq!(pair.payload(&busy).as_deref(), Some("42[\"bye\"]"));
    assert_eq!(pair.poll(&absent).as_deref(), Some("42[\"bye\"]"));
    for client in [&busy, &absent] {
        assert_eq!(pair.poll(client).as_deref(), Some("6\x1e1"));
        assert_eq!(pair.ask_once(poll(&client.sid)), (400, UNKNOWN.into()));
    }
    assert_eq!(pair.take_heard().len(), 3);
    assert_eq!((pair.hub.gauges().sessions, pair.hub.gauges().sockets), (0, 0));
}

/// A probe is closed with its session, and a client that middlewares look at is forgotten.
#[test]
fn those_on_the_doorstep_are_closed_too() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    let probe = pair.open();
    pair.ask(probe, upgrade_session(&client.sid));
    pair.keeps_waiting = true;
    let (conn, _) = pair.websocket("/socket.io/");
    pair.tell(conn, "40");
    pair.heard.clear();
    shut_down(&mut pair);
    assert_eq!((pair.frames(probe), pair.frames(conn)), (vec!["close".to_owned()], vec!["close".to_owned()]));
    assert!(!pair.is_open(probe) && !pair.is_open(conn));
    assert_eq!(pair.take_heard(), ["#0 left: server shutting down []", "#1 abandoned"]);
}

/// Who takes some of it from time to time has the whole window, not only a linger.
#[test]
fn a_slow_reader_gets_its_backlog_and_a_close_within_the_window() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.limit(ws.conn, 0);
    pair.emit(ws.key, "[\"late\"]");
    pair.turn();
    shut_down(&mut pair);
    assert_eq!(pair.hub.remains(), Remains::Owing);
    for _ in 0..9 {
        pair.pass_ms(1_000);
        pair.limit(ws.conn, 1);
        assert_eq!((pair.hub.remains(), pair.hub.owed().clients), (Remains::Owing, 1));
    }
    pair.limit(ws.conn, usize::MAX);
    pair.turn();
    assert_eq!(pair.frames(ws.conn), ["42[\"late\"]", "close"]);
    assert_eq!((pair.hub.remains(), pair.hub.owed()), (Remains::Ends, Owed::default()));
}

/// What the window cuts off is known: bytes in backlogs, and packets that nobody polled for.
#[test]
fn what_was_not_taken_is_counted() {
    let mut pair = Pair::new();
    let (deaf, absent, _idle) = (pair.join_websocket(), pair.join_polling(), pair.open());
    pair.limit(deaf.conn, 0);
    pair.emit(deaf.key, "[\"lost\"]");
    pair.emit(absent.key, "[\"lost\"]");
    pair.turn();
    shut_down(&mut pair);
    pair.pass_ms(WINDOW_MS);
    assert_eq!(pair.hub.remains(), Remains::Owing);
    let (event, close) = ("42[\"lost\"]".len(), 2);
    assert_eq!(pair.hub.owed(), Owed { clients: 2, bytes: (2 + event + close) + event });
}

/// A bare WebSocket is no session's, and is told as well. Source: RFC 6455 section 7.4.1, going away.
#[test]
fn bare_websockets_are_told_that_the_server_goes() {
    let mut pair = Pair::with(Config { websocket_paths: vec!["/echo".into()], ..Config::default() });
    let conn = pair.open();
    pair.ask(conn, upgrade("/echo"));
    shut_down(&mut pair);
    assert_eq!(pair.frames(conn), ["close 1001"]);
}

/// Once is enough.
#[test]
fn a_second_shutdown_changes_nothing() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    shut_down(&mut pair);
    pair.pass_ms(29_999);
    shut_down(&mut pair);
    pair.pass_ms(1);
    assert!(!pair.knows(&client.sid));
    assert_eq!(pair.take_heard().len(), 1);
}

/// The status of the only answer that has come, behind which the connection closes.
fn last_answer(pair: &mut Pair, conn: ConnId) -> u16 {
    let answer = pair.answer(conn).expect("an answer");
    assert_eq!((answer.header("Connection"), pair.take(conn).len()), (Some("close"), 0), "no further one");
    answer.status
}

/// What strangers send does not prolong the end: each has the answer to the request under way, which closes, and no other. A peer that asks for the first
/// time is told that it is too late.
#[test]
fn a_flood_of_requests_is_over_with_one_answer_each() {
    let mut pair = Pair::new();
    let (busy, late, idle) = (pair.open(), pair.open(), pair.open());
    pair.say(busy, get("/slow").repeat(100));
    assert_eq!(pair.requests.len(), 1, "one at a time");
    shut_down(&mut pair);
    assert_eq!(pair.hub.remains(), Remains::Owing, "the application answers");
    pair.pass_ms(UNFINISHED_MS + 1);
    let response = Response { status: 200, headers: Vec::new(), body: Vec::new() };
    pair.hub.respond(pair.now_ms, busy, &response);
    pair.turn();
    assert_eq!(last_answer(&mut pair, busy), 200);
    assert!(!pair.is_open(late) && !pair.is_open(idle), "who says nothing is not waited for");
    pair.say(busy, get("/slow").repeat(100));
    assert_eq!((pair.take(busy).len(), pair.requests.len()), (0, 1));
    pair.pass_ms(UNFINISHED_MS);
    assert_eq!(pair.hub.remains(), Remains::Nothing);
}

#[test]
fn nothing_begins_once_clients_were_told() {
    let mut pair = Pair::with(Config { websocket_paths: vec!["/echo".into()], ..Config::default() });
    let requests = [get("/any"), get("/socket.io/?EIO=4&transport=polling"), upgrade("/echo")];
    let conns = requests.each_ref().map(|_| pair.open());
    shut_down(&mut pair);
    for (conn, request) in conns.into_iter().zip(requests) {
        pair.say(conn, request);
        assert_eq!(last_answer(&mut pair, conn), 503);
    }
    assert!(pair.requests.is_empty());
    conns.into_iter().for_each(|conn| pair.end(conn));
    assert_eq!(pair.hub.remains(), Remains::Nothing);
}

/// A head or a body that has begun has a short time for its rest; then it is told, and the end does not wait for it.
#[test]
fn what_is_not_whole_has_a_short_time() {
    let begun = ["GET /a HTTP/1.1\r\nHo", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1234"];
    for request in begun {
        let mut pair = Pair::new();
        let conn = pair.open();
        pair.say(conn, request);
        shut_down(&mut pair);
        pair.pass_ms(UNFINISHED_MS - 1);
        assert!(pair.is_open(conn) && pair.hub.remains() != Remains::Nothing, "{request}");
        pair.pass_ms(1);
        assert_eq!(last_answer(&mut pair, conn), 408, "{request}");
        pair.pass_ms(UNFINISHED_MS);
        assert_eq!(pair.hub.remains(), Remains::Nothing, "{request}");
    }
}

/// A body that comes whole in that time is its request's, and the application answers it as it likes.
#[test]
fn a_body_under_way_may_be_finished() {
    let mut pair = Pair::new();
    let conn = pair.open();
    pair.say(conn, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n12");
    shut_down(&mut pair);
    pair.say(conn, "34");
    assert_eq!(pair.requests.len(), 1);
    pair.hub.respond(pair.now_ms, conn, &Response { status: 200, headers: Vec::new(), body: Vec::new() });
    pair.turn();
    assert_eq!(last_answer(&mut pair, conn), 200);
}

/// Answers that nobody takes are not a client's: they do not hold the window open.
#[test]
fn a_stranger_that_does_not_read_is_not_waited_for() {
    let mut pair = Pair::new();
    let conn = pair.open();
    pair.limit(conn, 10);
    pair.say(conn, get("/socket.io/").repeat(5));
    shut_down(&mut pair);
    assert_eq!(pair.hub.remains(), Remains::Owing);
    pair.pass_ms(UNFINISHED_MS);
    assert_eq!(pair.hub.remains(), Remains::Nothing);
}
