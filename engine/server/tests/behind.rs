//! A core that is behind with what other cores' clients have for it: those clients wait, nothing is lost, nobody is cut, and operators get through.
//! Not one that stands still, which has tests of its own. Turned by hand, so that a core is as slow as a test wants.

mod hand;

use hand::{Hand, Wire};
use socketville::limits::{LETTERS_TURNS_MAX, MAILBOX_LETTERS_MAX, STANDSTILL, STANDSTILL_STEP_MS};
use socketville::{Ack, Builder, Server, Socket};

const SAYS: usize = 30_000;
const SAYS_PER_SEGMENT: usize = 2_000;

fn town() -> Builder {
    let io = Server::builder();
    io.on("say", |socket: Socket, number: u64| socket.broadcast().emit("said", number))
        .on("hi", |ack: Ack| ack.send("hi"));
    io
}

/// Two cores; a client that sends much and a quiet one at the first, one that listens at the second.
fn two() -> (Hand, [Wire; 3]) {
    let mut hand = Hand::new(town(), 2);
    let wires = [hand.join(0), hand.join(0), hand.join(1)];
    let says: Vec<String> = (0..SAYS).map(|number| format!("42[\"say\",{number}]")).collect();
    for segment in says.chunks(SAYS_PER_SEGMENT) {
        hand.say_all(wires[0], segment.iter().map(String::as_str));
    }
    (hand, wires)
}

fn said(hand: &Hand, wire: Wire) -> Vec<String> {
    hand.texts(wire).into_iter().filter(|text| text.starts_with("42[\"said\"")).collect()
}

fn numbers() -> Vec<String> {
    (0..SAYS).map(|number| format!("42[\"said\",{number}]")).collect()
}

fn records(hand: &Hand) -> u64 {
    hand.machine.report(0).hub.records
}

fn standstills(hand: &Hand) -> u64 {
    hand.machine.report(1).turns.standstills
}

#[test]
fn who_makes_records_waits_for_a_core_that_is_behind_and_nobody_else_does() {
    let (mut hand, [loud, quiet, listener]) = two();
    for asked in 0..200 {
        hand.say(quiet, &format!("42{asked}[\"hi\"]"));
        hand.turn(0);
        let answers = hand.texts(quiet).into_iter().filter(|text| text.starts_with("43")).count();
        assert_eq!(answers, 1, "{asked}: who makes no records is read");
    }
    let made = records(&hand) as usize;
    assert!(made > MAILBOX_LETTERS_MAX / 8 && made < MAILBOX_LETTERS_MAX / 8 + SAYS_PER_SEGMENT, "{made}");
    assert!(hand.unread(loud) > 0, "the rest is where TCP keeps it");
    assert_eq!(hand.machine.report(0).turns.reads_stalled, 1);
    hand.settle();
    assert_eq!(said(&hand, listener), numbers());
    let report = hand.machine.report(0).turns;
    assert_eq!((report.records_dropped, standstills(&hand), hand.is_open(listener)), (0, 0, true));
}

/// However long it goes on: a core that takes something does not stand still.
#[test]
fn a_core_that_is_slow_and_moves_is_never_cut() {
    let (mut hand, [_, _, listener]) = two();
    let mut heard = Vec::new();
    for turn in 0..400 {
        hand.now_ms += 250;
        hand.turn(0);
        if turn % 16 == 15 {
            hand.turn(1); // every four seconds
            heard.extend(said(&hand, listener));
        }
    }
    hand.settle();
    heard.extend(said(&hand, listener));
    assert_eq!(heard, numbers());
    assert_eq!((hand.machine.report(0).turns.records_dropped, standstills(&hand)), (0, 0));
}

#[test]
fn who_waits_for_a_core_that_takes_nothing_waits_until_it_stands_still() {
    let (mut hand, [loud, _, listener]) = two();
    let turns = STANDSTILL.as_millis() as u64 / STANDSTILL_STEP_MS;
    (0..50).for_each(|_| _ = hand.turn(0));
    for _ in 0..turns {
        hand.now_ms += STANDSTILL_STEP_MS;
        hand.turn(0);
        assert!(records(&hand) < SAYS as u64);
    }
    assert!(hand.unread(loud) > 0);
    for _ in 0..turns {
        hand.now_ms += STANDSTILL_STEP_MS;
        hand.turn(0);
    }
    assert_eq!((records(&hand), hand.unread(loud)), (SAYS as u64, 0), "nobody waits for it any more");
    hand.settle();
    assert_eq!((standstills(&hand), hand.is_open(listener)), (1, false), "it has missed something");
}

/// The whole process was stopped: each core finds that the other has taken nothing for a minute.
#[test]
fn a_process_that_was_stopped_has_no_core_that_stands_still() {
    let (mut hand, [_, _, listener]) = two();
    (0..50).for_each(|_| _ = hand.turn(0));
    hand.now_ms += 60_000;
    hand.turn(0);
    hand.settle();
    assert_eq!(standstills(&hand), 0);
    assert_eq!(said(&hand, listener), numbers());
}

/// A publish behind all that a mailbox holds is collected within a few turns.
#[test]
fn what_is_behind_a_full_mailbox_waits_for_a_few_turns() {
    let mut hand = Hand::new(town(), 2);
    let listener = hand.join(1);
    for number in 0..MAILBOX_LETTERS_MAX - 1 {
        hand.emitter().to("nobody").sockets_leave("nowhere");
        if number % 1000 == 999 {
            hand.turn(0);
        }
    }
    hand.emitter().of("/").try_emit("news", 1).expect("the last place");
    let turns = (1..=20).find(|_| {
        hand.turn(1);
        hand.texts(listener) == ["42[\"news\",1]"]
    });
    assert!(turns.is_some_and(|turns| turns <= LETTERS_TURNS_MAX), "{turns:?}");
}
