//! Profiles: what the server is told before a suite runs against it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use socketville::{
    Builder, Cors, Deflate, Driver, Emitter, HttpRequest, HttpResponse, Method, Namespace, Parser, Recovery,
    Refusal, Server, Socket,
};

use crate::log::Log;
use crate::{eio_client, faults, rooms, sio_client};

/// A profile: its heartbeat, and what is served.
#[derive(Debug, Clone, Copy)]
struct Profile {
    name: &'static str,
    ping_interval_ms: u64,
    ping_timeout_ms: u64,
    app: App,
}

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum App {
    /// The events of the contract in every namespace.
    Main,
    /// The same, and what the fault cases need beside it.
    Faults,
    /// The events of the contract, with recovery for 3 seconds.
    Recovery,
    /// The events of the contract, in MessagePack.
    MsgPack,
    /// What socket.io-client's own suite expects.
    SioClient,
    /// What engine.io-client's own suite expects.
    EioClient,
}

const PROFILES: &[Profile] = &[
    Profile { name: "protocol", ping_interval_ms: 300, ping_timeout_ms: 200, app: App::Main },
    Profile { name: "protocol-v3", ping_interval_ms: 300, ping_timeout_ms: 200, app: App::Main },
    Profile { name: "main", ping_interval_ms: 25_000, ping_timeout_ms: 20_000, app: App::Main },
    Profile { name: "faults", ping_interval_ms: 25_000, ping_timeout_ms: 20_000, app: App::Faults },
    Profile { name: "recovery", ping_interval_ms: 25_000, ping_timeout_ms: 20_000, app: App::Recovery },
    Profile { name: "msgpack", ping_interval_ms: 25_000, ping_timeout_ms: 20_000, app: App::MsgPack },
    Profile { name: "sio-client", ping_interval_ms: 2000, ping_timeout_ms: 20_000, app: App::SioClient },
    Profile { name: "eio-client", ping_interval_ms: 500, ping_timeout_ms: 20_000, app: App::EioClient },
];

/// The names of all profiles.
pub fn names() -> Vec<&'static str> {
    PROFILES.iter().map(|profile| profile.name).collect()
}

/// The two middlewares of `/mw`, and of the dynamic namespaces `/dyn-mw-N` beyond the contract: join and wait, then admit by token.
fn admit_by_token(namespace: Namespace<'_>, log: &Log) {
    let namespace = namespace
        .use_middleware(async |socket: Socket| {
            let _ = socket.join("joined-in-middleware");
            let auth: Value = socket.handshake().auth().unwrap_or_default();
            socketville::sleep(Duration::from_millis(auth["delay"].as_u64().unwrap_or_default())).await;
            Ok(())
        })
        .use_middleware(async |socket: Socket| {
            let auth: Value = socket.handshake().auth().unwrap_or_default();
            if auth["token"] != "ok" {
                let data = json!({"code": "E_AUTH", "retry": false});
                return Err(Refusal::from("not authorized").with_data(data));
            }
            socket.set_data(Map::from_iter([("user".to_owned(), Value::from("ok"))]));
            Ok(())
        });
    crate::serve(namespace, log);
}

/// Beyond the contract: compression on Socket.IO too, and the metrics that count it.
fn deflate_everywhere(io: &Builder) -> &Builder {
    let emitter = Arc::new(OnceLock::new());
    let asked = Arc::clone(&emitter);
    io.per_message_deflate(Deflate::default())
        .websocket_deflate(Deflate::default())
        .on_start(move |started| drop(emitter.set(started)))
        .route(Method::Get, "/metrics", move |_request: HttpRequest| {
            let asked: Option<Emitter> = asked.get().cloned();
            async move {
                let Some(emitter) = asked else { return HttpResponse::text(503, "not started\n") };
                HttpResponse::text(200, socketville::render_metrics(&emitter.reports().await))
            }
        })
}

fn serve_main(io: &Builder) {
    io.connect_timeout(Duration::from_millis(1000))
        .max_http_buffer_size(1_000_000)
        .engine("/engine.io/", |peer, message| peer.send(message))
        .websocket("/ws-echo", |peer, message| peer.send(message));
    let log = Log::default();
    for name in ["/", "/custom"] {
        crate::serve(io.of(name), &log);
    }
    admit_by_token(io.of("/mw"), &log);
    crate::serve(io.of_pattern(rooms::PARENT), &log);
    admit_by_token(io.of_pattern("^/dyn-mw-[0-9]+$"), &log);
}

/// A server for a profile, with `key=value` options.
///
/// # Errors
/// An unknown profile or option.
pub fn build(profile: &str, options: &[String]) -> Result<Builder> {
    let Some(profile) = PROFILES.iter().find(|known| known.name == profile) else {
        bail!("expected a profile of {:?}, found {profile:?}", names());
    };
    let io = Server::builder();
    io.ping_interval(Duration::from_millis(profile.ping_interval_ms))
        .ping_timeout(Duration::from_millis(profile.ping_timeout_ms))
        .cors(Cors::any())
        .route(Method::Get, "/healthz", async |_request: HttpRequest| HttpResponse::text(200, "ok\n"));
    match profile.app {
        App::Main => {
            io.cleanup_empty_child_namespaces(profile.name == "main");
            io.allow_eio3(matches!(profile.name, "main" | "protocol-v3"));
            serve_main(&io);
        }
        App::Faults => {
            io.allow_eio3(true);
            faults::serve(&io);
            serve_main(&io);
        }
        App::Recovery => {
            let max_disconnection = Duration::from_millis(3000);
            io.connection_state_recovery(Recovery { max_disconnection, ..Recovery::default() });
            serve_main(&io);
        }
        App::MsgPack => {
            io.parser(Parser::MsgPack);
            serve_main(&io);
        }
        App::SioClient => sio_client::serve(&io),
        App::EioClient => eio_client::serve(&io),
    }
    for option in options {
        match option.split_once('=') {
            Some(("cores", cores)) => io.cores(cores.parse()?),
            Some(("driver", "io_uring")) => io.driver(Driver::IoUring),
            Some(("driver", "epoll")) => io.driver(Driver::Epoll),
            Some(("deflate", "1")) => io.websocket_deflate(Deflate::default()),
            Some(("deflate", "everywhere")) => deflate_everywhere(&io),
            _ => bail!("expected deflate=1|everywhere, cores=N or driver=io_uring|epoll, found {option:?}"),
        };
    }
    Ok(io)
}
