//! What one turn reads: a budget of work for all, a slice of it for each, nobody starves, and nothing is lost or out of order.

mod hand;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use hand::{Hand, Wire};
use socketville::limits::{READ_WORK_PER_SLICE, READ_WORK_PER_TURN, WORK_PER_PACKET, WORK_PER_REQUEST};
use socketville::{Ack, Server, Socket};

const FLOODERS: usize = 100;
const EVENTS: usize = 1_000;

/// Events that one turn handles, at the most: one more for each connection of a step, which had its bytes already.
const EVENTS_PER_TURN: u64 = READ_WORK_PER_TURN / WORK_PER_PACKET + 64;

thread_local! {
    static SEEN: Rc<RefCell<HashMap<String, Vec<u64>>>> = Rc::default();
}

fn seen() -> Rc<RefCell<HashMap<String, Vec<u64>>>> {
    SEEN.with(Rc::clone)
}

fn server() -> Hand {
    let io = Server::builder();
    io.on("n", |socket: Socket, number: u64| {
        seen().borrow_mut().entry(socket.id().to_owned()).or_default().push(number);
    })
    .on("hi", |ack: Ack| ack.send("hi"));
    Hand::new(io, 1)
}

fn flood(hand: &mut Hand, wire: Wire) {
    let texts: Vec<String> = (0..EVENTS).map(|number| format!("42[\"n\",{number}]")).collect();
    hand.say_all(wire, texts.iter().map(String::as_str));
}

fn called(hand: &Hand) -> u64 {
    hand.machine.report(0).turns.handlers_called
}

#[test]
fn a_turn_reads_its_budget_and_the_rest_later_in_order() {
    let mut hand = server();
    let flooders: Vec<Wire> = (0..FLOODERS).map(|_| hand.join(0)).collect();
    let quiet = hand.join(0);
    flooders.iter().for_each(|&wire| flood(&mut hand, wire));
    let (mut before, mut turns, mut answered) = (called(&hand), 0, None);
    hand.say(quiet, "421[\"hi\"]");
    while hand.machine.report(0).turns.handlers_called < (FLOODERS * EVENTS) as u64 {
        hand.turn(0);
        turns += 1;
        let now = called(&hand);
        assert!(now > before && now - before <= EVENTS_PER_TURN, "{} in a turn", now - before);
        before = now;
        if answered.is_none() && hand.texts(quiet) == ["431[\"hi\"]"] {
            answered = Some(turns);
        }
    }
    // A slice of each of the others comes first.
    let round = (FLOODERS as u64 * READ_WORK_PER_SLICE).div_ceil(READ_WORK_PER_TURN);
    assert!(answered.is_some_and(|turns| turns <= round), "{answered:?} of {turns} turns");
    assert!(turns >= (FLOODERS * EVENTS) as u64 / EVENTS_PER_TURN, "{turns}");
    hand.settle();
    for numbers in seen().borrow().values() {
        assert_eq!(*numbers, (0..EVENTS as u64).collect::<Vec<_>>());
    }
    assert_eq!(seen().borrow().len(), FLOODERS);
    assert!(hand.machine.report(0).turns.reads_put_off > 0);
}

/// A client that sends without end waits in line, and a client that comes meanwhile has its turn all the same.
#[test]
fn who_is_quiet_is_answered_while_others_send_without_end() {
    let mut hand = server();
    let flooders: Vec<Wire> = (0..FLOODERS).map(|_| hand.join(0)).collect();
    let quiet = hand.join(0);
    for asked in 0..20 {
        for &wire in &flooders {
            if hand.unread(wire) < 2 {
                flood(&mut hand, wire);
            }
        }
        hand.say(quiet, &format!("42{asked}[\"hi\"]"));
        let answer = format!("43{asked}[\"hi\"]");
        assert!(
            (0..4).any(|_| {
                hand.turn(0);
                hand.texts(quiet) == [answer.clone()]
            }),
            "{asked}"
        );
    }
    let fresh = hand.connect(0);
    hand.send(fresh, b"GET /nothing HTTP/1.1\r\nHost: test\r\n\r\n");
    assert!(
        (0..6).any(|_| {
            hand.turn(0);
            !hand.bytes(fresh).is_empty()
        }),
        "a newcomer has its turn too"
    );
}

#[test]
fn pipelined_requests_are_answered_within_the_budget_and_all() {
    const REQUESTS: usize = 300;
    let mut hand = server();
    let wires: Vec<Wire> = (0..FLOODERS).map(|_| hand.connect(0)).collect();
    let request = "GET /nothing HTTP/1.1\r\nHost: test\r\n\r\n";
    wires.iter().for_each(|&wire| hand.send(wire, request.repeat(REQUESTS).as_bytes()));
    let requests = |hand: &Hand| hand.machine.report(0).hub.requests;
    let (mut before, mut turns) = (0, 0);
    while requests(&hand) < (FLOODERS * REQUESTS) as u64 {
        hand.turn(0);
        turns += 1;
        assert!(requests(&hand) - before <= READ_WORK_PER_TURN / WORK_PER_REQUEST + 64, "turn {turns}");
        before = requests(&hand);
        assert!(turns < 1_000, "{before} requests in {turns} turns");
    }
    hand.settle();
    for wire in wires {
        let answers = String::from_utf8(hand.bytes(wire)).expect("heads are text");
        assert_eq!(answers.matches("HTTP/1.1 404 ").count(), REQUESTS);
    }
    assert!(turns >= 3, "{turns}");
}

/// What an ordinary crowd says needs one turn, as without a budget.
#[test]
fn a_packet_of_each_of_a_crowd_is_one_turn() {
    let mut hand = server();
    let wires: Vec<Wire> = (0..300).map(|_| hand.join(0)).collect();
    wires.iter().for_each(|&wire| hand.say(wire, "421[\"hi\"]"));
    hand.turn(0);
    for wire in wires {
        assert_eq!(hand.texts(wire), ["431[\"hi\"]"]);
    }
    assert_eq!(hand.machine.report(0).turns.reads_put_off, 0);
}

/// A pong that waits behind others' packets is no pong that did not come.
#[test]
fn who_waits_in_line_is_not_late() {
    let io = Server::builder();
    io.ping_interval(std::time::Duration::from_secs(25)).ping_timeout(std::time::Duration::from_secs(20));
    io.on("n", |_: Socket, _: u64| {});
    let mut hand = Hand::new(io, 1);
    let flooders: Vec<Wire> = (0..FLOODERS).map(|_| hand.join(0)).collect();
    let last = hand.join(0);
    hand.pass_ms(25_000);
    for &wire in &flooders {
        hand.say(wire, "3");
        (0..2).for_each(|_| flood(&mut hand, wire));
    }
    hand.say(last, "3");
    hand.now_ms += 20_000;
    hand.settle();
    assert!(hand.is_open(last) && flooders.iter().all(|&wire| hand.is_open(wire)));
}
