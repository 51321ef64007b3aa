//! What the application's side holds for clients counts as theirs where memory is short: the client that holds most is cut, and hears why.
//! Not what the hub holds, which its own tests weigh.

mod hand;

use std::time::Duration;

use hand::{Hand, Wire};
use socketville::{Server, Socket, sleep};

const MEMORY: usize = 2 << 20;

/// Clients that are in no namespace yet; a core above its soft mark would refuse them.
fn clients(hand: &mut Hand) -> Vec<Wire> {
    (0..4).map(|_| hand.open(0)).collect()
}

/// Of four clients, those that are gone, and what each heard last.
fn cut(hand: &Hand, wires: &[Wire]) -> Vec<usize> {
    let last = |wire: &Wire| hand.texts(*wire).pop();
    let is_cut = |wire: &Wire| last(wire).as_deref() == Some("close");
    (0..wires.len()).filter(|&number| is_cut(&wires[number])).collect()
}

#[test]
fn who_keeps_the_largest_auth_is_cut_where_memory_is_short() {
    let io = Server::builder();
    io.memory_max(MEMORY).keep_auth(usize::MAX);
    let mut hand = Hand::new(io, 1);
    let wires = clients(&mut hand);
    for (number, bytes) in [(0, 300_000), (1, 900_000), (3, 300_000)] {
        hand.say(wires[number], &format!("40{{\"token\":\"{}\"}}", "x".repeat(bytes)));
        hand.settle();
    }
    assert!(cut(&hand, &wires).is_empty(), "there is enough");
    hand.say(wires[2], &format!("40{{\"token\":\"{}\"}}", "x".repeat(990_000)));
    hand.settle();
    assert_eq!(cut(&hand, &wires), [2], "it holds most");
    assert_eq!(hand.machine.report(0).hub.shed, 1);
}

/// A handler outlives its client: cutting a client whose handlers wait would give nothing back, so it is not read on.
#[test]
fn whose_handlers_wait_is_not_read_on_where_memory_is_short() {
    let io = Server::builder();
    io.memory_max(MEMORY);
    io.on("wait", async |_socket: Socket, _text: String| sleep(Duration::from_secs(3600)).await);
    let mut hand = Hand::new(io, 1);
    let wires = clients(&mut hand);
    let wait = |hand: &mut Hand, number: usize, bytes: usize| {
        hand.say(wires[number], &format!("42[\"wait\",\"{}\"]", "x".repeat(bytes)));
        hand.settle();
    };
    wires.iter().for_each(|wire| hand.say(*wire, "40"));
    hand.settle();
    for number in 0..2 {
        wait(&mut hand, 0, 20_000);
        assert_eq!((number, hand.unread(wires[0])), (number, 0), "there is enough");
    }
    for number in 1..3 {
        wait(&mut hand, number, 900_000);
    }
    wait(&mut hand, 3, 20_000);
    wait(&mut hand, 3, 1_000_000);
    wait(&mut hand, 3, 10);
    assert!(hand.unread(wires[3]) > 0, "the first that waits was enough");
    assert!(cut(&hand, &wires).is_empty());
    assert_eq!(hand.machine.report(0).hub.shed, 0);
}
