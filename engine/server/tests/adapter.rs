//! Adapters: two servers in one process, joined by one that is no more than memory.
//! Not a cluster's wire, and nothing that needs an answer of the other server.

mod client;
mod stage;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use socketville::{
    Ack, Adapter, Arguments, Binary, Builder, ClusterMessage, Content, EventPayload, Relay, RelayError,
    Socket,
};

use client::Client;
use client::packet::Kind;
use stage::{Stage, on_cores, on_each};

/// All servers that are joined, and what they said.
#[derive(Default)]
struct Wire {
    relays: Mutex<Vec<(usize, Relay)>>,
    said: Mutex<Vec<ClusterMessage>>,
    members: AtomicUsize,
}

struct Member {
    wire: Arc<Wire>,
    number: usize,
}

impl Adapter for Member {
    fn start(&self, relay: Relay) {
        self.wire.relays.lock().unwrap().push((self.number, relay));
    }

    fn send(&self, message: ClusterMessage) {
        self.wire.said.lock().unwrap().push(message.clone());
        let relays = self.wire.relays.lock().unwrap().clone();
        for (_, relay) in relays.iter().filter(|(number, _)| *number != self.number) {
            let _ = relay.deliver(&message); // servers of tests before have ended
        }
    }
}

impl Wire {
    fn join(self: &Arc<Self>, io: &Builder) {
        let number = self.members.fetch_add(1, Ordering::Relaxed);
        io.adapter(Member { wire: Arc::clone(self), number });
    }

    fn take_said(&self) -> Vec<ClusterMessage> {
        std::mem::take(&mut self.said.lock().unwrap())
    }
}

fn handlers(io: &Builder) {
    io.on_connect(|socket: Socket| socket.join("lobby"))
        .on("shout", |socket: Socket, words: Arguments, ack: Ack| {
            socket.to("lobby").emit("shouted", words);
            ack.send(());
        })
        .on("whisper", |socket: Socket, ack: Ack| {
            socket.local().emit("whispered", ());
            ack.send(());
        })
        .on("tick", |socket: Socket, ack: Ack| {
            socket.nsp().volatile().compress(false).emit("ticked", 1);
            ack.send(());
        })
        .on("rooms", |socket: Socket, ack: Ack| {
            let mut rooms = socket.rooms();
            rooms.retain(|room| *room != socket.id());
            rooms.sort();
            ack.send(rooms);
        })
        .on("count", async |socket: Socket, ack: Ack| {
            ack.send(socket.nsp().emit_counted("counted", 1).await.expect("counted"));
        })
        .on("reload", |socket: Socket, ack: Ack| {
            socket.nsp().server_side_emit("reload", (1, Binary(vec![2])));
            ack.send(());
        })
        .on_server_side("reload", |io, arguments| {
            let number: u32 = arguments.read(0).expect("a number");
            let bytes: Binary = arguments.read(1).expect("bytes");
            io.emit("reloaded", (number, bytes));
        });
    io.of("/other");
}

/// Runs a check with two servers that are joined.
fn on_pairs(check: impl Fn(&Stage, &Stage, &Wire)) {
    let wire = Arc::new(Wire::default());
    let build = |io: &Builder| {
        handlers(io);
        wire.join(io);
    };
    on_each(build, |here| {
        on_cores(&[2], build, |there| {
            here.reports();
            there.reports(); // both run, and both relays are known
            wire.take_said();
            check(here, there, &wire);
        });
    });
}

/// The packets of a client of another server, up to now: what was posted to its cores has happened.
fn heard(stage: &Stage, client: &mut Client) -> Vec<(String, Value)> {
    stage.reports();
    let packets = client.before_fence();
    packets.iter().map(|packet| packet.event()).map(|(name, args)| (name.to_owned(), json!(args))).collect()
}

