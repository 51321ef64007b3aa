//! Does a saturated server still beat and still let people in? A closed loop of broadcasts keeps its core busy, while
//! each client's pings are timed and newcomers come at a steady pace and go again. It says nothing of the cost.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::fanout::Fanout;
use super::run::SILENCE_MAX;
use super::{Load, Pulse};
use crate::outcome::Outcome;
use crate::pulse::Readings;
use crate::served::Served;
use crate::swarm::{Checker, Heartbeats, Histogram, Sink, Target};

/// Lets everybody hear a ping in peace, saturates, measures, and waits until all that was promised has come.
pub(super) fn measure(served: &Served, name: &str, load: Load, pulse: Pulse) -> Result<Outcome> {
    let Pulse { outstanding, newcomers, interval_ms, seconds } = pulse;
    ensure!(
        outstanding > 0 && newcomers > 0.0 && seconds > 0.0,
        "a pulse needs messages, newcomers and time"
    );
    let mut patient = Patient::new(Fanout::start(served, load)?, u64::from(interval_ms) * 1_000_000);
    patient.listen(Duration::from_millis(u64::from(interval_ms)) + MARGIN)?;
    let silent = patient.heartbeats.silent();
    ensure!(silent == 0, "{silent} clients heard no ping in peace");
    patient.strain(served, outstanding, 0.0, load.warmup_s)?;
    patient.begin();
    let before = patient.fanout.run.mark(served);
    patient.strain(served, outstanding, newcomers, seconds)?;
    patient.heartbeats.end(patient.fanout.run.swarm.now_ns());
    let span = patient.fanout.run.span(served, &before);
    patient.settle()?;
    let (readings, missing) = (patient.readings(), patient.missing());
    patient.fanout.end_series();
    let mut outcome = patient.fanout.run.into_outcome(name, &span);
    outcome.faults.lost += missing;
    Ok(Outcome { pulse: Some(readings), ..outcome })
}

/// A server under strain, as its clients see it.
struct Patient {
    fanout: Fanout,
    heartbeats: Heartbeats,
    /// How long each newcomer took to be let in.
    took: Histogram,
    came: u64,
    /// Newcomers that are in and have not left yet.
    arrived: Vec<usize>,
}

impl Patient {
    fn new(fanout: Fanout, interval_ns: u64) -> Patient {
        let heartbeats = Heartbeats::new(fanout.run.load.clients, interval_ns);
        Patient { fanout, heartbeats, took: Histogram::default(), came: 0, arrived: Vec::new() }
    }

    /// The measured part begins.
    fn begin(&mut self) {
        self.heartbeats.clear_lateness();
        self.fanout.run.checker.clear_latency();
    }

    fn turn(&mut self) -> Result<()> {
        let Patient { fanout, heartbeats, took, arrived, .. } = self;
        let run = &mut fanout.run;
        let mut ward = Ward { checker: &mut run.checker, heartbeats, took, arrived };
        run.swarm.turn(Some(TURN), &mut ward)?;
        self.arrived.drain(..).for_each(|newcomer| run.swarm.leave(newcomer));
        Ok(())
    }

    fn listen(&mut self, long: Duration) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < long {
            self.turn()?;
        }
        Ok(())
    }

    /// Keeps so many messages under way, and lets so many newcomers a second in, for so long.
    fn strain(&mut self, served: &Served, outstanding: u32, newcomers: f64, seconds: f64) -> Result<()> {
        let target = Target::new(served.address(), usize::MAX);
        let (started, came_before) = (Instant::now(), self.came);
        while started.elapsed().as_secs_f64() < seconds {
            let wanted = came_before + (started.elapsed().as_secs_f64() * newcomers) as u64;
            while self.came < wanted {
                self.fanout.run.swarm.open(target, 0)?;
                self.came += 1;
            }
            self.publish_missing(outstanding)?;
            self.turn()?;
        }
        Ok(())
    }

    /// A message counts as arrived when as many deliveries came as it and all before it have.
    fn publish_missing(&mut self, outstanding: u32) -> Result<()> {
        let clients = self.fanout.run.load.clients as u64;
        let arrived = self.fanout.run.checker.delivered() / clients;
        let missing = (arrived + u64::from(outstanding)).saturating_sub(self.fanout.published_to_all());
        if missing > 0 {
            let now_ns = self.fanout.run.swarm.now_ns();
            self.fanout.publish_some(u32::try_from(missing).unwrap_or(u32::MAX), now_ns)?;
        }
        Ok(())
    }

    /// Until all messages are everywhere and all newcomers in, or nothing has happened for too long.
    fn settle(&mut self) -> Result<()> {
        let goal = self.fanout.published_to_all() * self.fanout.run.load.clients as u64 + self.came;
        let there = |patient: &Patient| patient.fanout.run.checker.delivered() + patient.took.len();
        let mut progress = (there(self), Instant::now());
        while progress.0 < goal && progress.1.elapsed() < SILENCE_MAX {
            self.turn()?;
            if there(self) > progress.0 {
                progress = (there(self), Instant::now());
            }
        }
        Ok(())
    }

    /// Newcomers who were never let in.
    fn missing(&self) -> u64 {
        self.came.saturating_sub(self.took.len())
    }

    fn readings(&self) -> Readings {
        Readings::of(self.heartbeats.lateness(), &self.took)
    }
}

/// Everything that the clients hear.
struct Ward<'a> {
    checker: &'a mut Checker,
    heartbeats: &'a mut Heartbeats,
    took: &'a mut Histogram,
    arrived: &'a mut Vec<usize>,
}

impl Sink for Ward<'_> {
    #[inline]
    fn packet(&mut self, client: usize, packet: &[u8], now_ns: u64) {
        self.checker.packet(client, packet, now_ns);
    }

    fn joined(&mut self, client: usize, took_ns: u64) {
        self.took.record(took_ns);
        self.arrived.push(client);
    }

    fn pinged(&mut self, client: usize, now_ns: u64) {
        self.heartbeats.note(client, now_ns);
    }
}

/// Beyond the interval: everybody's ping must have come once before the strain begins.
const MARGIN: Duration = Duration::from_millis(250);
/// Short, so that the schedule of the newcomers is kept.
const TURN: Duration = Duration::from_millis(5);
