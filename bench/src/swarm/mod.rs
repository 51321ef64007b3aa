//! N light Socket.IO clients on one thread, over the engine's own drivers: io_uring, or epoll where that is
//! forbidden. Not a client library: it knows the default namespace and text, over WebSocket (plain or
//! compressed) or long-polling, and is made to cost much less per delivery than any server.
//!
//! How it stays cheap: one receive per readable socket, up to 64 of them in one call, with buffers that all share;
//! frames are parsed where they lie and handed to the [`Sink`] as slices; only the tail of a cut frame is kept
//! per client. What clients say in answer to one round of receives leaves together, see `outbox`.
//!
//! It never waits on purpose: a socket that is readable is read in the next round. A generator that naps would find
//! more in each read, but a server would then save by its sloth, and the kernel would charge the
//! acknowledgements to the server: TCP acknowledges a second unread segment at its arrival, on the sender's core.

mod checker;
mod client;
mod connect;
mod heartbeat;
mod histogram;
mod inflate;
mod outbox;
mod polling;
mod sequence;
mod turn;

pub use checker::{Checker, Faults};
pub use connect::{IN_FLIGHT_MAX, Target, Transport};
pub use heartbeat::Heartbeats;
pub use histogram::Histogram;
pub use sequence::Sequence;

use std::io;
use std::sync::Once;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use socketville_sys::{Descriptors, Epoll, Ready, Ring, RingOptions, Token};

use self::client::{Client, Phase};
use self::inflate::Inflater;
use self::outbox::{Broken, Net, Outbox};
use crate::wire;

/// Receives every Socket.IO packet (Engine.IO message) that any client got after it had joined.
pub trait Sink {
    /// `packet` begins with `4`; `now_ns` is the time of the read, since the swarm's epoch.
    fn packet(&mut self, client: usize, packet: &[u8], now_ns: u64);

    /// A client has joined, so long after it began to connect.
    fn joined(&mut self, client: usize, took_ns: u64) {
        let _ = (client, took_ns);
    }

    /// A client was pinged by its server; the swarm has answered.
    fn pinged(&mut self, client: usize, now_ns: u64) {
        let _ = (client, now_ns);
    }
}

/// Ignores everything: for the time while the swarm connects, and for idle clients.
impl Sink for () {
    fn packet(&mut self, _client: usize, _packet: &[u8], _now_ns: u64) {}
}

/// The clients, and how they reach the kernel.
pub struct Swarm {
    /// Taken out while it hands over what came.
    net: Option<Box<Net>>,
    ready: Vec<Ready>,
    readable: Vec<Token>,
    /// How many are received from in one call.
    at_once: usize,
    outbox: Outbox,
    broken: Vec<Broken>,
    clients: Vec<Client>,
    /// By the index of a token: whose it is.
    places: Vec<usize>,
    epoch: Instant,
    joined: usize,
    /// Joins that a sink has not been told of: client, time since it began to connect.
    news: Vec<(usize, u64)>,
    /// Who was pinged, for a sink that has not been told yet.
    pinged: Vec<usize>,
    lost: usize,
    first_fault: Option<String>,
    received_bytes: u64,
    /// Taken out while a message is opened.
    inflater: Option<Inflater>,
}

impl Swarm {
    /// An empty swarm whose clock starts now: on the ring, or on epoll with a line that says why.
    ///
    /// # Errors
    /// When the system gives neither.
    pub fn new() -> Result<Swarm> {
        match ring() {
            Ok(ring) => Ok(Swarm::over(Box::new(ring))),
            Err(error) => {
                static SAID: Once = Once::new();
                SAID.call_once(|| {
                    eprintln!("the swarm has no io_uring ({error}): it takes epoll, and is dearer")
                });
                Swarm::on_epoll()
            }
        }
    }

    /// The same on epoll, whose kernel memory per connection is known to those who measure that.
    ///
    /// # Errors
    /// When the system gives no epoll instance.
    pub fn on_epoll() -> Result<Swarm> {
        Ok(Swarm::over(Box::new(Epoll::new(None).context("no epoll instance")?)))
    }

    fn over(net: Box<Net>) -> Swarm {
        Swarm {
            net: Some(net),
            ready: Vec::new(),
            readable: Vec::new(),
            at_once: turn::AT_ONCE_MAX,
            outbox: Outbox::new(),
            broken: Vec::new(),
            clients: Vec::new(),
            places: Vec::new(),
            epoch: Instant::now(),
            joined: 0,
            news: Vec::new(),
            pinged: Vec::new(),
            lost: 0,
            first_fault: None,
            received_bytes: 0,
            inflater: Some(Inflater::new()),
        }
    }

