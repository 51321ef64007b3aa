//! A listening TCP socket, one per core on the same address: the kernel deals the connections out. It does not accept;
//! the drivers do.
//!
//! `SO_REUSEPORT` lets several sockets listen on one port, those of other processes of the same user included. So a server that was started
//! twice would run twice, each with a part of the clients. The first listener therefore takes its port without that option, which fails
//! if anybody listens there, and allows company only afterwards: for its own cores.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::limits::{BACKLOG, UNSENT_BYTES_MAX};
use crate::socket::{check, enable, set};

/// A nonblocking listener with `SO_REUSEADDR`. `TCP_NODELAY` and `TCP_NOTSENT_LOWAT` are set on it, and Linux lets accepted sockets inherit
/// them, which saves a call for each.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
}

/// Who else may listen on a listener's port.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PortUse {
    /// Nobody who listens already. Others of the same process join by [`Listener::beside`].
    #[default]
    Alone,
    /// Anybody of the same user who says the same (`SO_REUSEPORT`): the kernel deals connections out among all of them.
    Shared,
}

impl Listener {
    /// Listens on an IPv4 or IPv6 address; port 0 takes a free one. `[::]` takes IPv4 too where the system says so.
    ///
    /// # Errors
    /// The kernel's refusal, most often `AddrInUse` or `PermissionDenied`.
    pub fn bind(address: SocketAddr, port_use: PortUse) -> io::Result<Listener> {
        let socket = open(address)?;
        enable(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
        if port_use == PortUse::Shared {
            enable(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
        }
        enable(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
        set(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)?;
        bind_to(&socket, address)?;
        // SAFETY: listen takes two integers and touches no memory.
        check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
        Ok(Listener { inner: TcpListener::from(socket) })
    }

    /// Another listener on the same address, for another core.
    ///
    /// # Errors
    /// The kernel's refusal, as [`Listener::bind`].
    pub fn beside(&self) -> io::Result<Listener> {
        // Only now, when this one listens: a stranger that looked for a free port in between has found it taken.
        enable(self.inner.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
        Listener::bind(self.local_addr()?, PortUse::Shared)
    }

    /// The address it listens on, with the port the kernel chose.
    ///
    /// # Errors
    /// The kernel's refusal; none is known.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Lets accepts wait. The ring needs it: it completes every request on a nonblocking file at once.
    pub(crate) fn set_blocking(&self) -> io::Result<()> {
        self.inner.set_nonblocking(false)
    }

    /// Takes one connection that waits, and closes it: for want of a descriptor to keep it by. False if none waits, or there is no
    /// descriptor even for that.
    pub(crate) fn refuse_one(&self) -> bool {
        let mut is_waiting = libc::pollfd { fd: self.inner.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the kernel reads and writes one pollfd through the pointer; `is_waiting` is one and outlives the call.
        let found = unsafe { libc::poll(&raw mut is_waiting, 1, 0) };
        found == 1 && self.inner.accept().is_ok()
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.inner.as_raw_fd()
    }
}

fn open(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket takes three integers and touches no memory.
    let raw = check(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: `raw` was opened by the line above and nobody else has seen it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

fn bind_to(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(v4) => {
            let name = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            let length = size_of_val(&name) as libc::socklen_t;
            // SAFETY: the kernel reads `length` bytes from the pointer; `name` has that size and outlives the call.
            check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const name).cast(), length) }).map(drop)
        }
        SocketAddr::V6(v6) => {
            let name = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            let length = size_of_val(&name) as libc::socklen_t;
            // SAFETY: the kernel reads `length` bytes from the pointer; `name` has that size and outlives the call.
            check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const name).cast(), length) }).map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(address: &str, port_use: PortUse) -> io::Result<Listener> {
        Listener::bind(address.parse().expect("an address"), port_use)
    }

    #[test]
    fn the_cores_of_a_process_share_a_port_and_nobody_else_does() {
        let first = listen("127.0.0.1:0", PortUse::Alone).expect("a free port");
        let address = first.local_addr().expect("it has one");
        assert_ne!(address.port(), 0);
        let is_taken = || {
            let error = Listener::bind(address, PortUse::Alone).expect_err("it is taken");
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        };
        is_taken();
        assert!(Listener::bind(address, PortUse::Shared).is_err(), "one that has it alone does not share");
        let others = [first.beside(), first.beside()].map(|other| other.expect("the same port again"));
        assert!(others.iter().all(|other| other.local_addr().is_ok_and(|other| other == address)));
        is_taken();
        drop(first);
        is_taken();
        drop(others);
        Listener::bind(address, PortUse::Alone).expect("it is free again");
    }

    #[test]
    fn a_shared_port_is_for_all_who_say_so() {
        let first = listen("127.0.0.1:0", PortUse::Shared).expect("a free port");
        let address = first.local_addr().expect("it has one");
        let second = Listener::bind(address, PortUse::Shared).expect("the same port again");
        assert_eq!(second.local_addr().expect("it has one"), address);
        assert!(Listener::bind(address, PortUse::Alone).is_err(), "who wants it alone does not join");
    }

    #[test]
    fn connections_of_a_shared_port_reach_every_listener() {
        let first = listen("127.0.0.1:0", PortUse::Alone).expect("a free port");
        let second = first.beside().expect("the same port again");
        let address = first.local_addr().expect("it has one");
        let clients: Vec<_> =
            (0..64).map(|_| std::net::TcpStream::connect(address).expect("connects")).collect();
        let accept_all = |listener: &Listener| std::iter::from_fn(|| listener.inner.accept().ok()).count();
        let (at_first, at_second) = (accept_all(&first), accept_all(&second));
        assert_eq!(at_first + at_second, clients.len());
        assert!(at_first > 0 && at_second > 0, "{at_first} and {at_second}");
    }

    #[test]
    fn ipv6_is_an_address_too() {
        match listen("[::1]:0", PortUse::Alone) {
            Ok(listener) => assert!(listener.local_addr().expect("it has one").is_ipv6()),
            Err(error) => {
                let known = [libc::EADDRNOTAVAIL, libc::EAFNOSUPPORT];
                assert!(
                    known.contains(&error.raw_os_error().unwrap_or(0)),
                    "a machine without IPv6 says so: {error}"
                );
            }
        }
    }
}
