//! A client that leaves is forgotten: in whatever way, over whatever transport, and for whatever reason its connection is not read at that moment.

mod hand;

use std::time::Duration;

use hand::{Hand, Wire};
use socketville::limits::TASKS_PER_CLIENT_MAX;
use socketville::{Builder, HttpRequest, HttpResponse, Method, Server, Socket, sleep};
use socketville_hub::limits::{HELD_BYTES_MAX, PAUSE_MS_MAX};

/// The ping interval and its time-out: how long a client that is read may be silent.
const SILENCE_MS: u64 = 45_000;

/// Handlers that wait until their client has left, or for so long; routes that answer at once, or late.
fn town() -> Builder {
    let io = Server::builder();
    io.on("watch", async |socket: Socket| {
        while socket.is_connected() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    io.on("short", async || sleep(Duration::from_millis(100)).await);
    io.on("quick", |socket: Socket| socket.nsp().emit("seen", ()));
    io.route(Method::Get, "/never", async |_request: HttpRequest| {
        sleep(Duration::from_secs(86_400)).await;
        HttpResponse::text(200, "late")
    });
    io
}

/// How a client leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leaving {
    Finishes,
    Breaks,
    Vanishes,
}

impl Leaving {
    const ALL: [Self; 3] = [Self::Finishes, Self::Breaks, Self::Vanishes];

    fn leave(self, hand: &mut Hand, wire: Wire) {
        match self {
            Self::Finishes => hand.finish(wire),
            Self::Breaks => hand.break_off(wire),
            Self::Vanishes => {}
        }
        hand.settle();
    }
}

/// A client that is not read, and the connections that it has.
type Unread = fn(&mut Hand) -> Vec<Wire>;

fn watch_all(hand: &mut Hand, wire: Wire, count: usize) {
    (0..count).for_each(|_| hand.say(wire, "42[\"watch\"]"));
    hand.settle();
}

/// All its handlers wait; what it said besides lies with us, and in the kernel.
fn paused_websocket(hand: &mut Hand) -> Vec<Wire> {
    let wire = hand.join(0);
    watch_all(hand, wire, TASKS_PER_CLIENT_MAX + 5);
    assert!(hand.unread(wire) > 0);
    vec![wire]
}

/// As that, and everything that the peer sent has arrived.
fn paused_websocket_without_more(hand: &mut Hand) -> Vec<Wire> {
    let wire = hand.join(0);
    let all = vec!["42[\"watch\"]"; TASKS_PER_CLIENT_MAX + 5];
    hand.say_all(wire, all);
    hand.settle();
    vec![wire]
}

fn request(head: &str, body: &str) -> String {
    format!("{head} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn ask(hand: &mut Hand, wire: Wire, head: &str, body: &str) -> String {
    hand.send(wire, request(head, body).as_bytes());
    hand.settle();
    String::from_utf8(hand.bytes(wire)).expect("UTF-8")
}

/// A client that polls: its target with its session.
fn polling(hand: &mut Hand, wire: Wire) -> String {
    let answer = ask(hand, wire, "GET /socket.io/?EIO=4&transport=polling", "");
    let sid = answer.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    ask(hand, wire, &format!("POST {target}"), "40");
    ask(hand, wire, &format!("GET {target}"), "");
    target
}

/// All handlers of a POST that is not answered wait, and no GET does.
fn paused_poster(hand: &mut Hand) -> Vec<Wire> {
    let wire = hand.connect(0);
    let target = polling(hand, wire);
    let events = vec!["42[\"watch\"]"; TASKS_PER_CLIENT_MAX + 5].join("\u{1e}");
    assert_eq!(ask(hand, wire, &format!("POST {target}"), &events), "", "not answered");
    vec![wire]
}

/// As that, and a GET of the same session waits besides.
fn paused_poller(hand: &mut Hand) -> Vec<Wire> {
    let (get, post) = (hand.connect(0), hand.connect(0));
    let target = polling(hand, get);
    assert_eq!(ask(hand, get, &format!("GET {target}"), ""), "");
    let events = vec!["42[\"watch\"]"; TASKS_PER_CLIENT_MAX + 5].join("\u{1e}");
    assert_eq!(ask(hand, post, &format!("POST {target}"), &events), "", "not answered");
    vec![get, post]
}

/// So much is behind a waiting GET that the connection is not read on.
fn full_behind_a_poll(hand: &mut Hand) -> Vec<Wire> {
    let wire = hand.connect(0);
    let target = polling(hand, wire);
    ask(hand, wire, &format!("GET {target}"), "");
    fill(hand, wire, &request("GET /socket.io/", ""));
    vec![wire]
}

/// So much is behind a request that the application never answers.
fn full_behind_a_request(hand: &mut Hand) -> Vec<Wire> {
    let wire = hand.connect(0);
    ask(hand, wire, "GET /never", "");
    fill(hand, wire, &request("GET /never", ""));
    vec![wire]
}

fn fill(hand: &mut Hand, wire: Wire, request: &str) {
    let segment = request.repeat(16 * 1024 / request.len());
    for _ in 0..=HELD_BYTES_MAX / (8 * 1024) {
        hand.send(wire, segment.as_bytes());
    }
    hand.settle();
    assert!(hand.unread(wire) > 0, "it is not read on");
}

const UNREAD: [(&str, Unread); 6] = [
    ("paused websocket", paused_websocket),
    ("paused websocket without more", paused_websocket_without_more),
    ("paused poster", paused_poster),
    ("paused poller", paused_poller),
    ("full behind a poll", full_behind_a_poll),
    ("full behind a request", full_behind_a_request),
];

/// Every reason not to read a client, with every way to leave: within the bound nothing is left of it, its waiting handlers included.
#[test]
fn who_leaves_while_it_is_not_read_is_forgotten_whatever_the_reason() {
    for (name, unread) in UNREAD {
        for leaving in Leaving::ALL {
            // A request that waits for the application waits as long as that takes; only a broken connection ends it before.
            let is_waited_for = name == "full behind a request" && leaving != Leaving::Breaks;
            if is_waited_for {
                continue;
            }
            let mut hand = Hand::new(town(), 1);
            let wires = unread(&mut hand);
            wires.iter().for_each(|&wire| leaving.leave(&mut hand, wire));
            let most_ms = match leaving {
                Leaving::Vanishes => PAUSE_MS_MAX + 2 * SILENCE_MS,
                Leaving::Finishes | Leaving::Breaks if name == "paused poster" => {
                    PAUSE_MS_MAX + 2 * SILENCE_MS
                }
                Leaving::Finishes | Leaving::Breaks => 2 * SILENCE_MS,
            };
            hand.pass_ms(most_ms);
            let report = hand.machine.report(0);
            let left = (report.gauges.sockets, report.gauges.sessions, report.gauges.connections);
            assert_eq!(left, (0, 0, 0), "{name}, {leaving:?}");
            // The application still has a request that it never answers.
            let has_request = name == "full behind a request";
            assert!(has_request || report.gauges.held_bytes == 0, "{name}, {leaving:?}");
        }
    }
}

/// What a client has said before its end is handled while its handlers end, however often it is not read meanwhile.
#[test]
fn what_was_said_before_an_end_is_handled_if_its_handlers_end() {
    let mut hand = Hand::new(town(), 1);
    let (other, wire) = (hand.join(0), hand.join(0));
    for _ in 0..10 * TASKS_PER_CLIENT_MAX {
        hand.say(wire, "42[\"short\"]");
    }
    hand.say(wire, "42[\"quick\"]");
    hand.finish(wire);
    hand.settle();
    assert!(hand.unread(wire) > 0 && hand.texts(other).is_empty());
    hand.pass_ms(10_000);
    assert_eq!(hand.texts(other), ["42[\"seen\"]"], "the last that it said");
    assert_eq!(hand.machine.report(0).gauges.sockets, 1);
}

/// A client that is not read hears that we live, and is cut when it could not be heard for too long.
#[test]
fn who_is_not_read_is_pinged_up_to_a_bound() {
    let mut hand = Hand::new(town(), 1);
    let wire = paused_websocket(&mut hand)[0];
    let mut pings = 0;
    for _ in 0..PAUSE_MS_MAX / SILENCE_MS {
        hand.pass_ms(SILENCE_MS);
        let texts = hand.texts(wire);
        assert!(texts.iter().all(|text| text == "2") && !texts.is_empty(), "{texts:?}");
        pings += texts.len();
    }
    assert!(pings >= 10);
    hand.pass_ms(2 * SILENCE_MS);
    assert_eq!(hand.texts(wire).last().map(String::as_str), Some("close"));
    assert_eq!(hand.machine.report(0).hub.ping_timeouts, 1);
}
