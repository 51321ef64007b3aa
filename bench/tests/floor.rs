//! The instrument measured on the simplest server there is: on every wire of the floor the swarm must get
//! everything, once and in order, and the counts must be right. No test of speed: nothing here looks at how
//! long anything took.

use socketville_bench::answers;
use socketville_bench::contestants::Contestant;
use socketville_bench::floor::{Ceiling, Wire};
use socketville_bench::metrics::Sends;
use socketville_bench::outcome::{Outcome, Unit};
use socketville_bench::scenario::{self, Audience, Content, Load, Work};
use socketville_bench::served::Served;
use socketville_bench::swarm::Transport;

const CLIENTS: usize = 40;
const BURST: Work = Work::Burst { count: 64, every: 8, repeats: 2 };

fn floor(wire: Wire, ceiling: Ceiling) -> (Contestant, Served) {
    let mut contestant = Contestant::floor_on("floor", wire, ceiling).expect("a floor");
    contestant.command[0] = env!("CARGO_BIN_EXE_ceiling").to_owned();
    let served = contestant.start("0").expect("a floor that listens");
    (contestant, served)
}

/// Where io_uring is forbidden the ring cannot be measured, and `ceiling` says so.
fn wires() -> Vec<Wire> {
    let ring = socketville_sys::Ring::new(None).is_ok().then_some(Wire::Ring);
    [Wire::Send, Wire::Epoll].into_iter().chain(ring).collect()
}

fn outcome(served: &Served, load: Load) -> Outcome {
    let outcome =
        scenario::run(served, "floor", Load { clients: CLIENTS, warmup_s: 0.0, ..load }).expect("a run");
    assert!(outcome.faults.is_none(), "{:?}: {}", load.work, outcome.faults);
    outcome
}

#[test]
fn every_wire_answers_and_delivers_a_steady_pace() {
    for wire in wires() {
        let (_, served) = floor(wire, Ceiling::default());
        answers::check(&served, Transport::WebSocket).expect("right answers");
        let load = Load { work: Work::Paced { rate: 100.0, seconds: 0.2 }, ..Load::default() };
        let outcome = outcome(&served, load);
        assert_eq!(outcome.count, 20 * CLIENTS as u64);
        assert_eq!(outcome.sends_per_frame, Some(1.0));
        assert!(outcome.cpu_us().is_some());
    }
}

#[test]
fn every_wire_delivers_bursts_of_large_frames_through_full_sockets() {
    for wire in wires() {
        let (_, served) = floor(wire, Ceiling { coalesce: 4, deflate: false });
        let outcome = outcome(&served, Load { bytes: 70_000, work: BURST, ..Load::default() });
        assert_eq!(outcome.count, 2 * 64 * CLIENTS as u64);
    }
}

#[test]
fn sixteen_frames_leave_in_one_send_when_asked_to() {
    let (_, served) = floor(Wire::Send, Ceiling { coalesce: 16, deflate: false });
    let outcome = outcome(&served, Load { work: BURST, ..Load::default() });
    assert_eq!(outcome.sends_per_frame, Some(1.0 / 16.0));
    assert!(Sends::ask(served.address()).is_some_and(|sends| sends.frames > 0.0));
}

#[test]
fn what_was_compressed_once_is_everybodys_and_smaller() {
    for wire in wires() {
        let (contestant, served) = floor(wire, Ceiling { coalesce: 1, deflate: true });
        assert_eq!(contestant.transport, Transport::Deflate);
        answers::check(&served, Transport::Deflate).expect("right answers");
        let load = Load {
            bytes: 1024,
            content: Content::Json,
            transport: Transport::Deflate,
            work: Work::Volley { count: 30, repeats: 2 },
            ..Load::default()
        };
        let outcome = outcome(&served, load);
        assert_eq!(outcome.count, 60 * CLIENTS as u64);
        assert!(outcome.wire_bytes.is_some_and(|bytes| (100.0..600.0).contains(&bytes)));
    }
}

#[test]
fn rooms_hear_their_own_messages_only() {
    for wire in wires() {
        let (_, served) = floor(wire, Ceiling::default());
        for work in [Work::Paced { rate: 200.0, seconds: 0.2 }, Work::Closed { outstanding: 8, seconds: 0.1 }]
        {
            let outcome = outcome(&served, Load { audience: Audience::Rooms(10), work, ..Load::default() });
            assert_eq!(outcome.count % 10, 0);
            assert!(outcome.count >= 40);
        }
    }
}

#[test]
fn every_question_gets_its_answer() {
    for wire in wires() {
        let (_, served) = floor(wire, Ceiling::default());
        let outcome =
            outcome(&served, Load { work: Work::Echo { in_flight: 4, seconds: 0.1 }, ..Load::default() });
        assert_eq!(outcome.unit, Unit::RoundTrip);
        assert!(outcome.count >= 4 * CLIENTS as u64);
    }
}

#[test]
fn those_who_come_are_counted_while_others_listen() {
    let (_, served) = floor(Wire::Send, Ceiling::default());
    let connect = outcome(&served, Load { work: Work::Connect, ..Load::default() });
    assert_eq!((connect.unit, connect.count), (Unit::Connect, CLIENTS as u64));
    let churn = outcome(
        &served,
        Load { work: Work::Churn { rate: 50.0, visits: 100.0, seconds: 0.6 }, ..Load::default() },
    );
    assert_eq!(churn.unit, Unit::Visit);
    assert!(churn.count > 30, "{}", churn.count);
    let storm =
        outcome(&served, Load { work: Work::Storm { rate: 50.0, newcomers: 300 }, ..Load::default() });
    assert_eq!((storm.unit, storm.count), (Unit::Connect, 300));
}

#[test]
fn a_server_that_does_not_compress_is_found_out() {
    let (_, served) = floor(Wire::Send, Ceiling::default());
    let error = answers::check(&served, Transport::Deflate).expect_err("it agrees to nothing");
    assert!(error.to_string().contains("did not agree"), "{error}");
}
