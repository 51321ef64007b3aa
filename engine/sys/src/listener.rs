//! A listening TCP socket, one per core on the same address: the kernel deals the connections out. It does not accept;
//! the drivers do.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::limits::BACKLOG;
use crate::socket::{check, enable};

/// A nonblocking listener with `SO_REUSEPORT` and `SO_REUSEADDR`. `TCP_NODELAY` is set on it, and Linux lets accepted
/// sockets inherit it, which saves a call for each.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
}

impl Listener {
    /// Listens on an IPv4 or IPv6 address; port 0 takes a free one. `[::]` takes IPv4 too where the system says so.
    ///
    /// # Errors
    /// The kernel's refusal, most often `AddrInUse` or `PermissionDenied`.
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        let socket = open(address)?;
        enable(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
        enable(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
        enable(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
        bind_to(&socket, address)?;
        // SAFETY: listen takes two integers and touches no memory.
        check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
        Ok(Listener { inner: TcpListener::from(socket) })
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

    #[test]
    fn two_listeners_share_a_port() {
        let first = Listener::bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let address = first.local_addr().expect("it has one");
        assert_ne!(address.port(), 0);
        let second = Listener::bind(address).expect("the same port again");
        assert_eq!(second.local_addr().expect("it has one"), address);
    }

    #[test]
    fn ipv6_is_an_address_too() {
        match Listener::bind("[::1]:0".parse().expect("an address")) {
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
