//! Several cores: ids name their core, connections move to it, records go to each once (invariants 6 and 12).

mod pair;

use pair::Pair;
use pair::client::{UNKNOWN, poll, post, text, upgrade_session};
use socketville_hub::limits::CORES_MAX;
use socketville_hub::{Config, Delivery, Id, Selector};
use socketville_proto::encode::Kind;

fn cores(count: u16) -> Vec<Pair> {
    (0..count).map(|core| Pair::core(Config::default(), core, count)).collect()
}

/// Gives a broadcast to the other cores, as their mailboxes do.
fn publish(cores: &mut [Pair], from: usize, delivery: &Delivery) {
    let record = delivery.record.as_ref().expect("a record for the others");
    for (core, pair) in cores.iter_mut().enumerate() {
        if core != from {
            pair.hub.deliver_record(record);
        }
    }
    cores.iter_mut().for_each(Pair::turn);
}

/// Invariant 12: the id of a session or a socket names its core.
#[test]
fn ids_name_their_core() {
    for (core, pair) in cores(CORES_MAX).iter_mut().enumerate() {
        let client = pair.join_websocket();
        let sid = Id::parse(&client.sid).expect("an id");
        assert_eq!((usize::from(sid.core()), usize::from(client.id.core())), (core, core));
    }
}

/// Invariant 12: a request for another core's session goes there with every byte that was read, and nothing was answered.
#[test]
fn a_connection_goes_to_the_core_of_its_session() {
    let mut cores = cores(3);
    let client = cores[2].join_polling();
    let whole = post(&client.sid, "42[\"far\"]");
    for at in [whole.len(), whole.len() - 4] {
        let conn = cores[0].open();
        cores[0].say(conn, &whole[..20]);
        cores[0].say(conn, &whole[20..at]);
        let (passed, to, bytes) = cores[0].passed.pop().expect("a connection on its way");
        assert_eq!((passed, to), (conn, 2));
        assert_eq!(bytes, &whole.as_bytes()[..at]);
        assert!(cores[0].take(conn).is_empty());
        let there = cores[2].open();
        cores[2].say(there, bytes);
        cores[2].say(there, &whole[at..]);
        assert_eq!(cores[2].answer(there).map(|answer| answer.body).as_deref(), Some("ok"));
        assert_eq!(cores[2].take_heard(), ["#0 event [\"far\"]"]);
    }
    assert_eq!(cores[0].hub.gauges().connections, 0);
}

/// A probe goes too, with the frames behind it.
#[test]
fn a_probe_goes_to_the_core_of_its_session() {
    let mut cores = cores(2);
    let client = cores[1].join_polling();
    let all = [upgrade_session(&client.sid).as_bytes(), &text("2probe"), &text("5"), &text("42[1]")].concat();
    let conn = cores[0].open();
    cores[0].say(conn, &all);
    let (_, to, bytes) = cores[0].passed.pop().expect("a connection on its way");
    assert_eq!((to, bytes), (1, all));
}

/// Invariant 12: only before the first response byte has left; a client that mixes sessions on one connection is refused.
#[test]
fn a_connection_with_an_answer_due_does_not_move() {
    let mut cores = cores(2);
    let (far, near) = (cores[1].join_polling(), cores[0].join_polling());
    let conn = cores[0].open();
    cores[0].feed(conn, [post(&near.sid, "6"), poll(&far.sid)].concat());
    cores[0].turn();
    assert!(cores[0].passed.is_empty());
    assert_eq!(cores[0].answer(conn).map(|answer| answer.status), Some(200));
    assert_eq!(cores[0].answer(conn).map(|answer| answer.status), Some(400));
    let conn = cores[0].open();
    assert!(cores[0].ask(conn, post(&near.sid, "6")).is_some());
    cores[0].say(conn, poll(&far.sid));
    assert_eq!(cores[0].passed.len(), 1, "between requests it may");
}

/// A core that does not exist has no sessions.
#[test]
fn ids_of_no_core_are_unknown() {
    let mut cores = cores(2);
    let conn = cores[0].open();
    let sid = "CAAAAAAAAAAAAAAAAAAA";
    assert_eq!(cores[0].ask(conn, poll(sid)).map(|answer| answer.body).as_deref(), Some(UNKNOWN));
    assert!(cores[0].passed.is_empty());
}

