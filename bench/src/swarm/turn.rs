//! One round of a swarm: what was said leaves, who is readable is received from, what came is cut into frames. It does not
//! know what a frame means to a client; [`super::Swarm`] does.

use std::io::{self, ErrorKind};
use std::time::Duration;

use socketville_sys::{Ready, Received, Token};

use super::client::Phase;
use super::outbox::Net;
use super::{Sink, Swarm};
use crate::wire;

impl Swarm {
    pub(super) fn turn_on<S: Sink>(
        &mut self,
        net: &mut Net,
        timeout: Option<Duration>,
        sink: &mut S,
    ) -> io::Result<usize> {
        self.flush(net);
        let mut ready = std::mem::take(&mut self.ready);
        let waited = net.wait(timeout, &mut ready);
        let count = ready.len();
        for event in ready.drain(..) {
            match event {
                // Who has left or was lost is not read from, and so stays silent.
                Ready::Readable(token) if self.is_there(token) => self.readable.push(token),
                Ready::Readable(_) => {}
                Ready::Writable(token) => self.handle_writable(token, net),
                Ready::Accepted(_) | Ready::Woken => {}
            }
        }
        self.ready = ready;
        self.receive(net, sink);
        self.flush(net);
        match waited {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            _ => Ok(count),
        }
    }

    pub(super) fn flush(&mut self, net: &mut Net) {
        self.outbox.flush(net, &mut self.broken);
        self.lose_broken();
    }

    fn lose_broken(&mut self) {
        while let Some((client, errno)) = self.broken.pop() {
            self.lose(client, &format!("write: {}", io::Error::from_raw_os_error(errno)));
        }
    }

    fn handle_writable(&mut self, token: Token, net: &mut Net) {
        let Some(index) = self.client_of(token) else { return };
        match self.phase(index) {
            Phase::Connecting => self.start_upgrade(index),
            Phase::Gone => {}
            _ => {
                self.outbox.handle_writable(index, token, net, &mut self.broken);
                self.lose_broken();
            }
        }
    }

    fn is_there(&self, token: Token) -> bool {
        self.client_of(token).is_some_and(|index| self.phase(index) != Phase::Gone)
    }

    /// Whose token that is.
    fn client_of(&self, token: Token) -> Option<usize> {
        let index = *self.places.get(token.index as usize)?;
        self.clients.get(index).filter(|client| client.token == token).map(|_| index)
    }

    /// One receive from each who is readable and still listens, as many at once as the cache holds what they bring.
    fn receive<S: Sink>(&mut self, net: &mut Net, sink: &mut S) {
        let mut readable = std::mem::take(&mut self.readable);
        let mut rest = readable.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.at_once.min(rest.len()));
            let before = self.received_bytes;
            self.receive_some(net, now, sink);
            let mean = (self.received_bytes - before) as usize / now.len();
            self.at_once = (CACHE_BYTES / mean.max(1)).clamp(AT_ONCE_MIN, AT_ONCE_MAX);
            rest = later;
        }
        readable.clear();
        self.readable = readable;
    }

    fn receive_some<S: Sink>(&mut self, net: &mut Net, readable: &[Token], sink: &mut S) {
        net.receive(readable, &mut |token, received| {
            let Some(index) = self.client_of(token) else { return };
            match received {
                _ if matches!(self.phase(index), Phase::Gone | Phase::Connecting) => {}
                Received::Bytes(bytes) => self.handle_received(index, bytes, sink),
                Received::Empty => {}
                Received::Eof => self.lose(index, "the server closed"),
                Received::Failed(errno) => {
                    self.lose(index, &format!("read: {}", io::Error::from_raw_os_error(errno)));
                }
            }
        });
    }

    /// Handles what came, and keeps what is incomplete as the client's tail.
    fn handle_received<S: Sink>(&mut self, index: usize, bytes: &[u8], sink: &mut S) {
        self.received_bytes += bytes.len() as u64;
        let Some(client) = self.clients.get_mut(index) else { return };
        let is_framed = client.phase == Phase::Joined && client.poller.is_none();
        let mut tail = std::mem::take(&mut client.tail);
        let rest = match missing_of(&tail).filter(|missing| is_framed && *missing <= bytes.len()) {
            // Only what completes the cut frame is copied; what follows it is read where it lies.
            Some(missing) => {
                let (end, rest) = bytes.split_at(missing);
                tail.extend_from_slice(end);
                let used = self.handle_all(index, &tail, sink);
                tail.drain(..used);
                rest
            }
            None => bytes,
        };
        if tail.is_empty() {
            let used = self.handle_all(index, rest, sink);
            tail.extend_from_slice(rest.get(used..).unwrap_or_default());
        } else {
            tail.extend_from_slice(rest);
            let used = self.handle_all(index, &tail, sink);
            tail.drain(..used);
        }
        if tail.len() >= TAIL_BYTES_MAX {
            self.lose(index, "a frame or head larger than any is");
        }
        if let Some(client) = self.clients.get_mut(index) {
            client.keep(tail);
        }
        for (client, took_ns) in self.news.drain(..) {
            sink.joined(client, took_ns);
        }
        if !self.pinged.is_empty() {
            let now_ns = self.now_ns();
            self.pinged.drain(..).for_each(|client| sink.pinged(client, now_ns));
        }
    }

    /// Handles whole heads and frames, and says how many bytes those had.
    fn handle_all<S: Sink>(&mut self, index: usize, bytes: &[u8], sink: &mut S) -> usize {
        let (now_ns, mut used) = (self.now_ns(), 0);
        while let Some(rest) = bytes.get(used..)
            && let Some(step) = self.handle_next(index, rest, now_ns, sink)
        {
            used += step;
        }
        used.min(bytes.len())
    }
}

/// How many bytes a cut frame lacks, once its head is there.
fn missing_of(tail: &[u8]) -> Option<usize> {
    wire::Head::read(tail)?.frame_len().checked_sub(tail.len())
}

/// What one call brings should stay in a core's second cache until it has been looked at.
const CACHE_BYTES: usize = 512 * 1024;
/// Receives of one call, at least: below, calls cost more than they bring.
const AT_ONCE_MIN: usize = 2;
/// Receives of one call, at most: a driver's own batch.
pub(super) const AT_ONCE_MAX: usize = 64;
/// No frame or head of any scenario is that long.
const TAIL_BYTES_MAX: usize = 256 * 1024;
