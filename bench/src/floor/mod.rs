//! The floor: what the kernel alone costs. A server that speaks just enough to be measured by the swarm, and
//! whose fan-out is nothing but one nonblocking send of ready bytes to each member. It has no limits and trusts
//! its peers: never an example of a server.
//!
//! Each wire of it ([`send`](Wire::Send): the plain write loop; [`ring`](Wire::Ring) and
//! [`epoll`](Wire::Epoll): the engine's own drivers) is read by the same few lines, so that what differs
//! between two figures is the way bytes reach the kernel. What a full socket does not take is copied to its
//! backlog and leaves when the socket is writable. It has ceilings for different work ([`Ceiling`]): up to K
//! frames in one send to all; one send to each member of a room; each event compressed once; the answers to all
//! that one read brought in one send. On several cores it is as many floors, of
//! which each publishes what one was asked to.

mod backlog;
mod driven;
mod peer;
mod plain;
mod round;
mod siblings;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use socketville_sys::{Epoll, Listener, PortUse, Ring, pin_to_core};

use self::driven::Driven;
use self::peer::{Burst, Request};
use self::plain::Plain;
use self::round::Round;
use self::siblings::Siblings;
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

    /// The wire of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Wire> {
        [Wire::Send, Wire::Ring, Wire::Epoll].into_iter().find(|wire| wire.name() == name)
    }
}

/// The subcommand with which the bench programs become a floor.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Serve {
    /// How bytes reach the kernel
    #[arg(long, value_enum)]
    wire: Wire,
    #[command(flatten)]
    ceiling: Ceiling,
    /// Where to listen
    #[arg(long, env = "PORT")]
    port: u16,
    /// On which address
    #[arg(long, env = "BIND", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Loops, each on a core of its own; only `ring` and `epoll` may have several
    #[arg(long, env = "CORES", default_value_t = 1)]
    cores: usize,
}

/// What a floor is allowed beyond one send for each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub struct Ceiling {
    /// Up to so many frames to all leave in one send
    #[arg(long, default_value_t = 1)]
    pub coalesce: u32,
    /// Agrees to compression, and compresses each event once
    #[arg(long)]
    pub deflate: bool,
}

impl Default for Ceiling {
    fn default() -> Ceiling {
        Ceiling { coalesce: 1, deflate: false }
    }
}

/// Serves until it is killed.
///
/// # Errors
/// When it cannot listen, or the kernel refuses the wire.
pub fn serve(Serve { wire, ceiling, port, bind, cores }: Serve) -> Result<()> {
    let address = SocketAddr::new(bind, port);
    let mut loops = Siblings::of(cores);
    let Some(first) = loops.pop() else { return Ok(()) };
    if loops.is_empty() {
        return serve_alone(wire, address, ceiling, first);
    }
    ensure!(wire != Wire::Send, "the plain write loop has one core");
    let pinned = move |siblings: Siblings| -> Result<()> {
        pin_to_core(siblings.index()).context("a core of its own")?;
        serve_alone(wire, address, ceiling, siblings)
    };
    for siblings in loops {
        let name = format!("floor-{}", siblings.index());
        // A loop ends by an error only, and the process with it.
        let work = move || pinned(siblings).unwrap_or_else(|error| panic!("{error:#}"));
        thread::Builder::new().name(name).spawn(work).context("no thread")?;
    }
    pinned(first)
}

fn serve_alone(wire: Wire, address: SocketAddr, ceiling: Ceiling, siblings: Siblings) -> Result<()> {
    let listener =
        || Listener::bind(address, PortUse::Shared).with_context(|| format!("listening on {address}"));
    match wire {
        Wire::Send => run(Plain::bind(address)?, ceiling, &siblings),
        Wire::Ring => {
            let driven = Driven::new(Ring::new(Some(listener()?)).context("io_uring")?);
            siblings.hang(driven.waker());
            run(driven, ceiling, &siblings)
        }
        Wire::Epoll => {
            let driven = Driven::new(Epoll::new(Some(listener()?)).context("epoll")?);
            siblings.hang(driven.waker());
            run(driven, ceiling, &siblings)
        }
    }
}

/// The connections of one wire.
trait Connections {
    /// Names a connection.
    type Id: Copy + PartialEq;

