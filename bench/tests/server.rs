//! The measured app on this engine does what its environment says, on every transport that is measured.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use socketville_bench::answers;
use socketville_bench::contestants::Contestant;
use socketville_bench::scenario::{self, Load, Pulse, Work};
use socketville_bench::served::Served;
use socketville_bench::swarm::{Swarm, Target, Transport};

fn serve(environment: &[(&'static str, &str)]) -> Served {
    let mut contestant = Contestant::custom("ours", env!("CARGO_BIN_EXE_bench-server")).expect("a command");
    contestant.environment = environment.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    contestant.start("0").expect("a server that listens")
}

#[test]
fn it_answers_plain_and_compressed() {
    let served = serve(&[("DEFLATE", "1")]);
    answers::check(&served, Transport::WebSocket).expect("right answers");
    answers::check(&served, Transport::Deflate).expect("right answers, compressed");
}

#[test]
fn those_who_poll_get_everything_too() {
    let served = serve(&[]);
    let load = Load {
        clients: 20,
        transport: Transport::Polling,
        work: Work::Paced { rate: 50.0, seconds: 0.3 },
        warmup_s: 0.0,
        ..Load::default()
    };
    let outcome = scenario::run(&served, "ours", load).expect("a run");
    assert!(outcome.faults.is_none(), "{}", outcome.faults);
    assert_eq!(outcome.count, 15 * 21, "twenty who poll, and who publishes");
}

#[test]
fn a_pulse_hears_pings_and_lets_newcomers_in_while_everybody_gets_everything() {
    let served = serve(&[("PING_INTERVAL_MS", "100")]);
    let pulse = Pulse { outstanding: 2, newcomers: 40.0, interval_ms: 100, seconds: 0.5 };
    let load = Load { clients: 20, work: Work::Pulse(pulse), warmup_s: 0.0, ..Load::default() };
    let outcome = scenario::run(&served, "ours", load).expect("a run");
    assert!(outcome.faults.is_none(), "{}", outcome.faults);
    let readings = outcome.pulse.expect("readings");
    assert!(readings.pings > 0 && readings.newcomers > 0, "{readings:?}");
    assert!(outcome.count > 0);
}

#[test]
fn heartbeats_are_as_told() {
    let served = serve(&[("PING_INTERVAL_MS", "1234"), ("PING_TIMEOUT_MS", "567")]);
    let mut stream = TcpStream::connect(served.address()).expect("a connection");
    let request =
        "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains(r#""pingInterval":1234,"pingTimeout":567"#), "{answer}");
}

#[test]
fn sigterm_drains_when_asked_to() {
    let served = serve(&[("GRACEFUL", "1")]);
    let mut swarm = Swarm::new().expect("a swarm");
    swarm.connect(Target::new(served.address(), 2)).expect("two clients");
    let pid = served.process().expect("a process").id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    for _ in 0..TURNS_MAX {
        if swarm.lost() < 2 {
            swarm.turn(Some(Duration::from_secs(1)), &mut ()).expect("a turn");
        }
    }
    assert_eq!(swarm.lost(), 2, "both connections end");
    assert!(swarm.fault().contains("close frame"), "clients are told: {}", swarm.fault());
}

/// Two clients need a few turns to hear everything; more would mean that nothing comes.
const TURNS_MAX: usize = 30;
