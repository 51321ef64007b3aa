//! The epoll driver: for kernels and containers where io_uring is not allowed. It is not a simplification for tests; it
//! passes the same ones and costs the same CPU, but every connection counts against the descriptor limit.
//!
//! Each connection is registered once, edge-triggered, for both directions. So an edge is news and nothing but:
//! what was not received stays in a list of our own ([`Slots`]), and an edge of writability counts only after a send
//! that was not taken whole (which is when the kernel promises one).

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::cores::descriptor_limit;
use crate::limits::{ACCEPTS_PER_WAIT, EVENTS_PER_WAIT, RECEIVE_BUFFERS, RECEIVE_BYTES, SEND_BYTES_MAX};
use crate::slots::{Slot, Slots};
use crate::socket::{self, borrowed, check};
use crate::spare::{self, LastPlaces, Spare, is_exhaustion};
use crate::{
    Counters, Driver, End, Listener, Outcome, Outgoing, Passed, Ready, Received, Token, Unsent, Waker,
};

/// The driver over epoll.
#[derive(Debug)]
pub struct Epoll {
    epoll: OwnedFd,
    slots: Slots,
    counters: Counters,
    waker: Waker,
    listener: Option<Listener>,
    is_paused: bool,
    spare: Spare,
    /// By descriptors: the kernel gives out the lowest that is free.
    last: LastPlaces,
    backoff: Backoff,
    events: Vec<libc::epoll_event>,
    /// One buffer for receives, large enough to discard what a closing connection has left.
    buffer: Box<[u8]>,
}

impl Epoll {
    /// A driver that accepts from the listener, if there is one.
    ///
    /// # Errors
    /// The kernel's refusal: out of descriptors.
    pub fn new(listener: Option<Listener>) -> io::Result<Epoll> {
        // SAFETY: epoll_create1 takes an integer and touches no memory.
        let raw = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: `raw` was opened by the line above and nobody else has seen it.
        let epoll = unsafe { OwnedFd::from_raw_fd(raw) };
        let mut driver = Epoll {
            epoll,
            slots: Slots::with_room(),
            counters: Counters::default(),
            waker: Waker::new()?,
            listener: None,
            is_paused: false,
            spare: Spare::new()?,
            last: LastPlaces::of(descriptor_limit().rlim_cur),
            backoff: Backoff::new(),
            events: Vec::with_capacity(EVENTS_PER_WAIT),
            buffer: vec![0; RECEIVE_BUFFERS * RECEIVE_BYTES].into_boxed_slice(),
        };
        driver.control(libc::EPOLL_CTL_ADD, driver.waker.descriptor(), libc::EPOLLIN, WAKER)?;
        if let Some(listener) = listener {
            driver.listen_to(listener)?;
        }
        Ok(driver)
    }

