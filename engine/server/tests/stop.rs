//! The end of a server: `Emitter::stop` ends `Server::run`, clients are closed, what was said before still arrives, and nobody waits for ever.
//! What lies in backlogs has a window to leave. Not a drain of what handlers still wait for: their tasks are dropped.

mod client;
mod stage;

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use socketville::{Ack, Binary, Builder, EmitError, Server, Socket, sleep, spawn};

use client::Client;
use client::http::Polling;
use socketville_proto::ws::Opcode;
use stage::{on_each, wait};

const LONG: Duration = Duration::from_secs(3600);

/// What a server has unless it is told otherwise: more than any of these tests needs.
const WINDOW: Duration = Duration::from_secs(10);

#[test]
fn clients_hear_what_was_said_and_are_closed() {
    let build = |io: &Builder| {
        io.drain_window(WINDOW);
        io.of("/").on_disconnect(|socket: Socket, reason: String| socket.emitter().emit("left", reason));
    };
    on_each(build, |stage| {
        let mut clients = stage.clients_per_core(3);
        // Those who came to another core than was wanted leave first, and what is said of that has been heard.
        while stage.sockets() > clients.len() {}
        stage.reports();
        let mut http = stage.http();
        let mut polling = Polling::open(&mut http);
        polling.begin_poll(&mut http);
        (0..5).for_each(|number| stage.emitter.emit("last words", number));
        stage.stop();
        for client in &mut clients {
            let heard: Vec<_> = client.until_closed().iter().map(|packet| packet.brief()).collect();
            let words: Vec<_> = heard.into_iter().filter(|(name, _)| name == "last words").collect();
            assert_eq!(words.len(), 5, "{words:?}");
        }
        polling.end_poll(&mut http);
        assert_eq!(polling.packet(&mut http).brief(), ("last words".into(), json!(0)));
        assert!(http.reply().is_none(), "closed");
        assert!(TcpStream::connect(stage.address).is_err(), "nobody listens");
    });
}

