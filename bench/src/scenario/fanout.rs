//! What does a delivery cost: paced, in bursts, in volleys, in a closed loop; to all or to rooms.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::phased::Rhythm;
use super::run::{Run, SILENCE_MAX, Span, TURN};
use super::worker::QUICK_ACKS;
use super::{Audience, Content, Load, Work};
use crate::outcome::Outcome;
use crate::payload::{self, Stamp};
use crate::prose;
use crate::served::Served;
use crate::swarm::{Histogram, Sink, Swarm};

/// A run whose first client publishes.
pub(super) struct Fanout {
    pub(super) run: Run,
    /// How many messages each room has had; one number if there are no rooms.
    published: Vec<u32>,
    next_room: usize,
    /// Of a sleeping swarm, once it has warmed up.
    pub(super) rhythm: Option<Rhythm>,
}

/// Runs a fan-out load in one piece.
pub(super) fn measure(served: &Served, name: &str, load: Load) -> Result<Outcome> {
    let mut fanout = Fanout::start(served, load)?;
    fanout.warm_up(served)?;
    let span = fanout.work(served, 1)?;
    Ok(fanout.finish(name, &span))
}

impl Fanout {
    pub(super) fn start(served: &Served, load: Load) -> Result<Fanout> {
        let mut run = Run::start(served, load)?;
        let rooms = match load.audience {
            Audience::All => 1,
            Audience::Rooms(members) => {
                ensure!(
                    members > 0 && load.clients.is_multiple_of(members),
                    "rooms of {members} do not divide {} clients",
                    load.clients
                );
                join_rooms(&mut run.swarm, members)?;
                load.clients / members
            }
        };
        Ok(Fanout { run, published: vec![0; rooms], next_room: 0, rhythm: None })
    }

    /// Does some of the work that is not measured, for caches, buffers and compilers.
    pub(super) fn warm_up(&mut self, served: &Served) -> Result<()> {
        let load = self.run.load;
        match load.work {
            Work::Paced { rate, seconds } => {
                ensure!(
                    rate > 0.0 && seconds > 0.0,
                    "rate and seconds must be above 0, not {rate} and {seconds}"
                );
                self.pace(rate, load.warmup_s.max(1.0 / rate))?;
            }
            Work::Burst { count, every, repeats } => {
                ensure!(count > 0 && every > 0 && repeats > 0, "count, every and repeats must be above 0");
                ensure!(load.audience == Audience::All, "a burst goes to all");
                self.burst(count.min(every * BURST_WARMUP_YIELDS), every)?;
            }
            Work::Phased { count, every, phases } => {
                ensure!(count > 0 && every > 0 && phases > 0, "count, every and phases must be above 0");
                ensure!(load.audience == Audience::All, "a burst goes to all");
                self.rhythm = Some(self.learn_rhythm(served, count, every)?);
            }
            Work::Volley { count, repeats } => {
                ensure!(count > 0 && repeats > 0, "count and repeats must be above 0");
                self.volley(count.min(VOLLEY_WARMUP))?;
            }
            Work::Closed { outstanding, seconds } => {
                ensure!(outstanding > 0 && seconds > 0.0, "outstanding and seconds must be above 0");
                self.circle(outstanding, load.warmup_s)?;
            }
            work => bail!("{work} is no fan-out"),
        }
        self.run.checker.clear_latency();
        Ok(())
    }

    /// Does and measures one of so many equal parts of the work.
    pub(super) fn work(&mut self, served: &Served, parts: u32) -> Result<Span> {
        if let Work::Phased { count, every, phases } = self.run.load.work {
            return self.measure_phases(served, count, every, phases.div_ceil(parts));
        }
        if self.run.load.is_reheated() {
            self.reheat()?;
        }
        let before = self.run.mark(served);
        match self.run.load.work {
            Work::Paced { rate, seconds } => self.pace(rate, seconds / f64::from(parts))?,
            Work::Closed { outstanding, seconds } => {
                self.circle(outstanding, seconds / f64::from(parts))?;
            }
            Work::Burst { count, every, repeats } => {
                (0..repeats.div_ceil(parts)).try_for_each(|_| self.burst(count, every))?;
            }
            Work::Volley { count, repeats } => {
                (0..repeats.div_ceil(parts)).try_for_each(|_| self.volley(count))?;
            }
            work => bail!("{work} is no fan-out"),
        }
        Ok(self.run.span(served, &before))
    }

