//! One time: nothing that the application starts ends early, however long the core was idle before, and nothing late either.

mod hand;

use std::time::Duration;

use hand::{Hand, Wire};
use serde_json::Value;
use socketville::{Ack, BroadcastAckError, Builder, Server, Socket, sleep};

/// How long a core has been idle when something is started.
const IDLE_MS: [u64; 6] = [0, 1, 299, 500, 2_000, 3_600_000];
/// How long something takes.
const LONG_MS: [u64; 4] = [1, 2, 300, 10_000];

/// A server whose clients, one on each core, have been idle for so long.
fn idle(io: Builder, cores: usize, idle_ms: u64) -> (Hand, Vec<Wire>) {
    // Pings would end the idleness.
    io.ping_interval(Duration::from_secs(86_400));
    let mut hand = Hand::new(io, cores);
    let wires = (0..cores).map(|core| hand.join(core)).collect();
    hand.pass_ms(60_000); // what follows a handshake is over
    hand.now_ms += idle_ms;
    (hand, wires)
}

/// Runs `check` for every idle time and duration.
fn on_all(check: impl Fn(u64, u64)) {
    for idle_ms in IDLE_MS {
        LONG_MS.iter().for_each(|&long_ms| check(idle_ms, long_ms));
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_sleep_lasts_as_long_as_it_was_asked_to_whatever_the_idle_time() {
    on_all(|idle_ms, long_ms| {
        let io = Server::builder();
        io.on("nap", async |long_ms: u64, ack: Ack| {
            sleep(ms(long_ms)).await;
            ack.send(());
        });
        let (mut hand, wires) = idle(io, 1, idle_ms);
        hand.say(wires[0], &format!("421[\"nap\",{long_ms}]"));
        hand.settle();
        hand.pass_ms(long_ms - 1);
        assert!(hand.texts(wires[0]).is_empty(), "early after {idle_ms} of {long_ms}");
        hand.pass_ms(1);
        assert_eq!(hand.texts(wires[0]), ["431[]"], "late after {idle_ms} of {long_ms}");
    });
}

#[test]
fn a_sleep_of_a_woken_task_begins_when_the_task_goes_on() {
    on_all(|idle_ms, long_ms| {
        let io = Server::builder();
        io.on("nap", async |long_ms: u64, ack: Ack| {
            sleep(ms(20_000)).await;
            sleep(ms(long_ms)).await;
            ack.send(());
        });
        let (mut hand, wires) = idle(io, 1, idle_ms);
        hand.say(wires[0], &format!("421[\"nap\",{long_ms}]"));
        hand.settle();
        // The core is held up: the first sleep ends late, and the second one is as long as ever.
        hand.now_ms += 20_000 + idle_ms;
        hand.settle();
        hand.pass_ms(long_ms - 1);
        assert!(hand.texts(wires[0]).is_empty(), "early after {idle_ms} of {long_ms}");
        hand.pass_ms(1);
        assert_eq!(hand.texts(wires[0]), ["431[]"]);
    });
}

/// The question of one socket; its outcome goes into the answer to who asked for it.
fn asker() -> Builder {
    let io = Server::builder();
    io.on("ask", async |socket: Socket, long_ms: u64, ack: Ack| {
        let answer = socket.emit_with_ack::<u32>("q", (), ms(long_ms)).await;
        ack.send(answer.map_or_else(|error| error.to_string(), |answer| answer.to_string()));
    });
    io.on("ask all", async |socket: Socket, long_ms: u64, ack: Ack| {
        match socket.nsp().emit_with_ack::<u32>("q", (), ms(long_ms)).await {
            Ok(answers) => ack.send(("all", answers)),
            Err(BroadcastAckError::Incomplete { expected, responses }) => ack.send((expected, responses)),
            Err(error) => ack.send(error.to_string()),
        }
    });
    io
}

/// The number of a question and the answer to it.
fn answer_to(question: &str) -> String {
    let digits: String = question[2..].chars().take_while(char::is_ascii_digit).collect();
    format!("43{digits}[7]")
}

#[test]
fn an_acknowledgement_in_the_last_millisecond_counts_and_none_gives_up_early() {
    on_all(|idle_ms, long_ms| {
        for late_ms in [0, 1] {
            let (mut hand, wires) = idle(asker(), 1, idle_ms);
            hand.say(wires[0], &format!("421[\"ask\",{long_ms}]"));
            hand.settle();
            let question = hand.texts(wires[0]).pop().expect("a question");
            hand.pass_ms(long_ms - 1);
            assert!(hand.texts(wires[0]).is_empty(), "early after {idle_ms} of {long_ms}");
            // An answer that comes in the very turn in which the time is over was there in time.
            hand.now_ms += late_ms;
            hand.say(wires[0], &answer_to(&question));
            hand.settle();
            assert_eq!(hand.texts(wires[0]), ["431[\"7\"]"], "after {idle_ms} of {long_ms}");
        }
    });
}

#[test]
fn who_does_not_answer_is_given_up_at_the_time_out() {
    on_all(|idle_ms, long_ms| {
        let (mut hand, wires) = idle(asker(), 1, idle_ms);
        hand.say(wires[0], &format!("421[\"ask\",{long_ms}]"));
        hand.settle();
        hand.texts(wires[0]);
        hand.pass_ms(long_ms - 1);
        assert!(hand.texts(wires[0]).is_empty());
        hand.pass_ms(1);
        assert_eq!(hand.texts(wires[0]), ["431[\"no acknowledgement came in time\"]"]);
    });
}

/// Two cores, of which the other has slept all the time: an answer that came is in the result, at the last millisecond too.
#[test]
fn a_broadcast_has_every_answer_that_came() {
    on_all(|idle_ms, long_ms| {
        for late_ms in [0, long_ms - 1, long_ms] {
            let (mut hand, wires) = idle(asker(), 2, idle_ms);
            hand.say(wires[0], &format!("421[\"ask all\",{long_ms}]"));
            hand.settle();
            hand.texts(wires[0]); // this one is silent
            let question = hand.texts(wires[1]).pop().expect("a question on the other core");
            hand.pass_ms(late_ms.min(long_ms - 1));
            assert!(hand.texts(wires[0]).is_empty(), "early after {idle_ms} of {long_ms}");
            hand.now_ms += late_ms.saturating_sub(long_ms - 1);
            hand.say(wires[1], &answer_to(&question));
            hand.settle();
            hand.pass_ms(long_ms);
            let answer = hand.texts(wires[0]).pop().expect("an answer");
            let found: Value = serde_json::from_str(&answer[3..]).expect("JSON");
            assert_eq!(found, serde_json::json!([2, [7]]), "after {idle_ms} of {long_ms}, {late_ms} late");
        }
    });
}

/// What a peer owes is judged last: the pong of the turn in which the time-out is over counts, and what it started goes on.
#[test]
fn a_pong_in_the_turn_of_its_deadline_counts() {
    for pause_ms in [0, 10_000] {
        let io = Server::builder();
        io.ping_interval(ms(4_000)).ping_timeout(ms(3_000));
        let mut hand = Hand::new(io, 1);
        let wire = hand.join(0);
        hand.pass_ms(4_000);
        assert_eq!(hand.texts(wire), ["2"]);
        hand.now_ms += 3_000 + pause_ms;
        hand.say(wire, "3");
        hand.turn(0);
        hand.settle();
        assert!(!hand.texts(wire).contains(&"close".to_owned()) && hand.is_open(wire), "{pause_ms}");
        hand.pass_ms(4_000);
        assert!(hand.texts(wire).contains(&"2".to_owned()));
    }
}
