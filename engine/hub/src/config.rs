//! What a server is told at its start, under the reference's option names.
//!
//! Not how to listen: addresses, cores and drivers are the server's business.

use socketville_proto::sio::{PacketLimits, Parser};

use crate::account::Budget;
use crate::cors::Cors;
use crate::desk::Cookie;
use crate::limits::{NAMESPACES_PER_SESSION_MAX, ROOMS_PER_SOCKET_MAX};
use crate::network::Network;
use crate::option_time::OptionTime;
use crate::outbox::BacklogLimits;

/// Options of the engine; every core has the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Path of the engine, with slashes at both ends. Source: `path`, default `/socket.io/`.
    pub path: String,
    /// Paths under which bare Engine.IO is served, with slashes at both ends. Default: none.
    pub engine_paths: Vec<String>,
    /// Paths under which bare WebSocket is served. Default: none.
    pub websocket_paths: Vec<String>,
    /// Bytes of a message on a bare WebSocket. Default 64 MiB.
    pub websocket_bytes_max: usize,
    /// Between a pong and the next ping. Source: `pingInterval`, default 25 s.
    pub ping_interval: OptionTime,
    /// What a pong may take. Source: `pingTimeout`, default 20 s.
    pub ping_timeout: OptionTime,
    /// What an upgrade may take. Source: `upgradeTimeout`, default 10 s.
    pub upgrade_timeout: OptionTime,
    /// Until a session must have joined a namespace. Source: `connectTimeout`, default 45 s.
    pub connect_timeout: OptionTime,
    /// Bytes of a message or a request body from a client. Source: `maxHttpBufferSize`, default 1 000 000.
    pub message_bytes_max: usize,
    /// Bytes that a connection may owe for any time before it is cut as too slow; one packet may exceed it. No such option in the
    /// reference; default 1 MiB.
    pub backlog_bytes_max: usize,
    /// Bytes beyond those that a connection may owe while its reader makes progress (see [`STALL_MS`](crate::limits::STALL_MS)). All
    /// connections of a core together may owe a quarter of its budget so. No such option in the reference; default 16 MiB.
    pub burst_bytes_max: usize,
    /// What the core may hold for its peers. No such option in the reference; default no limit.
    pub budget: Budget,
    /// Compression on WebSockets of Engine.IO, with clients that ask for it. Source: `perMessageDeflate`, default off.
    pub per_message_deflate: Option<Deflate>,
    /// The same on bare WebSockets. Default off.
    pub websocket_deflate: Option<Deflate>,
    /// Transports that may be opened. Source: `transports`, default both.
    pub transports: Transports,
    /// Cross-origin requests. Source: `cors`, default off.
    pub cors: Cors,
    /// The cookie that names a session. Source: `cookie`, default none.
    pub cookie: Option<Cookie>,
    /// Bytes from which on answers to polls are compressed for clients that accept it. Source: `httpCompression.threshold`, default 1024.
    pub http_compression: Option<usize>,
    /// What Socket.IO's packets look like. Source: `parser`, default JSON.
    pub parser: Parser,
    /// A message that every session gets first. Source: `initialPacket`, default none.
    pub initial_packet: Option<String>,
    /// Whether the engine's path ends with a slash in requests. Source: `addTrailingSlash`, default yes.
    pub adds_trailing_slash: bool,
    /// Whether a session that polls may go on over WebSocket. Source: `allowUpgrades`, default yes.
    pub allows_upgrades: bool,
    /// Whether clients of Engine.IO 3 are served, which are socket.io-client 2.x. Source: `allowEIO3`, default no.
    pub allows_eio3: bool,
    /// Paths of the client's files, below the engine's. Default: none.
    pub client_files: Vec<String>,
    /// Whether the head of the request that opened a session is kept, for `socket.handshake`: some 500 bytes a client. Default: yes.
    pub keeps_handshakes: bool,
    /// Namespaces that one connection may join; more are refused with CONNECT_ERROR. No such option in the reference; default
    /// [`NAMESPACES_PER_SESSION_MAX`].
    pub namespaces_per_session_max: usize,
    /// Rooms of one socket; more joins are refused. No such option in the reference; default [`ROOMS_PER_SOCKET_MAX`].
    pub rooms_per_socket_max: usize,
    /// What a packet of a client may have; more closes its connection. Attachments are also how many are sent. Source: socket.io-parser's
    /// `maxAttachments`, default 10; 128 levels of nesting.
    pub packet_limits: PacketLimits,
    /// Connections of one core; more are closed at once. Default: no limit but the kernel's.
    pub connections_max: usize,
    /// What one address may have of the core. No such option in the reference; default no limit.
    pub address_limits: AddressLimits,
    /// Proxies that have no share themselves, and whose forwarding headers are believed. Default: none.
    pub trusted_proxies: Vec<Network>,
}