#[test]
fn tasks_that_wait_are_dropped() {
    /// Counts how many are gone.
    struct Kept(Arc<AtomicUsize>);
    impl Drop for Kept {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let gone = Arc::new(AtomicUsize::new(0));
    let build = |io: &Builder| {
        let keep = {
            let gone = Arc::clone(&gone);
            move || Kept(Arc::clone(&gone))
        };
        let (in_sleep, in_tokio, in_ack, in_spawn) = (keep.clone(), keep.clone(), keep.clone(), keep);
        io.on("sleep", async move |ack: Ack| {
            let _kept = in_sleep();
            ack.send(());
            sleep(LONG).await;
        })
        .on("tokio", async move |ack: Ack| {
            let _kept = in_tokio();
            ack.send(());
            tokio::time::sleep(LONG).await;
        })
        .on("ask", async move |socket: Socket, ack: Ack| {
            let _kept = in_ack();
            ack.send(());
            let _ = socket.emit_with_ack::<Value>("well?", (), LONG).await;
            socket.emit("never", ());
            sleep(LONG).await;
        })
        .on("spawn", move |ack: Ack| {
            let kept = in_spawn();
            spawn(async move {
                sleep(LONG).await;
                drop(kept);
            });
            ack.send(());
        });
    };
    on_each(build, |stage| {
        gone.store(0, Ordering::SeqCst);
        let mut clients = stage.clients_per_core(2);
        for client in &mut clients {
            for (id, event) in ["sleep", "tokio", "ask", "spawn"].into_iter().enumerate() {
                client.ask(id as u64, &json!([event]).to_string());
            }
        }
        assert_eq!(gone.load(Ordering::SeqCst), 0);
        stage.stop();
        assert_eq!(gone.load(Ordering::SeqCst), 4 * clients.len());
        clients.iter_mut().for_each(|client| _ = client.until_closed());
    });
}

#[test]
fn a_client_that_does_not_read_holds_nobody_up() {
    let build = |io: &Builder| {
        io.backlog_max(64 << 20).on("flood", |socket: Socket| {
            let much = Binary(vec![0; 1 << 20]);
            (0..16).for_each(|_| socket.emit("much", &much));
        });
    };
    on_each(build, |stage| {
        let mut deaf = stage.client();
        deaf.emit(r#"["flood"]"#);
        let mut client = stage.client();
        while stage.sum(|report| report.turns.sends_refused) == 0 {
            client.before_fence();
        }
        stage.stop();
        client.until_closed();
        drop(deaf);
    });
}

/// More than the kernel takes: the rest lies in a backlog.
#[test]
fn a_late_reader_gets_all_that_was_accepted_and_a_close() {
    const MUCH: usize = 24;
    let build = |io: &Builder| {
        io.drain_window(WINDOW).backlog_max(64 << 20).on("flood", |socket: Socket| {
            let much = Binary(vec![0; 1 << 20]);
            (0..MUCH).for_each(|_| socket.emit("much", &much));
        });
    };
    on_each(build, |stage| {
        let mut late = stage.client();
        late.emit(r#"["flood"]"#);
        let mut other = stage.client();
        while stage.sum(|report| report.turns.sends_refused) == 0 {
            other.before_fence();
        }
        assert!(stage.emitter.is_ready());
        stage.emitter.stop();
        assert!(!stage.emitter.is_ready());
        other.until_closed();
        while TcpStream::connect(stage.address).is_ok() {}
        let mut frames = std::iter::from_fn(|| late.frame()).collect::<Vec<_>>();
        let last = frames.pop().expect("there was something");
        assert_eq!(last.0, Opcode::Close, "after all that was due");
        let attachments =
            frames.iter().filter(|(opcode, bytes)| *opcode == Opcode::Binary && bytes.len() == 1 << 20);
        assert_eq!(attachments.count(), MUCH);
        drop(late);
        stage.ended();
    });
}

/// What one core has said before the stop is heard by the clients of all.
#[test]
fn broadcasts_on_their_way_between_cores_arrive() {
    let build = |io: &Builder| {
        io.drain_window(WINDOW).on("last", |socket: Socket| {
            (0..1000).for_each(|number| socket.nsp().emit("word", number));
            socket.emitter().stop();
        });
    };
    on_each(build, |stage| {
        let mut clients = stage.clients_per_core(1);
        clients[0].emit(r#"["last"]"#);
        for client in &mut clients {
            assert_eq!(client.until_closed().len(), 1000);
        }
        drop(clients);
        stage.ended();
    });
}

#[test]
fn a_handler_may_stop_its_own_server() {
    let build = |io: &Builder| {
        io.on("stop", |socket: Socket, ack: Ack| {
            ack.send("goodbye");
            socket.emitter().stop();
            socket.emitter().stop();
        });
    };
    on_each(build, |stage| {
        let mut clients = stage.clients_per_core(1);
        let last = clients.len() - 1;
        assert_eq!(clients[last].ask(1, r#"["stop"]"#), json!(["goodbye"]));
        clients.iter_mut().for_each(|client| _ = client.until_closed());
        stage.ended();
    });
}

#[test]
fn an_emitter_outlives_its_server() {
    on_each(
        |_| {},
        |stage| {
            stage.client().before_fence();
            stage.stop();
            let emitter = &stage.emitter;
            assert!(matches!(emitter.of("/").try_emit("nobody", 1), Err(EmitError::Ended)));
            assert!(matches!(wait(emitter.of("/").emit_counted("nobody", 1)), Err(EmitError::Ended)));
            assert_eq!((wait(emitter.reports()), wait(emitter.namespace_len("/")).ok()), (vec![], Some(0)));
            emitter.stop();
        },
    );
}

/// Whoever asks while the server ends gets fewer answers, but an end.
#[test]
fn questions_that_cross_a_stop_are_ended() {
    on_each(
        |_| {},
        |stage| {
            let (emitter, cores) = (&stage.emitter, stage.cores);
            std::thread::scope(|scope| {
                let ask = || while wait(emitter.reports()).len() == cores {};
                let asking: Vec<_> = (0..3).map(|_| scope.spawn(ask)).collect();
                stage.client().before_fence();
                stage.stop();
                asking.into_iter().for_each(|thread| thread.join().expect("it ended"));
            });
        },
    );
}

#[test]
fn a_stop_before_the_start_is_a_short_run() {
    let server = Server::builder().cores(2).listen("127.0.0.1:0").expect("a server");
    server.emitter().stop();
    server.run().expect("it ends well");
}

/// A thread cannot be ended: the end waits for the handler, and comes with it.
#[test]
fn a_handler_that_blocks_its_core_is_waited_for() {
    let (begin, begun) = channel();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let server = Server::builder();
    server.cores(1).drain_window(Duration::ZERO).on("block", move || {
        begin.send(()).expect("the test waits");
        let _released = released.lock().expect("one handler").recv();
    });
    let server = server.listen("127.0.0.1:0").expect("a server");
    let (address, emitter) = (server.local_addr(), server.emitter());
    let (end, ended) = channel();
    let run = std::thread::spawn(move || end.send(server.run()).expect("the test waits"));
    let mut client = Client::connect(address);
    client.emit(r#"["block"]"#);
    begun.recv().expect("the handler runs");
    emitter.stop();
    assert!(!emitter.is_ready());
    assert!(ended.try_recv().is_err(), "its core cannot end");
    release.send(()).expect("it waits");
    ended.recv().expect("it ends").expect("well");
    run.join().expect("no panic");
}
