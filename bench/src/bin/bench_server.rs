//! The measured app on this engine: `join`, `pub`, `burst`, `echo`, as every rival serves it.
//!
//! Not a benchmark: `fanout` and `compare` drive it. `PORT` and `CORES` come from the environment, `DEFLATE=1` for
//! compression of every message, and `FLUSH_INTERVAL_MS` for messages that may wait.

use serde::Deserialize;
use socketville::{Ack, Deflate, Driver, HttpRequest, HttpResponse, Method, Server, Socket};

#[cfg(any())]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What `pub` carries.
#[derive(Deserialize)]
struct Publication {
    room: Option<String>,
    p: String,
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
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let io = Server::builder();
    io.cores(number("CORES", 1)).driver(match std::env::var("DRIVER").as_deref() {
        Ok("epoll") => Driver::Epoll,
        Ok("io_uring") => Driver::IoUring,
        _ => Driver::Auto,
    });
    if std::env::var("DEFLATE").is_ok_and(|value| value == "1") {
        io.per_message_deflate(Deflate { threshold_bytes: 0, ..Deflate::default() });
    }
    // Milliseconds that messages may wait for others.
    io.of("/").flush_interval(std::time::Duration::from_millis(number("FLUSH_INTERVAL_MS", 0) as u64));
    io.on("join", |socket: Socket, room: String, ack: Ack| {
        ack.send(socket.join(room).is_ok());
    })
    .on("pub", |socket: Socket, publication: Publication| {
        emit(&socket, publication.room.as_deref(), &publication.p);
    })
    .on("burst", async |socket: Socket, burst: Burst| {
        for i in 0..burst.count {
            emit(&socket, burst.room.as_deref(), &format!("{i:010}{}", burst.rest));
            if (i + 1) % burst.every.max(1) == 0 {
                socketville::yield_now().await;
            }
        }
    })
    .on("echo", |data: serde_json::Value, ack: Ack| ack.send(data));
    let emitter = std::sync::Arc::new(std::sync::OnceLock::<socketville::Emitter>::new());
    let asked = std::sync::Arc::clone(&emitter);
    io.route(Method::Get, "/metrics", move |_request: HttpRequest| {
        let asked = asked.get().cloned();
        async move {
            let reports = match asked {
                Some(emitter) => emitter.reports().await,
                None => Vec::new(),
            };
            HttpResponse::text(200, socketville::render_metrics(&reports))
        }
    });
    let server = io.listen(&format!("127.0.0.1:{}", number("PORT", 3000)))?;
    let _ = emitter.set(server.emitter());
    println!(
        "listening on http://{} ({}, {} cores)",
        server.local_addr(),
        server.driver_name(),
        server.cores()
    );
    server.run()
}

fn emit(socket: &Socket, room: Option<&str>, text: &str) {
    match room {
        Some(room) => socket.nsp().to(room).emit("msg", text),
        None => socket.nsp().emit("msg", text),
    }
}
