//! What does a server do with a second core, on a machine that has only two? A swarm that reads while the server
//! sends takes one of them; so here it sleeps until the server has finished, and reads afterwards. The receive
//! buffers of the sockets must hold a whole burst: every client is looked at before anybody reads, and a run whose
//! bytes did not fit is none. It checks everything that every fan-out checks; ages are not measured, for they are
//! those of the sleep. The quickest quarter of the phases counts: whoever else has one of the cores for a while makes a
//! phase longer, never shorter, and two cores are free together more rarely than one is.
//!
//! ```text
//! ask for a burst   sleep ⅞ of the shortest phase   look every 500 us until the server rests   all there?   read, check
//! |---------------- measured: until the first look at the server's last account --------|
//! ```
//!
//! Looking costs some tens of microseconds each time in the last eighth of a phase, on the swarm's core, which is one of the
//! server's: the share of the time stands in the outcome as the swarm's own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::fanout::Fanout;
use super::run::{SILENCE_MAX, Span};
use crate::machine::{Watch, own_thread_cpu_ns, unread_of};
use crate::served::Served;

/// What a phase took.
struct Phase {
    wall: Duration,
    server_ns: u64,
    swarm_ns: u64,
}

/// When the server had finished, and what both sides had used then.
struct Rest {
    since: Instant,
    server_ns: u64,
    swarm_ns: u64,
}

/// What a burst and a phase that are not measured have told.
#[derive(Clone, Copy)]
pub(super) struct Rhythm {
    /// Bytes that each client gets of a burst.
    burst_bytes: usize,
    /// How long a phase takes: whoever does not know looks all the time.
    shortest: Option<Duration>,
}

impl Fanout {
    pub(super) fn learn_rhythm(&mut self, served: &Served, count: u32, every: u32) -> Result<Rhythm> {
        let burst_bytes = self.weigh_burst(count, every)?;
        let first = self.phase(served, &watch(served)?, (count, every), burst_bytes, None)?;
        Ok(Rhythm { burst_bytes, shortest: Some(first.wall) })
    }

    pub(super) fn measure_phases(
        &mut self,
        served: &Served,
        count: u32,
        every: u32,
        phases: u32,
    ) -> Result<Span> {
        let (watch, before) = (watch(served)?, self.run.mark(served));
        let Rhythm { burst_bytes, mut shortest } = self.rhythm.context("phases come after a warm-up")?;
        let mut all = Vec::new();
        for _ in 0..phases {
            let phase = self.phase(served, &watch, (count, every), burst_bytes, shortest)?;
            shortest = shortest.into_iter().chain([phase.wall]).min();
            all.push(phase);
        }
        self.run.checker.clear_latency();
        let quickest = quickest(&mut all);
        let seconds = |ns: fn(&Phase) -> u64| quickest.iter().map(ns).sum::<u64>() as f64 / 1e9;
        let mut span = self.run.span(served, &before).times(quickest.len() as f64 / f64::from(phases));
        span.wall_s = quickest.iter().map(|phase| phase.wall.as_secs_f64()).sum();
        span.server_cpu_s = Some(seconds(|phase| phase.server_ns));
        span.swarm_cpu_s = seconds(|phase| phase.swarm_ns);
        Ok(span)
    }

    /// The burst that is not measured tells how many bytes each client gets of one.
    fn weigh_burst(&mut self, count: u32, every: u32) -> Result<usize> {
        let before = self.run.swarm.received_bytes();
        self.burst(count, every)?;
        let bytes = usize::try_from(self.run.swarm.received_bytes() - before)?;
        Ok(bytes / self.run.audience())
    }

    /// Whether the burst lies at every client, and nothing else but a ping.
    fn all_hold(&self, served: &Served, bytes: usize) -> bool {
        let unread = unread_of(served.address()).unwrap_or_default();
        let holds = |unread: &&usize| **unread == bytes || **unread == bytes + PING_BYTES;
        unread.iter().filter(holds).count() == self.run.swarm.len()
    }

