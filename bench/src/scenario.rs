//! The two questions: what does a delivery cost when messages come at a steady pace, and when many come at
//! once? Pacing is an open loop: a message is due when the schedule says so, and its age counts from then,
//! however late the generator or the server is.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::machine::own_thread_cpu_ns;
use crate::metrics::Sends;
use crate::outcome::Outcome;
use crate::payload::{self, Stamp};
use crate::served::Served;
use crate::swarm::{Checker, Swarm, Target};

/// How messages come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// One message to all, so many times a second, for so long.
    Paced {
        /// Messages per second.
        rate: f64,
        /// Seconds of the measured part.
        seconds: f64,
    },
    /// `count` messages to all at once, the server yielding after each `every`; the next burst when all have
    /// it.
    Burst {
        /// Messages of a burst.
        count: u32,
        /// Messages between two yields.
        every: u32,
        /// Measured bursts, after one that is not measured.
        repeats: u32,
    },
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pace::Paced { rate, seconds } => write!(f, "paced {rate}/s for {seconds} s"),
            Pace::Burst { count, every, repeats } => {
                write!(f, "{repeats} bursts of {count}, yield after {every}")
            }
        }
    }
}

/// A whole run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Clients in the swarm; the first one also publishes.
    pub clients: usize,
    /// Bytes of a payload, at least [`payload::BYTES_MIN`].
    pub bytes: usize,
    /// How messages come.
    pub pace: Pace,
    /// Seconds of pacing before the measured part.
    pub warmup_s: f64,
}

/// The most clients of one swarm: what a usual hard limit of 20 000 descriptors leaves.
pub const CLIENTS_MAX: usize = 19_900;

/// Connects a swarm to the server and measures.
///
/// # Errors
/// When connecting or publishing fails. Loss and disorder are no errors but a failed [`Outcome`].
pub fn run(served: &Served, name: &str, load: Load) -> Result<Outcome> {
    ensure!((1..=CLIENTS_MAX).contains(&load.clients), "1 to {CLIENTS_MAX} clients, not {}", load.clients);
    ensure!(load.bytes >= payload::BYTES_MIN, "at least {} bytes, not {}", payload::BYTES_MIN, load.bytes);
    let mut swarm = Swarm::new()?;
    let connect =
        swarm.connect(Target { address: served.address(), clients: load.clients, source_offset: 0 })?;
    let checker = Checker::new(load.clients, load.bytes);
    let mut run = Run { swarm, checker, load, published: 0 };
    run.settle()?;
    let span = match load.pace {
        Pace::Paced { rate, seconds } => run.measure_paced(served, rate, seconds)?,
        Pace::Burst { count, every, repeats } => run.measure_bursts(served, count, every, repeats)?,
    };
    Ok(run.into_outcome(name, connect, &span))
}

struct Run {
    swarm: Swarm,
    checker: Checker,
    load: Load,
    published: u32,
}

/// Differences between the beginning and the end of the measured part.
struct Span {
    deliveries: u64,
    wall_s: f64,
    server_cpu_s: Option<f64>,
    swarm_cpu_s: f64,
    sends_per_frame: Option<f64>,
}

/// All clocks and counters at one moment.
struct Mark {
    at: Instant,
    delivered: u64,
    server_cpu_ns: Option<u64>,
    swarm_cpu_ns: u64,
    sends: Option<Sends>,
}

impl Run {
    fn measure_paced(&mut self, served: &Served, rate: f64, seconds: f64) -> Result<Span> {
        ensure!(rate > 0.0 && seconds > 0.0, "rate and seconds must be above 0, not {rate} and {seconds}");
        self.pace(rate, self.load.warmup_s.max(1.0 / rate))?;
        self.checker.clear_latency();
        let before = self.mark(served);
        self.pace(rate, seconds)?;
        let span = self.span(served, &before);
        self.checker.end_series(self.published);
        Ok(span)
    }

    fn measure_bursts(&mut self, served: &Served, count: u32, every: u32, repeats: u32) -> Result<Span> {
        ensure!(count > 0 && every > 0 && repeats > 0, "count, every and repeats must be above 0");
        self.burst(count, every)?;
        self.checker.clear_latency();
        let before = self.mark(served);
        for _ in 0..repeats {
            self.burst(count, every)?;
        }
        Ok(self.span(served, &before))
    }

    /// Publishes by the schedule to the end of its last interval, then waits until everybody has everything.
    fn pace(&mut self, rate: f64, seconds: f64) -> Result<()> {
        let count = (rate * seconds).round().max(1.0) as u32;
        let (start_ns, step_ns) = (self.swarm.now_ns(), 1e9 / rate);
        let goal = self.checker.delivered() + u64::from(count) * self.load.clients as u64;
        for index in 0..count {
            let due_ns = start_ns + (f64::from(index) * step_ns) as u64;
            self.turn_until(due_ns)?;
            self.publish(due_ns)?;
        }
        self.turn_until(start_ns + (f64::from(count) * step_ns) as u64)?;
        self.await_deliveries(goal)
    }