    /// Emits one text frame from one client, at the beginning of the next turn.
    ///
    /// # Errors
    /// When the client is not there any more.
    pub fn send_text(&mut self, client: usize, text: &str) -> Result<()> {
        self.send_texts(client, std::iter::once(text))
    }

    /// Emits text frames from one client, all in one send, at the beginning of the next turn.
    ///
    /// # Errors
    /// When the client is not there any more.
    pub fn send_texts<T: AsRef<str>>(&mut self, client: usize, texts: impl Iterator<Item = T>) -> Result<()> {
        self.send_frames(client, |frames| {
            texts.for_each(|text| wire::write_masked(wire::TEXT, text.as_ref().as_bytes(), frames));
        })
    }

    /// Emits the frames that `write` appends, masked as a client's are.
    ///
    /// # Errors
    /// When the client is not there any more.
    pub fn send_frames(&mut self, client: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.present(client)?;
        self.say(client, write);
        Ok(())
    }

    /// Emits one text frame whose payload is compressed already.
    ///
    /// # Errors
    /// When the client is not there any more.
    pub fn send_deflated(&mut self, client: usize, closed: &[u8]) -> Result<()> {
        self.present(client)?;
        self.send(client, wire::TEXT | wire::RSV1, closed);
        Ok(())
    }

    fn present(&self, client: usize) -> Result<()> {
        match self.clients.get(client) {
            Some(client) if client.phase != Phase::Gone => Ok(()),
            _ => bail!("client {client} is gone: {}", self.fault()),
        }
    }

    /// Sends what was said, waits until something is ready or the time is up, handles all of it, and sends what
    /// was said in answer. Returns how many sockets were ready.
    ///
    /// # Errors
    /// When waiting itself fails. A client that fails is counted in [`Swarm::lost`].
    pub fn turn<S: Sink>(&mut self, timeout: Option<Duration>, sink: &mut S) -> Result<usize> {
        let Some(mut net) = self.net.take() else { bail!("a turn within a turn") };
        let ready = self.turn_on(net.as_mut(), timeout, sink);
        self.net = Some(net);
        ready.context("waiting for readiness")
    }

    /// Sends what was said, and listens to nobody: for a swarm that sleeps then.
    pub fn depart(&mut self) {
        if let Some(mut net) = self.net.take() {
            self.flush(net.as_mut());
            self.net = Some(net);
        }
    }

    /// Time since the swarm's epoch, ns.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// One client goes away: it ends its connection, and is not counted as lost. What it hears from now on, nobody reads.
    pub fn leave(&mut self, client: usize) {
        let Some(leaving) = self.clients.get_mut(client).filter(|client| client.phase != Phase::Gone) else {
            return;
        };
        leaving.phase = Phase::Gone;
        leaving.forget();
        let token = leaving.token;
        self.outbox.forget(client);
        if let Some(net) = self.net.as_mut() {
            net.shutdown(token);
        }
    }

    /// Bytes that came, of everything.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// How many clients the swarm has, in any state.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// How many clients have joined the namespace, ever.
    #[must_use]
    pub fn joined(&self) -> usize {
        self.joined
    }

    /// Whether this client has joined and is still there.
    #[must_use]
    pub fn has_joined(&self, client: usize) -> bool {
        self.phase(client) == Phase::Joined
    }

