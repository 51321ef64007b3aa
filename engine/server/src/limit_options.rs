//! Options that limit what one client may have, and what the server holds for all of them.
//!
//! Not their effect: most of it is the hub's. The command line's twin is `limit_options` of the program.

use socketville_proto::limits::{ATTACHMENTS_LIMIT, JSON_DEPTH_MAX};

use crate::Network;
use crate::builder::Builder;

impl Builder {
    /// Bytes that a slow client may owe for any time; default 1 MiB, and one packet may exceed it. Past it the client is cut with the reason
    /// `slow reader`, over WebSocket with the close code 1008, unless it is served as a [burst](Builder::backlog_burst_max). The reference
    /// has no such limit.
    pub fn backlog_max(&self, bytes: usize) -> &Self {
        self.with(|config| config.backlog_bytes_max = bytes)
    }

    /// Bytes beyond [`Builder::backlog_max`] that a client may owe while it reads on; default 16 MiB, none with 0. It is cut when the kernel
    /// could send it nothing for [`STALL_MS`](crate::limits::STALL_MS). The reference has no such limit.
    pub fn backlog_burst_max(&self, bytes: usize) -> &Self {
        self.with(|config| config.burst_bytes_max = bytes)
    }

    /// Bytes that the server holds for its clients at most, over all cores: backlogs, bodies, partial messages, histories and the like, but
    /// not what the kernel holds. Default: half of what the machine or its control groups (v1 and v2) allow. Each core has an equal share.
    /// Above three quarters of it a core opens no session (503 with `Retry-After`); above it, the clients that hold most are cut with the
    /// reason `memory limit`, over WebSocket with the close code 1013.
    /// Less than 4 MiB a core ([`BUDGET_BYTES_MIN`](crate::limits::BUDGET_BYTES_MIN)) is an error at the start. The reference has no such limit.
    pub fn memory_max(&self, bytes: usize) -> &Self {
        self.with_app(|app| app.memory_max = Some(bytes))
    }

    /// Bytes of the kernel's send buffer of each connection (`SO_SNDBUF`); default 0, which leaves them to the kernel: it begins small and
    /// grows what a fast reader fills, up to `net.ipv4.tcp_wmem`. Of what is not sent yet it holds half a mebibyte at the most either way. The
    /// kernel doubles the number for its own bookkeeping, and takes no more than `net.core.wmem_max` of it. A small buffer saves memory of the
    /// machine while many clients read slowly, and slows distant ones down: a connection carries one buffer a round trip.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder().send_buffer(64 << 10);
    /// ```
    pub fn send_buffer(&self, bytes: usize) -> &Self {
        self.with_start(|start| start.send_buffer_bytes = bytes)
    }

    /// Connections that one address may have on each core: an IPv4 address, or an IPv6 network of 64 bits. More are answered 429 with `Retry-After`, and
    /// counted. 0 is no limit. The kernel deals connections out over the cores, so an address has this many in any case, and `cores` times as many
    /// at the most. Default: a quarter of those that the limit of descriptors leaves a core, so that no address alone can take them all. A NAT of a
    /// company or a carrier stays below that where the limit is usual (524 288 and more): one address has 64 512 ports. The reference has no such
    /// limit.
    ///
    /// Loopback has no limit, for a peer there runs on this machine; nor have [trusted proxies](Builder::trusted_proxies), whose clients are
    /// limited instead: there a session counts as a connection.
    pub fn connections_per_address_max(&self, connections: usize) -> &Self {
        self.with_app(|app| app.address.connections = Some(connections))
    }

    /// Half-open ones among the connections of one address, on each core: connections on which no whole request has come, and sessions that are in no namespace yet. More
    /// are answered 429. 0 is no limit. Default: half of [`Builder::connections_per_address_max`], so that a whole company may come back at once. The
    /// reference has no such limit.
    pub fn half_open_per_address_max(&self, half_open: usize) -> &Self {
        self.with_app(|app| app.address.half_open = Some(half_open))
    }

