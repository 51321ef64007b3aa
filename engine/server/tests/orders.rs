//! Orders to sockets on all cores, and broadcasts that want answers (`fetchSockets`, `socketsJoin`, `emitWithAck` of the reference).
//! Not selection itself, which `hub` proves: that every core takes part, in order, once.

mod client;
mod stage;

use std::time::Duration;

use serde_json::{Value, json};
use socketville::{Ack, Binary, BroadcastAckError, Builder, Socket};

use client::Client;
use client::packet::Kind;
use stage::{Stage, on_each, wait};

/// Longer than any test; what waits for it waits for something else.
const LONG: Duration = Duration::from_secs(3600);

fn build(io: &Builder) {
    io.on("join", |socket: Socket, room: String, ack: Ack| ack.send(socket.join(room).is_ok()));
    io.on("rooms", |socket: Socket, ack: Ack| {
        let mut rooms = socket.rooms();
        rooms.remove(0);
        rooms.sort();
        ack.send(rooms);
    });
    io.on("name", |socket: Socket, name: String, ack: Ack| {
        socket.set_data(json!({"name": name}));
        ack.send(());
    });
    io.on("start", |socket: Socket, ack: Ack| {
        socket.nsp().to("lobby").sockets_join(["game", "extra"]);
        socket.nsp().to("game").emit("go", 1);
        socket.nsp().to("game").sockets_leave("extra");
        socket.nsp().to("extra").emit("nobody", 2);
        ack.send(());
    });
    io.on("sum", async |socket: Socket, ack: Ack| {
        let sum = socket.nsp().to("jury").emit_with_ack::<i64>("points", 0, LONG).await;
        ack.send(sum.map_or(-1, |points| points.iter().sum()));
    });
    io.on("quick", async |socket: Socket, ack: Ack| {
        let asked = socket.broadcast().emit_with_ack::<String>("name?", (), Duration::from_millis(30)).await;
        match asked {
            Err(BroadcastAckError::Incomplete { expected, responses }) => ack.send((expected, responses)),
            other => ack.send(format!("{other:?}")),
        }
    });
}

