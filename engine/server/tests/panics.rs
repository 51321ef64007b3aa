//! Invariant 15: a panic of the application closes its client, not the core, and is counted.
//! Not a promise about panics of the engine itself: there must be none.

mod client;
mod stage;

use serde_json::json;
use socketville::{Ack, Binary, Builder, HttpRequest, HttpResponse, Message, Method, Socket, yield_now};

use client::Client;
use client::packet::Kind;
use stage::{Stage, on_cores, on_each};

/// A witness on every core hears all the while; after the panic all must still be well.
fn survives(stage: &Stage, panics: u64, trouble: impl Fn(&mut Client)) {
    for core in 0..stage.cores {
        let before = stage.sum(|report| report.turns.handler_panics);
        let mut witness = stage.client_on(core);
        let mut client = stage.client_on(core);
        trouble(&mut client);
        let last = client.until_closed();
        assert!(last.iter().all(|packet| packet.kind == Kind::Disconnect), "{last:?}");
        assert_eq!(witness.ask(1, r#"["well"]"#), json!(["well"]), "the core goes on");
        assert_eq!(stage.sum(|report| report.turns.handler_panics), before + panics, "it was counted");
        let mut next = stage.client_on(core);
        assert_eq!(next.ask(1, r#"["well"]"#), json!(["well"]), "and takes clients");
    }
}

fn troubled(io: &Builder) {
    io.on("well", |ack: Ack| ack.send("well"))
        .on("sync", |_socket: Socket| -> () { panic!("in a handler") })
        .on("async", async |_socket: Socket| -> () { panic!("before the first wait") })
        .on("later", async |_socket: Socket| {
            yield_now().await;
            let nothing = "x".parse::<u32>();
            nothing.expect("after a wait");
        })
        .on("tokio", async |_socket: Socket| -> () {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            panic!("after a wait for another thread")
        })
        .on("writing", |socket: Socket| socket.emit("never", (Binary(vec![1]), Unwritable)))
        .on_any(|_socket, name, _json| assert_ne!(name, "any"))
        .use_packet(|_socket, packet| match packet.event() {
            "use" => panic!("in a middleware"),
            _ => Ok(()),
        });
    io.of("/").on_packet("relay", |_socket, _packet| panic!("in a handler that relays"));
    io.of("/door").on_connect(|_socket: Socket| -> () { panic!("at the door") });
    io.of("/exit").on_disconnect(|_socket: Socket| -> () { panic!("at the exit") });
}

/// Panics when it is written.
struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        panic!("in a Serialize")
    }
}

#[test]
fn a_panic_in_a_sync_handler_closes_its_client_alone() {
    on_each(troubled, |stage| {
        survives(stage, 1, |client| client.emit(r#"["sync"]"#));
        survives(stage, 1, |client| client.emit(r#"["writing"]"#));
        survives(stage, 1, |client| client.emit(r#"["relay"]"#));
    });
}

#[test]
fn a_panic_in_an_async_handler_closes_its_client_alone() {
    on_each(troubled, |stage| {
        survives(stage, 1, |client| client.emit(r#"["async"]"#));
        survives(stage, 1, |client| client.emit(r#"["later"]"#));
        survives(stage, 1, |client| client.emit(r#"["tokio"]"#));
    });
}

#[test]
fn a_panic_before_the_handler_closes_its_client_alone() {
    on_each(troubled, |stage| {
        survives(stage, 1, |client| client.emit(r#"["any"]"#));
        survives(stage, 1, |client| client.emit(r#"["use"]"#));
    });
}

#[test]
fn a_panic_at_the_door_and_at_the_exit() {
    on_each(troubled, |stage| {
        survives(stage, 1, |client| {
            client.send_text("40/door,");
            let welcome = client.packet();
            assert_eq!((welcome.kind, welcome.nsp.as_str()), (Kind::Connect, "/door"));
        });
        survives(stage, 1, |client| {
            client.join("/exit", "");
            client.finish();
        });
    });
}

/// A middleware that panics has let nobody in: its client is told, and may go on elsewhere.
#[test]
fn a_panic_in_a_middleware_turns_the_client_down() {
    let build = |io: &Builder| {
        io.of("/sync").use_middleware(async |_socket: Socket| panic!("at once"));
        io.of("/later").use_middleware(async |_socket: Socket| {
            yield_now().await;
            panic!("after a wait")
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        for nsp in ["/sync", "/later"] {
            client.send_text(&format!("40{nsp},"));
            let refusal = client.packet();
            assert_eq!((refusal.kind, refusal.nsp.as_str()), (Kind::ConnectError, nsp));
            assert_eq!(refusal.args, json!({"message": "internal error"}));
            assert_eq!(client.before_fence(), []);
        }
        assert_eq!(stage.sum(|report| report.turns.handler_panics), 2);
        assert_eq!(stage.sockets(), 1, "nobody is left waiting");
    });
}

/// Handlers of one client that panic together are counted each, and the client is closed once.
#[test]
fn panics_come_in_crowds() {
    on_each(troubled, |stage| {
        survives(stage, 4, |client| {
            let events =
                [r#"42["later"]"#; 4].map(|text| (socketville_proto::ws::Opcode::Text, text.as_bytes()));
            client.send_all(&events);
        });
    });
}

#[test]
fn a_route_that_panics_answers_500() {
    let build = |io: &Builder| {
        io.route(Method::Get, "/sync", |_request: HttpRequest| -> std::future::Ready<HttpResponse> {
            panic!("in a route")
        });
        io.route(Method::Get, "/async", async |_request: HttpRequest| -> HttpResponse {
            yield_now().await;
            panic!("in a route's task")
        });
        io.route(Method::Get, "/well", async |_request: HttpRequest| HttpResponse::text(200, "well"));
    };
    on_each(build, |stage| {
        let mut http = stage.http();
        for path in ["/sync", "/async"] {
            assert_eq!(http.request("GET", path, "").status, 500, "{path}");
            assert_eq!(http.request("GET", "/well", "").body, "well", "the connection goes on");
        }
        assert_eq!(stage.sum(|report| report.turns.handler_panics), 2);
    });
}

/// Functions of the layers below have no socket to close: their peer's connection is closed.
#[test]
fn a_panic_below_socket_io_closes_its_peer() {
    let build = |io: &Builder| {
        io.engine("/engine.io/", |peer, message| match message {
            Message::Text(text) if &*text == "panic" => panic!("in an engine's function"),
            message => peer.send(message),
        });
        io.websocket("/raw", |peer, message| match message {
            Message::Text(text) if &*text == "panic" => panic!("in a bare function"),
            message => peer.send(message),
        });
    };
    on_cores(&[1], build, |stage| {
        for (path, prefix) in [("/engine.io/?EIO=4&transport=websocket", "4"), ("/raw", "")] {
            let mut peer = Client::raw(stage.address, path);
            let opened: Vec<_> = (0..prefix.len()).map(|_| peer.text()).collect();
            assert!(opened.iter().all(|text| text.starts_with("0{")), "{opened:?}");
            peer.send_text(&format!("{prefix}hello"));
            assert_eq!(peer.text(), format!("{prefix}hello"));
            peer.send_text(&format!("{prefix}panic"));
            peer.until_closed();
            assert_eq!(stage.client().before_fence(), [], "the core goes on");
        }
        assert_eq!(stage.sum(|report| report.turns.handler_panics), 2);
    });
}
