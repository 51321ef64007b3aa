//! What a core holds for its peers has two marks: above the soft one no session begins, above the hard one the largest debtors are cut, and
//! nobody else notices.

mod pair;

use pair::client::{binary, get, poll, post, text, upgrade_session};
use pair::{Client, Pair};
use socketville_hub::limits::BODY_TIMEOUT_MS;
use socketville_hub::{Budget, Config, Consults, Kind, Owner, Progress, Recovery, Response, Selector};
use socketville_proto::encode;

const HARD: usize = 8 << 20;

/// The arena's own megabyte is held for everybody.
fn pair() -> Pair {
    Pair::with(Config { budget: Budget { hard_bytes: HARD }, ..Config::default() })
}

/// A client that reads nothing is owed so many bytes.
fn owe(pair: &mut Pair, client: &Client, bytes: usize) {
    pair.limit(client.conn, 0);
    for _ in 0..bytes / 10_000 {
        pair.emit(client.key, &format!("[\"{}\"]", "x".repeat(9_990)));
    }
    pair.turn();
    pair.hub.audit(&[]).expect("the account is right");
}

/// RFC 9110 section 15.6.4: who comes now is told to come later; who is here stays.
#[test]
fn above_the_soft_mark_no_session_begins() {
    let mut pair = pair();
    let clients: Vec<Client> = (0..7).map(|_| pair.join_websocket()).collect();
    for client in &clients {
        owe(&mut pair, client, 950_000);
    }
    let conn = pair.open();
    let answer = pair.ask(conn, get("/socket.io/?EIO=4&transport=polling")).expect("an answer");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(clients.iter().all(|client| pair.is_open(client.conn)));
    assert_eq!((pair.hub.counters.sessions_refused, pair.hub.counters.shed), (1, 0));
    pair.limit(clients[0].conn, usize::MAX);
    pair.limit(clients[1].conn, usize::MAX);
    pair.turn();
    assert_eq!(pair.join_websocket().sid.len(), 20);
}

/// The largest debtors go, with a reason, until seven eighths are held; the smallest stays, and a client that owes nothing loses nothing.
#[test]
fn above_the_hard_mark_the_largest_debtors_are_cut() {
    let mut pair = pair();
    let healthy = pair.join_websocket();
    let clients: Vec<Client> = (0..9).map(|_| pair.join_websocket()).collect();
    for (number, client) in clients.iter().enumerate() {
        owe(&mut pair, client, 850_000 + number * 20_000);
    }
    assert!(pair.hub.held_bytes() <= HARD && pair.hub.counters.shed > 0);
    let heard = pair.take_heard();
    assert!(heard.iter().all(|left| left.ends_with("left: memory limit []")), "{heard:?}");
    assert!(heard.iter().any(|left| left.starts_with("#8 ")), "the largest of the time went: {heard:?}");
    assert!(heard.len() < 4 && !heard.iter().any(|left| left.starts_with("#1 ")), "{heard:?}");
    pair.limit(clients[7].conn, usize::MAX);
    pair.turn();
    let frames = pair.frames(clients[7].conn);
    assert_eq!(frames.last().map(String::as_str), Some("close 1013 memory limit"), "{} frames", frames.len());
    pair.emit(healthy.key, "[1]");
    pair.turn();
    assert_eq!(pair.frames(healthy.conn), ["42[1]"]);
}

/// The bug: a publish that was being read was the largest debt of a core full of slow readers, and ended without an answer.
#[test]
fn a_body_that_the_application_reads_is_given_up_last() {
    let mut pair = pair();
    let upload = pair.open();
    pair.feed(
        upload,
        format!("POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 990000\r\n\r\n{}", "x".repeat(989_000)),
    );
    let clients: Vec<Client> = (0..12).map(|_| pair.join_websocket()).collect();
    clients.iter().for_each(|client| owe(&mut pair, client, 850_000));
    assert!(pair.hub.held_bytes() <= HARD && pair.hub.counters.shed > 0);
    assert!(pair.is_open(upload));
}

