//! The kernel behind one small trait: the ring, its epoll twin, wake-ups, listeners, cores and clocks.
//! It is not a protocol and not a runtime: it moves bytes of connections and does not read them.
//!
//! One [`Driver`] belongs to one core (a pinned thread). The core waits, receives from what became readable, and
//! sends one batch per flush. Two drivers pass the same tests: [`Ring`] (io_uring, Linux 6.1 and newer) and
//! [`Epoll`]. [`probe`] says which one this machine allows, and why not the other.
//!
//! Why two promises of [`Driver::send`] carry the whole engine:
//!
//! * *Nothing of the batch is held after the call.* Bytes shared by ten thousand recipients need no reference
//!   counts and no in-flight list.
//! * *Only exceptions are reported.* A batch of ten thousand sends that all went out costs no completion at all.
//!
//! This is the only crate of the workspace with unsafe code: one operation per block, each with its argument.

#[cfg(feature = "mimalloc")]
mod allocator;
mod backoff;
mod clock;
mod cores;
mod counters;
mod epoll;
mod limits;
mod listener;
mod passed;
mod probe;
mod ring;
mod slots;
mod socket;
mod spare;
mod token;
mod waker;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

#[cfg(feature = "mimalloc")]
pub use allocator::{release_free_memory, release_freed_memory_at_once};
pub use clock::{Clock, cpu_ns_of, process_cpu_ns, thread_cpu_ns};
pub use cores::{available_cores, pin_to_core, raise_descriptor_limit};
pub use counters::Counters;
pub use epoll::Epoll;
pub use listener::{Listener, PortUse};
pub use passed::Passed;
pub use probe::{Choice, DriverKind, Preference, Probe, Unavailable, probe, refusal_of_ring};
pub use ring::{Descriptors, Ring, RingOptions};
pub use spare::has_descriptors;
pub use token::Token;
pub use waker::Waker;

/// What [`Driver::wait`] reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    /// The listener has a new connection, already part of this driver.
    Accepted(Token),
    /// [`Driver::receive`] has something to say: bytes, the end or an error. Reported once until `receive` is called, and once more for the
    /// peer's end, and once more if the connection breaks: [`Driver::end_of`] then knows, though bytes from before are not received.
    Readable(Token),
    /// The socket takes bytes again. Only after [`Driver::watch_writable`], once for each watch.
    Writable(Token),
    /// Somebody called [`Waker::wake`], once or more often; or an accept failed, which the counters tell.
    Woken,
}

/// The outcome of one nonblocking receive. The bytes are on loan until the sink returns.
#[derive(PartialEq, Eq, Debug)]
pub enum Received<'a> {
    /// Bytes, never empty. If more may be waiting the driver itself reports `Readable` again at the next wait.
    Bytes(&'a mut [u8]),
    /// Nothing was waiting.
    Empty,
    /// The peer has finished sending; every byte before that was delivered.
    Eof,
    /// The connection is broken; the `errno` says how.
    Failed(i32),
}

/// How a peer has ended, though bytes from before may not be received yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It sends nothing more; it may still read.
    Finished,
    /// The connection is gone in both directions: a reset, or a peer whose kernel no longer answers.
    Broken,
}

/// One entry of a batch: these bytes to this connection.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The recipient; a stale token is skipped.
    pub token: Token,
    /// The bytes, on loan for the duration of the call.
    pub bytes: &'a [u8],
}

/// An entry of a batch that was not taken whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsent {
    /// Its place in the batch.
    pub position: usize,
    /// What happened to it.
    pub outcome: Outcome,
}

/// Why an entry was not taken whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The first so many bytes were taken, the rest was not: the socket is full. May be 0.
    Partial(usize),
    /// The connection is broken; the `errno` says how.
    Failed(i32),
}

/// One core's connections and its way to sleep. Used by one thread only.
///
/// Every method accepts stale tokens: it counts them ([`Counters::stale_tokens`]) and touches nothing.
pub trait Driver {
    /// A connection on its way to another core.
    type Passed: Send;

