//! What does a client cost that comes: alone the cost of connecting, and what those who listen notice while
//! others come and go, or all come at once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Load;
use super::fanout::Fanout;
use super::run::{Run, SILENCE_MAX, TURN};
use crate::outcome::{Outcome, Unit};
use crate::served::Served;
use crate::swarm::{Histogram, Sink, Swarm, Target};

/// Connects `load.clients`, 64 at a time, after a tenth of that which is not measured; all stay. The age of a
/// connect is from its first packet to its place in the namespace.
pub(super) fn connect(served: &Served, name: &str, load: Load) -> Result<Outcome> {
    let first = Load { clients: (load.clients / 10).max(1), ..load };
    let mut run = Run::start(served, first)?;
    run.load = load;
    let before = run.mark(served);
    let mut arrivals = Arrivals::default();
    let target = Target { transport: load.transport, ..Target::new(served.address(), load.clients) };
    run.swarm.connect_with(target, &mut arrivals)?;
    let span = run.span(served, &before);
    let (count, wall_s) = (arrivals.took.len(), span.wall_s);
    let outcome = run.into_outcome(name, &span);
    Ok(arrivals.into_outcome(Outcome {
        unit: Unit::Connect,
        count,
        wire_bytes: None,
        connect_s: wall_s,
        ..outcome
    }))
}

/// Visitors come at a steady pace, each stays [`STAY_S`] and goes; the clients must hear everything. What it
/// costs is counted in seconds of the whole.
pub(super) fn churn(
    served: &Served,
    name: &str,
    load: Load,
    rate: f64,
    visits: f64,
    seconds: f64,
) -> Result<Outcome> {
    ensure!(rate > 0.0 && visits > 0.0 && seconds > 0.0, "rate, visits and seconds must be above 0");
    let mut fanout = Fanout::start(served, load)?;
    fanout.pace(rate, load.warmup_s.max(1.0 / rate))?;
    fanout.run.checker.clear_latency();
    let before = fanout.run.mark(served);
    let came = fanout.pace_visited(served, rate, visits, seconds)?;
    let span = fanout.run.span(served, &before);
    fanout.end_series();
    let wall_s = span.wall_s;
    let mut outcome = fanout.run.into_outcome(name, &span);
    outcome.faults.lost += came.missing;
    Ok(Outcome { unit: Unit::Visit, count: came.count, connect_s: wall_s, wire_bytes: None, ..outcome })
}

/// So many connect at once, as fast as the server lets them in, while the clients hear a steady pace. The
/// ages are those of the broadcast; `connect_s` is when the last one was in.
pub(super) fn storm(served: &Served, name: &str, load: Load, rate: f64, newcomers: usize) -> Result<Outcome> {
    ensure!(rate > 0.0 && newcomers > 0, "rate and newcomers must be above 0");
    let mut fanout = Fanout::start(served, load)?;
    fanout.pace(rate, load.warmup_s.max(1.0 / rate))?;
    fanout.run.checker.clear_latency();
    let before = fanout.run.mark(served);
    let took_s = fanout.pace_stormed(served, rate, newcomers)?;
    let span = fanout.run.span(served, &before);
    fanout.end_series();
    let outcome = fanout.run.into_outcome(name, &span);
    Ok(Outcome {
        unit: Unit::Connect,
        count: newcomers as u64,
        connect_s: took_s,
        wire_bytes: None,
        ..outcome
    })
}

/// Those who came and went.
struct Visits {
    count: u64,
    /// Of them never let in.
    missing: u64,
}

