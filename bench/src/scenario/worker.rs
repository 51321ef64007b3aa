//! Somebody who shares a round with others: started, connected and warm, it works for a part of the measured time while
//! the others rest, so that a moment in which the machine is slow is a moment of everybody. It does not decide whose
//! turn it is.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};

use super::fanout::Fanout;
use super::run::Span;
use super::{Audience, Load, Work};
use crate::contestants::Contestant;
use crate::outcome::Outcome;

/// A server under measurement with its swarm, on a thread and a descriptor table of their own: limits of open
/// descriptors are often 20 000, and five swarms of 10 000 rest while one works.
pub struct Worker {
    orders: Sender<Part>,
    reports: Receiver<()>,
    thread: JoinHandle<Result<Outcome>>,
}

/// One of so many parts.
struct Part {
    of: u32,
}

impl Load {
    /// Whether messages come so fast that no socket of a server that is always at work ever rests: then neither may the rest count that
    /// precedes a measured part.
    pub(super) fn is_reheated(&self) -> bool {
        matches!(self.work, Work::Paced { rate, .. } if rate >= REHEATED_RATE_MIN && self.audience == Audience::All)
    }

    /// Messages of all parts that are not measured and undo the rests.
    #[must_use]
    pub fn reheating(&self) -> u32 {
        if self.is_reheated() { REHEATED_PARTS * QUICK_ACKS } else { 0 }
    }

    /// Into how many parts the measured time may be cut; `None` where the work has no parts of equal cost.
    #[must_use]
    pub fn parts(&self) -> Option<u32> {
        match self.work {
            Work::Paced { .. } if self.is_reheated() => Some(REHEATED_PARTS),
            Work::Paced { rate, seconds } => Some(((rate * seconds) as u32).clamp(1, PARTS_MAX)),
            Work::Closed { .. } => Some(PARTS_MAX),
            Work::Phased { phases, .. } => Some(phases.clamp(1, PHASED_PARTS_MAX)),
            Work::Burst { repeats, .. } | Work::Volley { repeats, .. } => Some(repeats.max(1)),
            Work::Echo { .. } | Work::Connect | Work::Churn { .. } | Work::Storm { .. } | Work::Pulse(_) => {
                None
            }
        }
    }
}

impl Worker {
    /// Starts somebody, connects its swarm, and does what is not measured. What fails is told at the end.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn start(contestant: &Contestant, cores: &str, load: Load) -> Result<Worker> {
        let (orders, parts) = channel();
        let (done, reports) = channel();
        let (contestant, cores) = (contestant.clone(), cores.to_owned());
        let work = move || serve_parts(&contestant, &cores, load, &parts, &done);
        let thread = thread::Builder::new().name("swarm".to_owned()).spawn(work).context("no thread")?;
        let worker = Worker { orders, reports, thread };
        worker.wait();
        Ok(worker)
    }

    /// Does one of so many parts.
    pub fn work(&self, parts: u32) {
        if self.orders.send(Part { of: parts }).is_ok() {
            self.wait();
        }
    }

    /// What all parts together were.
    ///
    /// # Errors
    /// When it did not start, the swarm could not connect, or the publishing client was lost. Other faults are in
    /// the outcome.
    pub fn finish(self) -> Result<Outcome> {
        drop(self.orders);
        self.thread.join().unwrap_or_else(|_| Err(anyhow!("the swarm panicked")))
    }

    /// Until the thread is ready for orders, or has ended: only one swarm works at a time.
    fn wait(&self) {
        let _has_ended = self.reports.recv().is_err();
    }
}

fn serve_parts(
    contestant: &Contestant,
    cores: &str,
    load: Load,
    parts: &Receiver<Part>,
    done: &Sender<()>,
) -> Result<Outcome> {
    // The limit of open descriptors counts for each table. From here on this thread sees nothing that others open, and nothing it opens
    // reaches them: only numbers and texts cross its channels.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).context("no descriptor table for a swarm")?;
    let served = contestant.start(cores)?;
    let mut fanout = Fanout::start(&served, load.of(contestant))?;
    fanout.warm_up(&served)?;
    let mut total = Span::default();
    done.send(())?;
    for part in parts {
        total.add(&fanout.work(&served, part.of)?);
        done.send(())?;
    }
    Ok(fanout.finish(&contestant.name, &total))
}

/// Messages a second from which a worker's rest is undone: fewer would cost more than they are worth.
const REHEATED_RATE_MIN: f64 = 50.0;
/// `TCP_MAX_QUICKACKS` of the kernel: what a rest costs is over after so many messages.
pub(super) const QUICK_ACKS: u32 = 16;
/// Fewer than others have: what precedes each takes as long as one of theirs.
const REHEATED_PARTS: u32 = 2;
/// Phases are long: each of these parts has a few.
const PHASED_PARTS_MAX: u32 = 2;
/// A fifth of a round: some tens of milliseconds of work, shorter than the slow spells of a shared machine.
const PARTS_MAX: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(work: Work) -> Option<u32> {
        Load { work, ..Load::default() }.parts()
    }

    #[test]
    fn every_part_has_a_message() {
        assert_eq!(parts(Work::Paced { rate: 50.0, seconds: 1.0 }), Some(2), "these are reheated");
        assert_eq!(parts(Work::Paced { rate: 20.0, seconds: 1.0 }), Some(5));
        assert_eq!(parts(Work::Paced { rate: 5.0, seconds: 0.8 }), Some(4));
        assert_eq!(parts(Work::Paced { rate: 1.0, seconds: 0.5 }), Some(1));
    }

    #[test]
    fn what_has_no_equal_parts_is_done_in_one_piece() {
        assert_eq!(parts(Work::Connect), None);
        assert_eq!(parts(Work::Echo { in_flight: 8, seconds: 1.0 }), None);
    }
}
