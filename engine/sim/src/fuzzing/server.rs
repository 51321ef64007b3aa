//! The whole server, and strangers that do whatever bytes say: nothing panics, accounts are right, nobody else is harmed, nothing is left.
//!
//! A script connects strangers, writes parts and wholes of requests and frames, reads or does not, ends connections in every way, gives
//! cores turns and lets time pass. Two bystanders, one over WebSocket and one that polls, live through it: every question is answered,
//! every post arrives once and in order, no connection of theirs ends (ARCHITECTURE, invariants 14, 19, 37).

use std::cell::RefCell;
use std::rc::Rc;

use socketville::machine::Machine;

use crate::kernel::Kernel;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::trace::Trace;
use crate::wire::{Side, WireId};
use crate::world::World;

use super::bystander::Bystander;
use super::choices::Choices;
use super::open_app::{Options, open_app};
use super::stranger::{Strangers, frame};

/// Runs a script.
///
/// # Panics
/// If the server breaks a promise.
pub fn server(script: &[u8]) {
    let mut choices = Choices::new(script);
    let mut run = Run::new(&mut choices);
    while !choices.is_over() {
        run.step(&mut choices);
    }
    run.end();
}

struct Run {
    machine: Machine<Kernel>,
    world: Rc<RefCell<World>>,
    cores: usize,
    bystanders: [Bystander; 2],
    strangers: Strangers,
    /// When the bystanders last were at rest.
    served_ms: u64,
}

/// Rounds after which a bystander must have what it waits for.
const ROUNDS_MAX: usize = 2_000;
/// Milliseconds for which the script may do without turns of all cores; far below a ping's time-out.
const UNSERVED_MS_MAX: u64 = 2_000;
/// Time after which nothing of anybody may be left.
const AFTERLIFE_MS: u64 = 300_000;

impl Run {
    /// A machine, and bystanders that are in.
    fn new(choices: &mut Choices<'_>) -> Self {
        let (options, seed) = (Options(choices.byte()), u64::from(choices.byte()));
        let cores = options.cores();
        let scenario = Scenario {
            cores,
            room_bytes: if seed & 1 == 0 { (2_000, 60_000) } else { (200, 4_000) },
            punctual_percent: if seed & 2 == 0 { 100 } else { 60 },
            refuses_moves: false,
            ..Scenario::of(0)
        };
        let world = Rc::new(RefCell::new(World::new(scenario, Random::new(seed), Trace::silent())));
        let kernels = (0..cores).map(|core| Kernel::new(core as u16, Rc::clone(&world)).expect("a kernel"));
        let machine = Machine::new(open_app(options), kernels.collect(), seed);
        let bystanders = {
            let world = &mut *world.borrow_mut();
            [Bystander::websocket(world), Bystander::polling(world)]
        };
        let mut run =
            Self { machine, world, cores, bystanders, strangers: Strangers::default(), served_ms: 0 };
        run.serve();
        run
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(20) {
            0 => self.strangers.connect(&mut self.world.borrow_mut()),
            1..=3 => {
                let request = self.strangers.request(choices);
                self.write(choices, &request);
            }
            4..=7 => {
                let frame = frame(choices);
                self.write(choices, &frame);
            }
            8 => {
                let count = choices.byte();
                let bytes = choices.bytes(count.into());
                self.write(choices, bytes);
            }
            9 | 10 => self.read(choices),
            11 => self.end_wire(choices),
            12 | 13 => {
                let core = choices.below(self.cores);
                self.turn(core);
            }
            14 => (0..self.cores).for_each(|core| self.turn(core)),
            15 => self.pass(choices.byte().into()),
            16 => self.pass(u64::from(choices.byte()) * 200),
            17 => self.bystanders.iter_mut().for_each(|bystander| bystander.act(choices.below(200))),
            18 => self.machine.emitter().to("x").emit("said", "from outside"),
            _ => self.serve(),
        }
        self.step_bystanders();
    }

    fn write(&mut self, choices: &mut Choices<'_>, bytes: &[u8]) {
        if let Some(wire) = self.strangers.wire(choices) {
            self.world.borrow_mut().write(wire, bytes);
        }
    }

