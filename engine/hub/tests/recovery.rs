//! Connection state recovery by its rules: everything missed, once, in order, or certainly not recovered. (Reference: `connectionStateRecovery`.)
//! Not how cores ask one another, which `server` proves.

mod pair;

use socketville_hub::{Budget, Config, Kind, Manner, OptionTime, Recovery, Returning, Selector, SocketKey};
use socketville_proto::encode;

use pair::client::Client;
use pair::{Pair, names};

const AWAY_MS: u64 = 3000;

fn recovering(recovery: Recovery) -> Pair {
    let mut pair = Pair::with(Config::default());
    pair.hub.set_recovery(Recovery { max_disconnection: OptionTime::from_ms(AWAY_MS), ..recovery }, [7; 32]);
    pair
}

fn pid_in(frames: &[String]) -> Option<String> {
    frames.iter().find_map(|frame| Some(frame.split_once("\"pid\":\"")?.1.split('"').next()?.to_owned()))
}

/// A client whose CONNECT has been read.
fn joined(pair: &mut Pair) -> (Client, String) {
    let (conn, _) = pair.websocket("/socket.io/");
    pair.tell(conn, "40");
    let frames = pair.frames(conn);
    let pid = pid_in(&frames).expect("a private id");
    let &(key, id) = pair.sockets.last().expect("a socket");
    (Client { sid: String::new(), conn, post: conn, key, id }, pid)
}

/// The transport is lost, and the state kept.
fn lose(pair: &mut Pair, client: &Client) {
    pair.hub.save(pair.now_ms, client.key);
    pair.end(client.conn);
    pair.turn();
}

/// The client comes back with this offset: what it gets before CONNECT, or `None` if it is not recovered.
fn come_back(pair: &mut Pair, pid: &str, offset: Option<&str>) -> Option<Vec<String>> {
    let nsp = pair.nsp("/");
    let returning = pair.hub.take_returning(pair.now_ms, nsp, pid, offset)?;
    let (conn, key) = waiting(pair);
    restored(pair, key, &returning).then(|| pair.frames(conn))
}

fn waiting(pair: &mut Pair) -> (socketville_hub::ConnId, SocketKey) {
    pair.keeps_waiting = true;
    let (conn, _) = pair.websocket("/socket.io/");
    pair.tell(conn, "40");
    pair.keeps_waiting = false;
    (conn, pair.sockets.last().expect("a socket").0)
}

fn restored(pair: &mut Pair, key: SocketKey, returning: &Returning) -> bool {
    pair.hub.rename(key, returning.id);
    let is_restored = pair.hub.restore(key, returning);
    pair.turn();
    is_restored
}

/// The events of some frames without their offsets.
fn events(frames: &[String]) -> Vec<String> {
    let events = frames.iter().filter(|frame| frame.starts_with("42"));
    events.map(|frame| frame.rsplit_once(",\"").map_or("", |(event, _)| event).to_owned()).collect()
}

fn offset_of(frame: &str) -> String {
    frame.rsplit('"').nth(1).expect("an offset").to_owned()
}

#[test]
fn what_was_missed_comes_before_connect_in_order() {
    let mut pair = recovering(Recovery::default());
    let (client, pid) = joined(&mut pair);
    pair.hub.join(client.key, "room").expect("joined");
    pair.broadcast(&["room"], "[\"had\"]");
    pair.turn();
    let offset = offset_of(&pair.frames(client.conn)[0]);
    pair.emit(client.key, "[\"alone\"]");
    pair.sever(client.conn);
    lose(&mut pair, &client);
    pair.broadcast(&["room"], "[\"one\"]");
    pair.broadcast(&["other"], "[\"not for it\"]");
    pair.broadcast(&[], "[\"two\"]");
    pair.broadcast(&[client.id.as_str()], "[\"three\"]");
    let frames = come_back(&mut pair, &pid, Some(&offset)).expect("recovered");
    assert_eq!(events(&frames), ["42[\"alone\"", "42[\"one\"", "42[\"two\"", "42[\"three\""]);
    let connect = frames.last().expect("CONNECT");
    assert!(
        connect.starts_with("40{\"sid\":") && connect.contains(&pid) && connect.contains(client.id.as_str())
    );
    assert_eq!(come_back(&mut pair, &pid, Some(&offset)), None, "a private id is good once");
}