/// `sim --scenario hard-mark --seed 17`: the answer that a poll waits for is its session's debt. If it is cut, the application is told so.
#[test]
fn a_session_ends_with_the_answer_to_its_poll() {
    let mut pair = Pair::with(Config { budget: Budget { hard_bytes: 1 << 20 }, ..Config::default() });
    for is_waiting in [true, false] {
        let polling = pair.join_polling();
        pair.limit(polling.conn, 0);
        if is_waiting {
            pair.feed(polling.conn, poll(&polling.sid));
        }
        pair.emit(polling.key, &format!("[\"{}\"]", "x".repeat(950_000)));
        if !is_waiting {
            pair.feed(polling.conn, poll(&polling.sid));
        }
        pair.turn();
        let heard = pair.take_heard();
        assert!(heard.len() == 1 && heard[0].ends_with("left: memory limit []"), "{heard:?}");
        assert!(!pair.is_open(polling.conn) && !pair.knows(&polling.sid));
    }
}

/// `sim --scenario hard-mark --seed 6262`: what a session owes that polls is not the debt of the WebSocket that wants to take over.
#[test]
fn a_probe_is_not_cut_for_its_session() {
    let mut pair = Pair::with(Config { budget: Budget { hard_bytes: 1 << 20 }, ..Config::default() });
    let polling = pair.join_polling();
    let conn = pair.open();
    assert_eq!(pair.ask(conn, upgrade_session(&polling.sid)).map(|answer| answer.status), Some(101));
    pair.tell(conn, "2probe");
    pair.emit(polling.key, &format!("[\"{}\"]", "x".repeat(950_000)));
    pair.turn();
    assert_eq!((pair.take_heard(), pair.hub.counters.shed), (vec!["#0 left: memory limit []".into()], 1));
    assert!(!pair.knows(&polling.sid));
}

/// `sim --scenario spills --seed 10`: what the arena keeps for the next burst must not keep newcomers out of a core that may hold little.
#[test]
fn a_small_core_takes_clients_after_a_burst() {
    let mut pair = Pair::with(Config { budget: Budget { hard_bytes: 1 << 20 }, ..Config::default() });
    let client = pair.join_websocket();
    (0..40).for_each(|_| _ = pair.emit(client.key, &format!("[\"{}\"]", "x".repeat(9_990))));
    pair.turn();
    assert_eq!(pair.frames(client.conn).len(), 40);
    assert_eq!(pair.join_websocket().sid.len(), 20);
    assert_eq!((pair.hub.counters.sessions_refused, pair.hub.counters.shed), (0, 0));
}

/// Whatever it is that a client makes the core hold, it counts.
#[test]
fn all_that_is_held_is_charged_and_given_back() {
    let mut pair = pair();
    let (ws, polling) = (pair.join_websocket(), pair.join_polling());
    let before = pair.hub.account().held();
    pair.feed(ws.conn, text("451-[\"file\",{\"_placeholder\":true,\"num\":0}]"));
    pair.feed(ws.conn, &binary(&[7; 5_000])[..3_000]);
    let post = pair.open();
    pair.feed(
        post,
        format!("POST /up HTTP/1.1\r\nHost: here\r\nContent-Length: 9000\r\n\r\n{}", "x".repeat(4_000)),
    );
    let head = pair.open();
    pair.feed(head, "GET / HTTP/1.1\r\nHost: a-head-that-is-not-whole");
    pair.emit(polling.key, "[\"waits for a poll\"]");
    pair.hub.audit(&[]).expect("the account is right");
    for kind in [Kind::Attachments, Kind::Frames, Kind::Body, Kind::Input, Kind::Polls, Kind::Handshakes] {
        assert!(pair.hub.account().held_of(kind) > 0, "{}", kind.name());
    }
    pair.break_line(ws.conn);
    pair.break_line(post);
    pair.break_line(head);
    pair.say(polling.conn, poll(&polling.sid));
    pair.hub.audit(&[]).expect("the account is right");
    assert!(pair.hub.account().held() <= before, "{:?}", pair.hub.account());
}

/// A message that waits for its attachments has as long as a body, and no longer than a client that is silent.
#[test]
fn attachments_have_a_deadline() {
    let mut pair = Pair::new();
    let ws = pair.join_websocket();
    pair.say(ws.conn, text("452-[\"file\",{\"_placeholder\":true,\"num\":0}]"));
    pair.pass_ms(20_000);
    pair.say(ws.conn, binary(b"the first of two"));
    pair.pass_ms(BODY_TIMEOUT_MS - 20_001);
    assert!(pair.is_open(ws.conn));
    pair.pass_ms(1);
    assert!(!pair.is_open(ws.conn));
    assert_eq!(pair.take_heard(), ["#0 left: forced close []"]);
    let whole = pair.join_websocket();
    pair.say(whole.conn, text("451-[\"file\",{\"_placeholder\":true,\"num\":0}]"));
    pair.say(whole.conn, binary(b"all there is"));
    pair.pass_ms(BODY_TIMEOUT_MS);
    assert!(pair.is_open(whole.conn));
}