    /// How many clients lost their connection or heard something unexpected.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.lost
    }

    /// What went wrong first, for people.
    #[must_use]
    pub fn fault(&self) -> &str {
        self.first_fault.as_deref().unwrap_or("nothing went wrong")
    }

    /// Handles the first head or frame of `bytes`; `None` if it is incomplete, else its length.
    #[inline]
    fn handle_next<S: Sink>(
        &mut self,
        index: usize,
        bytes: &[u8],
        now_ns: u64,
        sink: &mut S,
    ) -> Option<usize> {
        let phase = self.clients.get(index)?.phase;
        match phase {
            Phase::Connecting | Phase::Gone => None,
            _ if self.clients.get(index)?.poller.is_some() => {
                self.handle_response(index, bytes, now_ns, sink)
            }
            Phase::Upgrading => self.handle_upgraded(index, bytes),
            Phase::Opening | Phase::Joining | Phase::Joined => {
                let head = wire::Head::read(bytes)?;
                let payload = bytes.get(head.head_len..head.frame_len())?;
                if head.rsv1 {
                    self.handle_deflated(index, head, payload, now_ns, sink);
                } else if phase == Phase::Joined
                    && head.opcode == wire::TEXT
                    && payload.first() == Some(&b'4')
                    && head.fin
                {
                    sink.packet(index, payload, now_ns);
                } else {
                    self.handle_control(index, head, payload);
                }
                Some(head.frame_len())
            }
        }
    }

    /// A compressed message: opened, it is a packet for the sink or one of the handshake's.
    fn handle_deflated<S: Sink>(
        &mut self,
        index: usize,
        head: wire::Head,
        payload: &[u8],
        now_ns: u64,
        sink: &mut S,
    ) {
        let Some(mut inflater) = self.inflater.take() else { return };
        let client = self.clients.get_mut(index);
        let phase = client.as_ref().map_or(Phase::Gone, |client| client.phase);
        let text = client.and_then(|client| inflater.open(client.window.as_mut()?, payload));
        match text {
            Some(text) if head.fin && phase == Phase::Joined && text.first() == Some(&b'4') => {
                sink.packet(index, text, now_ns)
            }
            Some(text) => self.handle_control(index, head, text),
            None => self.lose(index, "a compressed message that is none"),
        }
        self.inflater = Some(inflater);
    }

    /// Everything that is not a packet for the sink.
    fn handle_control(&mut self, index: usize, head: wire::Head, payload: &[u8]) {
        let phase = self.phase(index);
        match (head.opcode, payload.first(), phase) {
            _ if !head.fin || head.mask.is_some() => self.lose(index, "a fragmented or masked frame"),
            (wire::PING, _, _) => self.send(index, wire::PONG, payload),
            (wire::PONG, _, _) => {}
            (wire::CLOSE, _, _) => self.lose(index, "the server sent a close frame"),
            (wire::TEXT, Some(b'0'), Phase::Opening) => self.enter(index, Phase::Joining, "40"),
            (wire::TEXT, Some(b'4'), Phase::Joining) if payload.starts_with(b"40") => {
                self.handle_joined(index)
            }
            (wire::TEXT, Some(b'2'), Phase::Joining | Phase::Joined) => {
                self.pinged.push(index);
                self.send(index, wire::TEXT, b"3");
            }
            (wire::TEXT, Some(b'6'), _) => {}
            _ => {
                let text = String::from_utf8_lossy(payload.get(..40).unwrap_or(payload)).into_owned();
                self.lose(index, &format!("unexpected in state {phase:?}: opcode {} {text}", head.opcode));
            }
        }
    }

    fn handle_joined(&mut self, index: usize) {
        self.joined += 1;
        let now_ns = self.now_ns();
        if let Some(client) = self.clients.get_mut(index) {
            client.phase = Phase::Joined;
            self.news.push((index, now_ns.saturating_sub(client.opened_ns)));
        }
    }

    fn phase(&self, index: usize) -> Phase {
        self.clients.get(index).map_or(Phase::Gone, |client| client.phase)
    }

    fn enter(&mut self, index: usize, phase: Phase, text: &str) {
        if let Some(client) = self.clients.get_mut(index) {
            client.phase = phase;
        }
        self.send(index, wire::TEXT, text.as_bytes());
    }

    fn send(&mut self, index: usize, opcode: u8, payload: &[u8]) {
        self.say(index, |frames| wire::write_masked(opcode, payload, frames));
    }

    /// What `write` appends leaves with the next flush.
    fn say(&mut self, index: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(client) = self.clients.get(index).filter(|client| client.phase != Phase::Gone) {
            self.outbox.say(index, client.token, write);
        }
    }

    fn lose(&mut self, index: usize, why: &str) {
        let Some(client) = self.clients.get_mut(index) else { return };
        if client.phase != Phase::Gone {
            self.lost += 1;
            self.first_fault.get_or_insert_with(|| format!("client {index}: {why}"));
            client.phase = Phase::Gone;
            self.outbox.forget(index);
        }
    }
}

/// A ring of ordinary descriptors: clients come one by one, and a place in a table of direct ones costs a call each.
fn ring() -> io::Result<Ring> {
    let (descriptors, receive_bytes) = (Some(Descriptors::Ordinary), RECEIVE_BYTES);
    Ring::with_options(None, RingOptions { descriptors, receive_bytes, ..RingOptions::default() })
}

/// One receive takes at most this much: sixteen messages of 16 KiB, as servers send them at once. No power of two, or the beginnings of all buffers would
/// compete for the same places of the cache.
const RECEIVE_BYTES: usize = 257 * 1024;