    /// Ends what a rest did to the sockets: after one of more than 200 ms a receiver acknowledges the next 16 segments at once, for 1.7 times the CPU per
    /// delivery, which a server that is always at work never pays.
    fn reheat(&mut self) -> Result<()> {
        let ages = self.run.checker.replace_latency(Histogram::default());
        for _ in 0..QUICK_ACKS {
            let (goal, now_ns) = (self.goal(1), self.run.swarm.now_ns());
            self.publish(now_ns)?;
            self.run.await_deliveries(goal)?;
        }
        self.run.checker.replace_latency(ages);
        Ok(())
    }

    /// Ends the series, and tells what all that was measured cost.
    pub(super) fn finish(mut self, name: &str, span: &Span) -> Outcome {
        self.end_series();
        self.run.into_outcome(name, span)
    }

    /// Publishes by the schedule to the end of its last interval, then waits until everybody has everything.
    pub(super) fn pace(&mut self, rate: f64, seconds: f64) -> Result<()> {
        let count = (rate * seconds).round().max(1.0) as u32;
        let (start_ns, step_ns) = (self.run.swarm.now_ns(), 1e9 / rate);
        let goal = self.goal(count);
        for index in 0..count {
            let due_ns = start_ns + (f64::from(index) * step_ns) as u64;
            self.run.turn_until(due_ns)?;
            self.publish(due_ns)?;
        }
        self.run.turn_until(start_ns + (f64::from(count) * step_ns) as u64)?;
        self.run.await_deliveries(goal)
    }

    /// Keeps so many messages under way. A message counts as arrived when as many deliveries came as it and
    /// all before it have; order is the checker's business.
    fn circle(&mut self, outstanding: u32, seconds: f64) -> Result<()> {
        let (audience, first) = (self.run.audience() as u64, self.run.checker.delivered());
        let (started, mut published) = (Instant::now(), 0u64);
        let mut progress = (first, Instant::now());
        while started.elapsed().as_secs_f64() < seconds && progress.1.elapsed() < SILENCE_MAX {
            let delivered = self.run.checker.delivered();
            if delivered > progress.0 {
                progress = (delivered, Instant::now());
            }
            let arrived = (delivered - first) / audience;
            let missing = (arrived + u64::from(outstanding)).saturating_sub(published);
            if missing > 0 {
                let now_ns = self.run.swarm.now_ns();
                self.publish_some(u32::try_from(missing).unwrap_or(u32::MAX), now_ns)?;
                published += missing;
            }
            self.run.swarm.turn(Some(TURN), &mut self.run.checker)?;
        }
        self.run.await_deliveries(first + published * audience)
    }

    pub(super) fn burst(&mut self, count: u32, every: u32) -> Result<()> {
        let goal = self.goal(count);
        self.ask_for_burst(count, every)?;
        self.run.await_deliveries(goal)?;
        self.run.checker.end_series(|_| count);
        Ok(())
    }

