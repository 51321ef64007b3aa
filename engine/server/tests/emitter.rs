//! Emitters: what other threads may say, to whom, in which order, and what they are told about it.
//! Not the order between a handler's emits and its direct ones (`order`).

mod client;
mod stage;

use std::thread;

use serde_json::{Value, json};
use socketville::{Ack, Binary, Builder, EmitError, Socket};

use client::Client;
use client::http::Polling;
use stage::{Stage, on_cores, on_each, wait};

fn rooms(io: &Builder) {
    let join = |socket: Socket, room: String, ack: Ack| ack.send(socket.join(room).is_ok());
    io.on("join", join);
    io.of("/other").on("join", join);
}

fn join(client: &mut Client, room: &str) {
    assert_eq!(client.ask(1, &json!(["join", room]).to_string()), json!([true]));
}

/// All that was posted before has become due, and nothing that came after the last fence is missing.
fn heard(stage: &Stage, client: &mut Client) -> Vec<(String, Value)> {
    stage.reports();
    client.before_fence().iter().map(|packet| packet.brief()).collect()
}

#[test]
fn each_threads_emits_arrive_once_and_in_its_order() {
    const THREADS: u64 = 4;
    const EMITS: u64 = 250;
    on_each(rooms, |stage| {
        let mut clients = stage.clients_per_core(2);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let emitter = stage.emitter.clone();
                scope.spawn(move || (0..EMITS).for_each(|n| emitter.emit("tick", ((thread, n),))));
            }
        });
        for client in &mut clients {
            let heard: Vec<_> = heard(stage, client).into_iter().map(|(_, args)| args).collect();
            assert_eq!(heard.len() as u64, THREADS * EMITS);
            for thread in 0..THREADS {
                let of_thread: Vec<_> =
                    heard.iter().filter(|tick| tick[0] == thread).map(|tick| &tick[1]).collect();
                assert!(
                    (0..EMITS).eq(of_thread.iter().map(|n| n.as_u64().expect("a number"))),
                    "{of_thread:?}"
                );
            }
        }
    });
}

/// Selection is (union of `to`, or all) minus the union of `except`, each once; the same on every core.
#[test]
fn rooms_select_on_every_core() {
    on_each(rooms, |stage| {
        let mut clients: Vec<_> = stage.clients_per_core(4);
        for of_core in clients.chunks_mut(4) {
            for (client, rooms) in of_core.iter_mut().zip([&[][..], &["a"], &["b"], &["a", "b"]]) {
                rooms.iter().for_each(|room| join(client, room));
            }
        }
        let emitter = &stage.emitter;
        let own = clients[2].id.clone();
        emitter.emit("all", 0);
        emitter.to("a").emit("a", 0);
        emitter.to("a").to("b").emit("a or b", 0);
        emitter.to(["a", "b", "a"]).emit("list", 0);
        emitter.except("a").emit("not a", 0);
        emitter.to("b").except(vec!["a".to_owned()]).emit("b but a", 0);
        emitter.to("nowhere").emit("nobody", 0);
        emitter.to(Vec::<String>::new()).emit("empty", 0);
        emitter.to(&own).emit("own", 0);
        emitter.except(&own).emit("others", 0);
        for (index, client) in clients.iter_mut().enumerate() {
            let mut expected = match index % 4 {
                0 => vec!["all", "not a"],
                1 => vec!["all", "a", "a or b", "list"],
                2 => vec!["all", "a or b", "list", "not a", "b but a"],
                _ => vec!["all", "a", "a or b", "list"],
            };
            expected.push(if index == 2 { "own" } else { "others" });
            let heard: Vec<_> = heard(stage, client).into_iter().map(|(name, _)| name).collect();
            assert_eq!(heard, expected, "client {index}");
        }
    });
}

