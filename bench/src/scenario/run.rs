//! What every run has: a swarm with its checker, clocks read before and after, waiting without spinning. Not
//! a load: those are beside it.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Audience, Load};
use crate::machine::own_thread_cpu_ns;
use crate::metrics::Sends;
use crate::outcome::{Outcome, Unit};
use crate::served::Served;
use crate::swarm::{Checker, Swarm, Target, Transport};

/// A swarm at work.
pub(super) struct Run {
    pub(super) swarm: Swarm,
    pub(super) checker: Checker,
    pub(super) load: Load,
    connect: Duration,
    /// Resident memory of the server before anybody came.
    resident: Option<u64>,
}

/// All clocks and counters at one moment.
pub(super) struct Mark {
    at: Instant,
    delivered: u64,
    received_bytes: u64,
    server_cpu_ns: Option<u64>,
    swarm_cpu_ns: u64,
    sends: Option<Sends>,
}

/// Differences between the beginning and the end of the measured part.
pub(super) struct Span {
    pub(super) deliveries: u64,
    pub(super) wall_s: f64,
    received_bytes: u64,
    server_cpu_s: Option<f64>,
    swarm_cpu_s: f64,
    sends_per_frame: Option<f64>,
    user_bytes: Option<f64>,
}

impl Run {
    /// Connects everybody, joins the rooms, and lets the server finish what that started.
    pub(super) fn start(served: &Served, load: Load) -> Result<Run> {
        let mut swarm = Swarm::new()?;
        let resident = resident(served);
        let all = Target { transport: load.transport, ..Target::new(served.address(), load.clients) };
        let mut connect = Duration::ZERO;
        if load.transport == Transport::Polling {
            connect += swarm.connect(Target::new(served.address(), 1))?;
        }
        connect += swarm.connect(all)?;
        let checker = Checker::new(swarm.len(), load.bytes);
        let mut run = Run { swarm, checker, load, connect, resident };
        run.settle()?;
        Ok(run)
    }

    /// How many hear one message.
    pub(super) fn audience(&self) -> usize {
        match self.load.audience {
            Audience::All => self.swarm.len(),
            Audience::Rooms(members) => members,
        }
    }

    /// Handles what comes until `due_ns`. Below the resolution of a wait it naps, so that the thread neither
    /// sleeps too long nor spins.
    pub(super) fn turn_until(&mut self, due_ns: u64) -> Result<()> {
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

    /// Handles what comes until so many messages are there, or nothing has come for too long (the checker
    /// will say what is missing).
    pub(super) fn await_deliveries(&mut self, goal: u64) -> Result<()> {
        let mut progress = (self.checker.delivered(), Instant::now());
        while self.checker.delivered() < goal && progress.1.elapsed() < SILENCE_MAX {
            self.swarm.turn(Some(TURN), &mut self.checker)?;
            if self.checker.delivered() > progress.0 {
                progress = (self.checker.delivered(), Instant::now());
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        let until_ns = self.swarm.now_ns() + SETTLE.as_nanos() as u64;
        self.turn_until(until_ns)
    }

    /// The server is asked for its own counters outside of the measured time, before it starts and after it
    /// ends.
    pub(super) fn mark(&self, served: &Served) -> Mark {
        let sends = served.sends();
        Mark { sends, ..self.clocks(served) }
    }

    fn clocks(&self, served: &Served) -> Mark {
        Mark {
            delivered: self.checker.delivered(),
            received_bytes: self.swarm.received_bytes(),
            server_cpu_ns: served.process().and_then(|process| process.cpu_ns()),
            swarm_cpu_ns: own_thread_cpu_ns(),
            sends: None,
            at: Instant::now(),
        }
    }

    pub(super) fn span(&self, served: &Served, before: &Mark) -> Span {
        let after = self.clocks(served);
        let sends = before.sends.and_then(|before| served.sends()?.per_frame_since(before));
        let server_ns =
            after.server_cpu_ns.zip(before.server_cpu_ns).map(|(after, before)| after.saturating_sub(before));
        Span {
            deliveries: after.delivered - before.delivered,
            wall_s: after.at.duration_since(before.at).as_secs_f64(),
            received_bytes: after.received_bytes - before.received_bytes,
            server_cpu_s: server_ns.map(|ns| ns as f64 / 1e9),
            swarm_cpu_s: after.swarm_cpu_ns.saturating_sub(before.swarm_cpu_ns) as f64 / 1e9,
            sends_per_frame: sends,
            user_bytes: resident(served)
                .zip(self.resident)
                .map(|(after, before)| (after as f64 - before as f64) / self.swarm.len().max(1) as f64),
        }
    }

    /// The outcome in deliveries; other units change what they count.
    pub(super) fn into_outcome(self, name: &str, span: &Span) -> Outcome {
        let mut faults = self.checker.faults();
        faults.disconnected = self.swarm.lost() as u64;
        let quantile_us = |share| self.checker.latency().quantile_ns(share) as f64 / 1e3;
        let bytes_per_unit =
            (span.deliveries > 0).then(|| span.received_bytes as f64 / span.deliveries as f64);
        Outcome {
            name: name.to_owned(),
            scenario: self.load.work.to_string(),
            unit: Unit::Delivery,
            clients: self.load.clients,
            bytes: self.load.bytes,
            count: span.deliveries,
            wall_s: span.wall_s,
            server_cpu_s: span.server_cpu_s,
            swarm_cpu_s: span.swarm_cpu_s,
            p50_us: quantile_us(0.5),
            p99_us: quantile_us(0.99),
            sends_per_frame: span.sends_per_frame,
            wire_bytes: bytes_per_unit,
            connect_s: self.connect.as_secs_f64(),
            user_bytes: span.user_bytes,
            kernel_bytes: None,
            pulse: None,
            faults,
        }
    }
}

fn resident(served: &Served) -> Option<u64> {
    served.process().and_then(|process| process.resident_bytes())
}

/// A nap while a message is due in less than two milliseconds: waits have a resolution of one.
const NAP: Duration = Duration::from_micros(250);
/// How long one turn may wait.
pub(super) const TURN: Duration = Duration::from_millis(20);
/// Nothing more came for this long: what is missing is lost.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Quiet time between connecting and publishing: timers, garbage, acknowledgements.
const SETTLE: Duration = Duration::from_millis(300);