    /// Handles what comes until `due_ns`. Below the resolution of a wait it naps, so that the thread neither
    /// sleeps too long nor spins.
    fn turn_until(&mut self, due_ns: u64) -> Result<()> {
        loop {
            let left = Duration::from_nanos(due_ns.saturating_sub(self.swarm.now_ns()));
            if left.is_zero() {
                self.swarm.turn(Some(Duration::ZERO), &mut self.checker)?;
                return Ok(());
            }
            let whole = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(0).saturating_sub(1));
            if self.swarm.turn(Some(whole), &mut self.checker)? == 0 && whole.is_zero() {
                std::thread::sleep(left.min(NAP));
            }
        }
    }

    fn publish(&mut self, due_ns: u64) -> Result<()> {
        let stamp = Stamp { sequence: self.published, sent_ns: due_ns };
        self.published += 1;
        self.swarm.send_text(0, &format!(r#"42["pub",{{"p":"{}"}}]"#, stamp.payload(self.load.bytes)))
    }

    fn burst(&mut self, count: u32, every: u32) -> Result<()> {
        let rest = payload::rest(self.swarm.now_ns(), self.load.bytes);
        let goal = self.checker.delivered() + u64::from(count) * self.load.clients as u64;
        let text = format!(r#"42["burst",{{"count":{count},"every":{every},"rest":"{rest}"}}]"#);
        self.swarm.send_text(0, &text)?;
        self.await_deliveries(goal)?;
        self.checker.end_series(count);
        Ok(())
    }

    /// Handles what comes until so many messages are there, or nothing has come for too long (the checker
    /// will say what is missing).
    fn await_deliveries(&mut self, goal: u64) -> Result<()> {
        let mut progress = (self.checker.delivered(), Instant::now());
        while self.checker.delivered() < goal && progress.1.elapsed() < SILENCE_MAX {
            self.swarm.turn(Some(TURN), &mut self.checker)?;
            if self.checker.delivered() > progress.0 {
                progress = (self.checker.delivered(), Instant::now());
            }
        }
        Ok(())
    }

    /// Lets a server finish what connecting started: timers, garbage, acknowledgements.
    fn settle(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < SETTLE {
            self.swarm.turn(Some(TURN), &mut self.checker)?;
        }
        Ok(())
    }

    /// The server is asked for its own counters outside of the measured time, before it starts and after it
    /// ends.
    fn mark(&self, served: &Served) -> Mark {
        let sends = Sends::ask(served.address());
        Mark { sends, ..self.clocks(served) }
    }

    fn clocks(&self, served: &Served) -> Mark {
        Mark {
            delivered: self.checker.delivered(),
            server_cpu_ns: served.process().and_then(|process| process.cpu_ns()),
            swarm_cpu_ns: own_thread_cpu_ns(),
            sends: None,
            at: Instant::now(),
        }
    }

    fn span(&self, served: &Served, before: &Mark) -> Span {
        let after = self.clocks(served);
        let sends = before.sends.and_then(|before| Sends::ask(served.address())?.per_frame_since(before));
        let server_ns =
            after.server_cpu_ns.zip(before.server_cpu_ns).map(|(after, before)| after.saturating_sub(before));
        Span {
            deliveries: after.delivered - before.delivered,
            wall_s: after.at.duration_since(before.at).as_secs_f64(),
            server_cpu_s: server_ns.map(|ns| ns as f64 / 1e9),
            swarm_cpu_s: after.swarm_cpu_ns.saturating_sub(before.swarm_cpu_ns) as f64 / 1e9,
            sends_per_frame: sends,
        }
    }

    fn into_outcome(self, name: &str, connect: Duration, span: &Span) -> Outcome {
        let mut faults = self.checker.faults();
        faults.disconnected = self.swarm.lost() as u64;
        let quantile_us = |share| self.checker.latency().quantile_ns(share) as f64 / 1e3;
        Outcome {
            name: name.to_owned(),
            scenario: self.load.pace.to_string(),
            clients: self.load.clients,
            bytes: self.load.bytes,
            deliveries: span.deliveries,
            wall_s: span.wall_s,
            server_cpu_s: span.server_cpu_s,
            swarm_cpu_s: span.swarm_cpu_s,
            p50_us: quantile_us(0.5),
            p99_us: quantile_us(0.99),
            sends_per_frame: span.sends_per_frame,
            connect_s: connect.as_secs_f64(),
            faults,
        }
    }
}

/// A nap while a message is due in less than two milliseconds: waits have a resolution of one.
const NAP: Duration = Duration::from_micros(250);
/// How long one turn may wait.
const TURN: Duration = Duration::from_millis(20);
/// Nothing more came for this long: what is missing is lost.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Quiet time between connecting and publishing.
const SETTLE: Duration = Duration::from_millis(300);
