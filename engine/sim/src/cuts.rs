//! Ends of clients that they gave no reason for: whether the engine had one that is documented.
//!
//! Not the record of what a client did, which is the oracle's. A cut is judged after the turn in which it happened, when it is known what that
//! turn did: whether its core had stood still, how much it held, and what the kernel took of the client's bytes last.

use socketville_hub::limits::{DEBT_BYTES_MIN, GAP_MS, STALL_MS};

/// An end without a reason of the client's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The client that was cut.
    pub client: u64,
    /// What the application was told.
    pub reason: String,
    /// What the client had not got.
    pub owed: Owed,
}

/// What a client may still have to get.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Owed {
    /// Bytes at the most: of messages that it must get, and of those that it may get.
    pub bytes_max: usize,
}

/// What is known when a cut is judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context {
    /// Whether its core found in this turn that it had stood still.
    pub stood_still: bool,
    /// The engine's limit on what a slow reader may owe.
    pub backlog_bytes_max: usize,
    /// What it may owe beyond that while it reads on.
    pub burst_bytes_max: usize,
    /// Whether what the machine may hold is limited.
    pub has_memory_limit: bool,
    /// Whether the client had begun what it did not end: a message or a body.
    pub has_hoarded: bool,
    /// Of a WebSocket: when its kernel took bytes of it last. `None` of a client that polls.
    pub taken_ms: Option<u64>,
    /// When the core had its turn before this one.
    pub turned_ms: u64,
    /// Now.
    pub now_ms: u64,
}

/// What a client may owe beyond its messages when it is cut: acknowledgements, pings, headers.
const SLACK_BYTES: usize = 4_096;

impl Cut {
    /// Whether the engine may do this; if not, why.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn judge(&self, context: &Context) -> Result<(), String> {
        let owed = self.owed.bytes_max + SLACK_BYTES;
        let wrong = match self.reason.as_str() {
            "transport error" if context.stood_still || context.has_hoarded => return Ok(()),
            "slow reader" if owed < context.backlog_bytes_max => "it owes less than it may",
            "slow reader" if context.had_made_progress(owed) => "it had made progress",
            "slow reader" => return Ok(()),
            "memory limit" if !context.has_memory_limit => "memory is not limited",
            "memory limit" if owed < DEBT_BYTES_MIN + SLACK_BYTES && !context.has_hoarded => {
                "it is no debtor"
            }
            "memory limit" => return Ok(()),
            _ => "it gave no reason for that",
        };
        let Self { client, reason, owed } = self;
        Err(format!("client {client}: `{reason}`, but {wrong}; it owes {owed:?}, {context:?}"))
    }
}

impl Context {
    /// Whether a burst of so many bytes should have been served: it is within what a client may owe while it reads, and the kernel has taken
    /// some of it within the time, or could not be offered any since the core did not run. The engine may have begun to wait for progress as late
    /// as in its last turn.
    fn had_made_progress(&self, owed: usize) -> bool {
        let Some(taken_ms) = self.taken_ms else { return false };
        let is_after_gap = self.now_ms - self.turned_ms > STALL_MS + GAP_MS;
        let is_in_time = self.now_ms < taken_ms + STALL_MS || is_after_gap;
        !self.has_memory_limit && owed < self.backlog_bytes_max + self.burst_bytes_max && is_in_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Context = Context {
        stood_still: false,
        backlog_bytes_max: 10_000,
        burst_bytes_max: 50_000,
        has_memory_limit: false,
        has_hoarded: false,
        taken_ms: Some(1_000),
        turned_ms: 1_900,
        now_ms: 2_000,
    };

    fn judge(reason: &str, bytes_max: usize, context: Context) -> bool {
        Cut { client: 1, reason: reason.into(), owed: Owed { bytes_max } }.judge(&context).is_ok()
    }

    #[test]
    fn a_slow_reader_owes_more_than_it_may_and_takes_nothing() {
        assert!(judge("slow reader", 20_000, SLOW));
        assert!(!judge("slow reader", 1_000, SLOW));
        assert!(!judge("slow reader", 20_000, Context { taken_ms: Some(1_500), ..SLOW }));
        assert!(judge("slow reader", 60_000, Context { taken_ms: Some(1_500), ..SLOW }), "beyond the burst");
        assert!(judge("slow reader", 20_000, Context { taken_ms: None, ..SLOW }), "a poll has no burst");
        assert!(
            !judge("slow reader", 20_000, Context { turned_ms: 1_000, now_ms: 9_000, ..SLOW }),
            "a pause"
        );
    }

    #[test]
    fn memory_is_a_reason_where_it_is_limited_and_for_debtors() {
        let full = Context { has_memory_limit: true, ..SLOW };
        assert!(judge("memory limit", 9_000, full) && !judge("memory limit", 9_000, SLOW));
        assert!(!judge("memory limit", 100, full));
        assert!(judge("memory limit", 100, Context { has_hoarded: true, ..full }));
    }

    #[test]
    fn a_standstill_is_a_reason_and_nothing_else_is() {
        assert!(judge("transport error", 0, Context { stood_still: true, ..SLOW }));
        assert!(!judge("transport error", 0, SLOW) && !judge("ping timeout", 0, SLOW));
    }
}
