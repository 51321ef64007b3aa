//! Accepting: a few one-shot requests that are made again once per wait.
//!
//! A multishot request would accept all connections that wait in one go, 4096 of them in 40 ms, and all others of the core would wait for that. One wait accepts
//! as many as there are requests; the next follow after those have been served.

use std::time::Instant;

use super::request::Request;
use super::{Ring, tag};
use crate::backoff::Backoff;
use crate::limits::ACCEPTS_PER_WAIT;
use crate::spare::is_exhaustion;
use crate::{Counters, Listener, Ready};

/// What the ring has asked the listener for.
pub(super) struct Accepting {
    pub(super) listener: Option<Listener>,
    is_on: bool,
    /// Tells the requests from those before the last pause.
    sequence: u32,
    /// Requests that the kernel has.
    armed: usize,
    /// Requests that were cancelled, and that the kernel may still have.
    cancelled: usize,
    pub(super) backoff: Backoff,
}

impl Accepting {
    pub(super) const fn new() -> Accepting {
        Accepting {
            listener: None,
            is_on: false,
            sequence: 0,
            armed: 0,
            cancelled: 0,
            backoff: Backoff::new(),
        }
    }
}

impl Ring {
    pub(super) fn start_accepting(&mut self, listener: Listener) {
        self.accepting.listener = Some(listener);
        self.accepting.is_on = true;
        self.ask_for_connections();
    }

    /// Makes up for the requests that have been completed, unless accepting pauses.
    pub(super) fn ask_for_connections(&mut self) {
        let places = self.places_left().clamp(1, ACCEPTS_PER_WAIT);
        let accepting = &mut self.accepting;
        if !accepting.is_on || (accepting.backoff.is_on() && !accepting.backoff.take_due(Instant::now())) {
            return;
        }
        let Some(listener) = &accepting.listener else { return };
        while accepting.armed < places {
            accepting.armed += 1;
            self.gate.push(&Request::accept(listener.descriptor(), self.descriptors, accepting.sequence));
        }
    }

    pub(super) fn pause_accepting(&mut self) {
        self.accepting.backoff.cancel();
        if std::mem::replace(&mut self.accepting.is_on, false) {
            self.gate.push(&Request::cancel_accepts(self.accepting.sequence));
            self.accepting.sequence = tag::next(self.accepting.sequence);
            self.accepting.cancelled += std::mem::take(&mut self.accepting.armed);
        }
    }

    pub(super) fn resume_accepting(&mut self) {
        self.accepting.is_on = self.accepting.listener.is_some();
        self.ask_for_connections();
    }

    /// Closes the listener: not before the kernel has let go of it, which takes an enter for some twenty requests.
    pub(super) fn close_listener_now(&mut self) {
        self.pause_accepting();
        for _ in 0..=ACCEPTS_PER_WAIT {
            self.gate.submit();
            self.reap();
            if self.accepting.cancelled == 0 || self.gate.is_broken() {
                break;
            }
        }
        self.accepting.listener = None;
    }

    pub(super) fn complete_accept(&mut self, sequence: u32, result: i32) {
        let is_current = sequence == self.accepting.sequence;
        let asked = if is_current { &mut self.accepting.armed } else { &mut self.accepting.cancelled };
        *asked = asked.saturating_sub(1);
        match u32::try_from(result) {
            Ok(index) => self.accepted(index),
            Err(_) if result == -libc::ECANCELED => {}
            Err(_) => {
                self.counters.accept_errors += 1;
                self.slots.queue(Ready::Woken);
                self.fail_accept(-result, is_current);
            }
        }
    }

    /// A pause, unless the next one may be asked for at once.
    fn fail_accept(&mut self, errno: i32, is_current: bool) {
        let is_passing = matches!(errno, libc::ECONNABORTED | libc::EINTR | libc::EAGAIN);
        let backoff_is_due = !is_passing && !self.has_refused(errno);
        if backoff_is_due && is_current && !self.accepting.backoff.is_on() {
            self.accepting.backoff.fail(Instant::now());
        }
    }

    /// Whether somebody was refused for want of a place or a descriptor: then the next one is waited for, and refused as well.
    fn has_refused(&mut self, errno: i32) -> bool {
        if !is_exhaustion(errno) {
            return false;
        }
        let refused = match (&self.accepting.listener, self.files) {
            // The kernel had accepted the connection before it found no place in the table, and has closed it.
            (_, Some(files)) => u64::from(self.connections() >= u64::from(files)),
            (Some(listener), None) => self.spare.refuse(listener),
            (None, None) => 0,
        };
        self.counters.accepts_refused += refused;
        refused > 0
    }

    /// Places of the table that no connection has: the kernel closes, without an answer, what it accepts beyond them.
    fn places_left(&self) -> usize {
        let left = self.files.map_or(u64::MAX, |files| u64::from(files).saturating_sub(self.connections()));
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Connections that this driver has.
    pub(super) fn connections(&self) -> u64 {
        let Counters { accepted, adopted, passed, closed, .. } = self.counters;
        (accepted + adopted).saturating_sub(passed + closed)
    }

    fn accepted(&mut self, index: u32) {
        let token = self.join(index);
        self.accepting.backoff.succeed();
        self.counters.accepted += 1;
        self.slots.queue(Ready::Accepted(token));
    }
}
