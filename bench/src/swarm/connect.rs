//! How a swarm comes to be: many connects, a bounded number at a time, spread over loopback addresses, each
//! through the upgrade to the namespace. It measures nothing but the time that all of it, and each, took.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use socket2::{Domain, Protocol, Socket, Type};
use socketville_sys::Passed;

use super::client::{Client, Phase};
use super::inflate::Window;
use super::polling::Poller;
use super::{Sink, Swarm};
use crate::wire;

/// How clients reach the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket from the first request.
    #[default]
    WebSocket,
    /// WebSocket with permessage-deflate: the server must agree.
    Deflate,
    /// Long-polling for ever.
    Polling,
}

/// Whom to connect to, and how many.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The server's address.
    pub address: SocketAddr,
    /// How many clients.
    pub clients: usize,
    /// Loopback source addresses are counted from 127.0.0.(2 + this): generators that run side by side take
    /// their own.
    pub source_offset: u8,
    /// How they connect.
    pub transport: Transport,
    /// Connects under way at a time: [`IN_FLIGHT_MAX`] unless many at once are the question.
    pub in_flight_max: usize,
}

impl Target {
    /// So many clients over WebSocket, in the usual manner.
    #[must_use]
    pub fn new(address: SocketAddr, clients: usize) -> Target {
        Target {
            address,
            clients,
            source_offset: 0,
            transport: Transport::WebSocket,
            in_flight_max: IN_FLIGHT_MAX,
        }
    }

    /// The source address of a client; `None` leaves it to the kernel. Loopback targets only, and only where
    /// one address would run out of ports.
    fn source(&self, client: usize) -> Option<SocketAddr> {
        let many = self.clients > CLIENTS_PER_SOURCE || self.source_offset > 0;
        if !many || !self.address.ip().is_loopback() || self.address.is_ipv6() {
            return None;
        }
        let block = u8::try_from(client / CLIENTS_PER_SOURCE).unwrap_or(0);
        let last = 2u8.saturating_add(self.source_offset).saturating_add(block);
        Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0))
    }
}

impl Swarm {
    /// Connects `target.clients` more clients and waits until all have joined the default namespace. Packets
    /// that come meanwhile are ignored. Returns how long it took.
    ///
    /// # Errors
    /// When a client fails, or no client makes progress for 20 seconds.
    pub fn connect(&mut self, target: Target) -> Result<Duration> {
        self.connect_with(target, &mut ())
    }

    /// The same, and a sink is told of everything that comes and of everybody who joins.
    ///
    /// # Errors
    /// As [`Swarm::connect`].
    pub fn connect_with<S: Sink>(&mut self, target: Target, sink: &mut S) -> Result<Duration> {
        let (started, before) = (Instant::now(), self.joined());
        let (mut opened, mut progress) = (0, (0, Instant::now()));
        while self.joined() - before < target.clients {
            let joined = self.joined() - before;
            opened += self.open_some(target, opened, joined)?;
            self.turn(Some(TURN), sink)?;
            if self.lost() > 0 {
                bail!("while connecting, {joined} of {} joined: {}", target.clients, self.fault());
            }
            if joined > progress.0 {
                progress = (joined, Instant::now());
            }
            if progress.1.elapsed() > PATIENCE {
                bail!("{joined} of {} clients joined, then none for {PATIENCE:?}", target.clients);
            }
        }
        Ok(started.elapsed())
    }

    /// Begins as many connects as may be under way, and says how many: for those who go on with their own turns.
    ///
    /// # Errors
    /// When the kernel refuses a connect.
    pub fn open_some(&mut self, target: Target, opened: usize, joined: usize) -> Result<usize> {
        let mut more = 0;
        while opened + more < target.clients && opened + more - joined < target.in_flight_max {
            self.open(target, opened + more)?;
            more += 1;
        }
        Ok(more)
    }

