//! A kernel made of queues: the driver of one core, over the world that all cores share.
//!
//! Not a model of performance. It keeps every promise of [`Driver`] and uses every freedom that these leave: sends are taken in part or not
//! at all, readiness is reported late, without reason or together with others, places are reused, and tokens that are
//! gone are reported once more.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socketville_sys::{Counters, Driver, End, Outcome, Outgoing, Ready, Received, Token, Unsent, Waker};

use crate::wire::{Arrival, Home, WireId};
use crate::world::World;

/// One core's view of the world.
pub struct Kernel {
    core: u16,
    world: Rc<RefCell<World>>,
    waker: Waker,
    counters: Counters,
    is_paused: bool,
}

/// A connection on its way to another core; dropping it closes it.
#[derive(Debug)]
pub struct Crossing {
    wire: WireId,
    is_dropped: Arc<AtomicBool>,
}

impl Drop for Crossing {
    fn drop(&mut self) {
        self.is_dropped.store(true, Ordering::Relaxed);
    }
}

/// The kernel's words for a peer that has reset, for a send to one that is gone, and for a table that is full.
const ECONNRESET: i32 = 104;
const EPIPE: i32 = 32;
const EMFILE: i32 = 24;

impl Kernel {
    /// The driver of core `core`.
    ///
    /// # Errors
    /// The real kernel's, for want of an event descriptor.
    pub fn new(core: u16, world: Rc<RefCell<World>>) -> io::Result<Self> {
        Ok(Self { core, world, waker: Waker::new()?, counters: Counters::default(), is_paused: false })
    }
}

impl Driver for Kernel {
    type Passed = Crossing;

    fn wait(&mut self, _timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let mut world = self.world.borrow_mut();
        let start = ready.len();
        world.report_ready(self.core, ready);
        if !self.is_paused {
            world.report_accepted(self.core, ready);
        }
        let world = &mut *world;
        world.random.shuffle(&mut ready[start..]);
        self.counters = world.tables[usize::from(self.core)].counters;
        Ok(())
    }

