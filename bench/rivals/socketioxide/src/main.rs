//! The measured app on socketioxide: what `bench-server` does, written as its documentation would have it and
//! set up as well as it can be (one thread for one core, mimalloc, a send queue that loses nothing, no
//! Nagle). Not an example of our own engine.
//!
//! `PORT` (default 3000), `CORES` (default 1), `PING_INTERVAL_MS` and `PING_TIMEOUT_MS` come from the environment. It has
//! no compression.

use std::time::Duration;

use axum::serve::ListenerExt;
use mimalloc::MiMalloc;
use serde::Deserialize;
use serde_json::Value;
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef},
};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Packets that may wait for one client. The default, 128, loses broadcasts of a burst.
const SEND_QUEUE_PACKETS: usize = 4096;

/// `pub`: one message to a room or to all.
#[derive(Deserialize)]
struct Publish {
    room: Option<String>,
    p: String,
}

/// `burst`: `count` numbered messages, yielding to the loop after each `every`.
#[derive(Deserialize)]
struct Burst {
    room: Option<String>,
    count: u32,
    every: u32,
    rest: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = from_environment("PORT", 3000)?;
    let cores = from_environment("CORES", 1)?;
    runtime(usize::from(cores))?.block_on(serve(port))
}

fn from_environment(name: &str, default: u16) -> Result<u16, std::num::ParseIntError> {
    std::env::var(name).map_or(Ok(default), |value| value.parse())
}

fn milliseconds(name: &str, default: u64) -> Result<Duration, std::num::ParseIntError> {
    std::env::var(name).map_or(Ok(default), |value| value.parse()).map(Duration::from_millis)
}

/// A single-threaded runtime has no locks between workers and keeps the order of tasks; it is the best there
/// is for one core.
fn runtime(cores: usize) -> std::io::Result<Runtime> {
    if cores <= 1 {
        Builder::new_current_thread().enable_all().build()
    } else {
        Builder::new_multi_thread().worker_threads(cores).enable_all().build()
    }
}

async fn serve(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let (layer, io) = SocketIo::builder()
        .max_buffer_size(SEND_QUEUE_PACKETS)
        .ping_interval(milliseconds("PING_INTERVAL_MS", 25_000)?)
        .ping_timeout(milliseconds("PING_TIMEOUT_MS", 20_000)?)
        .build_layer();
    io.ns("/", connected);
    let address = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let listener = tokio::net::TcpListener::bind((address, port)).await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    println!("socketioxide listens on port {port}");
    axum::serve(listener, axum::Router::new().layer(layer)).await?;
    Ok(())
}

async fn connected(socket: SocketRef) {
    socket.on("join", async |socket: SocketRef, Data::<String>(room), ack: AckSender| {
        socket.join(room);
        let _ = ack.send("ok");
    });
    socket.on("pub", async |io: SocketIo, Data::<Publish>(publish)| {
        emit(&io, publish.room.as_deref(), &publish.p).await
    });
    socket.on("burst", async |io: SocketIo, Data::<Burst>(burst)| {
        for index in 0..burst.count {
            emit(&io, burst.room.as_deref(), &format!("{index:010}{}", burst.rest)).await;
            if (index + 1) % burst.every.max(1) == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    socket.on("echo", async |Data::<Value>(data), ack: AckSender| {
        let _ = ack.send(&data);
    });
}

async fn emit(io: &SocketIo, room: Option<&str>, text: &str) {
    let sent = match room {
        Some(room) => io.to(room.to_owned()).emit("msg", text).await,
        None => io.emit("msg", text).await,
    };
    if let Err(error) = sent {
        eprintln!("a broadcast was not taken by everybody: {error}");
    }
}
