//! Calls on ordinary socket descriptors that the standard library does not offer: flags of send and receive, a few
//! options. It is not a socket type; owning and closing is done by `OwnedFd`.

use std::io;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// `SO_LINGER` of zero seconds: a close resets instead of delivering.
pub(crate) static ABORT: libc::linger = libc::linger { l_onoff: 1, l_linger: 0 };

/// One nonblocking receive. `Ok(0)` is the end.
pub(crate) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], flags: i32) -> Result<usize, i32> {
    let flags = flags | libc::MSG_DONTWAIT;
    // SAFETY: the kernel writes at most `buffer.len()` bytes to the pointer during the call; `buffer` is ours alone.
    let result = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    usize::try_from(result).map_err(|_| errno())
}

/// One nonblocking send. May take less than all.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, i32> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the kernel reads at most `bytes.len()` bytes from the pointer during the call; `bytes` outlives it.
    let result = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
    usize::try_from(result).map_err(|_| errno())
}

/// Whether the error only says "not now".
pub(crate) fn is_not_now(errno: i32) -> bool {
    matches!(errno, libc::EAGAIN | libc::EINTR)
}

/// Makes the next close a reset. Failing is harmless: the close is then a graceful one.
pub(crate) fn abort_on_close(socket: BorrowedFd<'_>) {
    let length = size_of::<libc::linger>() as libc::socklen_t;
    let value = (&raw const ABORT).cast();
    // SAFETY: the kernel reads `length` bytes from the pointer; ABORT is a static of that size.
    let _refused =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, value, length) };
}

/// Ends our direction. Failing is harmless: the peer has broken the connection already, which the next receive says.
pub(crate) fn finish(socket: BorrowedFd<'_>) {
    // SAFETY: shutdown takes two integers and touches no memory.
    let _broken = unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_WR) };
}

/// Switches an option on.
pub(crate) fn enable(socket: BorrowedFd<'_>, level: i32, option: i32) -> io::Result<()> {
    set(socket, level, option, 1)
}

/// Gives an option a number.
pub(crate) fn set(socket: BorrowedFd<'_>, level: i32, option: i32, value: libc::c_int) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes from the pointer; `value` has that size and outlives the call.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length) })
        .map(drop)
}

/// The peer's address.
pub(crate) fn peer_address(socket: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    // SAFETY: the descriptor is borrowed for longer than the stream is there, which does not close it.
    let stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(socket.as_raw_fd()) });
    stream.peer_addr()
}

/// The result of a system call that reports errors as -1.
pub(crate) fn check(result: i32) -> io::Result<RawFd> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The borrowed descriptor of a slot that must have one.
pub(crate) fn borrowed(file: Option<&OwnedFd>) -> Option<BorrowedFd<'_>> {
    file.map(AsFd::as_fd)
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}