    /// Waits (`None`: for ever), accepts, sends backlogs to sockets that became writable, and appends what
    /// peers ask.
    fn turn(&mut self, timeout: Option<Duration>, asked: &mut Vec<(Self::Id, Request)>) -> Result<()>;
    /// Sends to one.
    fn send(&mut self, id: Self::Id, bytes: &[u8]);
    /// One send to each member; returns how many sends that were.
    fn send_all(&mut self, bytes: &[u8]) -> u64;
    /// One send to each of these; returns how many sends that were.
    fn send_each(&mut self, ids: &[Self::Id], bytes: &[u8]) -> u64;
    /// From now on a member.
    fn admit(&mut self, id: Self::Id);
    /// How many members there are.
    fn members(&self) -> usize;
}

fn run<C: Connections>(connections: C, ceiling: Ceiling, siblings: &Siblings) -> Result<()> {
    let rooms = HashMap::new();
    let mut floor = Floor {
        connections,
        round: Round::new(ceiling),
        rooms,
        bursts: VecDeque::new(),
        answers: Vec::new(),
    };
    let mut asked = Vec::new();
    loop {
        let timeout = if floor.bursts.is_empty() { None } else { Some(Duration::ZERO) };
        floor.connections.turn(timeout, &mut asked)?;
        for (id, request) in asked.drain(..) {
            siblings.tell(&request);
            floor.answer(id, request);
        }
        siblings.told().for_each(|request| floor.publish(request));
        floor.flush_answers();
        floor.advance();
        if floor.bursts.is_empty() {
            floor.round.flush(&mut floor.connections);
        }
    }
}

/// One floor at work.
struct Floor<C: Connections> {
    connections: C,
    round: Round,
    rooms: HashMap<String, Vec<C::Id>>,
    bursts: VecDeque<Burst>,
    /// Answers of this turn; those to one connection lie side by side, since one read brought its questions.
    answers: Vec<(C::Id, Vec<u8>)>,
}

impl<C: Connections> Floor<C> {
    fn answer(&mut self, id: C::Id, request: Request) {
        match request {
            Request::Upgrade => self.connections.send(id, &upgrade(self.round.ceiling.deflate)),
            Request::Connect => {
                self.connections.admit(id);
                self.connections.send(id, &text(r#"40{"sid":"floor"}"#));
            }
            Request::Metrics => self.connections.send(id, self.round.metrics().as_bytes()),
            Request::Join(packet, room) => {
                self.rooms.entry(room).or_default().push(id);
                self.connections.send(id, &text(&format!(r#"43{packet}["ok"]"#)));
            }
            Request::Echo(packet, data) => self.echo(id, &format!("43{packet}[{data}]")),
            Request::Publish(..) | Request::Burst(_) => self.publish(request),
        }
    }

    /// What is for all loops.
    fn publish(&mut self, request: Request) {
        match request {
            Request::Publish(None, payload) => self.round.push(&mut self.connections, &payload),
            Request::Publish(Some(room), payload) => {
                let members = self.rooms.get(&room).map(Vec::as_slice).unwrap_or_default();
                self.round.send_to(&mut self.connections, members, &payload);
            }
            Request::Burst(burst) => self.bursts.push_back(burst),
            Request::Upgrade
            | Request::Connect
            | Request::Metrics
            | Request::Join(..)
            | Request::Echo(..) => {}
        }
    }

    fn echo(&mut self, id: C::Id, packet: &str) {
        match self.answers.last_mut().filter(|(last, _)| *last == id) {
            Some((_, bytes)) => wire::write_plain(wire::TEXT, packet.as_bytes(), bytes),
            None => self.answers.push((id, text(packet))),
        }
    }

    fn flush_answers(&mut self) {
        for (id, bytes) in self.answers.drain(..) {
            self.connections.send(id, &bytes);
        }
    }

    /// The next `every` messages of the first burst.
    fn advance(&mut self) {
        let Some(burst) = self.bursts.front_mut() else { return };
        let end = burst.count.min(burst.next.saturating_add(burst.every.max(1)));
        for index in burst.next..end {
            self.round.push(&mut self.connections, &format!("{index:010}{}", burst.rest));
        }
        burst.next = end;
        if end == burst.count {
            self.bursts.pop_front();
        }
    }
}

/// The answer to the swarm's upgrade, with Engine.IO's open packet behind it.
fn upgrade(agrees: bool) -> Vec<u8> {
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
    let open =
        r#"0{"sid":"floor","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let extensions = if agrees { EXTENSIONS } else { "" };
    let mut bytes = format!("{head}{SAMPLE_ACCEPT}\r\n{extensions}\r\n").into_bytes();
    bytes.extend_from_slice(&text(open));
    bytes
}

fn text(packet: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    wire::write_plain(wire::TEXT, packet.as_bytes(), &mut frame);
    frame
}

/// What is agreed with a client that offers compression: no window outlives a message.
const EXTENSIONS: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                          client_no_context_takeover\r\n";
