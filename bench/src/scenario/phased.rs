//! What does a server do with a second core, on a machine that has only two? A swarm that reads while the server
//! sends takes one of them; so here it sleeps until the server has finished, and reads afterwards. The receive
//! buffers of the sockets must hold a whole burst: every client is looked at before anybody reads, and a run whose
//! bytes did not fit is none. It checks everything that every fan-out checks; ages are not measured, for they are
//! those of the sleep.
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

/// What the measured phases took together.
#[derive(Default)]
struct Spent {
    wall: Duration,
    server_ns: u64,
    swarm_ns: u64,
    shortest: Option<Duration>,
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
        let mut first = Spent::default();
        self.phase(served, &watch(served)?, (count, every), burst_bytes, &mut first)?;
        Ok(Rhythm { burst_bytes, shortest: first.shortest })
    }

    pub(super) fn measure_phases(
        &mut self,
        served: &Served,
        count: u32,
        every: u32,
        phases: u32,
    ) -> Result<Span> {
        let (watch, before) = (watch(served)?, self.run.mark(served));
        let Rhythm { burst_bytes, shortest } = self.rhythm.context("phases come after a warm-up")?;
        let mut spent = Spent { shortest, ..Spent::default() };
        for _ in 0..phases {
            self.phase(served, &watch, (count, every), burst_bytes, &mut spent)?;
        }
        self.run.checker.clear_latency();
        let mut span = self.run.span(served, &before);
        span.wall_s = spent.wall.as_secs_f64();
        span.server_cpu_s = Some(spent.server_ns as f64 / 1e9);
        span.swarm_cpu_s = spent.swarm_ns as f64 / 1e9;
        Ok(span)
    }

    /// The burst that is not measured tells how many bytes each client gets of one.
    fn weigh_burst(&mut self, count: u32, every: u32) -> Result<usize> {
        let before = self.run.swarm.received_bytes();
        self.burst(count, every)?;
        let bytes = usize::try_from(self.run.swarm.received_bytes() - before)?;
        Ok(bytes / self.run.audience())
    }

    /// Whether exactly the burst lies at every client.
    fn all_hold(&self, served: &Served, bytes: usize) -> bool {
        let unread = unread_of(served.address()).unwrap_or_default();
        unread.iter().filter(|unread| **unread == bytes).count() == self.run.swarm.len()
    }

    fn phase(
        &mut self,
        served: &Served,
        watch: &Watch,
        (count, every): (u32, u32),
        burst_bytes: usize,
        spent: &mut Spent,
    ) -> Result<()> {
        std::thread::sleep(PAUSE);
        let goal = self.goal(count);
        let started = Instant::now();
        let before = Rest::now(watch)?;
        self.ask_for_burst(count, every)?;
        self.run.swarm.depart();
        std::thread::sleep(spent.shortest.map_or(Duration::ZERO, |shortest| shortest * 7 / 8));
        let mut rest = Rest { since: started, ..before };
        rest.follow(watch)?;
        while !self.all_hold(served, burst_bytes) {
            ensure!(started.elapsed() < SILENCE_MAX, "a burst did not fit into the receive buffers");
            rest.follow(watch)?;
        }
        let wall = rest.since.duration_since(started);
        spent.wall += wall;
        spent.server_ns += rest.server_ns.saturating_sub(before.server_ns);
        spent.swarm_ns += rest.swarm_ns.saturating_sub(before.swarm_ns);
        spent.shortest = Some(spent.shortest.map_or(wall, |shortest| shortest.min(wall)));
        self.run.await_deliveries(goal)?;
        self.run.checker.end_series(|_| count);
        Ok(())
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

fn watch(served: &Served) -> Result<Watch> {
    served.process().and_then(Watch::of).context("phases need the server's CPU time")
}

fn server_ns(watch: &Watch) -> Result<u64> {
    watch.cpu_ns().context("a thread of the server has ended")
}

/// Before each phase: acknowledgements of the reading before are over, and the swarm's own account is up to date.
const PAUSE: Duration = Duration::from_millis(3);
/// Between two looks at the server: a phase is measured too long by half of it, of forty milliseconds and more.
const LOOK: Duration = Duration::from_micros(500);
/// An account that has not changed for three ticks is that of a server that rests.
const QUIET: Duration = Duration::from_millis(12);
