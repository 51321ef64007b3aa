//! Sockets of Engine.IO 3 clients: CONNECT with a query and an answer without an id, the names by which they are known (Socket.IO for protocol 3).

mod pair;

use pair::client::Client;
use pair::eio3::allowing;
use pair::{Pair, names};
use socketville_hub::{Config, Effect, Ending, Recovery, RoomChange, Selector, SocketKey};
use socketville_proto::encode::Kind;

fn v3() -> Pair {
    allowing(Config::default())
}

/// The socket that came last, and what it is called.
fn newest(pair: &Pair) -> (SocketKey, String) {
    let key = pair.sockets.last().expect("a socket").0;
    (key, pair.hub.name_of(key).expect("a name").to_owned())
}

/// A client that is also in `/a`; what it is called there.
fn in_two(pair: &mut Pair) -> (Client, SocketKey, String) {
    let client = pair.join_v3("");
    pair.tell(client.conn, "40/a?token=x%20y&n=1,");
    assert_eq!(pair.take_heard(), [r#"connect /a {"n":"1","token":"x y"}"#]);
    assert_eq!(pair.frames(client.conn), ["40/a,"], "no id: the client makes it up by itself");
    let (key, name) = newest(pair);
    (client, key, name)
}

/// Source: the constructor of the reference's `Socket`: the session's id, behind `/namespace#` if that is not `/`.
#[test]
fn a_socket_is_called_what_its_client_takes_it_to_be() {
    let mut pair = v3();
    let (client, key, name) = in_two(&mut pair);
    assert_eq!(pair.hub.name_of(client.key), Some(client.sid.as_str()));
    assert_eq!(name, format!("/a#{}", client.sid));
    assert_eq!(pair.hub.rooms_of(key), [name.as_str()]);
    assert!(pair.hub.is_in(key, &name) && !pair.hub.is_in(key, &client.sid));
    assert_eq!(pair.hub.join(key, &name), Ok(()), "one's own room exists always");
    assert_eq!(pair.hub.rooms_of(key), [name.as_str()]);
}

/// Semantics 17: the name is a room of one's own, to send to and to leave out.
#[test]
fn the_name_is_a_room() {
    let mut pair = v3();
    let (client, key, name) = in_two(&mut pair);
    let (other, _, other_name) = in_two(&mut pair);
    let nsp = pair.nsp("/a");
    let tell = |pair: &mut Pair, to: &[&str], except: &[&str]| {
        let (to, except) = (names(to), names(except));
        let selector = Selector { to: &to, except: &except, ..Selector::default() };
        pair.hub.broadcast(nsp, &selector, Kind::Event, b"[\"x\"]", &[]).sockets
    };
    assert_eq!(tell(&mut pair, &[&name], &[]), 1);
    pair.turn();
    assert_eq!((pair.frames(client.conn).len(), pair.frames(other.conn).len()), (1, 0));
    assert_eq!(tell(&mut pair, &[], &[&name]), 1);
    pair.turn();
    assert_eq!((pair.frames(client.conn).len(), pair.frames(other.conn).len()), (0, 1));
    assert_eq!(tell(&mut pair, &[&name, &other_name], &[]), 2);
    assert_eq!(tell(&mut pair, &["/a#nobody"], &[]), 0);
    pair.hub.disconnect_socket(pair.now_ms, key, Ending::Namespace);
    pair.run_effects();
    assert_eq!(tell(&mut pair, &[&name], &[]), 0, "a name goes with its socket");
}

/// A room may look like a name and be none.
#[test]
fn rooms_like_names_are_rooms() {
    let mut pair = v3();
    let client = pair.join_v3("");
    let (_, key, name) = in_two(&mut pair);
    let nsp = pair.nsp("/a");
    for room in ["/a", "/a#", "/a#room"] {
        pair.hub.join(key, room).expect("a room");
        let to = names(&[room]);
        let selector = Selector { to: &to, ..Selector::default() };
        assert_eq!(pair.hub.broadcast(nsp, &selector, Kind::Event, b"[\"x\"]", &[]).sockets, 1, "{room}");
    }
    pair.hub.join(client.key, &name).expect("a room of that name elsewhere");
    assert_eq!(pair.broadcast(&[&name], "[\"x\"]"), 1, "in / it is a room like any other");
}

/// Source: `ondecoded`: what has been joined cannot be joined again; what was left can, under the same name.
#[test]
fn a_namespace_is_joined_once() {
    let mut pair = v3();
    let client = pair.join_v3("");
    pair.tell(client.conn, "41");
    pair.tell(client.conn, "40");
    assert_eq!(pair.take_heard(), ["#0 left: client namespace disconnect []", "connect / -"]);
    assert_eq!(newest(&pair).1, client.sid);
    assert_eq!(pair.broadcast(&[&client.sid], "[\"x\"]"), 1, "the name is the new socket's");
    pair.tell(client.conn, "40");
    assert_eq!(pair.take_heard(), ["#1 left: forced close []"]);
}

/// Source: `_checkNamespace`: an unknown namespace is refused with an object in both revisions.
#[test]
fn an_unknown_namespace_is_invalid() {
    let mut pair = v3();
    let client = pair.join_v3("");
    pair.tell(client.conn, "40/nowhere?x=1,");
    assert_eq!(pair.frames(client.conn), [r#"44/nowhere,{"message":"Invalid namespace"}"#]);
}

/// Where we are stricter: these clients send no payload with CONNECT, and no endless query.
#[test]
fn a_connect_that_is_none_closes_the_connection() {
    for packet in ["40{}".to_owned(), "40/a,{}".to_owned(), format!("40/a?{}", "x".repeat(8193))] {
        let mut pair = v3();
        let client = pair.join_v3("");
        pair.tell(client.conn, &packet);
        assert_eq!(pair.take_heard(), ["#0 left: forced close []"], "{packet:.20}");
    }
}

/// Semantics 10: who is refused in `/` and joins nothing else is sent away.
#[test]
fn who_is_let_in_nowhere_is_sent_away() {
    let mut pair = v3();
    pair.refusal = Some("\"no\"");
    let (conn, _) = pair.open_v3("/socket.io/", "");
    assert_eq!(pair.take_heard(), ["refused /"]);
    pair.tell(conn, "2");
    pair.pass_ms(44_000);
    pair.tell(conn, "2");
    assert!(pair.is_open(conn));
    pair.pass_ms(1_000);
    assert!(!pair.is_open(conn));
}

/// Recovery is for clients that can say what they were.
#[test]
fn no_client_of_the_third_revision_recovers() {
    let mut pair = v3();
    pair.hub.set_recovery(Recovery::default(), [7; 32]);
    let (three, four) = (pair.join_v3(""), pair.open());
    pair.say(four, pair::client::upgrade("/socket.io/?EIO=4&transport=websocket"));
    pair.tell(four, "40");
    let four_key = newest(&pair).0;
    assert!(!pair.hub.save(pair.now_ms, three.key));
    assert!(pair.hub.save(pair.now_ms, four_key));
    pair.tell(three.conn, "40/a,");
    assert_eq!(pair.frames(three.conn), ["40/a,"], "and none is told a private id");
}

/// Watchers of rooms hear the same names as handlers.
#[test]
fn rooms_are_told_with_names() {
    let mut pair = v3();
    pair.hub.watch_rooms();
    let (client, key, name) = in_two(&mut pair);
    pair.hub.join(key, "lobby").expect("a room");
    pair.hub.leave(key, "lobby");
    let mut told = Vec::new();
    while let Some(effect) = pair.hub.take_effect() {
        if let Effect::Room(event) = effect {
            told.push((event.room, event.change));
        }
    }
    let (lobby, name): (Box<str>, Box<str>) = ("lobby".into(), name.into());
    assert_eq!(
        told,
        [
            (lobby.clone(), RoomChange::Created),
            (lobby.clone(), RoomChange::Joined(name.clone())),
            (lobby.clone(), RoomChange::Left(name)),
            (lobby, RoomChange::Deleted),
        ]
    );
    assert!(pair.is_open(client.conn));
}