/// What is kept for a lost client lapses though nothing else happens on its core (found by the fuzz target `server`).
#[test]
fn an_idle_core_forgets_a_lost_client_in_time() {
    let mut pair = recovering(Recovery::default());
    let (client, _) = joined(&mut pair);
    lose(&mut pair, &client);
    assert!(pair.hub.account().held_of(Kind::Saved) > 0);
    let until_ms = pair.now_ms + AWAY_MS;
    while let Some(next_ms) = pair.hub.next_timer_ms().filter(|&next_ms| next_ms <= until_ms) {
        pair.now_ms = next_ms.max(pair.now_ms);
        pair.turn();
    }
    assert_eq!(pair.hub.account().held_of(Kind::Saved), 0);
}

#[test]
fn exceptions_and_senders_stay_left_out() {
    let mut pair = recovering(Recovery::default());
    let (client, pid) = joined(&mut pair);
    pair.hub.join(client.key, "room").expect("joined");
    lose(&mut pair, &client);
    let (to, except, own) = (names(&["room"]), names(&["room"]), names(&[client.id.as_str()]));
    for selector in [
        Selector { to: &to, skip: Some(client.id), ..Selector::default() },
        Selector { except: &except, ..Selector::default() },
        Selector { except: &own, ..Selector::default() },
        Selector { to: &to, volatile: true, ..Selector::default() },
    ] {
        pair.select(&selector, "[\"no\"]");
    }
    pair.select(&Selector { to: &to, ..Selector::default() }, "[\"yes\"]");
    assert_eq!(events(&come_back(&mut pair, &pid, None).expect("recovered")), ["42[\"yes\""]);
}

#[test]
fn without_an_offset_it_is_from_the_sessions_start() {
    let mut pair = recovering(Recovery::default());
    pair.broadcast(&[], "[\"before its time\"]");
    let (client, pid) = joined(&mut pair);
    pair.sever(client.conn);
    pair.broadcast(&[], "[\"lost on the way\"]");
    lose(&mut pair, &client);
    pair.broadcast(&[], "[\"while away\"]");
    let frames = come_back(&mut pair, &pid, None).expect("recovered");
    assert_eq!(events(&frames), ["42[\"lost on the way\"", "42[\"while away\""]);
}

#[test]
fn a_volatile_event_has_a_place_but_is_not_kept() {
    let mut pair = recovering(Recovery::default());
    let (client, pid) = joined(&mut pair);
    pair.broadcast(&[], "[\"kept\"]");
    pair.turn();
    pair.select(&Selector { volatile: true, ..Selector::default() }, "[\"seen\"]");
    pair.turn();
    let frames = pair.frames(client.conn);
    let offset = offset_of(frames.last().expect("the volatile event"));
    lose(&mut pair, &client);
    pair.select(&Selector { volatile: true, ..Selector::default() }, "[\"missed for ever\"]");
    pair.broadcast(&[], "[\"new\"]");
    assert_eq!(events(&come_back(&mut pair, &pid, Some(&offset)).expect("recovered")), ["42[\"new\""]);
}

#[test]
fn binary_comes_whole_and_answers_carry_no_offset() {
    let mut pair = recovering(Recovery::default());
    let (client, pid) = joined(&mut pair);
    pair.hub.send(client.key, encode::Kind::Event, Some(3), b"[\"ask\"]", &[], Manner::default());
    pair.turn();
    assert_eq!(pair.frames(client.conn), ["423[\"ask\"]"]);
    lose(&mut pair, &client);
    let payload = br#"["bin",{"_placeholder":true,"num":0}]"#;
    let nsp = pair.nsp("/");
    pair.hub.broadcast(nsp, &Selector::default(), encode::Kind::Event, payload, &[vec![1, 2]]);
    let frames = come_back(&mut pair, &pid, None).expect("recovered");
    assert_eq!(frames.len(), 3, "{frames:?}");
    assert!(frames[0].starts_with("451-[\"bin\"") && frames[1].contains("[1, 2]"), "{frames:?}");
}

/// The reference forgets a client that had heard nothing for long (socket.io#5282).
#[test]
fn a_quiet_client_recovers_however_long_it_was_quiet() {
    let mut pair = recovering(Recovery::default());
    let (client, pid) = joined(&mut pair);
    pair.broadcast(&[], "[\"long ago\"]");
    pair.turn();
    let offset = offset_of(&pair.frames(client.conn)[0]);
    for _ in 0..10 {
        pair.pass_ms(25_000);
        assert_eq!(pair.frames(client.conn), ["2"]);
        pair.tell(client.conn, "3");
        pair.broadcast(&["other"], "[\"busy elsewhere\"]");
    }
    lose(&mut pair, &client);
    pair.broadcast(&[], "[\"now\"]");
    assert_eq!(events(&come_back(&mut pair, &pid, Some(&offset)).expect("recovered")), ["42[\"now\""]);
}