/// Lib: one handler emits more than the arena holds, each text to another client: all of it arrives, or its client is cut.
#[test]
fn a_handler_that_emits_more_than_the_arena_holds_loses_nothing() {
    let mut pair = Pair::with(Config { budget: Budget { hard_bytes: 64 << 20 }, ..Config::default() });
    let clients: Vec<Client> = (0..80).map(|_| pair.join_websocket()).collect();
    let nsp = pair.nsp("/");
    for (number, client) in clients.iter().enumerate() {
        pair.hub.join(client.key, &format!("r{number}")).expect("a room");
    }
    for number in 0..clients.len() {
        let (room, json) = (format!("r{number}"), format!("[\"{number} {}\"]", "x".repeat(700_000)));
        let to = pair::names(&[&room]);
        let selector = Selector { to: &to, ..Selector::default() };
        pair.hub.bundle(nsp, &selector, encode::Kind::Event, json.as_bytes(), &[]);
    }
    pair.hub.release();
    pair.turn();
    pair.turn();
    for (number, client) in clients.iter().enumerate() {
        let frames = pair.frames(client.conn);
        assert!(frames.len() == 1 && frames[0].starts_with(&format!("42[\"{number} ")), "{number}");
    }
    assert_eq!((pair.hub.counters.slow_cut, pair.hub.counters.shed), (0, 0));
    pair.hub.audit(&[]).expect("the account is right");
}

/// What no cut gives back is no reason to cut: clients that cost little each keep newcomers out, and nobody loses what is due.
#[test]
fn who_owes_nothing_of_weight_is_not_cut_for_what_others_cost() {
    let mut pair = Pair::with(Config { budget: Budget { hard_bytes: 1 << 20 }, ..Config::default() });
    let slow = pair.join_websocket();
    owe(&mut pair, &slow, 100_000);
    let mut clients = Vec::new();
    while pair.hub.counters.sessions_refused == 0 {
        let conn = pair.open();
        let more = "x".repeat(8_000);
        let request = format!(
            "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nX-{}: {more}\r\n\r\n",
            clients.len()
        );
        pair.feed(conn, request);
        pair.turn();
        clients.push(conn);
        assert!(clients.len() < 1_000, "newcomers are refused at some point");
    }
    assert!(pair.is_open(slow.conn));
    assert_eq!((pair.hub.counters.shed, pair.hub.counters.slow_cut), (0, 0));
    pair.hub.audit(&[]).expect("the account is right");
}

/// The bug: a POST that the server goes on with in later turns was owed by nobody, so others were cut for it. It is its session's.
#[test]
fn bodies_between_two_steps_are_their_sessions_debt() {
    let mut pair = pair();
    let bystander = pair.join_websocket();
    owe(&mut pair, &bystander, 20_000);
    let pollers: Vec<Client> = (0..10).map(|_| pair.join_polling()).collect();
    for poller in &pollers {
        let body = "42[\"x\"]\x1e".repeat(110_000);
        let request = post(&poller.sid, body.trim_end_matches('\x1e'));
        let (bytes, mut at) = (request.as_bytes(), 0);
        while at < bytes.len() {
            let (taken, progress) = pair.hub.handle_http(pair.now_ms, poller.post, &bytes[at..]);
            at += taken;
            if let Progress::Payload(session, post) = progress {
                pair.hub.keep_post(pair.now_ms, poller.post, session, post);
            }
        }
        pair.turn();
        pair.hub.audit(&[]).expect("the account is right");
    }
    assert!(pair.hub.account().held_of(Kind::Body) < HARD, "{:?}", pair.hub.account());
    assert!(pair.hub.counters.shed > 0 && pair.is_open(bystander.conn));
    assert!(pair.take_heard().iter().all(|left| !left.starts_with("#0 ")));
}

