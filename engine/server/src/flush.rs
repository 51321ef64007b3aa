//! Flush intervals: how long the broadcasts of a namespace may wait for others, so that more of them leave in one send.
//!
//! Not the waiting, which is the hub's, and not an emit's own allowance: that is [`Broadcast::flush_within`](crate::Broadcast::flush_within).

use std::time::Duration;

use crate::builder::Namespace;
use crate::limits::FLUSH_INTERVAL_MS_MAX;

impl Namespace<'_> {
    /// Lets the namespace's broadcasts wait so long for others: a send costs the same with one as with many, so at 50 broadcasts a second 100 ms
    /// save four sends of five. Default zero: all leaves at the end of the turn. What is emitted to a single socket, acknowledgements and pings do not
    /// wait, and take along what does; so the order on a socket stays that of the calls.
    ///
    /// Whole milliseconds count, at most [`FLUSH_INTERVAL_MS_MAX`]. Of a parent it is all its children's.
    ///
    /// ```
    /// use std::time::Duration;
    /// use socketville::Server;
    ///
    /// Server::builder().of("/prices").flush_interval(Duration::from_millis(20));
    /// ```
    pub fn flush_interval(self, interval: Duration) -> Self {
        self.with(|namespace| namespace.flush_interval_ms = allowance_ms(interval))
    }
}

/// Whole milliseconds, never more than was allowed.
pub(crate) const fn allowance_ms(allowance: Duration) -> u8 {
    let ms = allowance.as_millis();
    if ms > FLUSH_INTERVAL_MS_MAX as u128 { FLUSH_INTERVAL_MS_MAX } else { ms as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_milliseconds_count_up_to_the_limit() {
        for (allowance, ms) in [
            (Duration::ZERO, 0),
            (Duration::from_micros(999), 0),
            (Duration::from_micros(1_999), 1),
            (Duration::from_millis(250), 250),
            (Duration::from_millis(256), 250),
            (Duration::MAX, 250),
        ] {
            assert_eq!(allowance_ms(allowance), ms, "{allowance:?}");
        }
    }
}
