//! Dynamic namespaces: one child of a name on all cores, parents in their order, and clean-up. (Reference: `io.of` with a pattern or function.)
//! Not rooms or emits in them, which are any namespace's.

mod client;
mod stage;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use serde_json::{Value, json};
use socketville::limits::DYNAMIC_NAMESPACES_MAX;
use socketville::{Ack, Builder, Refusal, Socket};

use client::Client;
use client::packet::Kind;
use socketville_proto::ws::Opcode;
use stage::{Stage, on_cores, on_each, wait};

fn build(io: &Builder) {
    io.cleanup_empty_child_namespaces(true);
    io.of("/room-static").on("which", |ack: Ack| ack.send("static"));
    io.of_pattern("^/room-").on("which", |ack: Ack| ack.send("pattern"));
    io.of_function("tenants", async |name: String, auth: Value| {
        socketville::yield_now().await;
        name.starts_with("/tenant-") && auth["token"] == "ok"
    })
    .on("which", |socket: Socket, ack: Ack| ack.send(socket.namespace()));
    io.of_pattern("^/shut-").use_middleware(async |_socket: Socket| Err(Refusal::from("never")));
}

/// Asks a namespace's `which`.
fn which(client: &mut Client, nsp: &str) -> Value {
    client.send_text(&format!(r#"42{nsp},1["which"]"#));
    client.next(|packet| packet.kind == Kind::Ack && packet.nsp == nsp).args
}

/// Wants to join; what the server answers.
fn knock(client: &mut Client, nsp: &str, auth: &str) -> (Kind, Value) {
    client.send_text(&format!("40{nsp},{auth}"));
    let answer =
        client.next(|packet| packet.nsp == nsp && matches!(packet.kind, Kind::Connect | Kind::ConnectError));
    (answer.kind, answer.args)
}

fn exists(stage: &Stage, name: &str) -> bool {
    stage.emitter.namespaces().iter().any(|known| known == name)
}

#[test]
fn static_names_come_first_then_parents_in_their_order() {
    on_each(build, |stage| {
        let mut client = stage.client();
        for (nsp, auth, found) in [
            ("/room-static", "", json!(["static"])),
            ("/room-1", "", json!(["pattern"])),
            ("/tenant-a", r#"{"token":"ok"}"#, json!(["/tenant-a"])),
        ] {
            client.join(nsp, auth);
            assert_eq!(which(&mut client, nsp), found);
        }
        let refused = knock(&mut client, "/tenant-b", r#"{"token":"no"}"#);
        assert_eq!(refused, (Kind::ConnectError, json!({"message": "Invalid namespace"})));
        assert_eq!(stage.emitter.namespaces(), ["/", "/room-1", "/room-static", "/tenant-a"]);
        assert_eq!(stage.emitter.children("tenants"), ["/tenant-a"]);
    });
}

#[test]
fn clients_of_all_cores_share_one_child() {
    let made = Arc::new(AtomicUsize::new(0));
    let counting = |io: &Builder| {
        let made = Arc::clone(&made);
        made.store(0, Ordering::SeqCst);
        build(io);
        io.on_new_namespace(move |_name| _ = made.fetch_add(1, Ordering::SeqCst));
    };
    on_each(counting, |stage| {
        let mut clients = stage.clients_per_core(2);
        for client in &mut clients {
            client.send_text("40/room-shared,");
        }
        for client in &mut clients {
            client.next(|packet| packet.kind == Kind::Connect && packet.nsp == "/room-shared");
        }
        assert_eq!(made.load(Ordering::SeqCst), 1, "though all raced");
        let counted = wait(stage.emitter.of("/room-shared").emit_counted("news", 1)).expect("it exists");
        assert_eq!(counted, clients.len());
        stage.emitter.emit_to_children("^/room-", "news", 2);
        for client in &mut clients {
            for number in [1, 2] {
                let packet = client.next(|packet| packet.kind == Kind::Event);
                assert_eq!((packet.nsp.as_str(), packet.event().1), ("/room-shared", json!([number])));
            }
        }
    });
}

/// Bug: what a core emitted to a child that none of its own clients was in reached the others as events of `/`.
#[test]
fn a_core_that_has_no_client_in_a_child_may_speak_to_it() {
    let speaking = |io: &Builder| {
        build(io);
        io.of("/").on("tell", |socket: Socket, ack: Ack| {
            socket.emitter().of("/room-far").emit("news", 1);
            socket.emitter().emit_to_children("^/room-", "news", 2);
            ack.send(true);
        });
        io.of("/").on("tell-counted", async |socket: Socket, ack: Ack| {
            ack.send(socket.emitter().of("/room-far").emit_counted("news", 3).await.unwrap_or_default());
        });
    };
    on_cores(&[2], speaking, |stage| {
        let (mut near, mut far) = (stage.client_on(0), stage.client_on(1));
        far.join("/room-far", "");
        near.ask(1, r#"["tell"]"#);
        near.ask(2, r#"["tell-counted"]"#);
        for number in [1, 2, 3] {
            let packet = far.next(|packet| packet.kind == Kind::Event);
            assert_eq!((packet.nsp.as_str(), packet.event().1), ("/room-far", json!([number])));
        }
    });
}

/// Bug: a client that joined a child on one core, while its last client had left it on another, was in a namespace that was then forgotten.
#[test]
fn who_joins_while_the_last_one_leaves_elsewhere_is_in_a_new_one() {
    let (is_blocked, blocked) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let blocking = Arc::new(Mutex::new((is_blocked, may_go)));
    let build_blocking = |io: &Builder| {
        build(io);
        let blocking = Arc::clone(&blocking);
        io.of("/").on("block", move || {
            let (is_blocked, may_go) = &*blocking.lock().expect("one at a time");
            is_blocked.send(()).expect("the test is there");
            may_go.recv().expect("the test is there");
        });
    };
    on_cores(&[2], build_blocking, |stage| {
        let (mut near, mut far) = (stage.client_on(0), stage.client_on(1));
        near.join("/room-x", "");
        far.join("/room-x", "");
        near.send_text("41/room-x,");
        near.ask(1, r#"["fence"]"#);
        // In one read: the second packet is handled before the first core looks into its mailbox again.
        near.send_all(&[(Opcode::Text, br#"42["block"]"#), (Opcode::Text, b"40/room-x,")]);
        blocked.recv().expect("the handler runs");
        far.send_text("41/room-x,");
        far.ask(2, r#"["fence"]"#);
        go.send(()).expect("the handler waits");
        near.next(|packet| packet.kind == Kind::Connect && packet.nsp == "/room-x");
        near.ask(3, r#"["fence"]"#);
        assert!(exists(stage, "/room-x"));
        stage.emitter.of("/room-x").emit("news", 1);
        let packet = near.next(|packet| packet.kind == Kind::Event);
        assert_eq!((packet.nsp.as_str(), packet.event().1), ("/room-x", json!([1])));
    });
}

#[test]
fn the_last_one_to_leave_takes_it_along_and_a_refused_one_does_too() {
    on_each(build, |stage| {
        let mut clients = stage.clients_per_core(1);
        for client in &mut clients {
            client.join("/room-x", "");
        }
        while let Some(mut client) = clients.pop() {
            assert!(exists(stage, "/room-x"));
            client.send_text("41/room-x,");
            client.ask(9, r#"["fence"]"#);
        }
        assert!(!exists(stage, "/room-x"));
        let mut client = stage.client();
        assert_eq!(knock(&mut client, "/shut-1", "").1, json!({"message": "never"}));
        client.ask(9, r#"["fence"]"#);
        assert!(!exists(stage, "/shut-1"));
        assert!(exists(stage, "/room-static"), "static ones stay");
        client.join("/room-x", "");
        assert_eq!(which(&mut client, "/room-x"), json!(["pattern"]), "it can be made again");
    });
}

#[test]
fn without_clean_up_an_empty_one_stays() {
    on_cores(
        &[1],
        |io| _ = io.of_pattern("^/room-"),
        |stage| {
            let mut client = stage.client();
            client.join("/room-1", "");
            client.send_text("41/room-1,");
            client.ask(9, r#"["fence"]"#);
            assert!(exists(stage, "/room-1"));
        },
    );
}

#[test]
fn there_is_a_limit_and_others_are_not_touched_by_it() {
    on_cores(
        &[1],
        |io| _ = io.of_pattern("^/n"),
        |stage| {
            let mut made = 1;
            let mut first = stage.client();
            first.join("/n-first", "");
            while made < DYNAMIC_NAMESPACES_MAX {
                let mut client = stage.client();
                let end = DYNAMIC_NAMESPACES_MAX.min(made + 60);
                (made..end).for_each(|number| client.send_text(&format!("40/n{number},")));
                made = end;
                client.ask(9, r#"["fence"]"#);
            }
            let mut late = stage.client();
            assert_eq!(knock(&mut late, "/n-late", "").1, json!({"message": "Invalid namespace"}));
            assert_eq!(knock(&mut late, "/n-first", "").0, Kind::Connect);
        },
    );
}
