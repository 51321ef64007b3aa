//! Rooms: who is in, until when, and who is meant by a name (invariants 10 and 11; the reference's adapter).

mod pair;

use std::collections::BTreeMap;

use pair::{Pair, names};
use socketville_hub::limits::{ROOM_NAME_BYTES_MAX, ROOMS_PER_SOCKET_MAX};
use socketville_hub::{Budget, Config, Ending, JoinError, Kind, Selector};

/// Rooms of `/` with their sizes.
fn rooms(pair: &Pair) -> BTreeMap<String, usize> {
    pair.hub.rooms(pair.nsp("/")).map(|(name, size)| (name.to_owned(), size)).collect()
}

/// Invariant 11: a room begins with its first member and ends with its last, however that leaves.
#[test]
fn a_room_exists_exactly_while_it_has_members() {
    let mut pair = Pair::new();
    let clients = [pair.join_websocket(), pair.join_polling(), pair.join_websocket()];
    for client in &clients {
        pair.hub.join(client.key, "r").expect("a room");
        pair.hub.join(client.key, "r").expect("twice is once");
    }
    assert_eq!(rooms(&pair), BTreeMap::from([("r".into(), 3)]));
    pair.hub.leave(clients[0].key, "r");
    pair.hub.leave(clients[0].key, "r");
    pair.hub.leave(clients[0].key, "never");
    assert!(!pair.hub.is_in(clients[0].key, "r"));
    pair.post(&clients[1], "41");
    assert_eq!((rooms(&pair), pair.hub.gauges().rooms), (BTreeMap::from([("r".into(), 1)]), 1));
    pair.end(clients[2].conn);
    assert_eq!((rooms(&pair), pair.hub.gauges().rooms), (BTreeMap::new(), 0));
    assert_eq!(pair.broadcast(&["r"], "[1]"), 0);
}

/// Semantics 16: while a socket is leaving its rooms are seen; a broadcast to them no longer reaches it.
#[test]
fn a_leaving_socket_has_rooms_but_hears_nothing() {
    let mut pair = Pair::new();
    let (leaving, staying) = (pair.join_websocket(), pair.join_websocket());
    for client in [&leaving, &staying] {
        pair.hub.join(client.key, "r").expect("a room");
    }
    pair.hub.disconnect_socket(pair.now_ms, leaving.key, Ending::Namespace);
    assert_eq!(pair.hub.rooms_of(leaving.key), [leaving.id.as_str(), "r"]);
    assert_eq!(pair.broadcast(&["r"], "[1]"), 1);
    pair.run_effects();
    assert!(pair.hub.rooms_of(leaving.key).is_empty());
    pair.turn();
    assert_eq!(
        (pair.frames(leaving.conn), pair.frames(staying.conn)),
        (vec!["41".into()], vec!["42[1]".into()])
    );
}

/// Semantics 17: the own id is a room that one is always in; it is not counted as one.
#[test]
fn the_own_id_is_a_room() {
    let mut pair = Pair::new();
    let (a, b) = (pair.join_websocket(), pair.join_polling());
    pair.hub.join(a.key, a.id.as_str()).expect("in already");
    assert_eq!((pair.hub.rooms_of(a.key), rooms(&pair).len()), (vec![a.id.as_str().to_owned()], 0));
    assert!(pair.hub.is_in(a.key, a.id.as_str()) && !pair.hub.is_in(b.key, a.id.as_str()));
    assert_eq!(pair.broadcast(&[a.id.as_str()], "[\"a\"]"), 1);
    assert_eq!(pair.broadcast(&[b.id.as_str(), a.id.as_str(), "none"], "[\"both\"]"), 2);
    pair.turn();
    assert_eq!(pair.frames(a.conn), ["42[\"a\"]", "42[\"both\"]"]);
    assert_eq!(pair.poll(&b).as_deref(), Some("42[\"both\"]"));
}

/// In the reference an id is a room like any other: who joins it is in it together with its owner.
#[test]
fn others_may_join_the_room_of_an_id() {
    let mut pair = Pair::new();
    let (owner, guest) = (pair.join_websocket(), pair.join_websocket());
    pair.hub.join(guest.key, owner.id.as_str()).expect("a room");
    assert_eq!(pair.broadcast(&[owner.id.as_str()], "[1]"), 2);
    let except = names(&[owner.id.as_str()]);
    assert_eq!(pair.select(&Selector { except: &except, ..Selector::default() }, "[2]").sockets, 0);
    pair.end(owner.conn);
    assert_eq!(pair.broadcast(&[owner.id.as_str()], "[3]"), 1, "the guest stays");
}

/// An id of another namespace is nobody here.
#[test]
fn ids_belong_to_their_namespace() {
    let mut pair = Pair::new();
    let client = pair.join_websocket();
    pair.tell(client.conn, "40/a,");
    let (_, id) = pair.sockets[1];
    pair.take(client.conn);
    assert_eq!(pair.broadcast(&[id.as_str()], "[1]"), 0);
    let skip = Selector { skip: Some(id), ..Selector::default() };
    assert_eq!(pair.select(&skip, "[2]").sockets, 1);
}

/// Rooms of the same name in two namespaces are two.
#[test]
fn rooms_belong_to_their_namespace() {
    let mut pair = Pair::new();
    let client = pair.join_websocket();
    pair.tell(client.conn, "40/a,");
    let (key, _) = pair.sockets[1];
    pair.hub.join(key, "r").expect("a room");
    assert_eq!((pair.broadcast(&["r"], "[1]"), rooms(&pair).len(), pair.hub.gauges().rooms), (0, 0, 1));
    assert_eq!((pair.hub.room_len(pair.nsp("/a"), "r"), pair.hub.namespace_len(pair.nsp("/a"))), (1, 1));
}

