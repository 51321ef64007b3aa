//! N light Socket.IO clients on one thread, over edge-triggered readiness. Not a client library: it knows the
//! default namespace and text, over WebSocket (plain or compressed) or long-polling, and is made to cost much
//! less per delivery than any server.
//!
//! How it stays cheap: one read per ready socket into one buffer that all share; frames are parsed where they
//! lie and handed to the [`Sink`] as slices; only the tail of a cut frame is kept per client. A read that did
//! not fill the buffer has drained the socket, so that no second call is made to hear "would block".

mod checker;
mod client;
mod connect;
mod heartbeat;
mod histogram;
mod inflate;
mod polling;
mod sequence;

pub use checker::{Checker, Faults};
pub use connect::{IN_FLIGHT_MAX, Target, Transport};
pub use heartbeat::Heartbeats;
pub use histogram::Histogram;
pub use sequence::Sequence;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Poll};

use self::client::{Client, Phase};
use self::inflate::Inflater;
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

/// The clients, their readiness, and the buffer they share.
pub struct Swarm {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    clients: Vec<Client>,
    /// Bytes that a socket did not take at once; almost always empty.
    unsent: HashMap<usize, Vec<u8>>,
    scratch: Vec<u8>,
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
    /// An empty swarm whose clock starts now.
    ///
    /// # Errors
    /// When the system gives no epoll instance.
    pub fn new() -> Result<Swarm> {
        Ok(Swarm {
            poll: Poll::new().context("no epoll instance")?,
            events: Events::with_capacity(EVENTS_PER_WAIT),
            buffer: vec![0; BUFFER_BYTES],
            clients: Vec::new(),
            unsent: HashMap::new(),
            scratch: Vec::new(),
            epoch: Instant::now(),
            joined: 0,
            news: Vec::new(),
            pinged: Vec::new(),
            lost: 0,
            first_fault: None,
            received_bytes: 0,
            inflater: Some(Inflater::new()),
        })
    }

    /// Emits one text frame from one client.
    ///
    /// # Errors
    /// When the client is not there any more.
    pub fn send_text(&mut self, client: usize, text: &str) -> Result<()> {
        self.send_texts(client, std::iter::once(text))
    }

    /// Emits text frames from one client, all in one write.
    ///
    /// # Errors
    /// When the client is not there any more.
    pub fn send_texts<T: AsRef<str>>(&mut self, client: usize, texts: impl Iterator<Item = T>) -> Result<()> {
        let mut frames = std::mem::take(&mut self.scratch);
        frames.clear();
        texts.for_each(|text| wire::write_masked(wire::TEXT, text.as_ref().as_bytes(), &mut frames));
        self.write(client, &frames);
        self.scratch = frames;
        match self.clients.get(client) {
            Some(client) if client.phase != Phase::Gone => Ok(()),
            _ => bail!("client {client} is gone: {}", self.fault()),
        }
    }