    fn receive(&mut self, tokens: &[Token], sink: &mut dyn FnMut(Token, Received<'_>)) {
        for &token in tokens {
            let Some(arrival) = self.world.borrow_mut().receive(self.core, token) else { continue };
            match arrival {
                Arrival::Bytes(mut bytes) => sink(token, Received::Bytes(&mut bytes)),
                Arrival::Nothing => sink(token, Received::Empty),
                Arrival::End => sink(token, Received::Eof),
                Arrival::Broken => sink(token, Received::Failed(ECONNRESET)),
            }
        }
    }

    fn send(&mut self, batch: &[Outgoing<'_>], unsent: &mut Vec<Unsent>) {
        let mut seen = HashSet::new();
        for (position, outgoing) in batch.iter().enumerate() {
            assert!(seen.insert(outgoing.token), "two entries for {:?} in one batch", outgoing.token);
            assert!(!outgoing.bytes.is_empty(), "an empty send to {:?}", outgoing.token);
            if let Some(outcome) = self.world.borrow_mut().send(self.core, *outgoing) {
                unsent.push(Unsent { position, outcome });
            }
        }
    }

    fn watch_writable(&mut self, token: Token) {
        let mut world = self.world.borrow_mut();
        if let Some(wire) = world.find(self.core, token) {
            world.wires[wire].is_watched = true;
        }
    }

    fn shutdown(&mut self, token: Token) {
        let mut world = self.world.borrow_mut();
        if let Some(wire) = world.find(self.core, token) {
            world.note("shutdown", u64::from(self.core), wire, b"");
            world.wires[wire].is_half_closed = true;
        }
    }

    fn close(&mut self, token: Token) {
        let mut world = self.world.borrow_mut();
        if let Some(wire) = world.unsettle(self.core, token) {
            world.note("close", u64::from(self.core), wire, b"");
            world.wires[wire].close();
            world.tables[usize::from(self.core)].counters.closed += 1;
        }
    }

    fn pass(&mut self, token: Token) -> io::Result<Crossing> {
        let mut world = self.world.borrow_mut();
        let wire = world.find(self.core, token).ok_or(io::ErrorKind::NotFound)?;
        if world.scenario.refuses_moves && world.random.percent(5) {
            world.note("keep", u64::from(self.core), wire, b"");
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        world.unsettle(self.core, token);
        world.note("pass", u64::from(self.core), wire, b"");
        Ok(Crossing { wire, is_dropped: world.cross(wire) })
    }

    fn adopt(&mut self, passed: Crossing) -> io::Result<Token> {
        let mut world = self.world.borrow_mut();
        if world.scenario.refuses_moves && world.random.percent(2) {
            world.note("drop", u64::from(self.core), passed.wire, b"");
            drop(passed);
            world.sweep();
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        world.note("adopt", u64::from(self.core), passed.wire, b"");
        Ok(world.settle(self.core, passed.wire))
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn pause_accept(&mut self) {
        self.is_paused = true;
    }

    fn resume_accept(&mut self) {
        self.is_paused = false;
    }

    fn close_listener(&mut self) {
        self.world.borrow_mut().close_listener(self.core);
    }

    fn end_of(&self, token: Token) -> Option<End> {
        let mut world = self.world.borrow_mut();
        let wire = world.find(self.core, token)?;
        world.wires[wire].told_end
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl World {
    fn report_ready(&mut self, core: u16, ready: &mut Vec<Ready>) {
        for at in 0..self.tables[usize::from(core)].places.len() {
            if let Some(wire) = self.tables[usize::from(core)].places[at].wire {
                self.report_wire(wire, ready);
            }
        }
        let stale = &self.tables[usize::from(core)].stale;
        if !stale.is_empty() && self.random.percent(5) {
            let token = self.random.pick(stale);
            ready.push(if self.random.percent(50) { Ready::Readable(token) } else { Ready::Writable(token) });
            self.tables[usize::from(core)].counters.stale_completions += 1;
        }
        if self.random.percent(2) {
            ready.push(Ready::Woken);
        }
    }

    fn report_wire(&mut self, wire: WireId, ready: &mut Vec<Ready>) {
        let punctual = self.scenario.punctual_percent;
        let state = &mut self.wires[wire];
        let Home::Core(_, token) = state.home else { return };
        let is_readable = state.has_arrivals() && self.random.percent(punctual);
        let is_news = state.end() != state.told_end && !state.end_was_given;
        if (is_readable && is_news) || (!state.is_reported && (is_readable || self.random.once_in(200))) {
            state.is_reported = true;
            state.told_end = state.end();
            ready.push(Ready::Readable(token));
        }
        if state.is_watched && state.room() > 0 && self.random.percent(punctual) {
            state.is_watched = false;
            ready.push(Ready::Writable(token));
        }
    }

    fn report_accepted(&mut self, core: u16, ready: &mut Vec<Ready>) {
        while self.random.percent(70) {
            let Some(wire) = self.tables[usize::from(core)].backlog.pop_front() else { return };
            let token = self.settle(core, wire);
            self.note("accept", u64::from(core), wire, b"");
            self.tables[usize::from(core)].counters.accepted += 1;
            ready.push(Ready::Accepted(token));
        }
    }

    fn receive(&mut self, core: u16, token: Token) -> Option<Arrival> {
        let wire = self.find(core, token)?;
        self.wires[wire].is_reported = false;
        let arrival = self.wires[wire].receive(&mut self.random);
        match &arrival {
            Arrival::Bytes(bytes) => self.note("receive", u64::from(core), wire, bytes),
            Arrival::Nothing => {}
            Arrival::End => self.note("eof", u64::from(core), wire, b""),
            Arrival::Broken => self.note("broken", u64::from(core), wire, b""),
        }
        Some(arrival)
    }

    /// What became of an entry if it was not taken whole.
    fn send(&mut self, core: u16, outgoing: Outgoing<'_>) -> Option<Outcome> {
        let wire = self.find(core, outgoing.token)?;
        let taken = self.wires[wire].send(&mut self.random, outgoing.bytes);
        let Some(count) = taken else {
            self.note("unsendable", u64::from(core), wire, b"");
            return Some(Outcome::Failed(EPIPE));
        };
        if count > 0 {
            self.wires[wire].taken_ms = self.now_ms;
        }
        self.note("send", count as u64, wire, &outgoing.bytes[..count]);
        (count < outgoing.bytes.len()).then_some(Outcome::Partial(count))
    }
}
