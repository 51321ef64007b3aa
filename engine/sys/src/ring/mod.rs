//! The io_uring driver: one ring per core, driven directly. It is not a runtime; there are no tasks and no futures.
//!
//! ```text
//! accept     64 requests, made up for once per wait; the kernel chooses the place in the ring's table, which is the token's index
//! arrivals   one multishot poll per connection (290 bytes of kernel memory while idle), told once per arrival
//! receive    one RECV per connection into 64 shared buffers, executed during the submission
//! send       one SEND per connection from the caller's own bytes, executed during the submission, silent if all went well
//! room       a one-shot poll, only for sockets that were full
//! wake-up    a multishot poll of an eventfd
//! alarm      one timeout for a far deadline, however often the sleeps before it are interrupted
//! ```
//!
//! A call that enters the kernel may meet completions of any kind. They are handled at once, but what they mean for
//! the core waits in a queue until the next `wait`, which then does not sleep.
//!
//! A socket lives as long as a request refers to it. So a close cancels the polls first; both, and the end the peer sees, happen
//! with the next enter, at the latest when the core goes to sleep.

mod accepting;
mod alarm;
mod complete;
mod gate;
mod moving;
mod pool;
mod request;
mod tag;
mod transfer;

use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use io_uring::cqueue;
use io_uring::opcode;
use io_uring::squeue::Flags;

use self::accepting::Accepting;
use self::alarm::Alarm;
use self::gate::Gate;
use self::pool::Pool;
pub use self::request::Descriptors;
use self::request::Request;
use self::transfer::Result32;
use crate::cores::descriptor_limit;
use crate::limits::{CQ_ENTRIES, FILES_MAX, RECEIVE_BUFFERS, RECEIVE_BYTES, SQ_ENTRIES};
use crate::slots::Slots;
use crate::spare::{LastPlaces, Spare};
use crate::{Counters, Driver, End, Listener, Outgoing, Passed, Ready, Received, Token, Unsent, Waker};

/// The driver over io_uring. Made on the thread that uses it, and never leaves it.
pub struct Ring {
    gate: Gate,
    slots: Slots,
    counters: Counters,
    descriptors: Descriptors,
    /// Places of the table of direct descriptors.
    files: Option<u32>,
    waker: Waker,
    completions: Vec<cqueue::Entry>,

    accepting: Accepting,
    spare: Spare,
    /// By descriptors, or by connections in the table.
    last: LastPlaces,
    alarm: Alarm,

    is_sending: bool,
    send_sequence: u32,
    exceptions: Vec<(usize, i32)>,

    pool: Pool,
    receive_sequence: u32,
    receives_out: usize,
    results: [Option<Result32>; RECEIVE_BUFFERS],

    /// The result of the one request somebody waits for, and the memory of the one that writes a number.
    answer: Option<i32>,
    ask_sequence: u32,
    number: Box<i32>,

    /// The kernel accepts requests from the thread that made the ring only.
    _stays_on_its_thread: PhantomData<*const ()>,
}

/// Sizes and ways of a ring. The defaults are right for a server; tests make small ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RingOptions {
    /// Places for completions. A small one overflows early, which costs calls but loses nothing.
    pub cq_entries: u32,
    /// Which descriptors; `None` takes direct ones where connections can leave them again.
    pub descriptors: Option<Descriptors>,
    /// Places in the table of direct descriptors; `None` takes the process limit.
    pub files_max: Option<u32>,
    /// Bytes of one receive. There are 64 buffers of them.
    pub receive_bytes: usize,
}

impl Default for RingOptions {
    fn default() -> RingOptions {
        RingOptions {
            cq_entries: CQ_ENTRIES,
            descriptors: None,
            files_max: None,
            receive_bytes: RECEIVE_BYTES,
        }
    }
}

impl Ring {
    /// A driver of the calling thread that accepts from the listener, if there is one.
    ///
    /// # Errors
    /// The kernel's refusal; [`crate::probe`] has words for it.
    pub fn new(listener: Option<Listener>) -> io::Result<Ring> {
        Ring::with_options(listener, RingOptions::default())
    }

