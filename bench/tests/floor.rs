//! The instrument measured on the simplest server there is: on every wire of the floor the swarm must get
//! everything, once and in order, and the counts must be right. No test of speed: nothing here looks at how
//! long anything took.

use socketville_bench::answers::{self, Depth};
use socketville_bench::floor::Wire;
use socketville_bench::metrics::Sends;
use socketville_bench::outcome::Outcome;
use socketville_bench::scenario::{self, Load, Pace};
use socketville_bench::served::{Served, Start};

const CLIENTS: usize = 40;
const BURST: Pace = Pace::Burst { count: 64, every: 8, repeats: 2 };

fn floor(wire: Wire, coalesce: &str) -> Served {
    let words = [env!("CARGO_BIN_EXE_ceiling"), "serve", "--wire", wire.name(), "--coalesce", coalesce];
    let command = words.map(str::to_owned).to_vec();
    Served::start(&Start { command, cores: "0".to_owned(), cores_count: 1 }).expect("a floor that listens")
}

/// Where io_uring is forbidden the ring cannot be measured, and `ceiling` says so.
fn wires() -> Vec<Wire> {
    let ring = socketville_sys::Ring::new(None).is_ok().then_some(Wire::Ring);
    [Wire::Send, Wire::Epoll].into_iter().chain(ring).collect()
}

fn outcome(served: &Served, bytes: usize, pace: Pace) -> Outcome {
    let load = Load { clients: CLIENTS, bytes, pace, warmup_s: 0.0 };
    scenario::run(served, "floor", load).expect("a run")
}

#[test]
fn every_wire_answers_and_delivers_a_steady_pace() {
    for wire in wires() {
        let served = floor(wire, "1");
        answers::check(&served, Depth::Broadcasts).expect("right answers");
        let outcome = outcome(&served, 128, Pace::Paced { rate: 100.0, seconds: 0.2 });
        assert!(outcome.faults.is_none(), "{}: {}", wire.name(), outcome.faults);
        assert_eq!(outcome.deliveries, 20 * CLIENTS as u64);
        assert_eq!(outcome.sends_per_frame, Some(1.0));
        assert!(outcome.cpu_us().is_some());
    }
}

#[test]
fn every_wire_delivers_bursts_of_large_frames_through_full_sockets() {
    for wire in wires() {
        let served = floor(wire, "4");
        let outcome = outcome(&served, 70_000, BURST);
        assert!(outcome.faults.is_none(), "{}: {}", wire.name(), outcome.faults);
        assert_eq!(outcome.deliveries, 2 * 64 * CLIENTS as u64);
    }
}

#[test]
fn sixteen_frames_leave_in_one_send_when_asked_to() {
    let served = floor(Wire::Send, "16");
    let outcome = outcome(&served, 128, BURST);
    assert_eq!(outcome.sends_per_frame, Some(1.0 / 16.0));
    assert!(Sends::ask(served.address()).is_some_and(|sends| sends.frames > 0.0));
}

#[test]
fn answers_that_the_floor_does_not_have_are_missed() {
    let served = floor(Wire::Send, "1");
    let error = answers::check(&served, Depth::App).expect_err("the floor has no echo");
    assert!(error.to_string().contains("echo"), "{error}");
}
