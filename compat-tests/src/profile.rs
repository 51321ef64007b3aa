//! Profiles: what the server is told before a suite runs against it.

use std::time::Duration;

use anyhow::{Result, bail};
use socketville::{Builder, Cors, Driver, HttpRequest, HttpResponse, Method, Server};

use crate::log::Log;

/// Names of the profiles that are served.
pub const PROFILES: &[&str] = &["protocol"];

/// A server for a profile, with `key=value` options.
///
/// # Errors
/// An unknown profile or option.
pub fn build(profile: &str, options: &[String]) -> Result<Builder> {
    if !PROFILES.contains(&profile) {
        bail!("expected a profile of {PROFILES:?}, found {profile:?}");
    }
    let io = Server::builder();
    io.ping_interval(Duration::from_millis(300))
        .ping_timeout(Duration::from_millis(200))
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
