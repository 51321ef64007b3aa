//! The measured app on this engine: `join`, `pub`, `burst`, `echo`, as every rival serves it.
//!
//! Not a benchmark: `fanout` and `compare` drive it. From the environment: `PORT`, `BIND`, `CORES`, `DRIVER`; `DEFLATE=1` for
//! compression of every message; `PING_INTERVAL_MS` and `PING_TIMEOUT_MS`; `FLUSH_INTERVAL_MS` for messages that may wait;
//! `GRACEFUL=1`: SIGTERM drains.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use socketville::{
    Ack, Builder, Deflate, Driver, Emitter, HttpRequest, HttpResponse, Method, Packet, Server, Socket,
};
use socketville_bench::paths;
use tokio::signal::unix::{SignalKind, signal};

/// What `pub` carries, where it lies in the packet.
#[derive(Deserialize)]
struct Publication<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    /// All who are in any of these, where there are some.
    #[serde(default)]
    rooms: Vec<String>,
    /// For the members to read: relayed as it came.
    #[serde(borrow)]
    p: &'a RawValue,
}

/// What `burst` carries.
#[derive(Deserialize)]
struct Burst {
    room: Option<String>,
    count: u64,
    every: u64,
    rest: String,
}

fn main() -> socketville::Result<()> {
    let io = Server::builder();
    configure(&io);
    add_app(&io);
    let emitter = std::sync::Arc::new(std::sync::OnceLock::<Emitter>::new());
    add_metrics(&io, std::sync::Arc::clone(&emitter));
    let address = word("BIND").unwrap_or_else(|| "127.0.0.1".to_owned());
    let server = io.listen(&format!("{address}:{}", number("PORT").unwrap_or(3000)))?;
    let _ = emitter.set(server.emitter());
    println!(
        "listening on http://{} ({}, {} cores)",
        server.local_addr(),
        server.driver_name(),
        server.cores()
    );
    server.run()
}

fn configure(io: &Builder) {
    io.cores(number("CORES").map_or(1, |cores| cores as usize)).driver(match word("DRIVER").as_deref() {
        Some("epoll") => Driver::Epoll,
        Some("io_uring") => Driver::IoUring,
        _ => Driver::Auto,
    });
    if is_set("DEFLATE") {
        io.per_message_deflate(Deflate { threshold_bytes: 0, ..Deflate::default() });
    }
    if let Some(interval) = number("PING_INTERVAL_MS") {
        io.ping_interval(Duration::from_millis(interval));
    }
    if let Some(timeout) = number("PING_TIMEOUT_MS") {
        io.ping_timeout(Duration::from_millis(timeout));
    }
    if let Some(interval) = number("FLUSH_INTERVAL_MS") {
        io.of("/").flush_interval(Duration::from_millis(interval));
    }
    if is_set("GRACEFUL") {
        io.on_start(drain_on_sigterm);
    }
}

/// Clients are told and what is due is sent before the end, where without this the signal would end the process.
fn drain_on_sigterm(emitter: Emitter) {
    tokio::spawn(async move {
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => {
                terminated.recv().await;
                emitter.stop();
            }
            Err(error) => eprintln!("SIGTERM will end this at once: {error}"),
        }
    });
}

fn add_app(io: &Builder) {
    io.on("join", |socket: Socket, room: String, ack: Ack| {
        ack.send(socket.join(room).is_ok());
    })
    .on_packet("pub", publish)
    .on("burst", async |socket: Socket, burst: Burst| {
        for i in 0..burst.count {
            emit(&socket, burst.room.as_deref(), format!("{i:010}{}", burst.rest));
            if (i + 1) % burst.every.max(1) == 0 {
                socketville::yield_now().await;
            }
        }
    })
    .on_packet("echo", paths::answer_echo);
}

/// Counters of the engine, for sends per frame.
fn add_metrics(io: &Builder, emitter: std::sync::Arc<std::sync::OnceLock<Emitter>>) {
    io.route(Method::Get, "/metrics", move |_request: HttpRequest| {
        let asked = emitter.get().cloned();
        async move {
            let reports = match asked {
                Some(emitter) => emitter.reports().await,
                None => Vec::new(),
            };
            HttpResponse::text(200, socketville::render_metrics(&reports))
        }
    });
}

fn word(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str) -> Option<u64> {
    word(name)?.parse().ok()
}

fn is_set(name: &str) -> bool {
    word(name).is_some_and(|value| value == "1")
}

fn publish(socket: &Socket, packet: &mut Packet<'_>) {
    match packet.raw(0).map(serde_json::from_str::<Publication<'_>>) {
        Some(Ok(Publication { room, rooms, p })) if rooms.is_empty() => emit(socket, room.as_deref(), p),
        Some(Ok(Publication { rooms, p, .. })) => socket.nsp().to(rooms).emit("msg", p),
        Some(Err(error)) => eprintln!("pub: {error}"),
        None => eprintln!("pub without an argument"),
    }
}

fn emit(socket: &Socket, room: Option<&str>, message: impl Serialize) {
    match room {
        Some(room) => socket.nsp().to(room).emit("msg", message),
        None => socket.nsp().emit("msg", message),
    }
}
