//! Profiles: what the server is told before a suite runs against it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use socketville::{
    Builder, Cors, Deflate, Driver, Emitter, HttpRequest, HttpResponse, Method, Namespace, Refusal, Server,
    Socket,
};

use crate::log::Log;

/// Profiles that are served, with ping interval and time-out in milliseconds. `main` differs in nothing else yet.
pub const PROFILES: &[(&str, u64, u64)] = &[("protocol", 300, 200), ("main", 25_000, 20_000)];

/// The two middlewares of `/mw`: join and wait, then admit by token.
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

/// A server for a profile, with `key=value` options.
///
/// # Errors
/// An unknown profile or option.
pub fn build(profile: &str, options: &[String]) -> Result<Builder> {
    let Some(&(_, interval_ms, timeout_ms)) = PROFILES.iter().find(|(name, ..)| *name == profile) else {
        bail!("expected a profile of {PROFILES:?}, found {profile:?}");
    };
    let io = Server::builder();
    io.ping_interval(Duration::from_millis(interval_ms))
        .ping_timeout(Duration::from_millis(timeout_ms))
        .connect_timeout(Duration::from_millis(1000))
        .max_http_buffer_size(1_000_000)
        .cors(Cors::any())
        .engine("/engine.io/", |peer, message| peer.send(message))
        .websocket("/ws-echo", |peer, message| peer.send(message))
        .route(Method::Get, "/healthz", async |_request: HttpRequest| HttpResponse::text(200, "ok\n"));
    let log = Log::default();
    for name in ["/", "/custom"] {
        crate::serve(io.of(name), &log);
    }
    admit_by_token(io.of("/mw"), &log);
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