    fn read(&mut self, choices: &mut Choices<'_>) {
        let Some(wire) = self.strangers.wire(choices) else { return };
        let bytes_max = if choices.coin() { usize::MAX } else { choices.byte().into() };
        self.strangers.read(&mut self.world.borrow_mut(), wire, bytes_max);
    }

    fn end_wire(&mut self, choices: &mut Choices<'_>) {
        let Some(wire) = self.strangers.wire(choices) else { return };
        let world = &mut *self.world.borrow_mut();
        match choices.below(4) {
            0 => world.forsake(wire),
            how => end(world, wire, [Side::Finished, Side::Closed, Side::Reset][how - 1]),
        }
    }

    fn turn(&mut self, core: usize) {
        let now_ms = self.world.borrow().now_ms;
        assert!(self.machine.turn(core, now_ms).expect("the driver works"), "core {core} has ended");
        assert_eq!(self.machine.audit(core), Ok(()), "core {core}");
        self.world.borrow_mut().sweep();
    }

    fn step_bystanders(&mut self) {
        let world = &mut *self.world.borrow_mut();
        self.bystanders.iter_mut().for_each(|bystander| bystander.step(world));
    }

    /// Time passes; a bystander is served before a ping can be overdue.
    fn pass(&mut self, ms: u64) {
        self.world.borrow_mut().now_ms += ms;
        if self.world.borrow().now_ms - self.served_ms > UNSERVED_MS_MAX {
            self.serve();
        }
    }

    /// All cores have turns until the bystanders have all that they wait for.
    fn serve(&mut self) {
        for _ in 0..ROUNDS_MAX {
            (0..self.cores).for_each(|core| self.turn(core));
            self.step_bystanders();
            if self.is_at_rest() {
                self.served_ms = self.world.borrow().now_ms;
                return;
            }
            // What waits for others within a flush interval needs time to leave.
            self.world.borrow_mut().now_ms += 1;
        }
        let state = self.bystanders.iter().map(|b| (b.is_content(), b.posted, b.read));
        panic!("bystanders wait in vain: {:?}", state.collect::<Vec<_>>());
    }

    fn is_at_rest(&self) -> bool {
        let world = self.world.borrow();
        let wires = || self.bystanders.iter().flat_map(Bystander::wires);
        let [a, b] = &self.bystanders;
        a.is_content()
            && b.is_content()
            && (a.posted, b.posted) == (b.read, a.read)
            && wires().all(|wire| !world.wire(wire).has_arrivals() && world.wire(wire).to_client.is_empty())
    }

    /// The bystanders are asked once more; then everybody leaves.
    fn end(mut self) {
        self.serve();
        self.bystanders.iter_mut().for_each(|bystander| bystander.act(10));
        self.step_bystanders();
        self.serve();
        {
            let world = &mut *self.world.borrow_mut();
            self.strangers.wires.iter().for_each(|&wire| end(world, wire, Side::Closed));
            for wire in self.bystanders.iter().flat_map(Bystander::wires) {
                end(world, wire, Side::Closed);
            }
        }
        let end_ms = self.world.borrow().now_ms + AFTERLIFE_MS;
        while self.world.borrow().now_ms < end_ms {
            (0..5).for_each(|_| (0..self.cores).for_each(|core| self.turn(core)));
            let now_ms = self.world.borrow().now_ms;
            let sleeps = (0..self.cores).filter_map(|core| self.machine.timeout(core, now_ms)).min();
            let ms = sleeps.map_or(AFTERLIFE_MS, |sleep| sleep.as_millis() as u64);
            self.world.borrow_mut().now_ms += ms.clamp(1, AFTERLIFE_MS);
        }
        for core in 0..self.cores {
            let report = self.machine.report(core);
            assert_eq!(report.turns.handler_panics, 0, "core {core}");
            assert_eq!(report.gauges, socketville_hub::Gauges::default(), "core {core}: everybody is gone");
        }
        assert_eq!(self.world.borrow().open_at_server(), 0, "everybody is gone");
    }
}

/// A client ends a connection that it has not ended harder before.
fn end(world: &mut World, wire: WireId, side: Side) {
    let before = world.wire(wire).client;
    if matches!(before, Side::Open) || (before == Side::Finished && side != Side::Finished) {
        world.end(wire, side);
    }
}
