//! Names that the protocol keeps for itself: no emit of any kind takes one, and nothing is sent.

mod client;
mod stage;

use std::time::Duration;

use serde_json::{Value, json};
use socketville::{
    Ack, AckError, BroadcastAckError, Builder, Content, EmitError, EventPayload, RelayError, Socket,
    is_reserved_event,
};

use stage::{on_each, wait};

const NAMES: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];
const SOON: Duration = Duration::from_secs(5);

fn is_refused<T>(result: &Result<T, EmitError>) -> bool {
    matches!(result, Err(EmitError::ReservedEvent(_)))
}

/// Every kind of emit that a handler has, and whether it refused.
async fn try_all(socket: &Socket, name: &str) -> Vec<bool> {
    let nsp = || socket.nsp();
    socket.emit(name, 1);
    socket.emit_volatile(name, 1);
    nsp().emit(name, 1);
    socket.emitter().emit(name, 1);
    socket.broadcast().server_side_emit(name, 1);
    let others = nsp().fetch_sockets().await.expect("all answer");
    others.iter().for_each(|other| other.emit(name, 1));
    let remote = others[0].emit_with_ack::<Value>(name, 1, SOON).await;
    vec![
        is_refused(&socket.try_emit(name, 1)),
        is_refused(&socket.volatile().compress(false).try_emit(name, 1)),
        is_refused(&nsp().try_emit(name, 1)),
        is_refused(&socket.broadcast().volatile().try_emit(name, 1)),
        is_refused(&socket.to("nobody").try_emit(name, 1)),
        is_refused(&nsp().to(Vec::<String>::new()).try_emit(name, 1)),
        is_refused(&nsp().local().emit_counted(name, 1).await),
        is_refused(&socket.emitter().to("x").try_emit(name, 1)),
        matches!(
            socket.emit_with_ack::<Value>(name, 1, SOON).await,
            Err(AckError::Emit(EmitError::ReservedEvent(_)))
        ),
        matches!(
            nsp().emit_with_ack::<Value>(name, 1, SOON).await,
            Err(BroadcastAckError::Emit(EmitError::ReservedEvent(_)))
        ),
        matches!(remote, Err(AckError::Emit(EmitError::ReservedEvent(_)))),
    ]
}

fn build(io: &Builder) {
    io.on("try", async |socket: Socket, name: String, ack: Ack| ack.send(try_all(&socket, &name).await));
}

#[test]
fn no_emit_of_a_handler_takes_one() {
    on_each(build, |stage| {
        let mut clients = [stage.client(), stage.client()];
        for (id, name) in NAMES.iter().enumerate() {
            let refused = clients[0].ask(id as u64, &json!(["try", name]).to_string());
            assert_eq!(refused, json!([vec![true; 11]]), "{name}");
        }
        for client in &mut clients {
            assert_eq!(client.before_fence(), [], "nothing was sent");
        }
    });
}

#[test]
fn no_emit_of_another_thread_takes_one() {
    on_each(build, |stage| {
        let mut client = stage.client();
        for name in NAMES {
            stage.emitter.emit(name, 1);
            assert!(is_refused(&stage.emitter.of("/").try_emit(name, 1)), "{name}");
            assert!(is_refused(&stage.emitter.to(&client.id).try_emit(name, 1)), "{name}");
            assert!(is_refused(&wait(stage.emitter.of("/").emit_counted(name, 1))), "{name}");
        }
        assert_eq!(client.before_fence(), []);
    });
}

/// Names that only look like them are anybody's.
#[test]
fn other_names_are_taken() {
    for name in ["", "Connect", "connect ", "connection", "disconnected", "error", "newlistener"] {
        assert!(!is_reserved_event(name), "{name}");
    }
    assert!(NAMES.iter().all(|name| is_reserved_event(name)));
    on_each(build, |stage| {
        let mut client = stage.client();
        stage.emitter.emit("connection", 1);
        assert_eq!(client.event("connection"), json!([1]));
    });
}

/// What another server says is refused too.
#[test]
fn no_relay_takes_one() {
    let payload = |name: &str| EventPayload { array: json!([name, 1]).to_string(), attachments: Vec::new() };
    let relays = std::sync::Arc::new(std::sync::Mutex::new(None));
    struct Told(std::sync::Arc<std::sync::Mutex<Option<socketville::Relay>>>);
    impl socketville::Adapter for Told {
        fn start(&self, relay: socketville::Relay) {
            *self.0.lock().expect("a relay") = Some(relay);
        }
        fn send(&self, message: socketville::ClusterMessage) {
            panic!("nothing is told to others: {message:?}");
        }
    }
    let build = |io: &Builder| {
        io.adapter(Told(std::sync::Arc::clone(&relays)));
        build(io);
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        let relay = relays.lock().expect("a relay").clone().expect("it has started");
        for name in NAMES {
            for content in [
                Content::Event { payload: payload(name), volatile: false, compress: true },
                Content::ServerSide(payload(name)),
            ] {
                let message = socketville::ClusterMessage {
                    nsp: "/".into(),
                    rooms: Vec::new(),
                    except: Vec::new(),
                    content,
                };
                assert!(matches!(relay.deliver(&message), Err(RelayError::Malformed(_))), "{name}");
            }
        }
        let refused = client.ask(1, r#"["try","disconnect"]"#);
        assert_eq!((refused, client.before_fence()), (json!([vec![true; 11]]), Vec::new()));
    });
}