    /// Waits until something is ready or the time is up, and handles all of it. Returns how many sockets were
    /// ready.
    ///
    /// # Errors
    /// When waiting itself fails. A client that fails is counted in [`Swarm::lost`].
    pub fn turn<S: Sink>(&mut self, timeout: Option<Duration>, sink: &mut S) -> Result<usize> {
        if let Err(error) = self.poll.poll(&mut self.events, timeout)
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error).context("waiting for readiness");
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let mut ready = 0;
        for event in &events {
            ready += 1;
            let client = event.token().0;
            if event.is_writable() {
                self.handle_writable(client);
            }
            if event.is_readable() || event.is_read_closed() {
                self.handle_readable(client, event.is_read_closed(), sink);
            }
        }
        self.events = events;
        Ok(ready)
    }

    /// Time since the swarm's epoch, ns.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// One client goes away: its connection is reset, and it is not counted as lost.
    pub fn leave(&mut self, client: usize) {
        let Some(leaving) = self.clients.get_mut(client).filter(|client| client.phase != Phase::Gone) else {
            return;
        };
        leaving.phase = Phase::Gone;
        let _ = self.poll.registry().deregister(&mut leaving.stream);
        let _ = leaving.stream.shutdown(std::net::Shutdown::Both);
        leaving.forget();
        self.unsent.remove(&client);
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

    fn handle_writable(&mut self, index: usize) {
        let Some(client) = self.clients.get(index) else { return };
        match client.phase {
            Phase::Connecting => match client.stream.take_error() {
                Ok(None) => self.start_upgrade(index),
                Ok(Some(error)) | Err(error) => self.lose(index, &format!("connect: {error}")),
            },
            Phase::Gone => {}
            _ => {
                if let Some(bytes) = self.unsent.remove(&index) {
                    self.write(index, &bytes);
                }
            }
        }
    }

    fn handle_readable<S: Sink>(&mut self, index: usize, closing: bool, sink: &mut S) {
        loop {
            let Some(client) = self.clients.get_mut(index) else { return };
            if matches!(client.phase, Phase::Gone | Phase::Connecting) {
                return;
            }
            let kept = client.tail.len();
            let (head, free) = self.buffer.split_at_mut(kept);
            match client.stream.read(free) {
                Ok(0) => return self.lose(index, "the server closed"),
                Ok(received) => {
                    self.received_bytes += received as u64;
                    head.copy_from_slice(&client.tail);
                    let drained = received < free.len() && !closing;
                    self.handle_bytes(index, kept + received, sink);
                    if drained {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lose(index, &format!("read: {error}")),
            }
        }
    }

    /// Handles `filled` bytes at the front of the buffer and keeps what is incomplete as the client's tail.
    fn handle_bytes<S: Sink>(&mut self, index: usize, filled: usize, sink: &mut S) {
        let now_ns = self.now_ns();
        let buffer = std::mem::take(&mut self.buffer);
        let mut used = 0;
        while let Some(rest) = buffer.get(used..filled)
            && let Some(step) = self.handle_next(index, rest, now_ns, sink)
        {
            used += step;
        }
        if let Some(client) = self.clients.get_mut(index) {
            client.keep(&buffer[used..filled]);
            if client.tail.len() >= TAIL_BYTES_MAX {
                self.lose(index, "a frame or head larger than the shared buffer");
            }
        }
        self.buffer = buffer;
        for (client, took_ns) in self.news.drain(..) {
            sink.joined(client, took_ns);
        }
        self.pinged.drain(..).for_each(|client| sink.pinged(client, now_ns));
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
        let mut frame = std::mem::take(&mut self.scratch);
        frame.clear();
        wire::write_masked(opcode, payload, &mut frame);
        self.write(index, &frame);
        self.scratch = frame;
    }

    /// Writes now, or keeps what the socket does not take for when it is writable.
    fn write(&mut self, index: usize, bytes: &[u8]) {
        let Some(client) = self.clients.get_mut(index) else { return };
        if let Some(waiting) = self.unsent.get_mut(&index) {
            return waiting.extend_from_slice(bytes);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match client.stream.write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unsent.insert(index, rest.to_vec());
                    return;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lose(index, &format!("write: {error}")),
            }
        }
    }

    fn lose(&mut self, index: usize, why: &str) {
        let Some(client) = self.clients.get_mut(index) else { return };
        if client.phase != Phase::Gone {
            self.lost += 1;
            self.first_fault.get_or_insert_with(|| format!("client {index}: {why}"));
            client.phase = Phase::Gone;
            self.unsent.remove(&index);
        }
    }
}

/// One read takes at most this much. Larger than any socket's receive queue in these scenarios, small enough
/// for the L2 cache.
const BUFFER_BYTES: usize = 256 * 1024;
/// A tail this long leaves no room to read what completes it.
const TAIL_BYTES_MAX: usize = BUFFER_BYTES - 1;
/// A turn handles at most this many sockets before it looks at the clock again.
const EVENTS_PER_WAIT: usize = 1024;