/// `ROOM_NAME_BYTES_MAX`: bytes, inclusive.
#[test]
fn names_have_a_limit() {
    let mut pair = Pair::new();
    let client = pair.join_websocket();
    let fits = "é".repeat(ROOM_NAME_BYTES_MAX / 2);
    assert_eq!(pair.hub.join(client.key, &fits), Ok(()));
    assert_eq!(pair.hub.join(client.key, &format!("{fits}x")), Err(JoinError::NameTooLong));
    assert_eq!((pair.hub.counters.joins_refused, rooms(&pair).len()), (1, 1));
    assert_eq!(pair.hub.join(client.key, ""), Ok(()), "an empty name is a name");
    assert_eq!(pair.broadcast(&[""], "[1]"), 1);
}

/// `ROOMS_PER_SOCKET_MAX`: one more is refused, those that one is in are not, and another socket may go on.
#[test]
fn a_socket_is_in_so_many_rooms() {
    let mut pair = Pair::new();
    let (client, other) = (pair.join_websocket(), pair.join_websocket());
    for number in 0..ROOMS_PER_SOCKET_MAX {
        assert_eq!(pair.hub.join(client.key, &number.to_string()), Ok(()));
    }
    assert_eq!(pair.hub.join(client.key, "more"), Err(JoinError::TooManyRoomsOfSocket));
    assert_eq!(pair.hub.gauges().rooms, ROOMS_PER_SOCKET_MAX, "a refused join makes no room");
    assert_eq!(pair.hub.join(client.key, "7"), Ok(()));
    assert_eq!(pair.hub.join(other.key, "more"), Ok(()));
    pair.hub.leave(client.key, "7");
    assert_eq!(pair.hub.join(client.key, "more"), Ok(()));
    pair.end(client.conn);
    assert_eq!(rooms(&pair), BTreeMap::from([("more".into(), 1)]));
}

/// A socket that is gone joins nothing, also if its slot has a new owner.
#[test]
fn a_stale_key_joins_nothing() {
    let mut pair = Pair::new();
    let gone = pair.join_websocket();
    pair.end(gone.conn);
    let heir = pair.join_websocket();
    assert_eq!((gone.key.index, pair.hub.join(gone.key, "r")), (heir.key.index, Err(JoinError::Gone)));
    pair.hub.leave(gone.key, "r");
    assert_eq!(pair.broadcast(&["r"], "[1]"), 0);
}

/// Invariant 9: what a socket hears is decided when the call is made, not when the flush comes.
#[test]
fn order_is_the_order_of_calls() {
    let mut pair = Pair::new();
    let client = pair.join_websocket();
    pair.broadcast(&["r"], "[\"early\"]");
    pair.hub.join(client.key, "r").expect("a room");
    pair.broadcast(&["r"], "[\"in\"]");
    pair.emit(client.key, "[\"direct\"]");
    pair.broadcast(&["r"], "[\"still in\"]");
    pair.hub.leave(client.key, "r");
    pair.broadcast(&["r"], "[\"late\"]");
    pair.turn();
    assert_eq!(pair.frames(client.conn), ["42[\"in\"]", "42[\"direct\"]", "42[\"still in\"]"]);
}

/// A room that grows past the small form and back is the same room: 100 members, each hears each broadcast once.
#[test]
fn big_rooms_are_rooms() {
    let mut pair = Pair::new();
    let clients: Vec<_> = (0..100).map(|_| pair.join_websocket()).collect();
    for client in &clients {
        pair.hub.join(client.key, "r").expect("a room");
        pair.hub.join(client.key, "s").expect("a room");
    }
    let (to, except) = (names(&["r", "s"]), names(&["odd"]));
    for client in clients.iter().skip(1).step_by(2) {
        pair.hub.join(client.key, "odd").expect("a room");
    }
    let selector = Selector { to: &to, except: &except, skip: Some(clients[0].id), ..Selector::default() };
    let encodes = pair.hub.counters.encodes;
    assert_eq!(pair.select(&selector, "[1]").sockets, 49);
    assert_eq!(pair.hub.counters.encodes - encodes, 1, "one encode, however many hear it");
    pair.turn();
    for (number, client) in clients.iter().enumerate() {
        let expected = usize::from(number % 2 == 0 && number > 0);
        assert_eq!(pair.frames(client.conn).len(), expected, "{number}");
    }
    for client in &clients[..95] {
        pair.end(client.conn);
    }
    assert_eq!(pair.broadcast(&["r"], "[2]"), 5);
    assert_eq!(rooms(&pair), BTreeMap::from([("r".into(), 5), ("s".into(), 5), ("odd".into(), 3)]));
}

/// A handler that has disconnected its client goes on, and joins: nothing of it is held for the address afterwards.
#[test]
fn joins_after_the_session_is_gone_take_no_share() {
    let config = Config { budget: Budget { hard_bytes: 1 << 20 }, ..Config::default() };
    let mut pair = Pair::with(config);
    for _ in 0..400 {
        let client = pair.join_websocket();
        (0..18).for_each(|n| pair.hub.join(client.key, &n.to_string()).expect("joined"));
        pair.hub.disconnect_socket(pair.now_ms, client.key, Ending::Connection);
        (18..20).for_each(|n| assert_eq!(pair.hub.join(client.key, &n.to_string()), Err(JoinError::Gone)));
        pair.run_effects();
        pair.turn();
        pair.end(client.conn);
    }
    assert_eq!(pair.hub.account().held_of(Kind::Rooms), 0);
}
