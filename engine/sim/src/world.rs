//! The world between clients and cores: all connections, the tables of the cores' drivers, and the clock.
//!
//! Not a judge: it does not know what the bytes mean. Clients reach it by the methods here, cores through their [`Kernel`](crate::kernel).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use socketville_sys::{Counters, Token};

use crate::random::Random;
use crate::scenario::Scenario;
use crate::trace::Trace;
use crate::wire::{self, Home, Side, Wire, WireId};

/// Everything outside the engine and the models.
#[derive(Debug)]
pub struct World {
    /// The only clock, in milliseconds.
    pub now_ms: u64,
    /// The only source of chance.
    pub random: Random,
    /// What happened.
    pub trace: Trace,
    /// How unkind the kernel is.
    pub scenario: Scenario,
    pub(crate) wires: Vec<Wire>,
    /// All connections before this one are over for both ends.
    over: usize,
    pub(crate) tables: Vec<Table>,
}

/// One core's driver: its places, its backlog, its memory of tokens that are stale.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) places: Vec<Place>,
    free: Vec<u32>,
    pub(crate) backlog: VecDeque<WireId>,
    is_listener_closed: bool,
    pub(crate) stale: Vec<Token>,
    pub(crate) counters: Counters,
}

#[derive(Debug, Default)]
pub(crate) struct Place {
    generation: u32,
    pub(crate) wire: Option<WireId>,
}

/// What a client's read gives.
#[derive(Debug, Default)]
pub struct Reading {
    /// Bytes.
    pub bytes: Vec<u8>,
    /// Whether nothing will follow.
    pub is_end: bool,
}

impl World {
    /// A world without connections.
    pub fn new(scenario: Scenario, random: Random, trace: Trace) -> Self {
        let tables = (0..scenario.cores).map(|_| Table::default()).collect();
        Self { now_ms: 1_000, random, trace, scenario, wires: Vec::new(), over: 0, tables }
    }

    /// A client connects; any core's listener may get it, and if none is left it is refused.
    pub fn connect(&mut self) -> WireId {
        let open: Vec<_> =
            (0..self.tables.len()).filter(|&core| !self.tables[core].is_listener_closed).collect();
        let core = open.get(self.random.below(open.len())).copied();
        let (low, high) = self.scenario.room_bytes;
        self.wires.push(Wire::new(self.random.between(low, high)));
        let wire = self.wires.len() - 1;
        match core {
            Some(core) => self.tables[core].backlog.push_back(wire),
            None => (self.wires[wire].home, self.wires[wire].was_refused) = (Home::Gone, true),
        }
        self.note("connect", core.unwrap_or(usize::MAX) as u64, wire, b"");
        wire
    }

    /// A core accepts no connection any more; connections that wait to be are refused.
    pub(crate) fn close_listener(&mut self, core: u16) {
        let table = &mut self.tables[usize::from(core)];
        table.is_listener_closed = true;
        for wire in std::mem::take(&mut table.backlog) {
            self.wires[wire].close();
            self.wires[wire].was_refused = true;
        }
    }

    /// The server has ended: the kernel closes what it left open.
    pub fn close_all(&mut self) {
        for wire in self.wires.iter_mut().filter(|wire| !matches!(wire.home, Home::Gone)) {
            wire.is_half_closed = true;
            wire.close();
        }
    }

    /// A client writes; to a server that has closed, in vain.
    pub fn write(&mut self, wire: WireId, bytes: &[u8]) {
        self.note("write", 0, wire, bytes);
        let state = &mut self.wires[wire];
        match state.home {
            Home::Gone => state.write_in_vain(bytes),
            _ if state.client == Side::Open => state.to_server.extend(bytes),
            _ => {}
        }
    }

    /// A client reads at most so many bytes.
    pub fn read(&mut self, wire: WireId, bytes_max: usize) -> Reading {
        let state = &mut self.wires[wire];
        let count = state.to_client.len().min(bytes_max);
        let bytes = wire::take_front(&mut state.to_client, count);
        let is_end = state.has_end() && state.to_client.is_empty();
        if count > 0 {
            self.note("read", 0, wire, &bytes);
        }
        Reading { bytes, is_end }
    }

    /// A client ends a connection in one of the ways there are.
    pub fn end(&mut self, wire: WireId, side: Side) {
        self.note("end", side as u64, wire, b"");
        let loses_bytes = side == Side::Reset && self.random.percent(50);
        let state = &mut self.wires[wire];
        state.client = side;
        if side != Side::Finished {
            state.to_client.clear();
        }
        if loses_bytes {
            state.to_server.clear();
        }
    }

    /// A client disappears: it reads nothing and says nothing, for ever.
    pub fn forsake(&mut self, wire: WireId) {
        self.wires[wire].is_forsaken = true;
    }

    /// A connection, to look at.
    pub fn wire(&self, wire: WireId) -> &Wire {
        &self.wires[wire]
    }

    /// Whether no byte and no end is under way to a client that would do something with it.
    pub fn is_quiet(&self) -> bool {
        self.wires[self.over..].iter().all(Wire::is_quiet)
    }