impl Fanout {
    fn pace_visited(&mut self, served: &Served, rate: f64, visits: f64, seconds: f64) -> Result<Visits> {
        let target = Target::new(served.address(), usize::MAX);
        let (start_ns, joined_before) = (self.run.swarm.now_ns(), self.run.swarm.joined());
        let (mut here, mut came) = (VecDeque::new(), 0u64);
        let step_ns = 1e9 / rate;
        for index in 0..(rate * seconds) as u32 {
            let due_ns = start_ns + (f64::from(index) * step_ns) as u64;
            let elapsed_s = f64::from(index) / rate;
            while (came as f64) < elapsed_s * visits {
                here.push_back((self.run.swarm.open(target, 0)?, elapsed_s));
                came += 1;
            }
            let may_go = |(visitor, since): &(usize, f64), swarm: &Swarm| {
                elapsed_s - since > STAY_S && swarm.has_joined(*visitor)
            };
            while here.front().is_some_and(|front| may_go(front, &self.run.swarm)) {
                here.pop_front().into_iter().for_each(|(visitor, _)| self.run.swarm.leave(visitor));
            }
            self.run.turn_until(due_ns)?;
            self.publish(due_ns)?;
        }
        self.settle_after(start_ns + (seconds * 1e9) as u64)?;
        self.await_joins(joined_before + came as usize)?;
        let joined = (self.run.swarm.joined() - joined_before) as u64;
        here.into_iter().for_each(|(visitor, _)| self.run.swarm.leave(visitor));
        Ok(Visits { count: came, missing: came.saturating_sub(joined) })
    }

    /// Waits for those who are still on their way in, as long as anybody comes.
    fn await_joins(&mut self, goal: usize) -> Result<()> {
        let mut progress = (self.run.swarm.joined(), Instant::now());
        while progress.0 < goal && progress.1.elapsed() < SILENCE_MAX {
            self.run.swarm.turn(Some(TURN), &mut self.run.checker)?;
            if self.run.swarm.joined() > progress.0 {
                progress = (self.run.swarm.joined(), Instant::now());
            }
        }
        Ok(())
    }

    fn pace_stormed(&mut self, served: &Served, rate: f64, newcomers: usize) -> Result<f64> {
        let target = Target { in_flight_max: STORM_IN_FLIGHT, ..Target::new(served.address(), newcomers) };
        let (started, before) = (Instant::now(), self.run.swarm.joined());
        let (mut opened, mut published, mut progress) = (0, 0u32, (0, Instant::now()));
        let start_ns = self.run.swarm.now_ns();
        while self.run.swarm.joined() - before < newcomers {
            let joined = self.run.swarm.joined() - before;
            if joined > progress.0 {
                progress = (joined, Instant::now());
            }
            ensure!(progress.1.elapsed() < STORM_PATIENCE, "{joined} of {newcomers} came in, then nobody");
            opened += self.run.swarm.open_some(target, opened, joined)?;
            let due_ns = start_ns + (f64::from(published) * 1e9 / rate) as u64;
            if self.run.swarm.now_ns() >= due_ns {
                self.publish(due_ns)?;
                published += 1;
            }
            self.run.swarm.turn(Some(TURN_STORM), &mut self.run.checker)?;
        }
        let took_s = started.elapsed().as_secs_f64();
        let now_ns = self.run.swarm.now_ns();
        self.settle_after(now_ns)?;
        Ok(took_s)
    }

    /// Waits until that time, then until the clients have everything.
    fn settle_after(&mut self, due_ns: u64) -> Result<()> {
        self.run.turn_until(due_ns)?;
        let goal = self.published_to_all() * self.run.load.clients as u64;
        self.run.await_deliveries(goal)
    }
}

/// How long each connect took.
#[derive(Default)]
struct Arrivals {
    took: Histogram,
}

impl Arrivals {
    fn into_outcome(self, outcome: Outcome) -> Outcome {
        let quantile_us = |share| self.took.quantile_ns(share) as f64 / 1e3;
        Outcome { p50_us: quantile_us(0.5), p99_us: quantile_us(0.99), ..outcome }
    }
}

impl Sink for Arrivals {
    fn packet(&mut self, _client: usize, _packet: &[u8], _now_ns: u64) {}

    fn joined(&mut self, _client: usize, took_ns: u64) {
        self.took.record(took_ns);
    }
}

/// How long a visitor stays, s; longer if it takes as long to be let in.
const STAY_S: f64 = 0.25;
/// Connects under way in a storm: more than a listen queue of 128 holds, fewer than one of 1024.
const STORM_IN_FLIGHT: usize = 512;
/// Nobody came in for this long: a server that serves its listeners first may need some of it.
const STORM_PATIENCE: Duration = Duration::from_secs(15);
/// Short, so that the schedule of the broadcast is kept.
const TURN_STORM: Duration = Duration::from_millis(2);

const _: () = assert!(TURN_STORM.as_millis() < TURN.as_millis());
