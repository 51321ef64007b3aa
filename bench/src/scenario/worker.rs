//! Somebody who shares a round with others: started, connected and warm, it works for a part of the measured time while
//! the others rest, so that a moment in which the machine is slow is a moment of everybody. It does not decide whose
//! turn it is.

use anyhow::Result;

use super::fanout::Fanout;
use super::run::Span;
use super::{Load, Work};
use crate::contestants::Contestant;
use crate::outcome::Outcome;
use crate::served::Served;

/// A server under measurement with its swarm, and what its parts have cost so far.
pub struct Worker {
    name: String,
    served: Served,
    fanout: Fanout,
    total: Span,
}

impl Load {
    /// Into how many parts the measured time may be cut; `None` where the work has no parts of equal cost.
    #[must_use]
    pub fn parts(&self) -> Option<u32> {
        match self.work {
            Work::Paced { rate, seconds } => Some(((rate * seconds) as u32).clamp(1, PARTS_MAX)),
            Work::Closed { .. } => Some(PARTS_MAX),
            Work::Burst { repeats, .. } | Work::Volley { repeats, .. } => Some(repeats.max(1)),
            Work::Echo { .. } | Work::Connect | Work::Churn { .. } | Work::Storm { .. } => None,
        }
    }
}

impl Worker {
    /// Starts somebody, connects its swarm, and does what is not measured.
    ///
    /// # Errors
    /// When it does not start, or the swarm cannot connect, or the load is no fan-out.
    pub fn start(contestant: &Contestant, cores: &str, load: Load) -> Result<Worker> {
        let served = contestant.start(cores)?;
        let mut fanout = Fanout::start(&served, load.of(contestant))?;
        fanout.warm_up()?;
        Ok(Worker { name: contestant.name.clone(), served, fanout, total: Span::default() })
    }

    /// Does one of so many parts.
    ///
    /// # Errors
    /// When the publishing client is lost. Other faults are in the outcome.
    pub fn work(&mut self, parts: u32) -> Result<()> {
        let span = self.fanout.work(&self.served, parts)?;
        self.total.add(&span);
        Ok(())
    }

    /// What all parts together were.
    #[must_use]
    pub fn finish(self) -> Outcome {
        self.fanout.finish(&self.name, &self.total)
    }
}

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
        assert_eq!(parts(Work::Paced { rate: 50.0, seconds: 1.0 }), Some(5));
        assert_eq!(parts(Work::Paced { rate: 5.0, seconds: 0.8 }), Some(4));
        assert_eq!(parts(Work::Paced { rate: 1.0, seconds: 0.5 }), Some(1));
    }

    #[test]
    fn what_has_no_equal_parts_is_done_in_one_piece() {
        assert_eq!(parts(Work::Connect), None);
        assert_eq!(parts(Work::Echo { in_flight: 8, seconds: 1.0 }), None);
    }
}