/// Clients of every core, all in one room.
fn crowd(stage: &Stage, room: &str) -> Vec<Client> {
    let mut clients = stage.clients_per_core(2);
    for client in &mut clients {
        assert_eq!(client.ask(1, &format!(r#"["join",{room:?}]"#)), json!([true]));
    }
    clients
}

fn answer_points(client: &mut Client, points: i64) {
    let question = client.next(|packet| packet.kind == Kind::Event);
    assert_eq!(question.event().0, "points");
    client.acknowledge(question.id.expect("an answer is wanted"), &format!("[{points}]"));
}

#[test]
fn sockets_of_all_cores_are_fetched_with_rooms_and_data() {
    on_each(build, |stage| {
        let mut clients = crowd(stage, "lobby");
        clients[0].ask(2, r#"["name","Ada"]"#);
        let sockets = wait(stage.emitter.to("lobby").fetch_sockets()).expect("all answer");
        let mut found: Vec<_> = sockets.iter().map(|socket| socket.id().to_owned()).collect();
        let mut there: Vec<_> = clients.iter().map(|client| client.id.clone()).collect();
        found.sort();
        there.sort();
        assert_eq!(found, there);
        let ada = sockets.iter().find(|socket| socket.id() == clients[0].id).expect("she is there");
        assert_eq!(ada.rooms(), [clients[0].id.as_str(), "lobby"]);
        assert_eq!(ada.data::<Value>().expect("JSON"), json!({"name": "Ada"}));
        assert!(ada.handshake().url().contains("EIO=4"));
        let nobody = Vec::<String>::new();
        assert!(
            wait(stage.emitter.to(nobody).fetch_sockets()).expect("all answer").is_empty(),
            "an empty list is nobody"
        );
        assert!(wait(stage.emitter.of("/nowhere").fetch_sockets()).expect("all answer").is_empty());
        let left = wait(stage.emitter.except("lobby").fetch_sockets()).expect("all answer");
        assert!(left.is_empty());
    });
}

#[test]
fn what_follows_an_order_sees_its_effect_on_every_core() {
    on_each(build, |stage| {
        let mut clients = crowd(stage, "lobby");
        clients[0].ask(2, r#"["start"]"#);
        for client in &mut clients {
            assert_eq!(client.event("go"), json!([1]));
            assert_eq!(client.ask(3, r#"["rooms"]"#), json!([["game", "lobby"]]));
        }
        assert_eq!(wait(stage.emitter.room_len("/", "extra")).expect("all answer"), 0);
    });
}

#[test]
fn a_remote_socket_is_reached_from_any_thread() {
    on_each(build, |stage| {
        let mut clients = crowd(stage, "lobby");
        let sockets = wait(stage.emitter.to("lobby").fetch_sockets()).expect("all answer");
        let last = clients.last_mut().expect("someone");
        let remote = sockets.iter().find(|socket| socket.id() == last.id).expect("it is there");
        remote.join("alone");
        remote.emit("hello", (1, Binary(vec![2])));
        last.event("hello");
        assert_eq!(last.ask(4, r#"["rooms"]"#), json!([["alone", "lobby"]]));
        remote.leave(["alone", "lobby"]);
        stage.reports();
        assert_eq!(last.ask(5, r#"["rooms"]"#), json!([[]]));
        remote.disconnect();
        assert_eq!(last.packet().kind, Kind::Disconnect);
        assert_eq!(
            wait(stage.emitter.of("/").fetch_sockets()).expect("all answer").len(),
            stage.cores * 2 - 1
        );
    });
}

#[test]
fn disconnect_sockets_reaches_the_selected_only() {
    on_each(build, |stage| {
        let mut clients = crowd(stage, "lobby");
        let mut other = stage.client();
        stage.emitter.to("lobby").disconnect_sockets(true);
        for client in &mut clients {
            let packets = client.until_closed();
            assert!(packets.iter().any(|packet| packet.kind == Kind::Disconnect));
        }
        assert_eq!(other.ask(1, r#"["rooms"]"#), json!([[]]));
        assert_eq!(stage.sockets(), 1);
    });
}

#[test]
fn a_broadcast_gathers_one_answer_of_each() {
    on_each(build, |stage| {
        let mut jury = crowd(stage, "jury");
        let mut asker = stage.client();
        asker.send_text(r#"427["sum"]"#);
        for (points, client) in jury.iter_mut().enumerate() {
            answer_points(client, points as i64);
        }
        let sum = (0..jury.len() as i64).sum::<i64>();
        assert_eq!(asker.answer(7), json!([sum]));
    });
}

#[test]
fn a_second_answer_and_a_strangers_answer_count_nothing() {
    on_each(build, |stage| {
        let mut jury = crowd(stage, "jury");
        let mut asker = stage.client();
        asker.send_text(r#"427["sum"]"#);
        let first = jury[0].next(|packet| packet.kind == Kind::Event).id.expect("an id");
        jury[0].acknowledge(first, "[100]");
        jury[0].acknowledge(first, "[1000]");
        asker.acknowledge(first, "[10000]");
        jury[0].ask(8, r#"["rooms"]"#);
        for client in &mut jury[1..] {
            answer_points(client, 1);
        }
        assert_eq!(asker.answer(7), json!([100 + (jury.len() as i64 - 1)]));
    });
}

#[test]
fn zero_receivers_answer_at_once() {
    on_each(build, |stage| {
        let nobody = wait(stage.emitter.to("nobody").emit_with_ack::<i64>("points", 0, LONG));
        assert_eq!(nobody.expect("no error"), Vec::<i64>::new());
    });
}

#[test]
fn who_does_not_answer_is_missing_and_the_others_are_kept() {
    on_each(build, |stage| {
        let mut others = crowd(stage, "jury");
        let mut asker = stage.client();
        asker.send_text(r#"427["quick"]"#);
        let question = others[0].next(|packet| packet.kind == Kind::Event);
        others[0].acknowledge(question.id.expect("an id"), r#"["Ada"]"#);
        assert_eq!(asker.answer(7), json!([others.len(), ["Ada"]]));
    });
}

#[test]
fn nobody_waits_for_those_who_have_left() {
    on_each(build, |stage| {
        let mut jury = crowd(stage, "jury");
        let mut asker = stage.client();
        asker.send_text(r#"427["sum"]"#);
        for client in &mut jury[1..] {
            answer_points(client, 1);
        }
        jury[0].next(|packet| packet.kind == Kind::Event);
        drop(jury.remove(0));
        assert_eq!(asker.answer(7), json!([-1]), "an hour has not passed");
    });
}

#[test]
fn answers_reach_a_thread_that_is_no_core() {
    on_each(build, |stage| {
        let mut jury = crowd(stage, "jury");
        let emitter = stage.emitter.clone();
        let asking = std::thread::spawn(move || {
            wait(emitter.to("jury").emit_with_ack::<i64>("points", 0, LONG)).expect("all answer")
        });
        jury.iter_mut().for_each(|client| answer_points(client, 5));
        assert_eq!(asking.join().expect("it ended"), vec![5; jury.len()]);
    });
}