#[test]
fn a_broadcast_reaches_both_servers_but_not_its_sender_nor_the_excepted() {
    on_pairs(|here, there, wire| {
        let (mut speaker, mut near) = (here.client(), here.client());
        let mut far = there.clients_per_core(1);
        speaker.ask(1, r#"["shout","hi",{"a":1}]"#);
        for far in &mut far {
            assert_eq!(heard(there, far), [("shouted".to_owned(), json!(["hi", {"a": 1}]))]);
        }
        assert_eq!(heard(here, &mut near), [("shouted".to_owned(), json!(["hi", {"a": 1}]))]);
        assert_eq!(heard(here, &mut speaker), []);
        let said = wire.take_said();
        let expected = ClusterMessage {
            nsp: "/".into(),
            rooms: vec!["lobby".into()],
            except: vec![speaker.id.clone()],
            content: Content::Event {
                payload: EventPayload { array: r#"["shouted","hi",{"a":1}]"#.into(), attachments: vec![] },
                volatile: false,
                compress: true,
            },
        };
        assert_eq!(said, [expected], "once, and not again by the other server");
        here.emitter.to("lobby").except(far[0].id.as_str()).emit("few", Binary(vec![7]));
        assert_eq!(heard(there, &mut far[0]), []);
        far[1].event("few");
        near.event("few");
        let Content::Event { payload, .. } = &wire.take_said()[0].content else { panic!("an event") };
        assert_eq!(payload.attachments, [vec![7]]);
    });
}

#[test]
fn what_is_local_stays_and_flags_go_along() {
    on_pairs(|here, there, wire| {
        let (mut speaker, mut near, mut far) = (here.client(), here.client(), there.client());
        speaker.ask(1, r#"["whisper"]"#);
        near.event("whispered");
        assert_eq!(heard(here, &mut speaker), [], "not to its sender");
        here.emitter.of("/").local().emit("whispered", ());
        here.emitter.of("/").local().sockets_join("secret");
        assert_eq!(heard(there, &mut far), []);
        assert_eq!(wire.take_said(), []);
        speaker.ask(2, r#"["tick"]"#);
        assert_eq!(heard(there, &mut far), [("ticked".to_owned(), json!([1]))]);
        let said = wire.take_said();
        assert!(
            matches!(said[0].content, Content::Event { volatile: true, compress: false, .. }),
            "{said:?}"
        );
        assert_eq!(speaker.ask(3, r#"["count"]"#), json!([2]), "counts are this server's");
        assert_eq!(heard(there, &mut far), [("counted".to_owned(), json!([1]))]);
        here.emitter.to(Vec::<String>::new()).emit("nobody", ());
        here.emitter.to(Vec::<String>::new()).sockets_join("nowhere");
        wire.take_said();
        assert_eq!(heard(there, &mut far), []);
    });
}

#[test]
fn orders_reach_the_sockets_of_both_servers() {
    on_pairs(|here, there, _| {
        let (mut near, mut far) = (here.client(), there.clients_per_core(1));
        here.emitter.to("lobby").sockets_join(["game", "chat"]);
        here.emitter.to("game").sockets_leave("lobby");
        here.emitter.to("game").emit("go", 1);
        for far in &mut far {
            assert_eq!(far.event("go"), json!([1]), "what follows a join reaches who joined");
            assert_eq!(far.ask(1, r#"["rooms"]"#), json!([["chat", "game"]]));
        }
        near.event("go");
        assert_eq!(near.ask(1, r#"["rooms"]"#), json!([["chat", "game"]]));
        here.emitter.to("game").except(far[0].id.as_str()).disconnect_sockets(false);
        assert_eq!(far[1].packet().kind, Kind::Disconnect);
        assert_eq!(near.packet().kind, Kind::Disconnect);
        assert_eq!(far[0].ask(2, r#"["rooms"]"#), json!([["chat", "game"]]));
        here.emitter.of("/").disconnect_sockets(true);
        far[0].until_closed();
    });
}

#[test]
fn servers_hear_what_is_told_to_servers() {
    on_pairs(|here, there, _| {
        let (mut near, mut far) = (here.client(), there.client());
        near.ask(1, r#"["reload"]"#);
        let told = far.event("reloaded");
        assert_eq!(told[0], json!(1));
        // The other server emits to all, this one included; its own handler was not called.
        near.event("reloaded");
        here.emitter.of("/").server_side_emit("unheard", ());
        assert_eq!(heard(there, &mut far), []);
    });
}

/// Nothing on the bus is trusted: what is malformed touches nothing.
#[test]
fn what_is_malformed_is_refused() {
    on_pairs(|_, there, wire| {
        let mut far = there.client();
        let (_, relay) =
            wire.relays.lock().unwrap().iter().max_by_key(|(number, _)| *number).expect("a relay").clone();
        let message = |nsp: &str, array: &str, attachments: usize| ClusterMessage {
            nsp: nsp.into(),
            rooms: vec![],
            except: vec![],
            content: Content::Event {
                payload: EventPayload { array: array.into(), attachments: vec![vec![1]; attachments] },
                volatile: false,
                compress: true,
            },
        };
        let place = r#"["a",{"_placeholder":true,"num":1}]"#;
        let deep = format!("[\"a\",{}{}]", "[".repeat(200), "]".repeat(200));
        for (array, attachments) in [
            ("", 0),
            ("{}", 0),
            ("[]", 0),
            ("[null]", 0),
            ("[\"connect\"]", 0),
            ("[\"a\"", 0),
            (place, 1),
            (&*deep, 0),
        ] {
            let refused = relay.deliver(&message("/", array, attachments));
            assert!(matches!(refused, Err(RelayError::Malformed(_))), "{array}: {refused:?}");
        }
        for (nsp, attachments) in [("/nowhere", 0), ("/", 11), ("/", 300)] {
            assert!(relay.deliver(&message(nsp, "[\"a\"]", attachments)).is_err(), "{nsp} {attachments}");
        }
        assert!(relay.deliver(&message("/other", "[\"a\"]", 0)).is_ok());
        assert!(relay.deliver(&message("/", place, 2)).is_ok());
        assert_eq!(heard(there, &mut far).len(), 1);
    });
}