    /// The first connection with something under way, for a run that does not come to rest.
    pub fn describe_busy(&self) -> String {
        let busy = self.wires.iter().enumerate().find(|(_, wire)| !wire.is_quiet());
        busy.map_or_else(String::new, |(id, wire)| format!("connection {id}: {wire:.200?}"))
    }

    /// Connections that the server has not closed.
    pub fn open_at_server(&self) -> usize {
        self.wires.iter().filter(|wire| !matches!(wire.home, Home::Gone)).count()
    }

    /// Connections of which the server ended its own direction first.
    pub fn half_closes(&self) -> usize {
        self.wires.iter().filter(|wire| wire.is_half_closed).count()
    }

    /// Connections that were dropped between two cores are closed.
    pub fn sweep(&mut self) {
        while self.wires.get(self.over).is_some_and(Wire::is_over) {
            self.over += 1;
        }
        for wire in &mut self.wires[self.over..] {
            if matches!(&wire.home, Home::Crossing(is_dropped) if is_dropped.load(Ordering::Relaxed)) {
                wire.close();
                wire.was_refused = true;
            }
        }
    }

    /// Into a core's table.
    pub(crate) fn settle(&mut self, core: u16, wire: WireId) -> Token {
        let table = &mut self.tables[usize::from(core)];
        let reused = self.random.below(table.free.len());
        let index = if table.free.is_empty() {
            table.places.push(Place::default());
            table.places.len() as u32 - 1
        } else {
            table.free.swap_remove(reused)
        };
        let place = &mut table.places[index as usize];
        place.wire = Some(wire);
        let token = Token { index, generation: place.generation };
        let state = &mut self.wires[wire];
        state.home = Home::Core(core, token);
        state.is_reported = false;
        state.told_end = None;
        state.is_watched = false;
        token
    }

    /// The connection of a token; `None`, counted, if it is stale.
    pub(crate) fn find(&mut self, core: u16, token: Token) -> Option<WireId> {
        let table = &mut self.tables[usize::from(core)];
        let place = table.places.get(token.index as usize);
        let wire = place.filter(|place| place.generation == token.generation).and_then(|place| place.wire);
        table.counters.stale_tokens += u64::from(wire.is_none());
        wire
    }

    /// Out of a core's table: the token is stale from now on.
    pub(crate) fn unsettle(&mut self, core: u16, token: Token) -> Option<WireId> {
        let wire = self.find(core, token)?;
        let table = &mut self.tables[usize::from(core)];
        let place = &mut table.places[token.index as usize];
        place.generation = (place.generation + 1) & GENERATION_MASK;
        place.wire = None;
        table.free.push(token.index);
        table.stale.push(token);
        if table.stale.len() > STALE_MAX {
            table.stale.remove(0);
        }
        Some(wire)
    }

    /// On its way to another core.
    pub(crate) fn cross(&mut self, wire: WireId) -> Arc<AtomicBool> {
        let is_dropped = Arc::new(AtomicBool::new(false));
        self.wires[wire].home = Home::Crossing(Arc::clone(&is_dropped));
        is_dropped
    }

    /// Notes an event of a connection.
    pub(crate) fn note(&mut self, what: &'static str, number: u64, wire: WireId, bytes: &[u8]) {
        self.trace.note(self.now_ms, what, [number, wire as u64], bytes);
    }
}

/// As in the real drivers: 24 bits, wrapping.
const GENERATION_MASK: u32 = (1 << 24) - 1;

/// Stale tokens that a table remembers, to report them once more.
const STALE_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World::new(Scenario::of(1), Random::new(1), Trace::silent())
    }

    #[test]
    fn a_place_is_used_again_under_another_generation() {
        let mut world = world();
        let (a, b) = (world.connect(), world.connect());
        let first = world.settle(0, a);
        assert_eq!(world.unsettle(0, first), Some(a));
        let second = world.settle(0, b);
        assert_eq!((first.index, first.generation + 1), (second.index, second.generation));
        assert_eq!((world.find(0, first), world.find(0, second)), (None, Some(b)));
        assert_eq!(world.tables[0].counters.stale_tokens, 1);
    }

    #[test]
    fn what_the_kernel_holds_at_a_close_is_still_read() {
        let mut world = world();
        let wire = world.connect();
        world.wires[wire].to_client.extend(b"last");
        world.wires[wire].home = Home::Gone;
        assert!(!world.is_quiet());
        assert!(!world.read(wire, 2).is_end);
        let rest = world.read(wire, 100);
        assert_eq!((&*rest.bytes, rest.is_end), (&b"st"[..], true));
    }

    #[test]
    fn a_connection_dropped_on_its_way_is_closed() {
        let mut world = world();
        let wire = world.connect();
        world.cross(wire).store(true, Ordering::Relaxed);
        world.sweep();
        assert_eq!(world.open_at_server(), 0);
        assert!(world.wire(wire).was_refused);
    }
}