    /// The same with other sizes.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn with_options(listener: Option<Listener>, options: RingOptions) -> io::Result<Ring> {
        let sq_entries = SQ_ENTRIES.min(options.cq_entries);
        let gate = Gate::new(sq_entries, options.cq_entries)?;
        let descriptors = options.descriptors.unwrap_or_else(|| best_descriptors(&gate));
        let files = match descriptors {
            Descriptors::Direct => Some(register_table(&gate, options.files_max)?),
            Descriptors::Ordinary => None,
        };
        let places = files.map_or_else(|| descriptor_limit().rlim_cur, u64::from);
        let mut ring = Ring {
            gate,
            slots: Slots::with_room(),
            counters: Counters::default(),
            descriptors,
            files,
            waker: Waker::new()?,
            completions: Vec::new(),
            accepting: Accepting::new(),
            spare: Spare::new()?,
            last: LastPlaces::of(places),
            alarm: Alarm::default(),
            is_sending: false,
            send_sequence: 0,
            exceptions: Vec::new(),
            pool: Pool::new(options.receive_bytes),
            receive_sequence: 0,
            receives_out: 0,
            results: [None; RECEIVE_BUFFERS],
            answer: None,
            ask_sequence: 0,
            number: Box::new(-1),
            _stays_on_its_thread: PhantomData,
        };
        ring.gate.push(&Request::wake(ring.waker.descriptor()));
        if let Some(listener) = listener {
            ring.listen_to(listener)?;
        }
        Ok(ring)
    }

    /// Accepts from this listener from now on.
    ///
    /// # Errors
    /// The kernel's refusal; none is known.
    pub fn listen_to(&mut self, listener: Listener) -> io::Result<()> {
        listener.set_blocking()?;
        self.start_accepting(listener);
        Ok(())
    }

    /// Which descriptors this ring uses.
    #[must_use]
    pub fn descriptors(&self) -> Descriptors {
        self.descriptors
    }

    fn file_flags(&self) -> Flags {
        if self.is_direct() { Flags::FIXED_FILE } else { Flags::empty() }
    }

    /// When a sleep ends: at the deadline, or when accepting is due again.
    fn sleep_end(&self, deadline: Option<Instant>) -> Option<Instant> {
        deadline.into_iter().chain(self.accepting.backoff.until()).min()
    }
}

impl Driver for Ring {
    type Passed = Passed;

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let before = ready.len();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut is_over = timeout == Some(Duration::ZERO);
        loop {
            self.ask_for_connections();
            self.reap();
            if is_over || self.slots.has_pending() {
                self.gate.look();
            } else {
                self.sleep_until(self.sleep_end(deadline));
            }
            self.reap();
            self.slots.report(ready);
            self.gate.check()?;
            if ready.len() > before || is_over {
                return Ok(());
            }
            is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
        }
    }

    fn receive(&mut self, tokens: &[Token], sink: &mut dyn FnMut(Token, Received<'_>)) {
        for batch in tokens.chunks(RECEIVE_BUFFERS) {
            self.receive_batch(batch, sink);
        }
    }

    fn send(&mut self, batch: &[Outgoing<'_>], unsent: &mut Vec<Unsent>) {
        self.is_sending = true;
        self.send_all(batch, unsent);
        self.is_sending = false;
    }

    fn watch_writable(&mut self, token: Token) {
        let Some(slot) = self.slots.find_mut(token) else {
            self.counters.stale_tokens += 1;
            return;
        };
        if !std::mem::replace(&mut slot.flags.is_watched, true) {
            self.gate.push(&Request::writable(token, self.descriptors));
        }
    }

    fn shutdown(&mut self, token: Token) {
        self.finish(token);
    }

    fn close(&mut self, token: Token) {
        if let Some(slot) = self.leave(token) {
            self.counters.closed += 1;
            self.discard(token);
            self.close_descriptor(token, slot);
        }
    }

    fn reset(&mut self, token: Token) {
        if let Some(slot) = self.leave(token) {
            self.counters.closed += 1;
            self.gate.push(&Request::abort_on_close(token, self.descriptors));
            self.close_descriptor(token, slot);
        }
    }

    fn pass(&mut self, token: Token) -> io::Result<Passed> {
        self.hand_over(token)
    }

    fn adopt(&mut self, passed: Passed) -> io::Result<Token> {
        self.take_over(passed)
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn pause_accept(&mut self) {
        self.pause_accepting();
    }

    fn resume_accept(&mut self) {
        self.resume_accepting();
    }

    fn close_listener(&mut self) {
        self.close_listener_now();
    }

    fn peer_address(&mut self, token: Token) -> io::Result<SocketAddr> {
        self.address_of(token)
    }

    /// The kernel gives out the lowest descriptor that is free, but any free place of the table.
    fn last_places(&self, token: Token) -> Option<usize> {
        match self.descriptors {
            Descriptors::Ordinary => self.last.with(token.index.into()),
            Descriptors::Direct => self.last.with(self.connections().saturating_sub(1)),
        }
    }

    fn end_of(&self, token: Token) -> Option<End> {
        self.slots.end_of(token)
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Drop for Ring {
    /// Closes that were asked for are still done gracefully; the rest goes with the ring. Ordinary descriptors do not: those that the
    /// kernel has opened for accepts that nobody has read yet are made ours, to be closed.
    fn drop(&mut self) {
        self.close_listener_now();
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("descriptors", &self.descriptors).finish_non_exhaustive()
    }
}

/// Direct ones, if a connection can be passed on to another core from them.
fn best_descriptors(gate: &Gate) -> Descriptors {
    let mut probe = io_uring::Probe::new();
    let is_known = gate.io().submitter().register_probe(&mut probe).is_ok();
    if is_known && probe.is_supported(opcode::FixedFdInstall::CODE) {
        Descriptors::Direct
    } else {
        Descriptors::Ordinary
    }
}

/// The number of places.
fn register_table(gate: &Gate, files_max: Option<u32>) -> io::Result<u32> {
    let limit = u32::try_from(descriptor_limit().rlim_cur).unwrap_or(FILES_MAX);
    let files = files_max.unwrap_or(limit).clamp(1, FILES_MAX);
    gate.io().submitter().register_files_sparse(files)?;
    Ok(files)
}