#[test]
fn namespaces_are_apart_and_unknown_ones_an_error() {
    on_each(rooms, |stage| {
        let mut clients = stage.clients_per_core(1);
        clients.iter_mut().for_each(|client| _ = client.join("/other", ""));
        stage.emitter.of("/other").emit("here", 1);
        stage.emitter.of("other").emit("here without a slash", 2);
        let unknown = stage.emitter.of("/nowhere").try_emit("there", 3);
        assert!(matches!(&unknown, Err(EmitError::Namespace(name)) if name == "/nowhere"), "{unknown:?}");
        let unknown = wait(stage.emitter.of("/nowhere").emit_counted("there", 3));
        assert!(matches!(unknown, Err(EmitError::Namespace(_))), "{unknown:?}");
        for client in &mut clients {
            stage.reports();
            let heard = client.before_fence();
            assert!(heard.iter().all(|packet| packet.nsp == "/other"), "{heard:?}");
            let names: Vec<_> = heard.iter().map(|packet| packet.event().0).collect();
            assert_eq!(names, ["here", "here without a slash"]);
        }
    });
}

#[test]
fn what_cannot_be_written_is_an_error_and_nothing_is_sent() {
    struct Unwritable;
    impl serde::Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no form"))
        }
    }
    on_each(rooms, |stage| {
        let mut client = stage.client();
        let error = stage.emitter.to("a").try_emit("never", (1, Unwritable));
        assert!(matches!(error, Err(EmitError::Encode(_))), "{error:?}");
        assert_eq!(heard(stage, &mut client), []);
    });
}

#[test]
fn counts_are_of_all_cores_and_transports() {
    on_each(rooms, |stage| {
        let mut clients = stage.clients_per_core(3);
        let joined = clients.iter_mut().step_by(3).map(|client| join(client, "a")).count();
        let mut http = stage.http();
        let mut polling = Polling::open(&mut http);
        let all = stage.sockets();
        assert!(all > clients.len(), "{all}");
        let emitter = &stage.emitter;
        assert_eq!(wait(emitter.to("a").emit_counted("a", 1)).expect("counted"), joined);
        assert_eq!(wait(emitter.to(&polling.id).emit_counted("own", Binary(vec![1]))).expect("counted"), 1);
        assert_eq!(wait(emitter.to("nowhere").emit_counted("none", 1)).expect("counted"), 0);
        assert_eq!(wait(emitter.to(Vec::<String>::new()).emit_counted("none", 1)).expect("counted"), 0);
        assert_eq!(wait(emitter.room_len("/", "a")).expect("all answer"), joined);
        assert_eq!(wait(emitter.rooms("/", 10)).expect("all answer"), [("a".to_owned(), joined)]);
        let nobody = [wait(emitter.namespace_len("/other")), wait(emitter.room_len("/nowhere", "a"))];
        assert!(nobody.iter().all(|len| matches!(len, Ok(0))), "{nobody:?}");
        let own = polling.packet(&mut http);
        assert_eq!((own.brief().0.as_str(), own.attachments), ("own", vec![vec![1]]));
    });
}

/// Within a handler's task, too; there the emit counts the asking client.
#[test]
fn handlers_count_across_cores() {
    let build = |io: &Builder| {
        io.on_connect(|socket: Socket| socket.join("all")).on("count", async |socket: Socket, ack: Ack| {
            let emitter = socket.emitter();
            ack.send(emitter.to("all").emit_counted("counted", socket.id()).await.ok());
        });
    };
    on_cores(&[1, 2], build, |stage| {
        let mut clients = stage.clients_per_core(2);
        let all = wait(stage.emitter.room_len("/", "all")).expect("all answer");
        let id = clients[0].id.clone();
        let answer = clients[0].ask(1, r#"["count"]"#);
        assert!(
            answer[0].as_u64().is_some_and(|count| (clients.len() as u64..=all as u64).contains(&count)),
            "{answer}"
        );
        for client in &mut clients {
            assert_eq!(client.event("counted"), json!([id]));
        }
    });
}