    /// Accepts from this listener from now on.
    ///
    /// # Errors
    /// The kernel's refusal: out of memory.
    pub fn listen_to(&mut self, listener: Listener) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, listener.descriptor(), libc::EPOLLIN, LISTENER)?;
        self.listener = Some(listener);
        Ok(())
    }

    fn control(&self, operation: i32, descriptor: RawFd, interest: i32, data: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest as u32, u64: data };
        // SAFETY: the kernel reads one event from the pointer; `event` is one and outlives the call.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, descriptor, &raw mut event) })
            .map(drop)
    }

    /// Sleeps once and turns the events into reports.
    fn look(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.counters.enters += 1;
        self.events.clear();
        let room = self.events.spare_capacity_mut();
        let (pointer, length) = (room.as_mut_ptr().cast(), room.len() as i32);
        // SAFETY: the kernel writes at most `length` events to the pointer; that many fit in the spare capacity.
        let result =
            unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), pointer, length, timeout_ms(timeout)) };
        let found = match check(result) {
            Ok(found) => usize::try_from(found).unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        // SAFETY: the kernel has filled the first `found` events, and `found` is at most the length it was given.
        unsafe { self.events.set_len(found) };
        for place in 0..found {
            let event = self.events[place];
            self.handle_event(event.events as i32, event.u64);
        }
        Ok(())
    }

    fn handle_event(&mut self, events: i32, data: u64) {
        match data {
            WAKER => {
                self.waker.acknowledge();
                self.counters.wakes += 1;
                self.slots.queue(Ready::Woken);
            }
            LISTENER => self.accept(),
            _ => self.handle_edge(Token { index: data as u32, generation: (data >> 32) as u32 }, events),
        }
    }

    fn handle_edge(&mut self, token: Token, events: i32) {
        let Some(slot) = self.slots.find_mut(token) else {
            self.counters.stale_completions += 1;
            return;
        };
        let is_broken = events & (libc::EPOLLERR | libc::EPOLLHUP) != 0;
        if is_broken || events & libc::EPOLLRDHUP != 0 {
            slot.flags.is_hung_up = true;
            slot.flags.is_broken |= is_broken;
        }
        let is_writable = is_broken || events & libc::EPOLLOUT != 0;
        if is_writable {
            slot.flags.is_full = false;
        }
        let is_awaited = is_writable && std::mem::take(&mut slot.flags.is_watched);
        if is_broken || events & (libc::EPOLLIN | libc::EPOLLRDHUP) != 0 {
            self.slots.queue_readable(token);
        }
        if is_awaited {
            self.slots.queue(Ready::Writable(token));
        }
    }

    /// Accepts a bounded number, of the last places a quarter: the core may free some before the next. The listener is level-triggered: what is
    /// left is reported at the next wait.
    fn accept(&mut self) {
        let mut lasts = 0;
        for _ in 0..ACCEPTS_PER_WAIT {
            let Some(listener) = &self.listener else { return };
            match accept_one(listener.descriptor()) {
                Ok(file) => {
                    let last = u64::try_from(file.as_raw_fd()).ok().and_then(|place| self.last.with(place));
                    self.accept_joined(file);
                    lasts += usize::from(last.is_some());
                    if last.is_some_and(|count| lasts > count / 4) {
                        return;
                    }
                }
                Err(error) => match error.raw_os_error().unwrap_or(libc::EIO) {
                    libc::EAGAIN => return,
                    libc::EINTR | libc::ECONNABORTED => {}
                    errno => return self.accept_failed(errno),
                },
            }
        }
    }

    fn accept_joined(&mut self, file: OwnedFd) {
        match self.join(file) {
            Ok(token) => {
                self.backoff.succeed();
                self.counters.accepted += 1;
                self.slots.queue(Ready::Accepted(token));
            }
            Err(_no_memory) => {
                self.counters.accept_errors += 1;
                self.slots.queue(Ready::Woken);
            }
        }
    }

    /// At the limit of descriptors those who wait are refused; whoever comes later is reported again. Else accepting pauses.
    fn accept_failed(&mut self, errno: i32) {
        self.counters.accept_errors += 1;
        self.slots.queue(Ready::Woken);
        if let Some(listener) = self.listener.as_ref().filter(|_| is_exhaustion(errno)) {
            let refused = self.spare.refuse(listener);
            self.counters.accepts_refused += refused;
            if refused > 0 {
                return;
            }
        }
        self.backoff.fail(Instant::now());
        self.listen(0);
    }

    fn accept_again(&mut self) {
        if self.backoff.is_on() && self.backoff.take_due(Instant::now()) && !self.is_paused {
            self.listen(libc::EPOLLIN);
        }
    }

    fn listen(&mut self, interest: i32) {
        if let Some(listener) = &self.listener {
            let changed = self.control(libc::EPOLL_CTL_MOD, listener.descriptor(), interest, LISTENER);
            debug_assert!(changed.is_ok(), "the listener was registered when the driver was made");
        }
    }

    fn join(&mut self, file: OwnedFd) -> io::Result<Token> {
        let raw = file.as_raw_fd();
        let index = u32::try_from(raw).map_err(|_| io::ErrorKind::InvalidInput)?;
        let token = self.slots.open(index, Some(file));
        let data = u64::from(token.generation) << 32 | u64::from(token.index);
        let interest = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        if let Err(error) = self.control(libc::EPOLL_CTL_ADD, raw, interest, data) {
            self.slots.close(token);
            return Err(error);
        }
        Ok(token)
    }

    /// Takes the connection out of the table; `None` and counted if it is gone already.
    fn leave(&mut self, token: Token) -> Option<Slot> {
        let slot = self.slots.close(token);
        match &slot {
            None => self.counters.stale_tokens += 1,
            Some(_) if self.backoff.is_on() => self.backoff.hurry(Instant::now()),
            Some(_) => {}
        }
        slot
    }

    /// The socket of a connection; counted if it is gone.
    fn file(&mut self, token: Token) -> io::Result<BorrowedFd<'_>> {
        match self.slots.find(token).and_then(|slot| borrowed(slot.file.as_ref())) {
            Some(file) => Ok(file),
            None => {
                self.counters.stale_tokens += 1;
                Err(io::ErrorKind::NotFound.into())
            }
        }
    }

    fn receive_one(&mut self, token: Token, sink: &mut dyn FnMut(Token, Received<'_>)) {
        let Some(slot) = self.slots.find(token) else {
            self.counters.stale_tokens += 1;
            return;
        };
        let is_hung_up = slot.flags.is_hung_up;
        let Some(file) = borrowed(slot.file.as_ref()) else { return };
        self.counters.receives += 1;
        match socket::receive(file, &mut self.buffer[..RECEIVE_BYTES], 0) {
            Ok(0) => sink(token, Received::Eof),
            Ok(length) => {
                if length == RECEIVE_BYTES || is_hung_up {
                    self.slots.queue_readable(token);
                }
                sink(token, Received::Bytes(&mut self.buffer[..length]));
            }
            Err(errno) if socket::is_not_now(errno) => {
                self.counters.receives_empty += 1;
                sink(token, Received::Empty);
            }
            Err(errno) => sink(token, Received::Failed(errno)),
        }
    }

    /// `None`: taken whole, or the token is stale.
    fn send_one(&mut self, outgoing: &Outgoing<'_>) -> Option<Outcome> {
        let Some(slot) = self.slots.find_mut(outgoing.token) else {
            self.counters.stale_tokens += 1;
            return None;
        };
        let file = borrowed(slot.file.as_ref())?;
        let bytes = &outgoing.bytes[..outgoing.bytes.len().min(SEND_BYTES_MAX)];
        if bytes.is_empty() {
            return None;
        }
        self.counters.sends += 1;
        let taken = match socket::send(file, bytes) {
            Ok(taken) if taken == outgoing.bytes.len() => return None,
            Ok(taken) => taken,
            Err(errno) if socket::is_not_now(errno) => 0,
            Err(errno) => {
                self.counters.sends_failed += 1;
                return Some(Outcome::Failed(errno));
            }
        };
        slot.flags.is_full = taken < SEND_BYTES_MAX;
        let kind = if taken == 0 { &mut self.counters.sends_full } else { &mut self.counters.sends_partial };
        *kind += 1;
        Some(Outcome::Partial(taken))
    }
}