    fn phase(
        &mut self,
        served: &Served,
        watch: &Watch,
        (count, every): (u32, u32),
        burst_bytes: usize,
        shortest: Option<Duration>,
    ) -> Result<Phase> {
        std::thread::sleep(PAUSE);
        let goal = self.goal(count);
        let started = Instant::now();
        let before = Rest::now(watch)?;
        self.ask_for_burst(count, every)?;
        self.run.swarm.depart();
        std::thread::sleep(shortest.map_or(Duration::ZERO, |shortest| shortest * 7 / 8));
        let mut rest = Rest { since: started, ..before };
        rest.follow(watch)?;
        while !self.all_hold(served, burst_bytes) {
            ensure!(started.elapsed() < SILENCE_MAX, "a burst did not fit into the receive buffers");
            rest.follow(watch)?;
        }
        let phase = Phase {
            wall: rest.since.duration_since(started),
            server_ns: rest.server_ns.saturating_sub(before.server_ns),
            swarm_ns: rest.swarm_ns.saturating_sub(before.swarm_ns),
        };
        self.run.await_deliveries(goal)?;
        self.run.checker.end_series(|_| count);
        Ok(phase)
    }
}

impl Rest {
    /// Looks until the server's account has stood still for long enough. A server that somebody else keeps from its
    /// core may seem to rest: who asks looks whether all is there, and asks again.
    fn follow(&mut self, watch: &Watch) -> Result<()> {
        let mut quiet = Instant::now();
        while quiet.elapsed() < QUIET {
            if server_ns(watch)? != self.server_ns {
                *self = Rest::now(watch)?;
                quiet = self.since;
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn now(watch: &Watch) -> Result<Rest> {
        let (since, server_ns) = (Instant::now(), server_ns(watch)?);
        Ok(Rest { since, server_ns, swarm_ns: own_thread_cpu_ns() })
    }
}

/// The quarter that counts, and at least one.
fn quickest(phases: &mut [Phase]) -> &[Phase] {
    phases.sort_by_key(|phase| phase.wall);
    let count = (phases.len() / 4).max(1).min(phases.len());
    phases.get(..count).unwrap_or_default()
}

fn watch(served: &Served) -> Result<Watch> {
    served.process().and_then(Watch::of).context("phases need the server's CPU time")
}

fn server_ns(watch: &Watch) -> Result<u64> {
    watch.cpu_ns().context("a thread of the server has ended")
}

/// A frame with Engine.IO's ping: a round may take longer than the 25 seconds between two.
const PING_BYTES: usize = 3;
/// Before each phase: acknowledgements of the reading before are over, and the swarm's own account is up to date.
const PAUSE: Duration = Duration::from_millis(3);
/// Between two looks at the server: a phase is measured too long by half of it, of forty milliseconds and more.
const LOOK: Duration = Duration::from_micros(500);
/// An account that has not changed for three ticks is that of a server that rests.
const QUIET: Duration = Duration::from_millis(12);

#[cfg(test)]
mod tests {
    use super::*;

    fn phases(walls_ms: &[u64]) -> Vec<Phase> {
        let phase = |ms: &u64| Phase { wall: Duration::from_millis(*ms), server_ns: *ms, swarm_ns: 0 };
        walls_ms.iter().map(phase).collect()
    }

    #[test]
    fn a_quarter_counts_and_at_least_one_phase() {
        let counted = |walls_ms: &[u64]| -> Vec<u64> {
            quickest(&mut phases(walls_ms)).iter().map(|phase| phase.server_ns).collect()
        };
        assert_eq!(counted(&[50, 40, 90, 41, 42, 70, 60, 43]), [40, 41]);
        assert_eq!(counted(&[50, 40, 90]), [40]);
        assert_eq!(counted(&[50]), [50]);
        assert!(counted(&[]).is_empty());
    }
}
