//! What every run has: a swarm with its checker, clocks read before and after, waiting without spinning. Not
//! a load: those are beside it.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Audience, Load};
use crate::machine::{idle_ns, own_cores, own_thread_cpu_ns};
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
    core_idle_ns: Option<u64>,
    swarm_cpu_ns: u64,
    swarm_idle_ns: Option<u64>,
    sends: Option<Sends>,
}

/// Differences between the beginning and the end of the measured part, or the sums of several.
#[derive(Default)]
pub(super) struct Span {
    pub(super) deliveries: u64,
    pub(super) wall_s: f64,
    received_bytes: u64,
    pub(super) server_cpu_s: Option<f64>,
    core_busy_s: Option<f64>,
    pub(super) swarm_cpu_s: f64,
    sends: Option<Sends>,
    user_bytes: Option<f64>,
}

impl Span {
    /// What follows counts too; memory is the last one's.
    pub(super) fn add(&mut self, next: &Span) {
        self.deliveries += next.deliveries;
        self.wall_s += next.wall_s;
        self.received_bytes += next.received_bytes;
        self.server_cpu_s = sum(self.server_cpu_s, next.server_cpu_s);
        self.core_busy_s = sum(self.core_busy_s, next.core_busy_s);
        self.swarm_cpu_s += next.swarm_cpu_s;
        self.sends = match (self.sends, next.sends) {
            (Some(before), Some(next)) => Some(before.plus(next)),
            (before, next) => before.or(next),
        };
        self.user_bytes = next.user_bytes.or(self.user_bytes);
    }

    /// A share of it, as if each of its moments were alike.
    pub(super) fn times(self, share: f64) -> Span {
        let of = |count: u64| (count as f64 * share).round() as u64;
        Span {
            deliveries: of(self.deliveries),
            wall_s: self.wall_s * share,
            received_bytes: of(self.received_bytes),
            server_cpu_s: self.server_cpu_s.map(|seconds| seconds * share),
            core_busy_s: self.core_busy_s.map(|seconds| seconds * share),
            swarm_cpu_s: self.swarm_cpu_s * share,
            ..self
        }
    }
}

/// Of two figures either of which may be unknown.
fn sum(before: Option<f64>, next: Option<f64>) -> Option<f64> {
    match (before, next) {
        (Some(before), Some(next)) => Some(before + next),
        (before, next) => before.or(next),
    }
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
        if let Some(watch) = served.watching() {
            watch.begin();
        }
        Mark { sends, ..self.clocks(served) }
    }

    fn clocks(&self, served: &Served) -> Mark {
        Mark {
            delivered: self.checker.delivered(),
            received_bytes: self.swarm.received_bytes(),
            server_cpu_ns: served.process().and_then(|process| process.cpu_ns()),
            core_idle_ns: served.core_idle_ns(),
            swarm_cpu_ns: own_thread_cpu_ns(),
            swarm_idle_ns: served.is_apart().then(|| idle_ns(&own_cores()?)).flatten(),
            sends: None,
            at: Instant::now(),
        }
    }

    pub(super) fn span(&self, served: &Served, before: &Mark) -> Span {
        let after = self.clocks(served);
        if let Some(watch) = served.watching() {
            watch.end();
        }
        let sends = before.sends.and_then(|before| Some(served.sends()?.since(before)));
        let server_ns =
            after.server_cpu_ns.zip(before.server_cpu_ns).map(|(after, before)| after.saturating_sub(before));
        let wall_s = after.at.duration_since(before.at).as_secs_f64();
        let busy_s = |after: Option<u64>, before: Option<u64>, cores: usize| {
            let idle_s = after?.saturating_sub(before?) as f64 / 1e9;
            Some((wall_s * cores as f64 - idle_s).max(0.0))
        };
        let swarm_s = after.swarm_cpu_ns.saturating_sub(before.swarm_cpu_ns) as f64 / 1e9;
        let swarm_core_s = busy_s(after.swarm_idle_ns, before.swarm_idle_ns, 1);
        Span {
            deliveries: after.delivered - before.delivered,
            wall_s,
            core_busy_s: busy_s(after.core_idle_ns, before.core_idle_ns, served.cores_count()),
            received_bytes: after.received_bytes - before.received_bytes,
            server_cpu_s: server_ns.map(|ns| ns as f64 / 1e9),
            // Where the swarm's core receives for it, what that takes is not all charged to the swarm.
            swarm_cpu_s: swarm_core_s.map_or(swarm_s, |core_s| core_s.max(swarm_s)),
            sends,
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
            core_busy_s: span.core_busy_s,
            swarm_cpu_s: span.swarm_cpu_s,
            p50_us: quantile_us(0.5),
            p99_us: quantile_us(0.99),
            sends_per_frame: span.sends.and_then(Sends::per_frame),
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
