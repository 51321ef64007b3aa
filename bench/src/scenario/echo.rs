//! What does a question with an answer cost: every client has some events with acknowledgements under way, and
//! asks the next when one is answered. Each answer must be the question's own, once.
//!
//! Order between the answers of one client is not demanded: an acknowledgement has an id so that it may come
//! when it is ready.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Load;
use super::run::{Run, SILENCE_MAX, TURN};
use crate::outcome::{Outcome, Unit};
use crate::payload::{SEQUENCE_DIGITS, Stamp, TIME_DIGITS, digits, number};
use crate::served::Served;
use crate::swarm::{Faults, Histogram, Sink};
use crate::wire::Template;

/// Runs the closed loop of every client, then waits for the last answers.
pub(super) fn measure(
    served: &Served,
    name: &str,
    load: Load,
    in_flight: u32,
    seconds: f64,
) -> Result<Outcome> {
    ensure!(in_flight > 0 && seconds > 0.0, "in_flight and seconds must be above 0");
    let mut run = Run::start(served, load)?;
    let mut questions = Questions::new(load.clients, in_flight as usize, load.bytes);
    circle(&mut run, &mut questions, load.warmup_s)?;
    questions.latency.clear();
    let (before, answered) = (run.mark(served), questions.answered);
    circle(&mut run, &mut questions, seconds)?;
    let (span, answered) = (run.span(served, &before), questions.answered - answered);
    drain(&mut run, &mut questions)?;
    let outcome = run.into_outcome(name, &span);
    let mut faults = questions.faults;
    faults.disconnected = outcome.faults.disconnected;
    faults.lost = questions.under_way();
    let quantile_us = |share| questions.latency.quantile_ns(share) as f64 / 1e3;
    Ok(Outcome {
        unit: Unit::RoundTrip,
        count: answered,
        p50_us: quantile_us(0.5),
        p99_us: quantile_us(0.99),
        wire_bytes: None,
        faults,
        ..outcome
    })
}

fn circle(run: &mut Run, questions: &mut Questions, seconds: f64) -> Result<()> {
    let started = Instant::now();
    while started.elapsed().as_secs_f64() < seconds && run.swarm.lost() == 0 {
        questions.ask(run)?;
        run.swarm.turn(Some(TURN), questions)?;
    }
    Ok(())
}

/// Asks nothing more, and waits for what was asked.
fn drain(run: &mut Run, questions: &mut Questions) -> Result<()> {
    let mut progress = (questions.answered, Instant::now());
    while questions.under_way() > 0 && progress.1.elapsed() < SILENCE_MAX.min(DRAIN_MAX) {
        run.swarm.turn(Some(TURN), questions)?;
        if questions.answered > progress.0 {
            progress = (questions.answered, Instant::now());
        }
    }
    Ok(())
}

/// Every client's questions under way.
struct Questions {
    clients: Vec<Client>,
    /// Clients that may ask.
    free: Vec<usize>,
    bytes: usize,
    answered: u64,
    latency: Histogram,
    faults: Faults,
    forms: Forms,
}

/// Questions as they are sent, by the digits of their ids: one, two and so on.
struct Forms([Template; SEQUENCE_DIGITS]);

struct Client {
    /// By id modulo their number: the question's id, if it is under way. An id waits for its place.
    places: Vec<Option<u32>>,
    next: u32,
    is_free: bool,
}

impl Questions {
    fn new(clients: usize, in_flight: usize, bytes: usize) -> Questions {
        let client = |_| Client { places: vec![None; in_flight], next: 0, is_free: true };
        Questions {
            clients: (0..clients).map(client).collect(),
            free: (0..clients).collect(),
            bytes,
            answered: 0,
            latency: Histogram::default(),
            faults: Faults::default(),
            forms: Forms::new(bytes),
        }
    }

    fn under_way(&self) -> u64 {
        self.clients.iter().map(|client| client.places.iter().flatten().count() as u64).sum()
    }

    /// Every free client fills its places, in one write each.
    fn ask(&mut self, run: &mut Run) -> Result<()> {
        let sent = digits(run.swarm.now_ns());
        for index in std::mem::take(&mut self.free) {
            let Some(client) = self.clients.get_mut(index) else { continue };
            client.is_free = false;
            run.swarm.send_frames(index, |frames| {
                while let Some(id) = client.take_place() {
                    self.forms.write(id, &sent, frames);
                }
            })?;
        }
        Ok(())
    }

    fn answer(&mut self, index: usize, packet: &[u8], now_ns: u64) -> Option<()> {
        let rest = packet.strip_prefix(b"43")?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let id = u32::try_from(number(rest.get(..digits).filter(|id| is_shortest(id))?)?).ok()?;
        let payload = rest.get(digits..)?.strip_prefix(b"[\"")?.strip_suffix(b"\"]")?;
        let stamp = Stamp::of_payload(payload, self.bytes).filter(|stamp| stamp.sequence == id)?;
        let client = self.clients.get_mut(index)?;
        if !client.give_place(id) {
            self.faults.repeated += 1;
            return Some(());
        }
        if !client.is_free {
            client.is_free = true;
            self.free.push(index);
        }
        self.answered += 1;
        self.latency.record(now_ns.saturating_sub(stamp.sent_ns));
        Some(())
    }
}

