//! What one address may have of a core: connections, half-open ones, bytes; and the last places, which are for the operator. A client beyond that is told
//! so, and nobody else notices.

mod pair;

use pair::Pair;
use pair::client::{get, poll, post, upgrade};
use socketville_hub::limits::LAST_PLACES_MS;
use socketville_hub::{AddressLimits, Budget, Config, ConnId, Newcomer, Place, Response};

const OPENING: &str = "/socket.io/?EIO=4&transport=polling";

fn pair(connections_max: usize, half_open_max: usize) -> Pair {
    let address_limits = AddressLimits { connections_max, half_open_max, ..AddressLimits::default() };
    let trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
    Pair::with(Config { address_limits, trusted_proxies, ..Config::default() })
}

fn from(address: &str) -> Newcomer {
    Newcomer { address: Some(address.parse().expect("an address")), ..Newcomer::default() }
}

/// A session over polling for a client of this address; the status of the answer and its session.
fn begin(pair: &mut Pair, conn: ConnId, forwarded: &str) -> (u16, String) {
    let request = format!("GET {OPENING} HTTP/1.1\r\nHost: here\r\nX-Forwarded-For: {forwarded}\r\n\r\n");
    let answer = pair.ask(conn, request).expect("an answer");
    let sid = answer.body.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
    (answer.status, sid.unwrap_or_default().to_owned())
}