/// The bug: what closing connections do not take was owed by nobody, so others were cut for it.
#[test]
fn a_closing_connection_goes_before_a_smaller_debtor() {
    let mut pair = pair();
    let bystanders: Vec<Client> = (0..3).map(|_| pair.join_websocket()).collect();
    bystanders.iter().for_each(|client| owe(&mut pair, client, 20_000));
    for _ in 0..60 {
        let conn = pair.open();
        pair.limit(conn, 0);
        pair.say(conn, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let response = Response { status: 200, headers: vec![], body: vec![b'x'; 200_000] };
        pair.hub.respond(pair.now_ms, conn, &response);
        pair.turn();
        pair.hub.audit(&[]).expect("the account is right");
        assert!(pair.hub.held_bytes() <= HARD);
    }
    assert!(bystanders.iter().all(|client| pair.is_open(client.conn)));
    assert_eq!(pair.hub.counters.shed, 0, "who was closing is not counted as cut");
}

/// What a client leaves behind when it goes, which a handler still has, is a reason to cut no other; nor is what handlers wait over.
#[test]
fn what_nobody_gives_back_is_a_reason_to_cut_nobody() {
    let mut pair = pair();
    let heavy = pair.join_websocket();
    let bystanders: Vec<Client> = (0..3).map(|_| pair.join_websocket()).collect();
    bystanders.iter().for_each(|client| owe(&mut pair, client, 900_000));
    let owner = pair.hub.owner_of_socket(heavy.key);
    let held: Vec<_> = (0..64).map(|_| pair.hub.charge(Kind::Auth, owner, 1_000_000)).collect();
    pair.turn();
    assert_eq!(pair.take_heard(), ["#0 left: memory limit []"]);
    assert!(pair.hub.is_above_soft_mark(), "the handlers still hold it");
    let late = pair.hub.charge(Kind::Auth, owner, 1_000_000);
    let waiting = pair.hub.charge(Kind::Requests, Owner::Core, 64_000_000);
    pair.pass_ms(1_000);
    assert_eq!(pair.hub.counters.shed, 1);
    assert!(
        bystanders.iter().all(|client| pair.is_open(client.conn)),
        "they owe more than a quarter together"
    );
    let elsewhere = [(Kind::Auth, 65_000_000), (Kind::Requests, 64_000_000)];
    pair.hub.audit(&elsewhere).expect("the account is right");
    drop((held, late, waiting));
    pair.hub.audit(&[]).expect("the account is right");
    assert!(!pair.hub.is_above_soft_mark());
}

/// The bug: the bytes of a request that the application decides about were charged to nobody.
#[test]
fn what_is_considered_is_its_connections_debt() {
    let mut pair = pair();
    pair.hub.consult(Consults { openings: true, ..Consults::default() });
    let conns: Vec<_> = (0..160).map(|_| pair.open()).collect();
    for &conn in &conns {
        pair.feed(conn, format!("{}{}", get("/socket.io/?EIO=4&transport=polling"), "x".repeat(60_000)));
        pair.hub.audit(&[]).expect("the account is right");
    }
    assert!(pair.hub.account().held_of(Kind::Input) > conns.len() * 60_000);
    pair.turn();
    assert!(pair.hub.held_bytes() <= HARD);
    assert!(conns.iter().any(|&conn| pair.hub.considered_head(conn).is_none()), "those that were cut");
    assert!(conns.iter().any(|&conn| pair.hub.take_considered(conn).is_some()), "those that were not");
}

/// The bug: what the arena keeps between turns was as much for a small budget as for a large one, and kept newcomers out for ever.
#[test]
fn a_small_core_takes_newcomers_after_a_busy_turn() {
    let mut pair = Pair::with(Config { budget: Budget { hard_bytes: 1 << 20 }, ..Config::default() });
    let client = pair.join_websocket();
    for _ in 0..2 {
        pair.emit(client.key, &format!("[\"{}\"]", "x".repeat(410_000)));
    }
    pair.turn();
    assert!(pair.take(client.conn).len() > 820_000);
    assert!(pair.hub.held_bytes() < 1 << 19, "{} bytes", pair.hub.held_bytes());
    let conn = pair.open();
    let answer = pair.ask(conn, get("/socket.io/?EIO=4&transport=polling")).expect("an answer");
    assert_eq!(answer.status, 200);
}

/// A client that owes little is not cut at its next event for what others hold, on either transport: the largest debtors give it back.
#[test]
fn a_small_debt_fits_though_the_core_is_full() {
    let mut pair = pair();
    let (polling, slow) = (pair.join_polling(), pair.join_websocket());
    owe(&mut pair, &slow, 10_000);
    let full = pair.hub.charge(Kind::Requests, Owner::Core, 2 * HARD);
    for client in [&polling, &slow] {
        assert!(pair.emit(client.key, "[\"news\"]"));
    }
    pair.hub.cut_slow(pair.now_ms);
    assert_eq!((pair.hub.counters.slow_cut, pair.hub.counters.shed), (0, 1), "it owed 10 KB");
    drop(full);
    assert_eq!(pair.poll(&polling).as_deref(), Some("42[\"news\"]"));
}

/// A session over polling whose opening head has a line of so many bytes that nobody else sends.
fn begin(pair: &mut Pair, name: usize, bytes: usize) -> bool {
    let conn = pair.open();
    let more = "x".repeat(bytes);
    let request =
        format!("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nX-{name}: {more}\r\n\r\n");
    pair.ask(conn, request).is_some_and(|answer| answer.status == 200)
}

/// Heads, `auth`, rooms: the client that holds most of them is cut as for anything else, and of what many share each holds its part.
#[test]
fn whatever_a_client_holds_it_gives_back_above_the_hard_mark() {
    let mut pair = Pair::with(Config { budget: Budget { hard_bytes: 1 << 20 }, ..Config::default() });
    let healthy = pair.join_websocket();
    let (with_auth, with_rooms) = (pair.join_websocket(), pair.join_websocket());
    for room in 0..200 {
        pair.hub.join(with_rooms.key, &format!("{room} {}", "r".repeat(200))).expect("a room");
        pair.hub.join(healthy.key, "shared").expect("a room");
    }
    assert!((0..30).all(|name| begin(&mut pair, name, 15_000)), "below the soft mark");
    let charge = pair.hub.charge(Kind::Auth, pair.hub.owner_of_socket(with_auth.key), 700_000);
    pair.turn();
    assert_eq!(pair.take_heard(), ["#1 left: memory limit []"], "it holds most");
    drop(charge);
    assert_eq!(pair.hub.counters.shed, 1);
    // Nobody has anything of weight but the heads and the rooms now.
    let kept = pair.hub.charge(Kind::Auth, Owner::Core, 700_000);
    pair.turn();
    let heard = pair.take_heard();
    assert!(heard.first().is_some_and(|left| left.starts_with("#2 left: memory limit")), "{heard:?}");
    assert!(
        pair.hub.counters.shed > 2,
        "then heads, each of which is its session's: {:?}",
        pair.hub.counters
    );
    assert!(pair.is_open(healthy.conn));
    drop(kept);
    pair.hub.audit(&[]).expect("the account is right");
}

/// Lost clients are forgotten first, in the order in which they were lost; no connected client is cut for it.
#[test]
fn lost_clients_are_forgotten_before_anybody_is_cut() {
    const CLIENTS: usize = 60;
    let mut pair = Pair::with(Config { budget: Budget { hard_bytes: 1 << 20 }, ..Config::default() });
    let there = pair.join_websocket();
    pair.hub.set_recovery(Recovery::default(), [7; 32]);
    let mut pids = Vec::new();
    for _ in 0..CLIENTS {
        let (conn, _) = pair.websocket("/socket.io/");
        pair.tell(conn, "40");
        let frames = pair.frames(conn).join(" ");
        pids.push(
            frames.split("\"pid\":\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned),
        );
        let &(key, _) = pair.sockets.last().expect("a socket");
        for room in 0..16 {
            pair.hub.join(key, &format!("{room} {}", "r".repeat(240))).expect("a room");
        }
        assert!(pair.hub.save(pair.now_ms, key));
        pair.end(conn);
    }
    let saved = pair.hub.account().held_of(Kind::Saved);
    assert!(saved > 200_000, "{saved}");
    let kept = pair.hub.charge(Kind::Requests, Owner::Core, (1 << 20) - pair.hub.held_bytes() + 1_000);
    pair.turn();
    let dropped = pair.hub.counters.saved_shed as usize;
    assert!(dropped > 0 && dropped < CLIENTS && pair.hub.counters.shed == 0, "{dropped}");
    assert!(pair.is_open(there.conn) && pair.hub.held_bytes() <= 1 << 20);
    drop(kept);
    let nsp = pair.nsp("/");
    for (number, pid) in pids.iter().enumerate() {
        let pid = pid.as_deref().expect("a private id");
        let returning = pair.hub.take_returning(pair.now_ms, nsp, pid, None);
        assert_eq!(returning.is_some(), number >= dropped, "{number} of {dropped}");
    }
}
