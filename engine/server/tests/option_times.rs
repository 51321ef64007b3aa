//! Times that options set, however long or short: no core fails of them, and clients are served or closed.
//! Not what each is for: heartbeats, upgrades, recovery and drains have tests of their own.

mod hand;

use std::path::Path;
use std::time::Duration;

use hand::Hand;
use socketville::{Builder, HttpRequest, HttpResponse, Method, Recovery, Server};

/// Sets an option to a time.
type Set = fn(&Builder, Duration);

/// Every option that is a time, by its method.
const OPTIONS: [(&str, Set); 7] = [
    ("ping_interval", |io, time| _ = io.ping_interval(time)),
    ("ping_timeout", |io, time| _ = io.ping_timeout(time)),
    ("upgrade_timeout", |io, time| _ = io.upgrade_timeout(time)),
    ("connect_timeout", |io, time| _ = io.connect_timeout(time)),
    ("drain_window", |io, time| _ = io.drain_window(time)),
    ("flush_interval", |io, time| _ = io.of("/").flush_interval(time)),
    ("connection_state_recovery", |io, time| {
        io.connection_state_recovery(Recovery { max_disconnection: time, ..Recovery::default() });
    }),
];

/// A builder on which all but connections is as ever.
fn built(set: &[Set], time: Duration) -> Builder {
    let io = Server::builder();
    io.allow_eio3(true);
    io.route(Method::Get, "/alive", async |_request: HttpRequest| HttpResponse::text(200, "yes\n"));
    set.iter().for_each(|set| set(&io, time));
    io
}

const POLL: &str = "/socket.io/?EIO=4&transport=polling";

fn get(hand: &mut Hand, path: &str, headers: &str) -> String {
    let wire = hand.connect(0);
    hand.send(wire, format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n").as_bytes());
    hand.settle();
    String::from_utf8_lossy(&hand.bytes(wire)).into_owned()
}

/// What needs every timer there is: sessions over both transports and of both revisions, an upgrade under way, a client that comes and goes.
fn live(hand: &mut Hand) {
    let opened = get(hand, POLL, "");
    if let Some(sid) = opened.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()) {
        let websocket = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        get(hand, &format!("/socket.io/?EIO=4&transport=websocket&sid={sid}"), websocket);
        get(hand, &format!("{POLL}&sid={sid}"), "");
    }
    get(hand, "/socket.io/?EIO=3&transport=polling", "");
    let idle = hand.open(0);
    hand.say(idle, "2");
    let lost = hand.open(0);
    hand.say(lost, "40");
    hand.settle();
    hand.emitter().emit("news", 1);
    hand.settle();
    hand.finish(lost);
    hand.pass_ms(120_000);
}

/// Serves through a life of clients, answers then, and ends.
fn is_served(name: &str, set: &[Set], time: Duration) {
    let mut hand = Hand::new(built(set, time), 1);
    live(&mut hand);
    live(&mut hand);
    let answer = get(&mut hand, "/alive", "");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{name} of {time:?}: {answer}");
    hand.emitter().stop();
    for _ in 0..100 {
        if !hand.turn(0) {
            return;
        }
        hand.now_ms += 1_000;
    }
    assert!(name == "drain_window" && time == Duration::MAX, "{name} of {time:?}: it does not end");
}

#[test]
fn no_time_of_an_option_fails_a_core() {
    for (name, set) in OPTIONS {
        for time in [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(1), Duration::MAX] {
            is_served(name, &[set], time);
        }
    }
    let all: Vec<Set> =
        OPTIONS.iter().filter(|(name, _)| *name != "drain_window").map(|(_, set)| *set).collect();
    for time in [Duration::ZERO, Duration::MAX] {
        is_served("all", &all, time);
    }
}

/// With the longest times a client gets in, and stays.
#[test]
fn the_longest_times_are_long() {
    let set: Vec<Set> = OPTIONS.map(|(_, set)| set).to_vec();
    let mut hand = Hand::new(built(&set, Duration::MAX), 1);
    let wire = hand.join(0);
    hand.pass_ms(10 * 86_400_000);
    assert!(hand.is_open(wire) && hand.texts(wire).is_empty(), "no ping yet");
}

/// The list has every option that is a time.
#[test]
fn every_option_that_is_a_time_is_in_the_list() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for file in std::fs::read_dir(sources).expect("sources").map(|entry| entry.expect("a file").path()) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        if !text.contains("impl Builder {") && !text.contains("impl Namespace<'_> {") {
            continue;
        }
        let methods = text.lines().map(str::trim_start).filter(|line| line.starts_with("pub fn "));
        let timed = methods.filter(|line| line.contains(": Duration") || line.contains(": Recovery"));
        found.extend(
            timed.filter_map(|line| Some(line.strip_prefix("pub fn ")?.split('(').next()?.to_owned())),
        );
    }
    found.sort_unstable();
    let mut listed = OPTIONS.map(|(name, _)| name.to_owned()).to_vec();
    listed.sort_unstable();
    assert_eq!(found, listed);
}
