//! Profiles: what the server is told before a suite runs against it.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use socketville::{
    Builder, Cors, Driver, HttpRequest, HttpResponse, Method, Namespace, Refusal, Server, Socket,
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
        .cors(Cors::Any)
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
            _ => bail!("expected cores=N or driver=io_uring|epoll, found {option:?}"),
        };
    }
    Ok(io)
}
