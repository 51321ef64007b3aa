//! Where a server lives that is not on loopback: a network namespace and an address in it. It starts nothing itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

/// A network namespace that has a name and an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The namespace, as `ip netns` has it.
    pub namespace: String,
    /// The address that servers listen on.
    pub ip: Ipv4Addr,
}

impl Home {
    /// The command that runs a program there. `ip` replaces itself by the program, so that the child's process id is the
    /// program's.
    #[must_use]
    pub fn command(&self, program: &[String]) -> Vec<String> {
        let mut command = ["ip", "netns", "exec", &self.namespace].map(str::to_owned).to_vec();
        command.extend_from_slice(program);
        command
    }

    /// An address for one more server. Nobody else lives here, so no port is taken; and none is taken twice, so that no
    /// connection of an earlier server is in the way.
    #[must_use]
    pub fn next_address(&self) -> SocketAddr {
        static NEXT: AtomicU16 = AtomicU16::new(PORT_FIRST);
        SocketAddr::new(IpAddr::V4(self.ip), NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Below the ports that the kernel gives to clients, and with room for thousands of servers.
const PORT_FIRST: u16 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_names_the_program_last_and_no_port_twice() {
        let home = Home { namespace: "x".to_owned(), ip: Ipv4Addr::new(10, 0, 0, 1) };
        let command = home.command(&["true".to_owned(), "a".to_owned()]);
        assert_eq!(command, ["ip", "netns", "exec", "x", "true", "a"]);
        let (first, second) = (home.next_address(), home.next_address());
        assert_eq!(first.ip(), second.ip());
        assert_ne!(first.port(), second.port());
    }
}
