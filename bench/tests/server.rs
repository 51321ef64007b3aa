//! The measured app on this engine does what its environment says, on every transport that is measured.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use socketville_bench::answers;
use socketville_bench::contestants::Contestant;
use socketville_bench::scenario::{self, Load, Pulse, Work};
use socketville_bench::served::Served;
use socketville_bench::swarm::{Sink, Swarm, Target, Transport};

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
fn a_sleeping_swarm_gets_everything_too() {
    let served = serve(&[]);
    let work = Work::Phased { count: 20, every: 16, phases: 8 };
    let outcome = scenario::run(&served, "ours", Load { clients: 20, work, ..Load::default() });
    let outcome = outcome.expect("a run");
    assert!(outcome.faults.is_none(), "{}", outcome.faults);
    assert_eq!(outcome.count, 2 * 20 * 20, "a quarter of the phases counts");
    assert!(outcome.server_cpu_s.is_some_and(|cpu_s| cpu_s > 0.0) && outcome.wall_s > 0.0);
}

#[test]
fn a_burst_that_no_receive_buffer_holds_is_not_measured() {
    let served = serve(&[]);
    let work = Work::Phased { count: 60_000, every: 16, phases: 1 };
    let refused = scenario::run(&served, "ours", Load { clients: 1, work, ..Load::default() });
    assert!(refused.is_err_and(|error| error.to_string().contains("receive buffer")));
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

/// Where io_uring is forbidden the swarm takes epoll; what it hears must not depend on that.
#[test]
fn a_swarm_on_epoll_hears_what_one_on_the_ring_hears() {
    let served = serve(&[]);
    for mut swarm in [Swarm::new().expect("a swarm"), Swarm::on_epoll().expect("one on epoll")] {
        swarm.connect(Target::new(served.address(), 3)).expect("three clients");
        let text = format!(r#"42["pub",{{"p":"{}"}}]"#, "x".repeat(200_000));
        swarm.send_texts(1, [text.as_str(), r#"42["pub",{"p":"y"}]"#].into_iter()).expect("a client");
        swarm.send_text(2, r#"427["echo","z"]"#).expect("a client");
        let mut heard = Heard::default();
        for _ in 0..TURNS_MAX {
            if heard.lengths.len() < 3 * 2 + 1 {
                swarm.turn(Some(Duration::from_secs(1)), &mut heard).expect("a turn");
            }
        }
        heard.lengths.sort_unstable();
        assert_eq!(heard.lengths, [8, 13, 13, 13, 200_012, 200_012, 200_012], "{}", swarm.fault());
    }
}

/// The length of every packet that came to anybody.
#[derive(Default)]
struct Heard {
    lengths: Vec<usize>,
}

impl Sink for Heard {
    fn packet(&mut self, _client: usize, packet: &[u8], _now_ns: u64) {
        self.lengths.push(packet.len());
    }
}

/// Few clients need some turns to hear everything; more would mean that nothing comes.
const TURNS_MAX: usize = 100;
