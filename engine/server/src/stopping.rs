//! How a core stops: nothing that was said before is lost for want of time, and no client keeps it for ever.
//!
//! ```text
//! Running ──stop──▶ Settling ──all cores have said their last, or SETTLE_MS──▶ Closing ──nobody is left, or the window is over──▶ ended
//!                   nobody is accepted; letters                               clients are told; what is due
//!                   of the other cores still come                             and what lies in backlogs leaves
//! ```
//!
//! Not the closing itself, which is the hub's, and not the signal. The clock is an argument.

use socketville_hub::Remains;

use crate::limits::{ENDS_MS_MAX, SETTLE_MS_MAX};

/// Where a core is on its way to the end.
#[derive(Debug)]
pub(crate) struct Stopping {
    window_ms: u64,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Running,
    Settling { by_ms: u64, until_ms: u64 },
    Closing { until_ms: u64, ends_by_ms: Option<u64> },
    Ended,
}

/// What is to be done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Nobody is accepted any more.
    CloseListener,
    /// Clients are told, and have until then.
    CloseAll { until_ms: u64 },
}

/// Whether a core has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    GoesOn,
    /// Everybody has everything.
    Done,
    /// The window is over, and some have not.
    Cut,
}

impl Stopping {
    pub(crate) const fn new(window_ms: u64) -> Self {
        Self { window_ms, phase: Phase::Running }
    }

    /// The server stops; said again, it changes nothing.
    pub(crate) fn begin(&mut self, now_ms: u64) -> Option<Step> {
        if self.phase != Phase::Running {
            return None;
        }
        let until_ms = now_ms.saturating_add(self.window_ms);
        self.phase = Phase::Settling { by_ms: until_ms.min(now_ms.saturating_add(SETTLE_MS_MAX)), until_ms };
        Some(Step::CloseListener)
    }

    /// Whether this core has still to hear the others out.
    pub(crate) const fn is_settling(&self) -> bool {
        matches!(self.phase, Phase::Settling { .. })
    }

    pub(crate) const fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    /// All cores have said what they had to say, and this one has heard it; or one of them takes too long over it.
    pub(crate) fn settle(&mut self, now_ms: u64, has_heard_all: impl FnOnce() -> bool) -> Option<Step> {
        let Phase::Settling { by_ms, until_ms } = self.phase else { return None };
        if now_ms < by_ms && !has_heard_all() {
            return None;
        }
        self.phase = Phase::Closing { until_ms, ends_by_ms: None };
        Some(Step::CloseAll { until_ms })
    }

    /// At the end of a turn.
    pub(crate) fn judge(&mut self, now_ms: u64, remains: impl FnOnce() -> Remains) -> Verdict {
        let (until_ms, ends_by_ms) = match &mut self.phase {
            Phase::Running | Phase::Settling { .. } => return Verdict::GoesOn,
            Phase::Closing { until_ms, ends_by_ms } => (until_ms, ends_by_ms),
            Phase::Ended => return Verdict::Done,
        };
        let verdict = match remains() {
            Remains::Nothing => Verdict::Done,
            Remains::Ends if now_ms >= *ends_by_ms.get_or_insert((now_ms + ENDS_MS_MAX).min(*until_ms)) => {
                Verdict::Done
            }
            Remains::Owing if now_ms >= *until_ms => Verdict::Cut,
            Remains::Owing => {
                *ends_by_ms = None;
                return Verdict::GoesOn;
            }
            Remains::Ends => return Verdict::GoesOn,
        };
        self.phase = Phase::Ended;
        verdict
    }

    /// When something changes by time alone.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Running | Phase::Ended => None,
            Phase::Settling { by_ms, .. } => Some(by_ms),
            Phase::Closing { until_ms, ends_by_ms } => Some(ends_by_ms.unwrap_or(until_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW_MS: u64 = 10_000;

    /// One that began to stop at 100 ms.
    fn begun() -> Stopping {
        let mut stopping = Stopping::new(WINDOW_MS);
        assert_eq!((stopping.next_ms(), stopping.judge(50, || Remains::Nothing)), (None, Verdict::GoesOn));
        assert_eq!(stopping.begin(100), Some(Step::CloseListener));
        assert_eq!(stopping.begin(101), None);
        stopping
    }

    #[test]
    fn clients_are_told_once_all_cores_have_said_their_last() {
        let mut stopping = begun();
        assert_eq!(stopping.settle(150, || false), None);
        assert_eq!(stopping.judge(150, || Remains::Nothing), Verdict::GoesOn, "not before they are told");
        let told = Some(Step::CloseAll { until_ms: 100 + WINDOW_MS });
        assert_eq!(stopping.settle(160, || true), told);
        assert_eq!(stopping.settle(161, || true), None);
        assert_eq!(stopping.judge(161, || Remains::Nothing), Verdict::Done);
    }

    #[test]
    fn a_core_that_says_nothing_is_not_waited_for_long() {
        let mut stopping = begun();
        let by_ms = stopping.next_ms().expect("it is awaited");
        assert_eq!(by_ms, 100 + SETTLE_MS_MAX);
        assert_eq!(stopping.settle(by_ms - 1, || false), None);
        assert!(stopping.settle(by_ms, || false).is_some());
    }

    #[test]
    fn who_takes_is_waited_for_until_the_window_is_over() {
        let mut stopping = begun();
        assert!(stopping.settle(200, || true).is_some());
        assert_eq!(stopping.judge(10_099, || Remains::Owing), Verdict::GoesOn);
        assert_eq!(stopping.next_ms(), Some(10_100));
        assert_eq!(stopping.judge(10_100, || Remains::Owing), Verdict::Cut);
    }

    #[test]
    fn ends_are_waited_for_a_short_time() {
        let mut stopping = begun();
        assert!(stopping.settle(200, || true).is_some());
        assert_eq!(stopping.judge(300, || Remains::Ends), Verdict::GoesOn);
        let by_ms = stopping.next_ms().expect("it is awaited");
        assert_eq!(by_ms, 300 + ENDS_MS_MAX);
        assert_eq!(stopping.judge(by_ms - 1, || Remains::Ends), Verdict::GoesOn);
        assert_eq!(stopping.judge(by_ms, || Remains::Ends), Verdict::Done);
    }

    #[test]
    fn without_a_window_nobody_is_waited_for() {
        let mut stopping = Stopping::new(0);
        assert!(stopping.begin(7).is_some() && stopping.settle(7, || false).is_some());
        assert_eq!(stopping.judge(7, || Remains::Owing), Verdict::Cut);
        assert_eq!((stopping.judge(8, || Remains::Owing), stopping.next_ms()), (Verdict::Done, None), "once");
    }
}
