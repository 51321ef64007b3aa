//! Options that limit what one client may have, and what the server holds for all of them. An option that is not given keeps the library's
//! default.

use clap::Args;
use socketville::{Builder, Network};

/// Limits for each client, and for all together.
#[derive(Debug, Clone, Args)]
pub(crate) struct LimitOptions {
    /// Namespaces that one connection may join; more are refused, and the others stay [default: 64]
    #[arg(
        long,
        env = "SOCKETVILLE_NAMESPACES_PER_CONNECTION_MAX",
        hide_env_values = true,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(crate) namespaces_per_connection_max: Option<u16>,

    /// Rooms that one client may be in; more joins are refused [default: 1024]
    #[arg(
        long,
        env = "SOCKETVILLE_ROOMS_PER_CLIENT_MAX",
        hide_env_values = true,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) rooms_per_client_max: Option<u32>,

    /// Binary attachments of one packet; clients must be told to accept more than 10 [default: 10]
    #[arg(
        long,
        env = "SOCKETVILLE_ATTACHMENTS_MAX",
        hide_env_values = true,
        value_name = "N",
        value_parser = clap::value_parser!(u8).range(1..=99)
    )]
    pub(crate) attachments_max: Option<u8>,

    /// Levels of nesting in a packet; more closes its client's connection [default: 128]
    #[arg(
        long,
        env = "SOCKETVILLE_DEPTH_MAX",
        hide_env_values = true,
        value_name = "N",
        value_parser = clap::value_parser!(u8).range(1..=128)
    )]
    pub(crate) depth_max: Option<u8>,

    /// Mebibytes that are held for clients at most, over all cores [default: half of what the machine or its cgroup allows]
    ///
    /// What the kernel holds for the same connections is not among them. Above three quarters no client may come (503), above all of it the
    /// clients that hold most are cut.
    #[arg(
        long,
        env = "SOCKETVILLE_MEMORY_MAX_MIB",
        hide_env_values = true,
        value_name = "MIB",
        value_parser = clap::value_parser!(u32).range(8..)
    )]
    pub(crate) memory_max_mib: Option<u32>,

    /// Kibibytes that a slow client may owe for any time before it is cut
    #[arg(
        long,
        env = "SOCKETVILLE_BACKLOG_MAX_KIB",
        hide_env_values = true,
        value_name = "KIB",
        default_value_t = 1024
    )]
    pub(crate) backlog_max_kib: u32,

    /// Kibibytes beyond those that a client may owe while it reads on
    #[arg(
        long,
        env = "SOCKETVILLE_BACKLOG_BURST_MAX_KIB",
        hide_env_values = true,
        value_name = "KIB",
        default_value_t = 16 * 1024
    )]
    pub(crate) backlog_burst_max_kib: u32,

    /// Kibibytes of the kernel's send buffer of each connection (SO_SNDBUF); 0 leaves it to the kernel
    ///
    /// The kernel doubles the number for its own bookkeeping, and takes no more than net.core.wmem_max of it. A small one saves memory of the machine
    /// while many clients read slowly, and slows distant clients down.
    #[arg(
        long,
        env = "SOCKETVILLE_SEND_BUFFER_KIB",
        hide_env_values = true,
        value_name = "KIB",
        default_value_t = 0
    )]
    pub(crate) send_buffer_kib: u32,

    /// Connections that one address may have on each core; 0 is no limit [default: a quarter of what the descriptor limit leaves a core]
    ///
    /// An address is one of IPv4, or an IPv6 network of 64 bits. More are answered 429. Loopback and trusted proxies have no limit.
    #[arg(long, env = "SOCKETVILLE_CONNECTIONS_PER_ADDRESS_MAX", hide_env_values = true, value_name = "N")]
    pub(crate) connections_per_address_max: Option<u32>,

    /// Connections and sessions of one address that have made no request, or are in no namespace yet; 0 is no limit [default: half of them]
    #[arg(long, env = "SOCKETVILLE_HALF_OPEN_PER_ADDRESS_MAX", hide_env_values = true, value_name = "N")]
    pub(crate) half_open_per_address_max: Option<u32>,

    /// Mebibytes that clients of one address may hold, over all cores, when memory is short; 0 is no limit [default: a quarter of all]
    ///
    /// The server compares addresses only while it holds more than three quarters of its memory limit: then it cuts the largest clients of an address that holds more than this.
    #[arg(long, env = "SOCKETVILLE_MEMORY_PER_ADDRESS_MAX_MIB", hide_env_values = true, value_name = "MIB")]
    pub(crate) memory_per_address_max_mib: Option<u32>,

    /// A proxy in front, such as 10.0.0.7 or 10.0.0.0/8, that has no such limits; may be given several times, or with commas
    ///
    /// The clients that it names in X-Forwarded-For have them: the last address there that is no trusted proxy's. Without that header Forwarded is
    /// read, so a proxy has to write or drop both.
    #[arg(
        long = "trusted-proxy",
        env = "SOCKETVILLE_TRUSTED_PROXIES",
        hide_env_values = true,
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    pub(crate) trusted_proxies: Vec<Network>,
}

impl LimitOptions {
    /// Says the limits that were asked for.
    pub(crate) fn apply(&self, io: &Builder) {
        if let Some(namespaces) = self.namespaces_per_connection_max {
            io.namespaces_per_session_max(namespaces.into());
        }
        if let Some(rooms) = self.rooms_per_client_max {
            io.rooms_per_socket_max(rooms as usize);
        }
        if let Some(attachments) = self.attachments_max {
            io.attachments_max(attachments);
        }
        if let Some(levels) = self.depth_max {
            io.depth_max(levels);
        }
        if let Some(mib) = self.memory_max_mib {
            io.memory_max(bytes(mib, 20));
        }
        if let Some(connections) = self.connections_per_address_max {
            io.connections_per_address_max(connections as usize);
        }
        if let Some(half_open) = self.half_open_per_address_max {
            io.half_open_per_address_max(half_open as usize);
        }
        if let Some(mib) = self.memory_per_address_max_mib {
            io.memory_per_address_max(bytes(mib, 20));
        }
        io.trusted_proxies(self.trusted_proxies.iter().copied());
        io.backlog_max(bytes(self.backlog_max_kib, 10))
            .backlog_burst_max(bytes(self.backlog_burst_max_kib, 10))
            .send_buffer(bytes(self.send_buffer_kib, 10));
    }
}

/// Bytes of so many units of two to this power.
fn bytes(units: u32, power: u32) -> usize {
    usize::try_from(u64::from(units) << power).unwrap_or(usize::MAX)
}
