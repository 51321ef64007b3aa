//! A core that takes nothing: what others have for it waits, is refused whole, or costs its clients their connections; never a gap.
//! Not a slow client, which is the outbox's. Turned by hand, so that a core stands as still as a test wants.

mod hand;

use hand::{Hand, Wire};
use socketville::limits::{MAILBOX_LETTERS_MAX, ORDERS_WAITING_MAX};
use socketville::{EmitError, Server};

/// Two cores with a client each; the second core is turned when a test says so.
fn two() -> (Hand, Wire, Wire) {
    let mut hand = Hand::new(Server::builder(), 2);
    let (first, second) = (hand.join(0), hand.join(1));
    (hand, first, second)
}

/// So many orders of a thread that is no core's, while the first core works them off.
fn order(hand: &mut Hand, orders: usize) {
    for number in 0..orders {
        hand.emitter().to("nobody").sockets_leave("nowhere");
        if number % 1000 == 999 {
            hand.turn(0);
        }
    }
    (0..3).for_each(|_| _ = hand.turn(0));
}

#[test]
fn an_emit_that_one_core_cannot_take_reaches_none_and_may_be_tried_again() {
    let (mut hand, first, second) = two();
    order(&mut hand, MAILBOX_LETTERS_MAX);
    for _ in 0..3 {
        let refused = hand.emitter().of("/").try_emit("once", 1);
        assert!(matches!(refused, Err(EmitError::Full)), "{refused:?}");
    }
    hand.settle();
    hand.emitter().of("/").try_emit("once", 1).expect("there is room again");
    hand.settle();
    for wire in [first, second] {
        assert_eq!(hand.texts(wire), ["42[\"once\",1]"]);
    }
}

#[test]
fn an_order_waits_and_keeps_its_place() {
    let (mut hand, first, second) = two();
    order(&mut hand, MAILBOX_LETTERS_MAX);
    hand.emitter().of("/").sockets_join("late");
    hand.settle();
    hand.emitter().to("late").emit("to the late", 1);
    hand.settle();
    for wire in [first, second] {
        assert_eq!(hand.texts(wire), ["42[\"to the late\",1]"], "no order is lost");
    }
}

#[test]
fn who_missed_something_is_cut_before_anything_newer() {
    let (mut hand, first, second) = two();
    order(&mut hand, MAILBOX_LETTERS_MAX + ORDERS_WAITING_MAX + 1);
    hand.emitter().of("/").try_emit("missed", 1).expect("one core holds up nobody");
    hand.turn(0);
    assert_eq!(hand.texts(first), ["42[\"missed\",1]"]);
    hand.settle();
    hand.emitter().emit("newer", 2);
    hand.settle();
    assert_eq!((hand.texts(second), hand.is_open(second)), (vec![], false), "no gap");
    assert_eq!((hand.machine.report(1).turns.standstills, hand.machine.report(0).turns.standstills), (1, 0));
    let next = hand.join(1);
    hand.emitter().emit("again", 3);
    hand.settle();
    assert_eq!(hand.texts(first), ["42[\"newer\",2]", "42[\"again\",3]"]);
    assert_eq!(hand.texts(next), ["42[\"again\",3]"], "it serves as before");
}