    /// Begins one connect; `client` chooses the source address.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn open(&mut self, target: Target, client: usize) -> Result<usize> {
        let opened_ns = self.now_ns();
        let socket = connecting(target.address, target.source(client))
            .with_context(|| format!("client {client} could not connect to {}", target.address))?;
        let net = self.net.as_mut().context("a connect within a turn")?;
        let token = net.adopt(Passed::from(socket))?;
        net.watch_writable(token);
        let (index, place) = (self.clients.len(), token.index as usize);
        if self.places.len() <= place {
            self.places.resize(place + 1, usize::MAX);
        }
        if let Some(place) = self.places.get_mut(place) {
            *place = index;
        }
        let mut opened = Client::new(token, opened_ns);
        opened.offers_deflate = target.transport == Transport::Deflate;
        opened.poller = (target.transport == Transport::Polling).then(Poller::new);
        self.clients.push(opened);
        Ok(index)
    }

    pub(super) fn start_upgrade(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index) else { return };
        client.phase = Phase::Upgrading;
        if client.poller.is_some() {
            return self.start_polling(index);
        }
        let request = if client.offers_deflate { UPGRADE_DEFLATE } else { UPGRADE };
        self.say(index, |bytes| bytes.extend_from_slice(request.as_bytes()));
    }

    /// Reads the answer to the upgrade; `None` while it is incomplete.
    pub(super) fn handle_upgraded(&mut self, index: usize, bytes: &[u8]) -> Option<usize> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
        if !head.starts_with("HTTP/1.1 101 ") || !head.contains(wire::SAMPLE_ACCEPT) {
            let line = head.lines().next().unwrap_or_default();
            self.lose(index, &format!("the upgrade was refused or answered wrongly: {line}"));
        } else if let Some(client) = self.clients.get_mut(index) {
            client.phase = Phase::Opening;
            client.window = window(&head);
            if client.offers_deflate != client.window.is_some() {
                self.lose(index, "the server did not agree to compression, or to none");
            }
        }
        Some(end)
    }
}

/// What the server answered to the offer of permessage-deflate (RFC 7692 section 7.1.1).
fn window(head: &str) -> Option<Window> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut answers = lines.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-extensions"));
    let answer = answers.find(|(_, value)| value.contains("permessage-deflate"))?.1;
    Some(if answer.contains("server_no_context_takeover") { Window::Fresh } else { Window::kept() })
}

/// A nonblocking socket whose connect is under way. Closing it later sends a reset: no port is left in
/// TIME_WAIT, so runs can follow each other.
fn connecting(address: SocketAddr, source: Option<SocketAddr>) -> std::io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        socket.bind(&source.into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => return Err(error),
        _ => {}
    }
    Ok(socket.into())
}

/// Linux's EINPROGRESS: the connect goes on by itself.
const IN_PROGRESS: i32 = 115;
/// Connects under way at a time: more overflow the backlog of servers that listen with 128.
pub const IN_FLIGHT_MAX: usize = 64;
/// Beyond some 14 000 connections per source address the kernel's search for a port dominates.
const CLIENTS_PER_SOURCE: usize = 10_000;
/// How long one turn may wait while connecting.
const TURN: Duration = Duration::from_millis(100);
/// No client joined for this long: the server is stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// The upgrade request of RFC 6455 section 4.1, for Engine.IO 4. The host is not checked by any server
/// measured here.
const UPGRADE: &str = concat!(
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n",
    "Host: 127.0.0.1\r\n",
    "Connection: Upgrade\r\n",
    "Upgrade: websocket\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "\r\n"
);

/// The same with the offer that browsers make.
const UPGRADE_DEFLATE: &str = concat!(
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n",
    "Host: 127.0.0.1\r\n",
    "Connection: Upgrade\r\n",
    "Upgrade: websocket\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "\r\n"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agreement_is_read() {
        let head = |value: &str| format!("HTTP/1.1 101 x\r\nsec-websocket-extensions: {value}\r\n\r\n");
        assert!(window("HTTP/1.1 101 x\r\n\r\n").is_none());
        assert!(matches!(window(&head("permessage-deflate")), Some(Window::Kept(_))));
        let fresh = head("permessage-deflate; server_no_context_takeover");
        assert!(matches!(window(&fresh), Some(Window::Fresh)));
    }

    fn target(clients: usize, source_offset: u8) -> Target {
        let address = "127.0.0.1:4000".parse().expect("an address");
        Target { source_offset, ..Target::new(address, clients) }
    }

    #[test]
    fn few_clients_leave_the_source_to_the_kernel() {
        assert_eq!(target(10_000, 0).source(9_999), None);
    }

    #[test]
    fn many_clients_are_spread_over_addresses() {
        let source = |client| target(20_000, 0).source(client).map(|address| address.ip().to_string());
        assert_eq!(source(0).as_deref(), Some("127.0.0.2"));
        assert_eq!(source(10_000).as_deref(), Some("127.0.0.3"));
        assert_eq!(
            target(10, 5).source(0).map(|address| address.ip().to_string()).as_deref(),
            Some("127.0.0.7")
        );
    }

    #[test]
    fn the_request_carries_the_sample_key() {
        assert!(UPGRADE.contains(wire::SAMPLE_KEY) && UPGRADE_DEFLATE.contains(wire::SAMPLE_KEY));
    }
}