#[test]
fn an_offset_that_no_event_has_had_begins_anew() {
    for offset in ["", "hello", "9.9", "0.zzzzzzzzzzzzz", "-1", "0.0", "0.3"] {
        let mut pair = recovering(Recovery::default());
        let (client, pid) = joined(&mut pair);
        pair.broadcast(&[], "[\"had since the last ping\"]");
        lose(&mut pair, &client);
        pair.broadcast(&[], "[\"missed\"]");
        assert_eq!(come_back(&mut pair, &pid, Some(offset)), None, "{offset}");
    }
}

#[test]
fn what_is_gone_is_never_recovered_in_part() {
    let mut pair = recovering(Recovery { packets_max: 4, ..Recovery::default() });
    let (client, pid) = joined(&mut pair);
    lose(&mut pair, &client);
    (0..5).for_each(|_| _ = pair.broadcast(&[], "[\"too much\"]"));
    assert_eq!(come_back(&mut pair, &pid, None), None);
}

#[test]
fn what_is_gone_but_was_for_others_does_not_matter() {
    let mut pair = recovering(Recovery { bytes_max: 200, ..Recovery::default() });
    let (client, pid) = joined(&mut pair);
    pair.hub.join(client.key, "room").expect("joined");
    lose(&mut pair, &client);
    (0..50).for_each(|_| _ = pair.broadcast(&["other"], "[\"a lot for others\"]"));
    pair.broadcast(&["room"], "[\"mine\"]");
    assert_eq!(events(&come_back(&mut pair, &pid, None).expect("recovered")), ["42[\"mine\""]);
}

#[test]
fn who_is_away_too_long_is_new() {
    let mut pair = recovering(Recovery::default());
    let (client, pid) = joined(&mut pair);
    lose(&mut pair, &client);
    pair.pass_ms(AWAY_MS);
    assert_eq!(come_back(&mut pair, &pid, None), None);
}

#[test]
fn a_private_id_cannot_be_made_of_a_public_one() {
    let mut pair = recovering(Recovery::default());
    let (client, pid) = joined(&mut pair);
    lose(&mut pair, &client);
    assert!(pid.starts_with(client.id.as_str()) && pid.len() > client.id.as_str().len() + 10);
    let mut forged = pid.clone();
    let last = if forged.ends_with('A') { 'B' } else { 'A' };
    forged.pop();
    forged.push(last);
    for wrong in [client.id.as_str(), &forged, "", "x", &"é".repeat(20)] {
        assert_eq!(come_back(&mut pair, wrong, None), None, "{wrong}");
    }
    assert!(come_back(&mut pair, &pid, None).is_some());
}

#[test]
fn without_recovery_nothing_is_added() {
    let mut pair = Pair::new();
    let client = pair.join_websocket();
    pair.broadcast(&[], "[\"plain\"]");
    pair.turn();
    assert_eq!(pair.frames(client.conn), ["42[\"plain\"]"]);
    assert!(!pair.hub.save(pair.now_ms, client.key));
}

/// The bug: a client came back without the rooms that others had taken the room for. It comes back in all of them, or is new.
#[test]
fn who_comes_back_is_in_all_its_rooms_or_new() {
    for has_room in [true, false] {
        let budget = Budget { hard_bytes: 2 << 20 };
        let mut pair = Pair::with(Config { budget, ..Config::default() });
        pair.hub.set_recovery(
            Recovery { max_disconnection: OptionTime::from_ms(AWAY_MS), ..Recovery::default() },
            [7; 32],
        );
        let (client, pid) = joined(&mut pair);
        (0..400).for_each(|room| pair.hub.join(client.key, &format!("a{room}")).expect("a room"));
        lose(&mut pair, &client);
        let (other, _) = joined(&mut pair);
        pair.broadcast(&["a0"], "[\"missed\"]");
        let taken = (0..)
            .take_while(|room| !has_room && pair.hub.join(other.key, &format!("b{room}")).is_ok())
            .count();
        let held = pair.hub.account().held_of(Kind::Rooms);
        let frames = come_back(&mut pair, &pid, None);
        let key = pair.sockets.last().expect("a socket").0;
        assert_eq!((frames.is_some(), taken > 0), (has_room, !has_room));
        assert_eq!(pair.hub.rooms_of(key).len(), if has_room { 401 } else { 1 });
        assert_eq!(pair.hub.counters.recoveries_crowded, u64::from(!has_room));
        assert!(has_room || pair.hub.is_waiting(key), "it can begin anew, and nothing is due to it");
        assert_eq!(has_room, pair.hub.account().held_of(Kind::Rooms) > held);
        pair.hub.audit(&[]).expect("the account is right");
    }
}
