//! The whole loop with a flush interval, on a clock of its own: from when an allowance counts, and when the loop wakes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use socketville::machine::Machine;
use socketville::{Server, Socket};
use socketville_sim::kernel::Kernel;
use socketville_sim::random::Random;
use socketville_sim::scenario::Scenario;
use socketville_sim::trace::Trace;
use socketville_sim::wire::WireId;
use socketville_sim::world::World;
use socketville_sim::{frames, requests};

const INTERVAL_MS: u64 = 20;

/// Turns that are enough for whatever is ready to be reported.
const TURNS: usize = 50;

struct Town {
    machine: Machine<Kernel>,
    world: Rc<RefCell<World>>,
}

impl Town {
    fn new() -> Self {
        let io = Server::builder();
        io.of("/")
            .flush_interval(Duration::from_millis(INTERVAL_MS))
            .on("say", |socket: Socket, text: String| socket.nsp().emit("said", text));
        let kind =
            Scenario { cores: 1, punctual_percent: 100, room_bytes: (60_000, 60_000), ..Scenario::of(0) };
        let world = Rc::new(RefCell::new(World::new(kind, Random::new(1), Trace::silent())));
        let kernel = Kernel::new(0, Rc::clone(&world)).expect("a kernel");
        Self { machine: Machine::new(io, vec![kernel], 1), world }
    }

    fn turns(&mut self, now_ms: u64) {
        self.world.borrow_mut().now_ms = now_ms;
        for _ in 0..TURNS {
            self.machine.turn(0, now_ms).expect("a turn");
        }
    }

    fn write(&self, wire: WireId, text: &str) {
        let world = &mut *self.world.borrow_mut();
        let frame = frames::write_text(&mut world.random, text);
        world.write(wire, &frame);
    }

    fn read(&self, wire: WireId) -> String {
        let bytes = self.world.borrow_mut().read(wire, usize::MAX).bytes;
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Bytes are read before timers are looked at: after a long sleep, too, the allowance counts from the turn that reads them.
#[test]
fn an_allowance_counts_from_the_turn_of_its_emit() {
    let mut town = Town::new();
    let wire = town.world.borrow_mut().connect();
    town.turns(1_000);
    town.world.borrow_mut().write(wire, &requests::websocket(None));
    town.turns(1_000);
    town.write(wire, "40");
    town.turns(1_000);
    assert!(town.read(wire).contains("40{"), "it is in");
    town.write(wire, r#"42["say","hello"]"#);
    town.turns(6_000);
    assert_eq!(town.read(wire), "");
    assert_eq!(town.machine.timeout(0, 6_000), Some(Duration::from_millis(INTERVAL_MS)));
    town.turns(6_000 + INTERVAL_MS - 1);
    assert_eq!(town.read(wire), "");
    town.turns(6_000 + INTERVAL_MS);
    assert!(town.read(wire).ends_with(r#"42["said","hello"]"#));
}
