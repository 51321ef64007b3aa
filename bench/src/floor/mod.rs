//! The floor: what the kernel alone costs. A server that speaks just enough to be measured by the swarm, and
//! whose fan-out is nothing but one nonblocking send of ready bytes to each member. It has no rooms, no acks,
//! no limits: never an example of a server.
//!
//! Each wire of it ([`send`](Wire::Send): the plain write loop; [`ring`](Wire::Ring) and
//! [`epoll`](Wire::Epoll): the engine's own drivers) is read by the same few lines, so that what differs
//! between two figures is the way bytes reach the kernel. With `coalesce` K up to K frames leave in one send:
//! the floor of an engine that puts K frames into each send. What a full socket does not take is copied to
//! its backlog and leaves when the socket is writable.

mod backlog;
mod driven;
mod peer;
mod plain;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use socketville_sys::{Epoll, Listener, Ring};

use self::driven::Driven;
use self::peer::{Burst, Request};
use self::plain::Plain;
use crate::wire::{self, SAMPLE_ACCEPT};

/// How bytes reach the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Wire {
    /// A loop of write calls on nonblocking sockets.
    Send,
    /// The engine's ring, in batches.
    Ring,
    /// The ring's epoll twin.
    Epoll,
}

impl Wire {
    /// Its name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Wire::Send => "send",
            Wire::Ring => "ring",
            Wire::Epoll => "epoll",
        }
    }
}

/// Serves on 127.0.0.1 until it is killed, putting up to `coalesce` frames into one send.
///
/// # Errors
/// When it cannot listen, or the kernel refuses the wire.
pub fn serve(wire: Wire, coalesce: u32, port: u16) -> Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let listener = || Listener::bind(address).with_context(|| format!("listening on {address}"));
    match wire {
        Wire::Send => run(Plain::bind(address)?, coalesce),
        Wire::Ring => run(Driven::new(Ring::new(Some(listener()?)).context("io_uring")?), coalesce),
        Wire::Epoll => run(Driven::new(Epoll::new(Some(listener()?)).context("epoll")?), coalesce),
    }
}

/// The connections of one wire.
trait Connections {
    /// Names a connection.
    type Id: Copy;

    /// Waits (`None`: for ever), accepts, sends backlogs to sockets that became writable, and appends what
    /// peers ask.
    fn turn(&mut self, timeout: Option<Duration>, asked: &mut Vec<(Self::Id, Request)>) -> Result<()>;
    /// Sends to one.
    fn send(&mut self, id: Self::Id, bytes: &[u8]);
    /// One send to each member; returns how many sends that were.
    fn send_all(&mut self, bytes: &[u8]) -> u64;
    /// From now on a member.
    fn admit(&mut self, id: Self::Id);
    /// How many members there are.
    fn members(&self) -> usize;
}

/// The frames that wait for the next send to all.
struct Round {
    bytes: Vec<u8>,
    frames: u32,
    coalesce: u32,
    frames_total: u64,
    sends_total: u64,
}

fn run<C: Connections>(mut connections: C, coalesce: u32) -> Result<()> {
    let mut round =
        Round { bytes: Vec::new(), frames: 0, coalesce: coalesce.max(1), frames_total: 0, sends_total: 0 };
    let (mut asked, mut bursts) = (Vec::new(), VecDeque::new());
    loop {
        let timeout = if bursts.is_empty() { None } else { Some(Duration::ZERO) };
        connections.turn(timeout, &mut asked)?;
        for (id, request) in asked.drain(..) {
            answer(&mut connections, &mut round, &mut bursts, id, request);
        }
        advance(&mut connections, &mut round, &mut bursts);
        if bursts.is_empty() {
            round.flush(&mut connections);
        }
    }
}

fn answer<C: Connections>(
    connections: &mut C,
    round: &mut Round,
    bursts: &mut VecDeque<Burst>,
    id: C::Id,
    request: Request,
) {
    match request {
        Request::Upgrade => connections.send(id, &upgrade()),
        Request::Connect => {
            connections.admit(id);
            connections.send(id, &text(r#"40{"sid":"floor"}"#));
        }
        Request::Metrics => connections.send(id, round.metrics().as_bytes()),
        Request::Publish(payload) => round.push(connections, &payload),
        Request::Burst(burst) => bursts.push_back(burst),
    }
}

/// The next `every` messages of the first burst.
fn advance<C: Connections>(connections: &mut C, round: &mut Round, bursts: &mut VecDeque<Burst>) {
    let Some(burst) = bursts.front_mut() else { return };
    let end = burst.count.min(burst.next.saturating_add(burst.every.max(1)));
    for index in burst.next..end {
        round.push(connections, &format!("{index:010}{}", burst.rest));
    }
    burst.next = end;
    if end == burst.count {
        bursts.pop_front();
    }
}

impl Round {
    fn push<C: Connections>(&mut self, connections: &mut C, payload: &str) {
        let packet = format!(r#"42["msg","{payload}"]"#);
        wire::write_plain(wire::TEXT, packet.as_bytes(), &mut self.bytes);
        self.frames += 1;
        if self.frames >= self.coalesce {
            self.flush(connections);
        }
    }

    fn flush<C: Connections>(&mut self, connections: &mut C) {
        if self.frames == 0 {
            return;
        }
        self.frames_total += u64::from(self.frames) * connections.members() as u64;
        self.sends_total += connections.send_all(&self.bytes);
        self.bytes.clear();
        self.frames = 0;
    }

    fn metrics(&self) -> String {
        let body =
            format!("floor_frames_total {}\nfloor_sends_total {}\n", self.frames_total, self.sends_total);
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }
}

/// The answer to the swarm's upgrade, with Engine.IO's open packet behind it.
fn upgrade() -> Vec<u8> {
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
    let open =
        r#"0{"sid":"floor","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let mut bytes = format!("{head}{SAMPLE_ACCEPT}\r\n\r\n").into_bytes();
    bytes.extend_from_slice(&text(open));
    bytes
}

fn text(packet: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    wire::write_plain(wire::TEXT, packet.as_bytes(), &mut frame);
    frame
}