    /// Sleeps until something is ready, somebody wakes it or the time is over (`None`: for ever, zero: just look),
    /// and appends what is ready. Does not sleep if something is ready already. One connection is readable at
    /// most once in what one call appends.
    ///
    /// # Errors
    /// Only if the driver itself is broken and can never report anything again.
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()>;

    /// One nonblocking receive for each token, in order, in batches inside. Each outcome is given to the sink while
    /// its buffer is on loan. May be called without a `Readable` before it. A connection that was reported readable
    /// and is not received from stays silent until it is: that is how a core stops reading.
    fn receive(&mut self, tokens: &[Token], sink: &mut dyn FnMut(Token, Received<'_>));

    /// One nonblocking send for each entry, executed before this returns: nothing of the batch is held afterwards.
    /// Entries that were not taken whole are appended to `unsent` in the order of the batch. A batch holds at most
    /// one entry for a connection (after a partial send a second one could overtake the rest of the first).
    fn send(&mut self, batch: &[Outgoing<'_>], unsent: &mut Vec<Unsent>);

    /// Asks for one `Writable` as soon as the socket takes bytes again; at once if it already does.
    fn watch_writable(&mut self, token: Token);

    /// Ends our direction alone: bytes the kernel has taken are still delivered, then the peer sees the end, while what it sends can still
    /// be received. Nothing is sent afterwards. Who then reads to the peer's end and closes has ended without a reset.
    ///
    /// A system call or two: for connections that end while their peer may still be sending, not for all.
    fn shutdown(&mut self, token: Token);

    /// Closes gracefully: bytes the kernel has taken are still delivered, then the end. The token is stale from now on.
    /// Bytes the peer has sent and nobody received are discarded first, for they would turn the end into a reset; what
    /// arrives later still does (a peer that may be sending is better read to its end, after [`Driver::shutdown`]).
    fn close(&mut self, token: Token);

    /// Closes at once: bytes not yet delivered are dropped and the peer sees a reset where the kernel allows it.
    fn reset(&mut self, token: Token) {
        self.close(token);
    }

    /// Takes a connection out of this driver, with all bytes it has not received. The token is stale afterwards.
    ///
    /// # Errors
    /// `NotFound` for a stale token; the kernel's refusal (out of descriptors), and then the connection stays.
    fn pass(&mut self, token: Token) -> io::Result<Self::Passed>;

    /// Makes a connection part of this driver. If bytes are already waiting, a `Readable` follows.
    ///
    /// # Errors
    /// The kernel's refusal (this driver's table is full); the connection is closed then.
    fn adopt(&mut self, passed: Self::Passed) -> io::Result<Token>;

    /// A handle with which any thread ends this driver's sleep.
    fn waker(&self) -> Waker;

    /// Stops taking connections from the listener; they queue in its backlog. A few that were already taken may
    /// still be reported.
    fn pause_accept(&mut self) {}

    /// Takes connections again.
    fn resume_accept(&mut self) {}

    /// Closes the listener: from now on the kernel refuses connections, and those that it has not handed out yet end.
    fn close_listener(&mut self) {}

    /// The peer's address. Costs a few system calls: ask once, and only if somebody wants to know.
    ///
    /// # Errors
    /// `NotFound` for a stale token, `Unsupported` if this driver has no addresses, or the kernel's refusal.
    fn peer_address(&mut self, _token: Token) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Of how many last places this connection has one, if nearly all places for connections are taken: at the limit of descriptors the core had better
    /// keep them for what matters. The cores of a process share them, but for those with a table of their own.
    fn last_places(&self, _token: Token) -> Option<usize> {
        None
    }

    /// How the peer has ended, as far as the kernel has told; bytes from before may still be there. Known also of a connection that is not received from,
    /// so that a peer that leaves is not kept for want of being read. `None` for a stale token.
    fn end_of(&self, token: Token) -> Option<End>;

    /// What has happened so far.
    fn counters(&self) -> &Counters;
}
