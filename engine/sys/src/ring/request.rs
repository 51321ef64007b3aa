//! The requests that refer to no memory of ours, so that submitting them is safe at any time. Those with buffers are not
//! here: sends and receives are built where their buffers are.

use std::os::fd::RawFd;

use io_uring::opcode::{
    Accept, AsyncCancel, AsyncCancel2, Close, FixedFdInstall, PollAdd, Recv, Send, SetSockOpt, Shutdown,
};
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{CancelBuilder, DestinationSlot, Fd, Fixed};

use super::tag::{Op, Tag};
use crate::socket::ABORT;
use crate::token::Token;

/// A request without pointers, or with pointers to statics only. Made by this module alone: that is the argument of
/// the one unsafe line that submits it.
pub(super) struct Request(Entry);

/// Which numbers the ring knows its connections by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Descriptors {
    /// Places in the ring's own table: the process limit counts for each ring, not for all together.
    Direct,
    /// The process's descriptors, for kernels that cannot turn a direct descriptor back into an ordinary one (before 6.8).
    Ordinary,
}

impl Request {
    /// Accepts one connection. The sequence tells it from those that were asked for before a pause.
    pub(super) fn accept(listener: RawFd, descriptors: Descriptors, sequence: u32) -> Request {
        let is_direct = descriptors == Descriptors::Direct;
        // The kernel refuses close-on-exec for what no exec can inherit.
        let flags = if is_direct { 0 } else { libc::SOCK_CLOEXEC };
        let nowhere = (std::ptr::null_mut(), std::ptr::null_mut());
        let accept = Accept::new(Fd(listener), nowhere.0, nowhere.1).flags(flags);
        let place = is_direct.then(DestinationSlot::auto_target);
        Request(accept.file_index(place).build()).tagged(Tag::new(Op::Accept, sequence, 0))
    }

    /// Ends all accepts of a sequence.
    pub(super) fn cancel_accepts(sequence: u32) -> Request {
        let all = CancelBuilder::user_data(Tag::new(Op::Accept, sequence, 0).pack()).all();
        Request(AsyncCancel2::new(all).build()).silent()
    }

    /// Tells of every wake.
    pub(super) fn wake(event: RawFd) -> Request {
        let poll = PollAdd::new(Fd(event), libc::POLLIN as u32).multi(true);
        Request(poll.build()).tagged(Tag::new(Op::Wake, 0, 0))
    }

    /// Tells of every arrival of bytes and of the end.
    pub(super) fn readable(token: Token, descriptors: Descriptors) -> Request {
        let events = (libc::POLLIN | libc::POLLRDHUP) as u32;
        let poll = PollAdd::new(descriptors.number(token), events).multi(true);
        Request(descriptors.mark(poll.build())).tagged(Tag::of(Op::Readable, token))
    }

    /// Tells once of room.
    pub(super) fn writable(token: Token, descriptors: Descriptors) -> Request {
        let poll = PollAdd::new(descriptors.number(token), libc::POLLOUT as u32);
        Request(descriptors.mark(poll.build())).tagged(Tag::of(Op::Writable, token))
    }

    /// Ends another request. A poll that is just being reported is ended too, which the poll removal request
    /// would refuse.
    pub(super) fn cancel(target: Tag) -> Request {
        Request(AsyncCancel::new(target.pack()).build()).silent()
    }

    /// Ends our direction.
    pub(super) fn shutdown(token: Token, descriptors: Descriptors) -> Request {
        let shutdown = Shutdown::new(descriptors.number(token), libc::SHUT_WR);
        Request(descriptors.mark(shutdown.build())).silent()
    }

    /// Frees the descriptor.
    pub(super) fn close(token: Token, descriptors: Descriptors) -> Request {
        let entry = match descriptors {
            Descriptors::Direct => Close::new(Fixed(token.index)).build(),
            Descriptors::Ordinary => Close::new(Fd(token.index as RawFd)).build(),
        };
        Request(entry).silent()
    }

    /// Makes the close that follows a reset.
    pub(super) fn abort_on_close(token: Token, descriptors: Descriptors) -> Request {
        let (level, name) = (libc::SOL_SOCKET as u32, libc::SO_LINGER as u32);
        let length = size_of::<libc::linger>() as u32;
        let value = (&raw const ABORT).cast();
        let option = SetSockOpt::new(descriptors.number(token), level, name, value, length);
        Request(descriptors.mark(option.build())).silent()
    }

    /// Gives a direct descriptor an ordinary twin.
    pub(super) fn install(token: Token, sequence: u32) -> Request {
        let install = FixedFdInstall::new(Fixed(token.index), 0);
        Request(install.build()).tagged(Tag::new(Op::Install, sequence, 0))
    }

    pub(super) fn entry(&self) -> &Entry {
        &self.0
    }

    fn tagged(self, tag: Tag) -> Request {
        Request(self.0.user_data(tag.pack()))
    }

    /// No completion on success, and nobody looks at a failure.
    fn silent(self) -> Request {
        Request(self.0.flags(Flags::SKIP_SUCCESS)).tagged(Tag::ignored())
    }
}

impl Descriptors {
    /// The number as the kernel wants it; [`Descriptors::mark`] says in which table it is.
    fn number(self, token: Token) -> Fd {
        Fd(token.index as RawFd)
    }

    fn mark(self, entry: Entry) -> Entry {
        match self {
            Descriptors::Direct => entry.flags(Flags::FIXED_FILE),
            Descriptors::Ordinary => entry,
        }
    }

    /// A send that never waits. It reports a completion only if it was not taken whole: without `MSG_WAITALL` partial
    /// sends would be silent too, and without `MSG_DONTWAIT` a full socket would keep the request.
    pub(super) fn send(self, token: Token, bytes: *const u8, length: u32, tag: Tag) -> Entry {
        let flags = libc::MSG_DONTWAIT | libc::MSG_WAITALL | libc::MSG_NOSIGNAL;
        let send = Send::new(self.number(token), bytes, length).flags(flags).build();
        self.mark(send).flags(Flags::SKIP_SUCCESS).user_data(tag.pack())
    }

    /// A receive that never waits.
    pub(super) fn receive(self, token: Token, buffer: *mut u8, length: u32, tag: Tag) -> Entry {
        let receive = Recv::new(self.number(token), buffer, length).flags(libc::MSG_DONTWAIT).build();
        self.mark(receive).user_data(tag.pack())
    }

    /// A receive that throws away what is waiting.
    pub(super) fn discard(self, token: Token, buffer: *mut u8, length: u32) -> Entry {
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        let receive = Recv::new(self.number(token), buffer, length).flags(flags).build();
        self.mark(receive).flags(Flags::SKIP_SUCCESS).user_data(Tag::ignored().pack())
    }
}
