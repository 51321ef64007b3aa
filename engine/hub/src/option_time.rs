//! Times that options set: bounded once, where an option is read, so that no sum of them with the time of a turn overflows.
//!
//! Not moments, and not times that the engine chooses itself: those are numbers of milliseconds.

use std::time::Duration;

use crate::limits::OPTION_TIME_MS_MAX;

/// A time that an option sets, in whole milliseconds; a longer one than [`OPTION_TIME_MS_MAX`], which is 12 days, is taken for that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct OptionTime(u32);

impl OptionTime {
    /// The longest.
    pub const MAX: Self = Self(OPTION_TIME_MS_MAX);

    /// So many milliseconds, or the longest time.
    pub const fn from_ms(ms: u64) -> Self {
        if ms > OPTION_TIME_MS_MAX as u64 { Self::MAX } else { Self(ms as u32) }
    }

    /// Its whole milliseconds.
    pub const fn ms(self) -> u64 {
        self.0 as u64
    }
}

impl From<Duration> for OptionTime {
    fn from(duration: Duration) -> Self {
        Self::from_ms(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<OptionTime> for Duration {
    fn from(time: OptionTime) -> Self {
        Self::from_millis(time.ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_itself_up_to_the_maximum() {
        let max_ms = u64::from(OPTION_TIME_MS_MAX);
        for (duration, ms) in [
            (Duration::ZERO, 0),
            (Duration::from_micros(1_999), 1),
            (Duration::from_millis(max_ms), max_ms),
            (Duration::from_millis(max_ms + 1), max_ms),
            (Duration::from_millis(1 << 32), max_ms),
            (Duration::MAX, max_ms),
        ] {
            assert_eq!(OptionTime::from(duration).ms(), ms, "{duration:?}");
        }
    }
}
