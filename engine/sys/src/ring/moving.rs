//! Connections that come from or go to another core, half-closes, and ordinary descriptors of direct ones. Rare and therefore plain: each
//! is one question to the kernel whose answer is waited for.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

use io_uring::opcode::FilesUpdate;

use super::Ring;
use super::request::Request;
use super::tag::{self, Op, Tag};
use crate::socket::{self, borrowed};
use crate::{Passed, Token};

impl Ring {
    /// The connection leaves: an ordinary descriptor of it survives, everything of this ring's is cancelled and closed.
    pub(super) fn hand_over(&mut self, token: Token) -> io::Result<Passed> {
        let twin = if self.is_direct() { Some(self.install(token)?) } else { None };
        let mut slot = self.leave(token).ok_or(io::ErrorKind::NotFound)?;
        let file = twin.or(slot.file.take()).ok_or(io::ErrorKind::NotFound)?;
        if self.is_direct() {
            self.close_descriptor(token, slot);
        }
        // At once: the new owner may close it, and then nothing here must keep it open.
        self.gate.submit();
        self.counters.passed += 1;
        Ok(Passed::from(file))
    }

    /// The connection joins: it gets a place in the table, and its polls find what is waiting.
    pub(super) fn take_over(&mut self, passed: Passed) -> io::Result<Token> {
        let file = OwnedFd::from(passed);
        let index = if self.is_direct() { self.allocate(&file)? } else { file.into_raw_fd() as u32 };
        self.counters.adopted += 1;
        Ok(self.join(index))
    }

    pub(super) fn address_of(&mut self, token: Token) -> io::Result<SocketAddr> {
        if self.is_direct() {
            let twin = self.install(token)?;
            return socket::peer_address(twin.as_fd());
        }
        match self.slots.find(token).and_then(|slot| borrowed(slot.file.as_ref())) {
            Some(file) => socket::peer_address(file),
            None => Err(self.not_found()),
        }
    }

    /// Ends our direction, by the system call. The kernel gives every shutdown *request* to a worker thread (`REQ_F_FORCE_ASYNC`), which
    /// costs the machine as much, but elsewhere and later: no worker of ours ever runs beside the cores. Only at the process's limit of
    /// descriptors, where no twin can be had, one has to do.
    pub(super) fn finish(&mut self, token: Token) {
        let ordinary = self.slots.find(token).and_then(|slot| borrowed(slot.file.as_ref()));
        if let Some(file) = ordinary {
            return socket::finish(file);
        }
        match self.install(token) {
            Ok(twin) => socket::finish(twin.as_fd()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_out_of_descriptors) => self.gate.push(&Request::shutdown(token, self.descriptors)),
        }
    }

    /// An ordinary twin of a direct descriptor.
    fn install(&mut self, token: Token) -> io::Result<OwnedFd> {
        if !self.slots.is_current(token) {
            return Err(self.not_found());
        }
        let sequence = self.next_question();
        self.gate.push(&Request::install(token, sequence));
        let raw = self.ask()?;
        // SAFETY: the kernel has opened `raw` for this request, and nobody else has seen it.
        Ok(unsafe { OwnedFd::from_raw_fd(raw) })
    }

    fn not_found(&mut self) -> io::Error {
        self.counters.stale_tokens += 1;
        io::ErrorKind::NotFound.into()
    }

    /// A place in the table for an ordinary descriptor's socket.
    fn allocate(&mut self, file: &OwnedFd) -> io::Result<u32> {
        *self.number = file.as_raw_fd();
        let update = FilesUpdate::new((&raw mut *self.number).cast_const(), 1).offset(ALLOCATE);
        let sequence = self.next_question();
        let entry = update.build().user_data(Tag::new(Op::Ask, sequence, 0).pack());
        // SAFETY: `number` is a box of this ring with room for the one number that is read and replaced; it is not
        // touched before the answer is there.
        unsafe { self.gate.push_entry(&entry) };
        if let Err(error) = self.ask() {
            // Should the answer still come, it may write there: that memory is given up.
            std::mem::forget(std::mem::replace(&mut self.number, Box::new(-1)));
            return Err(error);
        }
        u32::try_from(*self.number).map_err(|_| io::Error::from_raw_os_error(libc::ENFILE))
    }

    /// The number of a question that is about to be asked. An answer to an earlier one is then no answer to this.
    fn next_question(&mut self) -> u32 {
        self.ask_sequence = tag::next(self.ask_sequence);
        self.answer = None;
        self.ask_sequence
    }

    /// Submits and returns the result of the last request, which is executed during the submission.
    fn ask(&mut self) -> io::Result<i32> {
        self.gate.submit();
        self.reap();
        self.gate.check()?;
        match self.answer.take() {
            Some(errno) if errno < 0 => Err(io::Error::from_raw_os_error(-errno)),
            Some(result) => Ok(result),
            None => Err(io::Error::from_raw_os_error(libc::EPROTO)),
        }
    }
}

/// The offset that lets the kernel choose the place (`IORING_FILE_INDEX_ALLOC`).
const ALLOCATE: i32 = -1;

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;
    use crate::ring::{Descriptors, RingOptions};
    use crate::{Driver, Outgoing};

    /// What serves at the limit of descriptors.
    #[test]
    fn a_worker_ends_our_direction_as_well() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        for descriptors in [Descriptors::Direct, Descriptors::Ordinary] {
            let options = RingOptions { descriptors: Some(descriptors), ..RingOptions::default() };
            let mut ring = Ring::with_options(None, options).expect("a ring");
            let mut client = TcpStream::connect(listener.local_addr().expect("bound")).expect("a listener");
            client.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
            let (server, _) = listener.accept().expect("the connection just made");
            let token = ring.adopt(Passed::from(OwnedFd::from(server))).expect("a place");
            ring.send(&[Outgoing { token, bytes: b"last" }], &mut Vec::new());
            ring.gate.push(&Request::shutdown(token, descriptors));
            ring.gate.submit();
            let mut received = Vec::new();
            client.read_to_end(&mut received).expect("a graceful end");
            assert_eq!(received, b"last");
            assert!(ring.slots.is_current(token), "only one direction has ended");
        }
    }
}
