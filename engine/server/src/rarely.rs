//! Lines of the log that peers or handlers may cause as often as they like: one per cause and interval, with the number of those left out.
//!
//! A cause is a place in the code: each has a limit of its own. Without it a client decides how fast a disk fills.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::limits::LOG_INTERVAL_MS;

/// Whether a place may write a line.
pub(crate) struct Cause {
    next_ms: AtomicU64,
    untold: AtomicU64,
}

impl Cause {
    pub(crate) const fn new() -> Self {
        Self { next_ms: AtomicU64::new(0), untold: AtomicU64::new(0) }
    }

    /// How many lines were left out since the last one; `None` if this one is.
    pub(crate) fn admit(&self, now_ms: u64) -> Option<u64> {
        let next_ms = self.next_ms.load(Ordering::Relaxed);
        let later_ms = now_ms + LOG_INTERVAL_MS;
        let is_due = now_ms >= next_ms
            && self.next_ms.compare_exchange(next_ms, later_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !is_due {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.untold.swap(0, Ordering::Relaxed))
    }
}

/// The time of the log, in milliseconds: not a core's, for any thread writes lines.
pub(crate) fn now_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64
}

/// Writes a line of this level, unless this place has written one lately: `rarely!(warn, field, "what happened")`. The field `untold` is the number
/// of lines that were left out before it.
macro_rules! rarely {
    ($level:ident, $($line:tt)+) => {{
        static CAUSE: $crate::rarely::Cause = $crate::rarely::Cause::new();
        if let Some(untold) = CAUSE.admit($crate::rarely::now_ms()) {
            tracing::$level!(untold, $($line)+);
        }
    }};
}

pub(crate) use rarely;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_an_interval_tells_of_the_others() {
        let cause = Cause::new();
        assert_eq!(cause.admit(5), Some(0), "the first at once");
        for now_ms in [5, 6, 5 + LOG_INTERVAL_MS - 1] {
            assert_eq!(cause.admit(now_ms), None);
        }
        assert_eq!(cause.admit(5 + LOG_INTERVAL_MS), Some(3));
        assert_eq!(cause.admit(5 + 3 * LOG_INTERVAL_MS), Some(0));
    }

    #[test]
    fn many_threads_write_one_line() {
        let cause = Cause::new();
        let lines: usize = std::thread::scope(|scope| {
            let count = || (0..1000).filter(|_| cause.admit(7).is_some()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(lines, 1);
        assert_eq!(cause.admit(7 + LOG_INTERVAL_MS), Some(3999));
    }
}