    /// Bytes that clients of one address may hold, over all cores, when a core holds more than its soft mark (three quarters of
    /// [`Builder::memory_max`]): above it the largest of them are cut with the reason `memory limit` until the address holds seven eighths of
    /// it. Below the mark nobody looks. 0 is no limit. Default: a quarter of what the server may hold; each core has an equal share.
    pub fn memory_per_address_max(&self, bytes: usize) -> &Self {
        self.with_app(|app| app.address.memory = Some(bytes))
    }

    /// Proxies in front of this server, by address or network (`10.0.0.0/8`). They have no share of their own; the clients that they name in
    /// `X-Forwarded-For` have: the last address there that is no trusted proxy's. Without that header `Forwarded` (RFC 7239) is read, so a proxy has to
    /// write or drop both. [`Handshake::address`](crate::Handshake::address) is the client's then. Default: none, and nobody's word for it is taken.
    ///
    /// ```
    /// use socketville::{Network, Server};
    ///
    /// Server::builder().trusted_proxies(["10.0.0.0/8".parse::<Network>()?, "2001:db8:7::/48".parse()?]);
    /// # Ok::<(), socketville::NetworkError>(())
    /// ```
    pub fn trusted_proxies(&self, proxies: impl IntoIterator<Item = Network>) -> &Self {
        self.with(|config| config.trusted_proxies = proxies.into_iter().collect())
    }

    /// Bytes of a client's `auth` that are kept for [`Socket::handshake`](crate::Socket::handshake) once its connection handlers have been called; more are let go then.
    /// Default 4096. Until then all of it is there, as much as a message may have. The reference keeps all of it.
    pub fn keep_auth(&self, bytes: usize) -> &Self {
        self.with_app(|app| app.auth_kept_bytes = Some(bytes))
    }

    /// Whether the request that opened a session is kept for [`Socket::handshake`](crate::Socket::handshake); default yes. It costs some 500 bytes a client.
    pub fn keep_handshakes(&self, keep: bool) -> &Self {
        self.with(|config| config.keeps_handshakes = keep)
    }

    /// Namespaces that one connection may join; more are refused with a CONNECT_ERROR, and the others stay. Default 64; the reference has no limit.
    pub fn namespaces_per_session_max(&self, namespaces: usize) -> &Self {
        self.with(|config| config.namespaces_per_session_max = namespaces)
    }

    /// Handlers of one client that may wait at a time, at least one: past it the client is not read on until half of them have ended. Its events keep
    /// their order and none is dropped; it is told by TCP. A handler that waits for an answer of that client does not count. Default:
    /// [`TASKS_PER_CLIENT_MAX`](crate::limits::TASKS_PER_CLIENT_MAX). The reference has no such limit.
    pub fn tasks_per_client_max(&self, tasks: usize) -> &Self {
        self.with_app(|app| app.tasks_per_client = Some(tasks.max(1)))
    }

    /// Rooms that one socket may be in; more joins are refused with [`JoinError`](crate::JoinError). Default 1024; the reference has no limit.
    pub fn rooms_per_socket_max(&self, rooms: usize) -> &Self {
        self.with(|config| config.rooms_per_socket_max = rooms)
    }

    /// Binary attachments of one packet, 1 to 99; more from a client closes its connection, and more cannot be emitted. Clients must be told to accept more
    /// than 10. Source: socket.io-parser's `maxAttachments`, default 10. Packets of MessagePack have no attachments.
    pub fn attachments_max(&self, attachments: u8) -> &Self {
        self.with(|config| config.packet_limits.attachments = attachments.clamp(1, ATTACHMENTS_LIMIT))
    }

    /// Levels of nesting in a packet of a client, up to 128; more closes its connection. Default 128; the reference has no limit.
    pub fn depth_max(&self, levels: u8) -> &Self {
        self.with(|config| config.packet_limits.depth = levels.clamp(1, JSON_DEPTH_MAX as u8))
    }

    /// Acknowledgements that one client may owe; past it `emit_with_ack` fails with [`AckError::TooMany`](crate::AckError::TooMany). Default 256; the
    /// reference has no limit.
    pub fn acks_per_socket_max(&self, acks: usize) -> &Self {
        self.with_app(|app| app.acks_per_socket = Some(acks))
    }

    /// Connections of each core; more are closed at once. Default: what the kernel allows.
    pub fn connections_max(&self, connections: usize) -> &Self {
        self.with(|config| config.connections_max = connections)
    }
}