/// What one address, or a network of version 6 with 64 bits, may have of one core. Loopback and trusted proxies may have everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressLimits {
    /// Connections; more are answered 429 and closed. Of a trusted proxy's, its client's sessions count.
    pub connections_max: usize,
    /// Connections that have made no whole request, and sessions without a socket in a namespace, together; more are answered 429.
    pub half_open_max: usize,
    /// Bytes that its connections and sessions may hold while the core holds more than its soft mark; those that hold most are cut then.
    pub bytes_max: usize,
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self { connections_max: usize::MAX, half_open_max: usize::MAX, bytes_max: usize::MAX }
    }
}

/// How messages are compressed. No window outlives a message on either side, so that a broadcast is compressed once for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// Bytes from which on a message is compressed; what does not become smaller is not. Source: `threshold`, default 1024.
    pub threshold_bytes: usize,
    /// From 2, fast, to 9, small; others become the nearest. Source: `zlibDeflateOptions.level`, default 2: JSON of 1 KiB takes 22 us and
    /// becomes 320 bytes; at level 6 it takes 25 us and becomes 305.
    pub level: u32,
}

impl Default for Deflate {
    fn default() -> Self {
        Self { threshold_bytes: 1024, level: 2 }
    }
}

/// Which transports a session may start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transports {
    /// Long-polling, WebSocket, and the upgrade from one to the other.
    Both,
    /// `["websocket"]`.
    WebSocketOnly,
    /// `["polling"]`.
    PollingOnly,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/socket.io/".into(),
            engine_paths: Vec::new(),
            websocket_paths: Vec::new(),
            websocket_bytes_max: 64 << 20,
            ping_interval: OptionTime::from_ms(25_000),
            ping_timeout: OptionTime::from_ms(20_000),
            upgrade_timeout: OptionTime::from_ms(10_000),
            connect_timeout: OptionTime::from_ms(45_000),
            message_bytes_max: 1_000_000,
            backlog_bytes_max: 1 << 20,
            burst_bytes_max: 16 << 20,
            budget: Budget::UNLIMITED,
            per_message_deflate: None,
            websocket_deflate: None,
            transports: Transports::Both,
            cors: Cors::default(),
            cookie: None,
            http_compression: Some(1024),
            parser: Parser::Json,
            initial_packet: None,
            adds_trailing_slash: true,
            allows_upgrades: true,
            allows_eio3: false,
            client_files: Vec::new(),
            keeps_handshakes: true,
            namespaces_per_session_max: NAMESPACES_PER_SESSION_MAX,
            rooms_per_socket_max: ROOMS_PER_SOCKET_MAX,
            packet_limits: PacketLimits::DEFAULT,
            connections_max: usize::MAX,
            address_limits: AddressLimits::default(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Config {
    /// What connections may owe.
    pub(crate) const fn backlog_limits(&self) -> BacklogLimits {
        BacklogLimits {
            bytes_max: self.backlog_bytes_max,
            burst_bytes_max: self.burst_bytes_max,
            bursts_bytes_max: self.budget.bursts_bytes(),
            held_bytes_max: self.budget.hard_bytes,
        }
    }
}

impl Transports {
    pub(crate) const fn polling(self) -> bool {
        matches!(self, Self::Both | Self::PollingOnly)
    }

    pub(crate) const fn websocket(self) -> bool {
        matches!(self, Self::Both | Self::WebSocketOnly)
    }
}