impl Driver for Epoll {
    type Passed = Passed;

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let before = ready.len();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut is_over = timeout == Some(Duration::ZERO);
        loop {
            self.accept_again();
            let is_due = is_over || self.slots.has_pending();
            let sleep =
                if is_due { Some(Duration::ZERO) } else { sleep_time(deadline, self.backoff.until()) };
            self.look(sleep)?;
            self.slots.report(ready);
            if ready.len() > before || is_over {
                return Ok(());
            }
            is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
        }
    }

    fn receive(&mut self, tokens: &[Token], sink: &mut dyn FnMut(Token, Received<'_>)) {
        for &token in tokens {
            self.receive_one(token, sink);
        }
    }

    fn send(&mut self, batch: &[Outgoing<'_>], unsent: &mut Vec<Unsent>) {
        for (position, outgoing) in batch.iter().enumerate() {
            if let Some(outcome) = self.send_one(outgoing) {
                unsent.push(Unsent { position, outcome });
            }
        }
    }

    fn watch_writable(&mut self, token: Token) {
        let Some(slot) = self.slots.find_mut(token) else {
            self.counters.stale_tokens += 1;
            return;
        };
        if slot.flags.is_full {
            slot.flags.is_watched = true;
        } else {
            // The edge has come already, between the send and this call.
            self.slots.queue(Ready::Writable(token));
        }
    }

    fn shutdown(&mut self, token: Token) {
        if let Ok(file) = self.file(token) {
            socket::finish(file);
        }
    }

    fn close(&mut self, token: Token) {
        let Some(slot) = self.leave(token) else { return };
        self.counters.closed += 1;
        if let Some(file) = borrowed(slot.file.as_ref()) {
            let _what_was_left = socket::receive(file, &mut self.buffer, libc::MSG_TRUNC);
        }
    }

    fn reset(&mut self, token: Token) {
        let Some(slot) = self.leave(token) else { return };
        self.counters.closed += 1;
        if let Some(file) = borrowed(slot.file.as_ref()) {
            socket::abort_on_close(file);
        }
    }

    fn pass(&mut self, token: Token) -> io::Result<Passed> {
        let raw = self.file(token)?.as_raw_fd();
        self.control(libc::EPOLL_CTL_DEL, raw, 0, 0)?;
        let file = self.leave(token).and_then(|slot| slot.file).ok_or(io::ErrorKind::NotFound)?;
        self.counters.passed += 1;
        Ok(Passed::from(file))
    }

    fn adopt(&mut self, passed: Passed) -> io::Result<Token> {
        let token = self.join(passed.into())?;
        self.counters.adopted += 1;
        Ok(token)
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn pause_accept(&mut self) {
        self.is_paused = true;
        self.backoff.cancel();
        self.listen(0);
    }

    fn resume_accept(&mut self) {
        if std::mem::replace(&mut self.is_paused, false) {
            self.listen(libc::EPOLLIN);
        }
    }

    fn close_listener(&mut self) {
        self.backoff.cancel();
        // Closing it takes it out of the interest list, too: nobody else has it.
        self.listener = None;
    }

    fn peer_address(&mut self, token: Token) -> io::Result<SocketAddr> {
        socket::peer_address(self.file(token)?)
    }

    fn last_places(&self, token: Token) -> Option<usize> {
        self.last.with(token.index.into())
    }

    fn end_of(&self, token: Token) -> Option<End> {
        self.slots.end_of(token)
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// The earlier of two moments, as a time from now.
fn sleep_time(deadline: Option<Instant>, until: Option<Instant>) -> Option<Duration> {
    let first = deadline.into_iter().chain(until).min()?;
    Some(first.saturating_duration_since(Instant::now()))
}

/// Milliseconds for the kernel, rounded up: waking too early would only mean to sleep again.
fn timeout_ms(timeout: Option<Duration>) -> i32 {
    let Some(timeout) = timeout else { return -1 };
    i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

fn accept_one(listener: RawFd) -> io::Result<OwnedFd> {
    let _keeping = spare::keeping();
    let nowhere = std::ptr::null_mut();
    // SAFETY: with null pointers the kernel writes no address.
    let raw = check(unsafe { libc::accept4(listener, nowhere, std::ptr::null_mut(), libc::SOCK_CLOEXEC) })?;
    // SAFETY: `raw` was opened by the line above and nobody else has seen it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Event data of the waker and the listener. No connection has them: generations have 24 bits.
const WAKER: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;
