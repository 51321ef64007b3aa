//! A core that takes nothing: what others have for it waits, is refused whole, or costs its clients their connections; never a gap.
//! Not a slow client, which is the outbox's. Turned by hand, so that a core stands as still as a test wants.

mod hand;

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hand::{Hand, Wire};
use socketville::limits::{MAILBOX_LETTERS_MAX, ORDERS_WAITING_MAX, QUERY_TIMEOUT};
use socketville::{BroadcastAckError, EmitError, QueryError, Recovery, Server};

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

/// What the future gives while one core is turned alone, until `ms` are over; then nothing is there a millisecond earlier.
fn after<F: Future>(hand: &mut Hand, future: F, moving: usize, ms: u64) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    (0..3).for_each(|_| _ = hand.turn(moving));
    assert!(future.as_mut().poll(&mut context).is_pending());
    hand.now_ms += ms - 1;
    hand.turn(moving);
    assert!(future.as_mut().poll(&mut context).is_pending(), "nothing ends early");
    let left = hand.machine.timeout(moving, hand.now_ms).expect("it wakes for it");
    assert!(left <= Duration::from_millis(1), "{left:?}");
    hand.now_ms += 1;
    hand.turn(moving);
    match future.poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits for a core that stands still"),
    }
}

const QUERY_MS: u64 = QUERY_TIMEOUT.as_millis() as u64;

/// A query ends for every caller, with a history or without, and whichever core it is that moves.
#[test]
fn a_query_ends_without_the_core_that_stands_still() {
    for (has_history, moving) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let io = Server::builder();
        if has_history {
            io.connection_state_recovery(Recovery::default());
        }
        let mut hand = Hand::new(io, 2);
        let wires = [hand.join(0), hand.join(1)];
        let emitter = hand.emitter();
        // With a history the first core passes on what a thread asks, so nothing of it is known while that stands still.
        let known = usize::from(!has_history || moving == 0);
        let found = after(&mut hand, emitter.namespace_len("/"), moving, QUERY_MS);
        let Err(QueryError::Incomplete { cores: 2, answered, found: 1 | 0, .. }) = found else {
            panic!("{found:?}");
        };
        assert_eq!(answered, known);
        let sockets = after(&mut hand, emitter.of("/").fetch_sockets(), moving, QUERY_MS);
        assert_eq!(sockets.expect_err("it stands still").into_found().len(), known);
        let counted = after(&mut hand, emitter.of("/").emit_counted("counted", 1), moving, QUERY_MS);
        assert!(matches!(counted, Err(EmitError::Uncounted(count)) if count == known), "{counted:?}");
        hand.settle();
        for wire in wires {
            let texts = hand.texts(wire); // with an offset, where there is a history
            assert!(
                texts.len() == 1 && texts[0].starts_with("42[\"counted\",1"),
                "late, and once: {texts:?}"
            );
        }
        let mut again = pin!(emitter.namespace_len("/"));
        let mut context = Context::from_waker(Waker::noop());
        assert!(again.as_mut().poll(&mut context).is_pending());
        hand.settle();
        assert!(matches!(again.poll(&mut context), Poll::Ready(Ok(2))));
    }
}

/// The clients that were asked have their time; a core that has asked none by then is waited for as long as for any query.
#[test]
fn a_broadcast_with_answers_ends_without_the_core_that_stands_still() {
    for (timeout_ms, until_ms) in [(100, QUERY_MS), (QUERY_MS + 3000, QUERY_MS + 3000)] {
        let (mut hand, ..) = two();
        let emitter = hand.emitter();
        let asking = emitter.of("/");
        let answers = asking.emit_with_ack::<u32>("q", (), Duration::from_millis(timeout_ms));
        let answers = after(&mut hand, answers, 0, until_ms);
        let Err(BroadcastAckError::Incomplete { expected: 1, responses }) = answers else {
            panic!("{answers:?}");
        };
        assert!(responses.is_empty());
        hand.settle();
    }
}
