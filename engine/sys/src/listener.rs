//! A listening TCP socket, one per core on the same address: the kernel deals the connections out. It does not accept;
//! the drivers do.
//!
//! `SO_REUSEPORT` lets several sockets listen on one port, those of other processes of the same user included. So a server that was started
//! twice would run twice, each with a part of the clients. The first listener therefore takes its port without that option, which fails
//! if anybody listens there, and allows company only afterwards: for its own cores.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::limits::{BACKLOG, UNSENT_BYTES_MAX};
use crate::socket::{check, enable, set};

/// A nonblocking listener with `SO_REUSEADDR`. `TCP_NODELAY`, `TCP_NOTSENT_LOWAT` and the size of send buffers are set on it, and Linux lets
/// accepted sockets inherit them, which saves a call for each.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    send_buffer_bytes: usize,
    /// What connections hear that are closed as soon as they are accepted.
    refusal: &'static [u8],
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
        Listener::bind_with(address, port_use, 0)
    }

    /// The same, whose connections have a send buffer of so many bytes (`SO_SNDBUF`); with 0 the kernel sizes each by what its peer takes, up to
    /// `net.ipv4.tcp_wmem`. The kernel doubles the number for its own bookkeeping, takes no more than `net.core.wmem_max` of it, and no less than
    /// some 2 KiB. Source: socket(7).
    ///
    /// # Errors
    /// The kernel's refusal, as [`Listener::bind`].
    pub fn bind_with(
        address: SocketAddr,
        port_use: PortUse,
        send_buffer_bytes: usize,
    ) -> io::Result<Listener> {
        let socket = open(address)?;
        enable(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
        if port_use == PortUse::Shared {
            enable(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
        }
        enable(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
        set(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)?;
        if send_buffer_bytes > 0 {
            let bytes = libc::c_int::try_from(send_buffer_bytes).unwrap_or(libc::c_int::MAX / 2);
            set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, bytes)?;
        }
        bind_to(&socket, address)?;
        // SAFETY: listen takes two integers and touches no memory.
        check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
        Ok(Listener { inner: TcpListener::from(socket), send_buffer_bytes, refusal: b"" })
    }

    /// From now on connections that are closed as soon as they are accepted, for want of a descriptor to keep them by, hear this first. A peer that goes
    /// on sending may miss it, for its bytes are not read to their end.
    #[must_use]
    pub fn refusing_with(self, refusal: &'static [u8]) -> Listener {
        Listener { refusal, ..self }
    }

    /// Another listener on the same address, for another core.
    ///
    /// # Errors
    /// The kernel's refusal, as [`Listener::bind`].
    pub fn beside(&self) -> io::Result<Listener> {
        // Only now, when this one listens: a stranger that looked for a free port in between has found it taken.
        enable(self.inner.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
        let other = Listener::bind_with(self.local_addr()?, PortUse::Shared, self.send_buffer_bytes)?;
        Ok(other.refusing_with(self.refusal))
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

    /// Takes one connection that waits, tells it so, and closes it: for want of a descriptor to keep it by. False if none waits, or there is no
    /// descriptor even for that.
    pub(crate) fn refuse_one(&self) -> bool {
        let mut is_waiting = libc::pollfd { fd: self.inner.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the kernel reads and writes one pollfd through the pointer; `is_waiting` is one and outlives the call.
        let found = unsafe { libc::poll(&raw mut is_waiting, 1, 0) };
        let Some((mut stream, _)) = (found == 1).then(|| self.inner.accept().ok()).flatten() else {
            return false;
        };
        if !self.refusal.is_empty() && stream.set_nonblocking(true).is_ok() {
            // What has come is taken out: closing with bytes unread is a reset, which would take the refusal along.
            let _what_it_asked = stream.read(&mut [0; 16 * 1024]);
            let _too_slow = stream.write_all(self.refusal);
        }
        true
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

    /// A connection takes over the listener's size, which the kernel doubles; without one it sizes its buffer itself, far beyond.
    #[test]
    fn a_connection_inherits_its_send_buffer() {
        let sized = Listener::bind_with("127.0.0.1:0".parse().expect("an address"), PortUse::Alone, 16 << 10)
            .expect("a free port");
        let beside = sized.beside().expect("the same port again");
        let unsized_one = listen("127.0.0.1:0", PortUse::Alone).expect("a free port");
        for (listener, limit) in [(&sized, true), (&beside, true), (&unsized_one, false)] {
            let address = listener.local_addr().expect("it has one");
            // Two listeners share the first port: connect until this one gets one.
            let (accepted, _client) = std::iter::repeat_with(|| {
                let client = std::net::TcpStream::connect(address).expect("connects");
                Some((listener.inner.accept().ok()?.0, client))
            })
            .flatten()
            .next()
            .expect("one of many is this listener's");
            let bytes = send_buffer_of(&accepted);
            assert_eq!(bytes == 32 << 10, limit, "{bytes}");
        }
    }

    fn send_buffer_of(socket: &impl AsFd) -> libc::c_int {
        let (mut bytes, mut length): (libc::c_int, _) = (0, size_of::<libc::c_int>() as libc::socklen_t);
        let raw = socket.as_fd().as_raw_fd();
        let value = (&raw mut bytes).cast();
        // SAFETY: the kernel writes at most `length` bytes through the first pointer and the length through the second; both outlive the call.
        let result =
            unsafe { libc::getsockopt(raw, libc::SOL_SOCKET, libc::SO_SNDBUF, value, &raw mut length) };
        check(result).expect("every socket has one");
        bytes
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