/// RFC 6585 section 4.
#[test]
fn a_connection_too_much_is_told_so_and_ends() {
    let mut pair = pair(2, 100);
    let address = from("2001:db8:1:2::1");
    let first = pair.open_from(address);
    pair.open_from(from("2001:db8:1:2:ffff::2"));
    let third = pair.open_from(address);
    pair.turn();
    let answer = pair.answer(third).expect("an answer");
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert_eq!(answer.body, r#"{"code":6,"message":"Too many requests"}"#);
    assert!(!pair.is_open(third) && pair.is_held(third), "its request, which comes now, is heard out");
    pair.say(third, get(OPENING));
    pair.end(third);
    assert!(!pair.is_held(third));
    let other = pair.open_from(from("2001:db8:1:3::1"));
    assert_eq!(begin(&mut pair, other, "").0, 200, "another network");
    pair.break_line(first);
    let again = pair.open_from(address);
    assert_eq!(begin(&mut pair, again, "").0, 200);
    assert_eq!(pair.hub.counters.connections_of_address_refused, 1);
}

/// A NAT's clients come back: as many as may are half open, each makes room when it is in.
#[test]
fn a_session_too_much_is_told_so_until_others_are_in() {
    let mut pair = pair(100, 2);
    let conns: Vec<_> = (0..2).map(|_| pair.open_from(from("192.0.2.1"))).collect();
    let refused = pair.open_from(from("192.0.2.1"));
    assert_eq!(pair.answer(refused), None, "the answer leaves with the turn");
    pair.turn();
    assert_eq!(pair.answer(refused).map(|answer| answer.status), Some(429), "two have said nothing");
    let sids: Vec<_> = conns.iter().map(|&conn| begin(&mut pair, conn, "6.6.6.6")).collect();
    assert!(sids.iter().all(|(status, _)| *status == 200), "{sids:?}");
    assert_eq!(begin(&mut pair, conns[0], "").0, 429, "two are in no namespace");
    assert_eq!(pair.hub.counters.sessions_of_address_refused, 1);
    assert!(!pair.is_open(conns[0]));
    pair.say(conns[1], post(&sids[0].1, "40"));
    pair.turn();
    let next = pair.open_from(from("192.0.2.1"));
    assert_eq!(begin(&mut pair, next, "").0, 200, "one is in");
    let late = pair.open_from(from("192.0.2.1"));
    pair.turn();
    assert_eq!(pair.answer(late).map(|answer| answer.status), Some(429));
    pair.pass_ms(Config::default().connect_timeout.ms());
    pair.pass_ms(60_000);
    let last = pair.open_from(from("192.0.2.1"));
    assert_eq!(begin(&mut pair, last, "").0, 200, "those who did not come in have gone");
}

/// A proxy's connections are nobody's; each client that it names has a share, whatever it says itself.
#[test]
fn clients_behind_a_trusted_proxy_have_their_own_shares() {
    let mut pair = pair(2, 100);
    let proxy: Vec<_> = (0..4).map(|_| pair.open_from(from("10.0.0.9"))).collect();
    for (conn, client, status) in [
        (0, "192.0.2.1", 200),
        (0, "7.7.7.7, 192.0.2.1", 200),
        (0, "192.0.2.2, 10.0.0.8", 200),
        (1, "8.8.8.8, 192.0.2.1", 429),
        (2, "192.0.2.2", 200),
        (2, "192.0.2.2", 429),
        (3, "", 200),
        (3, "unknown", 200),
    ] {
        assert_eq!(begin(&mut pair, proxy[conn], client).0, status, "{client}");
    }
    let stranger: Vec<_> = (0..3).map(|_| pair.open_from(from("192.0.2.9"))).collect();
    pair.turn();
    assert_eq!(pair.answer(stranger[2]).map(|answer| answer.status), Some(429));
    assert_eq!(begin(&mut pair, stranger[0], "192.0.2.77").0, 200);
}

#[test]
fn loopback_and_the_unknown_have_no_limit() {
    let mut pair = pair(1, 1);
    for number in 0..50 {
        let address = ["127.0.0.1", "::1"][number % 2];
        let conn = pair.open_from(from(address));
        assert_eq!(begin(&mut pair, conn, "").0, 200);
        pair.join_websocket();
    }
}

/// Above the soft mark clients of an address beyond its share are cut, the largest first; an address within it loses none, though its connections are larger.
#[test]
fn an_address_that_holds_more_than_its_share_gives_it_back() {
    let address_limits = AddressLimits { bytes_max: 2 << 20, ..AddressLimits::default() };
    let budget = Budget { hard_bytes: 8 << 20 };
    let mut pair = Pair::with(Config { budget, address_limits, ..Config::default() });
    let join = |pair: &mut Pair, address: &str| {
        let conn = pair.open_from(from(address));
        pair.say(conn, upgrade("/socket.io/?EIO=4&transport=websocket"));
        pair.tell(conn, "40");
        pair.take(conn);
        let &(key, _) = pair.sockets.last().expect("a socket");
        pair.limit(conn, 0);
        (conn, key)
    };
    let owe = |pair: &mut Pair, key, bytes: usize| {
        for _ in 0..bytes / 10_000 {
            pair.emit(key, &format!("[\"{}\"]", "x".repeat(9_990)));
        }
        pair.turn();
    };
    let (_, bystander) = join(&mut pair, "192.0.2.2");
    owe(&mut pair, bystander, 1_000_000);
    let greedy: Vec<_> = (0..10).map(|_| join(&mut pair, "192.0.2.1")).collect();
    for (number, (_, key)) in greedy.iter().enumerate() {
        owe(&mut pair, *key, 250_000 + number * 10_000);
    }
    assert_eq!(pair.hub.counters.shed, 0, "there is enough for all");
    for (_, key) in &greedy {
        owe(&mut pair, *key, 500_000);
    }
    pair.pass_ms(1_000);
    let counters = pair.hub.counters;
    assert!(counters.shed > 0 && counters.shed == counters.shed_of_address, "{counters:?}");
    let mut heard = pair.take_heard();
    heard.retain(|heard| !heard.starts_with("connect"));
    assert!(heard.iter().all(|left| left.ends_with("left: memory limit []")), "{heard:?}");
    let left = greedy.len() - heard.len();
    assert!((1..=3).contains(&left), "{left} of a megabyte each are its share");
    assert!(!heard.iter().any(|left| left.starts_with("#0 ")), "the bystander holds half of its share");
    pair.hub.audit(&[]).expect("the account is right");
}

fn last() -> Newcomer {
    Newcomer { place: Place::Last(LAST_PLACES), ..Newcomer::default() }
}

const LAST_PLACES: usize = 40;
const HALF: usize = LAST_PLACES / 2;

/// RFC 9110 section 15.6.4: a request for a session is told to come later, and the place is free again at once.
#[test]
fn the_last_places_are_for_the_operator() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    for request in [get(OPENING), upgrade("/socket.io/?EIO=4&transport=websocket"), poll(&client.sid)] {
        let conn = pair.open_from(last());
        let answer = pair.ask(conn, request).expect("an answer");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert!(!pair.is_held(conn), "nothing lingers");
    }
    let health = pair.open_from(last());
    pair.say(health, get("/healthz"));
    let (conn, _) = pair.requests.pop().expect("the application is asked");
    let (status, headers, body) = (200, Vec::new(), b"ok".to_vec());
    pair.hub.respond(pair.now_ms, conn, &Response { status, headers, body });
    pair.turn();
    let answer = pair.answer(health).expect("an answer");
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(!pair.is_held(health), "one request each");
    assert_eq!(pair.hub.counters.descriptors_refused, 3);
}

/// Peers that say nothing do not hold them: each newcomer is heard.
#[test]
fn who_says_nothing_makes_room_for_who_does() {
    let mut pair = Pair::new();
    let silent: Vec<_> = (0..HALF + 10).map(|_| pair.open_from(last())).collect();
    pair.turn();
    let held = silent.iter().filter(|&&conn| pair.is_held(conn)).count();
    assert_eq!((held, pair.is_held(silent[9]), pair.is_held(silent[10])), (HALF, false, true));
    let health = pair.open_from(last());
    pair.say(health, get("/healthz"));
    assert_eq!(pair.requests.len(), 1);
    let more: Vec<_> = (0..HALF).map(|_| pair.open_from(last())).collect();
    pair.turn();
    assert!(pair.is_held(health), "what is being answered stays");
    pair.pass_ms(LAST_PLACES_MS);
    assert!(more.iter().all(|&conn| !pair.is_held(conn)), "and they have no time");
    let ordinary = pair.open();
    assert_eq!(begin(&mut pair, ordinary, "").0, 200, "who has another place is served");
}
