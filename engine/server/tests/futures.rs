//! Futures of the public API: which of them cross threads, and what is left behind when one is dropped before its end.
//! Not what they give when they are awaited: that is tested with what they do.

mod client;
mod stage;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};
use socketville::{Ack, Builder, Emitter, RemoteSocket, Socket};

use stage::{on_each, wait};

const LONG: Duration = Duration::from_secs(3600);

/// Compiles only if it may go to another thread, as tasks of tokio and handlers of web frameworks do.
fn send<T: Send>(_: T) {}

#[test]
fn what_touches_no_socket_crosses_threads() {
    fn all(emitter: &Emitter, remote: &RemoteSocket) {
        send(emitter.clone());
        send(remote.clone());
        send(emitter.to("a"));
        send(emitter.of("/").fetch_sockets());
        send(emitter.to("a").except("b").fetch_sockets());
        send(emitter.of("/").emit_counted("x", 1));
        send(emitter.of("/").emit_with_ack::<u32>("x", "y", LONG));
        send(emitter.of("/").server_side_emit_with_ack::<u32>("x", 1, LONG));
        send(remote.emit_with_ack::<u32>("x", 1, LONG));
        send(emitter.reports());
        send(emitter.rooms("/", 1));
        send(emitter.room_len("/", "a"));
        send(emitter.namespace_len("/"));
    }
    /// A handler's broadcasts, too: they hold the server, not the core.
    fn of_socket(socket: &Socket) {
        send(socket.to("a"));
        send(socket.nsp().fetch_sockets());
        send(socket.nsp().emit_counted("x", 1));
        send(socket.broadcast().emit_with_ack::<u32>("x", 1, LONG));
    }
    let _compiled: fn(&Emitter, &RemoteSocket) = all;
    let _compiled: fn(&Socket) = of_socket;
}

#[test]
fn tasks_of_tokio_ask_the_cores() {
    on_each(
        |_| {},
        |stage| {
            let _clients = stage.clients_per_core(1);
            let emitter = stage.emitter.clone();
            let found = async move {
                let asking = tokio::spawn(async move { emitter.of("/").fetch_sockets().await });
                asking.await.expect("no panic").expect("all answer").len()
            };
            assert!(wait(found) >= stage.cores);
        },
    );
}

/// Polls a future once and drops it.
async fn begin<F: Future>(future: F) {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _ready = future.as_mut().poll(context).is_ready();
        Poll::Ready(())
    })
    .await;
}

/// More often than there are places for answers that are owed.
const OFTEN: usize = 300;

#[test]
fn an_answer_that_nobody_waits_for_is_not_owed() {
    let build = |io: &Builder| {
        io.on("often", async |socket: Socket, ack: Ack| {
            for number in 0..OFTEN {
                begin(socket.emit_with_ack::<Value>("q", number, LONG)).await;
            }
            ack.send(socket.emit_with_ack::<u32>("last", (), LONG).await.ok());
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        client.send_text(r#"421["often"]"#);
        for number in 0..OFTEN {
            let asked = client.packet();
            assert_eq!(asked.event(), ("q", json!([number])));
            client.acknowledge(asked.id.expect("an answer is wanted"), "[0]");
        }
        let last = client.packet();
        client.acknowledge(last.id.expect("an answer is wanted"), "[7]");
        assert_eq!(client.answer(1), json!([7]), "and no answer of before was taken for it");
    });
}

/// On whichever core its clients are, the task that waits for them ends with the future.
#[test]
fn a_broadcast_that_nobody_waits_for_is_asked_no_more() {
    on_each(
        |_| {},
        |stage| {
            let mut clients = stage.clients_per_core(2);
            let emitter = &stage.emitter;
            for _ in 0..OFTEN {
                wait(begin(emitter.of("/").emit_with_ack::<u32>("q", (), LONG)));
            }
            assert_eq!(stage.sum(|report| report.turns.answers_owed), 0);
            let id = clients[0].id.clone();
            let sockets = wait(emitter.of("/").fetch_sockets()).expect("all answer");
            let remote = sockets.iter().find(|socket| socket.id() == id).expect("it is there");
            wait(begin(remote.emit_with_ack::<u32>("q", (), LONG)));
            assert_eq!(stage.sum(|report| report.turns.answers_owed), 0);
            wait(begin(emitter.of("/").fetch_sockets()));
            wait(begin(emitter.of("/").emit_counted("counted", 1)));
            wait(begin(emitter.reports()));
            stage.reports();
            for client in &mut clients {
                let counted =
                    client.before_fence().iter().filter(|packet| packet.event().0 == "counted").count();
                assert_eq!(counted, 1, "what was begun is done");
            }
        },
    );
}
