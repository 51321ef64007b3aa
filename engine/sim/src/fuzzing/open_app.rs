//! The application that strangers find: events, acknowledgements, rooms, namespaces with middlewares, HTTP routes, bare WebSockets.
//!
//! What it does for a client is in proportion to what the client sent, but for `flood`, which only its sender gets: so a client that is harmed
//! otherwise was harmed by the engine.

use std::collections::BTreeMap;
use std::time::Duration;

use socketville::{
    Ack, Builder, Deflate, HttpRequest, HttpResponse, Method, Recovery, Refusal, Server, Socket, sleep,
};

/// Clients that are bystanders: the first ones in `/`.
const BYSTANDERS: usize = 2;
/// Their room; nobody else gets in.
const BYSTANDERS_ROOM: &str = "bystanders";

/// Time between a pong and the next ping.
const PING_INTERVAL_MS: u64 = 10_000;
/// Time that a pong may take.
const PING_TIMEOUT_MS: u64 = 8_000;
/// Bytes that a client may owe: more than strangers can make anybody else owe between two reads.
const BACKLOG_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one event that goes to everybody.
const PUBLIC_BYTES_MAX: usize = 100;

/// Which options the application has, one bit each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options(pub(super) u8);

impl Options {
    const fn has(self, bit: u8) -> bool {
        self.0 & (1 << bit) != 0
    }

    /// Cores of the machine, 1 to 3.
    pub(super) const fn cores(self) -> usize {
        1 + (self.0 >> 6) as usize % 3
    }
}

/// The application.
pub(super) fn open_app(options: Options) -> Builder {
    let io = Server::builder();
    io.ping_interval(Duration::from_millis(PING_INTERVAL_MS))
        .ping_timeout(Duration::from_millis(PING_TIMEOUT_MS))
        .backlog_max(BACKLOG_BYTES_MAX)
        .backlog_burst_max(if options.has(0) { 0 } else { 1 << 20 })
        .max_http_buffer_size(20_000)
        .allow_eio3(options.has(1))
        .memory_max(if options.has(2) { 1 << 20 } else { 1 << 30 } * options.cores())
        .cleanup_empty_child_namespaces(true);
    if options.has(3) {
        io.per_message_deflate(Deflate { threshold_bytes: 20, ..Deflate::default() });
    }
    if options.has(4) {
        let max_disconnection = Duration::from_secs(20);
        io.connection_state_recovery(Recovery { max_disconnection, ..Recovery::default() });
    }
    if options.has(5) {
        io.of("/").flush_interval(Duration::from_millis(20));
    }
    presence(&io);
    events(&io);
    waits(&io);
    elsewhere(&io);
    io
}

fn presence(io: &Builder) {
    let arrivals = std::sync::atomic::AtomicUsize::new(0);
    io.on_connect(move |socket: Socket| {
        let number = arrivals.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if number < BYSTANDERS {
            socket.join(BYSTANDERS_ROOM).expect("a room for a bystander");
        }
        socket.set_data(number as u64);
    });
    io.on("join", |socket: Socket, room: String, ack: Ack| {
        ack.send(room != BYSTANDERS_ROOM && socket.join(room).is_ok());
    });
    io.on("leave", |socket: Socket, room: String| {
        if room != BYSTANDERS_ROOM {
            socket.leave(room);
        }
    });
    io.on("bye", |socket: Socket, all: bool| if all { socket.disconnect_all() } else { socket.disconnect() });
}

fn events(io: &Builder) {
    let root = io.of("/");
    root.on_packet("echo", |_, packet| {
        let ack = packet.take_ack();
        ack.send(packet.arguments());
    })
    .on_packet("bin", |socket, packet| {
        socket.emit("bin", packet.arguments());
        socket.to("x").emit("bin", packet.arguments());
    })
    .on("post", |socket: Socket, number: u64| {
        if socket.is_in(BYSTANDERS_ROOM) {
            socket.to(BYSTANDERS_ROOM).emit("post", number);
        }
    })
    .on("say", |socket: Socket, room: String, text: String| {
        if room != BYSTANDERS_ROOM {
            socket.to(&room).emit("said", text);
        }
    })
    .on("all", |socket: Socket, text: String| {
        if text.len() <= PUBLIC_BYTES_MAX {
            socket.nsp().emit("said", text);
        }
    })
    .on("flood", |socket: Socket, kib: u8| {
        let text = "f".repeat(1024);
        (0..kib).for_each(|_| socket.emit("flood", &text));
    });
}

/// Handlers that wait: for answers, for time, for other cores.
fn waits(io: &Builder) {
    io.on("ask", |socket: Socket, ack: Ack| async move {
        let answer = socket.emit_with_ack::<u64>("quiz", 1, Duration::from_secs(5)).await;
        ack.send(answer.is_ok());
    });
    io.on("wait", |ms: u16, ack: Ack| async move {
        sleep(Duration::from_millis(u64::from(ms))).await;
        ack.send(ms);
    });
    io.on("count", |socket: Socket, ack: Ack| async move {
        ack.send(socket.nsp().fetch_sockets().await.is_ok());
    });
}

/// Other namespaces, routes, bare Engine.IO and bare WebSockets.
fn elsewhere(io: &Builder) {
    io.of("/held")
        .use_middleware(async |socket: Socket| {
            socket.emit("early", 1);
            sleep(Duration::from_millis(100)).await;
            let auth = socket.handshake().auth::<BTreeMap<String, u64>>();
            if auth.is_ok() { Ok(()) } else { Err(Refusal::from("no auth")) }
        })
        .on_packet("echo", |_, packet| {
            let ack = packet.take_ack();
            ack.send(packet.arguments());
        });
    io.of_pattern("^/d-[a-z]$").on("all", |socket: Socket, text: String| socket.nsp().emit("said", text));
    io.engine("/engine/", |peer, message| peer.send(message));
    io.websocket("/ws/", |peer, message| peer.send(message));
    io.route(Method::Get, "/healthz", async |_request: HttpRequest| HttpResponse::text(200, "ok"));
    io.route(Method::Post, "/upload", async |request: HttpRequest| {
        HttpResponse::text(200, request.body().len().to_string())
    });
}