    pub(super) fn ask_for_burst(&mut self, count: u32, every: u32) -> Result<()> {
        let rest = payload::rest(self.run.swarm.now_ns(), self.run.load.bytes);
        let text = format!(r#"42["burst",{{"count":{count},"every":{every},"rest":"{rest}"}}]"#);
        self.run.swarm.send_text(0, &text)
    }

    fn volley(&mut self, count: u32) -> Result<()> {
        let goal = self.goal(count);
        let now_ns = self.run.swarm.now_ns();
        self.publish_some(count, now_ns)?;
        self.run.await_deliveries(goal)
    }

    pub(super) fn goal(&self, count: u32) -> u64 {
        self.run.checker.delivered() + u64::from(count) * self.run.audience() as u64
    }

    /// How many messages went to all.
    pub(super) fn published_to_all(&self) -> u64 {
        self.published.iter().map(|count| u64::from(*count)).sum()
    }

    pub(super) fn publish(&mut self, due_ns: u64) -> Result<()> {
        self.publish_some(1, due_ns)
    }

    /// Messages that are due now, in one write.
    pub(super) fn publish_some(&mut self, count: u32, due_ns: u64) -> Result<()> {
        let texts: Vec<String> = (0..count).map(|_| self.next_text(due_ns)).collect();
        self.run.swarm.send_texts(0, texts.iter())
    }

    /// The next message. The keys `p` and `rest` come last, so that a floor may cut them out without a parser.
    fn next_text(&mut self, due_ns: u64) -> String {
        let (room, bytes) = (self.next_room, self.run.load.bytes);
        self.next_room = (room + 1) % self.published.len();
        let sequence = self.published.get(room).copied().unwrap_or_default();
        if let Some(published) = self.published.get_mut(room) {
            *published += 1;
        }
        let stamp = Stamp { sequence, sent_ns: due_ns };
        let payload = match self.run.load.content {
            Content::Filler => stamp.payload(bytes),
            Content::Json => {
                let text = prose::event(stamp, bytes);
                self.run.checker.expect(sequence, text.as_bytes());
                text
            }
        };
        match self.run.load.audience {
            Audience::All => format!(r#"42["pub",{{"p":"{payload}"}}]"#),
            Audience::Rooms(_) => format!(r#"42["pub",{{"room":"r{room}","p":"{payload}"}}]"#),
        }
    }

    pub(super) fn end_series(&mut self) {
        let members = match self.run.load.audience {
            Audience::All => usize::MAX,
            Audience::Rooms(members) => members,
        };
        let published = &self.published;
        self.run.checker.end_series(|client| published.get(client / members).copied().unwrap_or_default());
    }
}

/// Client i joins room i / members; all have their acknowledgement before this returns.
fn join_rooms(swarm: &mut Swarm, members: usize) -> Result<()> {
    let (mut joined, mut asked, mut waited) = (Joined::default(), 0, Instant::now());
    while joined.count < swarm.len() {
        while asked < swarm.len() && asked - joined.count < JOINS_IN_FLIGHT {
            swarm.send_text(asked, &format!(r#"420["join","r{}"]"#, asked / members))?;
            asked += 1;
        }
        let before = joined.count;
        swarm.turn(Some(TURN), &mut joined)?;
        if joined.count > before {
            waited = Instant::now();
        }
        ensure!(waited.elapsed() < JOIN_PATIENCE, "{} of {} joins were answered", joined.count, asked);
    }
    ensure!(joined.strange == 0, "{} packets came that are no acknowledgement", joined.strange);
    (swarm.lost() == 0).then_some(()).context("a client was lost while joining")
}

/// Counts acknowledgements.
#[derive(Default)]
struct Joined {
    count: usize,
    strange: usize,
}

impl Sink for Joined {
    fn packet(&mut self, _client: usize, packet: &[u8], _now_ns: u64) {
        if packet.starts_with(b"430[") {
            self.count += 1;
        } else {
            self.strange += 1;
        }
    }
}

/// Joins that are asked for at a time.
const JOINS_IN_FLIGHT: usize = 256;
/// No join was answered for this long.
const JOIN_PATIENCE: Duration = Duration::from_secs(10);
/// The burst that is not measured has this many yields: it warms caches and buffers, not the clock.
const BURST_WARMUP_YIELDS: u32 = 4;
/// Messages of the volley that is not measured.
const VOLLEY_WARMUP: u32 = 5;