/// Invariants 6 and 10: a record reaches each core once, with the same selection; it was encoded once.
#[test]
fn records_are_delivered_once_everywhere() {
    let mut cores = cores(3);
    let clients: Vec<_> =
        cores.iter_mut().map(|pair| [pair.join_websocket(), pair.join_websocket()]).collect();
    for (core, pair) in cores.iter_mut().enumerate() {
        for client in &clients[core] {
            pair.hub.join(client.key, "r").expect("a room");
            pair.hub.join(client.key, "s").expect("a room");
        }
    }
    let (out, own) = (clients[1][0].id, clients[2][1].id);
    let (to, except) = (pair::names(&["r", "s"]), pair::names(&[out.as_str()]));
    let selector = Selector { to: &to, except: &except, skip: Some(clients[0][0].id), ..Selector::default() };
    let delivery = cores[0].select(&selector, "[\"once\"]");
    publish(&mut cores, 0, &delivery);
    let to = pair::names(&[own.as_str()]);
    let delivery = cores[0].select(&Selector { to: &to, ..Selector::default() }, "[\"own\"]");
    assert_eq!(delivery.sockets, 0);
    publish(&mut cores, 0, &delivery);
    let once = || vec!["42[\"once\"]".to_owned()];
    let expected =
        [[vec![], once()], [vec![], once()], [once(), [once(), vec!["42[\"own\"]".into()]].concat()]];
    for (core, pair) in cores.iter_mut().enumerate() {
        for (client, expected) in clients[core].iter().zip(&expected[core]) {
            assert_eq!(&pair.frames(client.conn), expected, "core {core}");
        }
    }
    let counters: Vec<_> = cores.iter().map(|pair| pair.hub.counters).collect();
    assert_eq!((counters[0].encodes, counters[1].encodes, counters[2].encodes), (2, 0, 0));
    assert_eq!((counters[0].records, counters[0].records_in, counters[1].records_in), (2, 0, 2));
}

/// A record with attachments is the same frames everywhere, on both transports.
#[test]
fn records_carry_attachments() {
    let mut cores = cores(2);
    let (ws, polling) = (cores[1].join_websocket(), cores[1].join_polling());
    let payload = br#"["b",{"_placeholder":true,"num":0}]"#;
    let nsp = cores[0].nsp("/");
    let delivery = cores[0].hub.broadcast(nsp, &Selector::default(), Kind::Event, payload, &[vec![1, 2, 3]]);
    publish(&mut cores, 0, &delivery);
    let event = r#"451-["b",{"_placeholder":true,"num":0}]"#;
    assert_eq!(cores[1].frames(ws.conn), [event, "[1, 2, 3]"]);
    assert_eq!(cores[1].poll(&polling), Some(format!("{event}\x1ebAQID")));
}

/// One core alone makes no records.
#[test]
fn one_core_makes_no_records() {
    let mut pair = Pair::new();
    assert!(pair.select(&Selector::default(), "[1]").record.is_none());
}

/// `CROSSING_MS`: a poll that was sent before its client's close may arrive after it, from another core; it gets its noop, with what it has not had
/// yet. The close is answered when that has happened or cannot any more: whoever has heard the answer finds no session, on any number of cores.
#[test]
fn a_poll_that_crosses_a_close_is_answered_before_the_close_is() {
    for missed in ["", "42[\"missed\"]\u{1e}"] {
        let mut cores = cores(2);
        let client = cores[0].join_polling();
        if !missed.is_empty() {
            cores[0].emit(client.key, "[\"missed\"]");
        }
        assert!(cores[0].ask(client.post, post(&client.sid, "1")).is_none());
        assert_eq!(cores[0].take_heard(), ["#0 left: transport close []"]);
        assert_eq!(cores[0].ask_once(post(&client.sid, "42[\"late\"]")), (400, UNKNOWN.into()));
        assert_eq!(cores[0].poll(&client), Some(format!("{missed}6")));
        assert_eq!(cores[0].answer(client.post).map(|answer| answer.body).as_deref(), Some("ok"));
        assert_eq!(cores[0].ask_once(poll(&client.sid)), (400, UNKNOWN.into()));
    }
}

/// The same without a poll on its way.
#[test]
fn a_session_is_over_when_its_close_is_answered() {
    for count in [1, 2] {
        let mut cores = cores(count);
        let client = cores[0].join_polling();
        cores[0].say(client.post, post(&client.sid, "1"));
        cores[0].pass_ms(100);
        assert_eq!(cores[0].answer(client.post).map(|answer| answer.body).as_deref(), Some("ok"));
        assert_eq!(cores[0].ask_once(poll(&client.sid)), (400, UNKNOWN.into()), "{count} cores");
    }
}

/// `sim --scenario standstill --seed 7`: a core that missed something cuts its clients, and no request that is for another core's.
#[test]
fn a_core_that_begins_anew_keeps_requests_for_others() {
    let mut pair = Pair::core(Config::default(), 1, 2);
    let (client, conn) = (pair.join_websocket(), pair.open());
    let request = poll(&format!("A{}", &client.sid[1..]));
    pair.feed(conn, &request[..20]);
    pair.hub.begin_anew();
    pair.run_effects();
    pair.turn();
    assert!(!pair.is_open(client.conn) && pair.is_open(conn));
    pair.feed(conn, &request[20..]);
    pair.turn();
    assert_eq!(pair.passed.pop().map(|(passed, to, _)| (passed, to)), Some((conn, 0)));
}