/// Whether an id is written as numbers are: some digits, no zero before others, no more than 32 bits have.
fn is_shortest(digits: &[u8]) -> bool {
    matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.len() <= SEQUENCE_DIGITS
}

impl Forms {
    fn new(bytes: usize) -> Forms {
        Forms(std::array::from_fn(|digits| {
            let (id, payload) = ("0".repeat(digits + 1), Stamp { sequence: 0, sent_ns: 0 }.payload(bytes));
            Template::new(format!("42{id}{BEFORE_PAYLOAD}{payload}\"]").as_bytes())
        }))
    }

    /// The stamp's sequence is the packet's id.
    #[inline]
    fn write(&self, id: u32, sent: &[u8; TIME_DIGITS], frames: &mut Vec<u8>) {
        let sequence: [u8; SEQUENCE_DIGITS] = digits(u64::from(id));
        let zeros = sequence.iter().take_while(|digit| **digit == b'0').count().min(SEQUENCE_DIGITS - 1);
        let short = sequence.get(zeros..).unwrap_or_default();
        if let Some(form) = self.0.get(short.len() - 1) {
            let (mut places, payload_at) =
                (form.write(frames), "42".len() + short.len() + BEFORE_PAYLOAD.len());
            places.put("42".len(), short);
            places.put(payload_at, &sequence);
            places.put(payload_at + SEQUENCE_DIGITS, sent);
        }
    }
}

/// What stands between a question's id and its payload.
const BEFORE_PAYLOAD: &str = "[\"echo\",\"";

impl Client {
    fn take_place(&mut self) -> Option<u32> {
        let count = self.places.len();
        let place = self.places.get_mut(self.next as usize % count)?;
        if place.is_some() {
            return None;
        }
        let id = self.next;
        *place = Some(id);
        self.next += 1;
        Some(id)
    }

    /// Whether the question was under way.
    fn give_place(&mut self, id: u32) -> bool {
        let count = self.places.len();
        let place = self.places.get_mut(id as usize % count).filter(|place| **place == Some(id));
        place.is_some_and(|place| place.take().is_some())
    }
}

impl Sink for Questions {
    fn packet(&mut self, client: usize, packet: &[u8], now_ns: u64) {
        if self.answer(client, packet, now_ns).is_none() {
            self.faults.malformed += 1;
        }
    }
}

/// How long the last answers are waited for once nothing comes.
const DRAIN_MAX: Duration = Duration::from_secs(3);

const _: () = assert!(SEQUENCE_DIGITS == 10, "an id fits into a sequence");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{TEXT, write_masked};

    const BYTES: usize = 30;

    fn asked(count: u32) -> Questions {
        let mut questions = Questions::new(1, count as usize, BYTES);
        while questions.clients[0].take_place().is_some() {}
        questions
    }

    fn answer(questions: &mut Questions, id: u32, sequence: u32) {
        let payload = Stamp { sequence, sent_ns: 5 }.payload(BYTES);
        questions.packet(0, format!(r#"43{id}["{payload}"]"#).as_bytes(), 9);
    }

    /// As a formatter would write them, and no frame is as the one before.
    #[test]
    fn questions_are_whole_frames() {
        let (forms, mut frames, mut expected) = (Forms::new(BYTES), Vec::new(), Vec::new());
        for (id, sent_ns) in [(0, 1), (9, 2), (10, 3), (4711, 1_234_567_890_123), (u32::MAX, 4)] {
            forms.write(id, &digits(sent_ns), &mut frames);
            let payload = Stamp { sequence: id, sent_ns }.payload(BYTES);
            let text = format!(r#"42{id}["echo","{payload}"]"#);
            write_masked(TEXT, text.as_bytes(), &mut expected);
        }
        assert_eq!(frames, expected);
    }

    #[test]
    fn every_question_is_answered_once_in_any_order() {
        let mut questions = asked(3);
        assert_eq!(questions.under_way(), 3);
        [2, 0, 1].into_iter().for_each(|id| answer(&mut questions, id, id));
        assert_eq!((questions.answered, questions.under_way()), (3, 0));
        assert!(questions.faults.is_none());
    }

    #[test]
    fn a_repeated_a_strange_and_a_missing_answer_are_seen() {
        let mut questions = asked(2);
        answer(&mut questions, 0, 0);
        answer(&mut questions, 0, 0);
        answer(&mut questions, 1, 0);
        questions.packet(0, b"42[\"msg\"]", 9);
        let payload = Stamp { sequence: 1, sent_ns: 5 }.payload(BYTES);
        questions.packet(0, format!(r#"4301["{payload}"]"#).as_bytes(), 9);
        assert_eq!((questions.faults.repeated, questions.faults.malformed), (1, 3));
        assert_eq!(questions.under_way(), 1);
    }
}
