//! Letters of this core that another core's full mailbox did not take, in their order, by number and by bytes; and how long that core has taken nothing.

use std::collections::VecDeque;

use crate::limits::STANDSTILL_STEP_MS;
use crate::mailbox::{Letter, Mailbox};

/// Letters that a full mailbox did not take.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) letters: VecDeque<Letter>,
    /// Of the broadcasts among them.
    pub(crate) bytes: usize,
    /// Letters that the core had taken, when it was looked at, and for how long it has been as many.
    taken: u64,
    looked_ms: u64,
    idle_ms: u64,
}

impl Waiting {
    pub(crate) fn push(&mut self, letter: Letter) {
        self.bytes += letter.bytes();
        self.letters.push_back(letter);
    }

    /// Posts as many as the mailbox takes.
    pub(crate) fn post_to(&mut self, mailbox: &Mailbox) {
        while let Some(letter) = self.letters.pop_front() {
            let bytes = letter.bytes();
            if let Err(letter) = mailbox.post_of_core(letter) {
                return self.letters.push_front(letter);
            }
            self.bytes -= bytes;
        }
    }

    /// Whether clients whose events make more records for that core wait.
    pub(crate) fn is_behind(&self, mailbox: &Mailbox) -> bool {
        !self.letters.is_empty() || mailbox.is_behind()
    }

    /// Whether the core has taken nothing at all for [`STANDSTILL`](crate::limits::STANDSTILL), though there is much for it. A time in which this core did not run itself, for the
    /// process was stopped, counts little.
    pub(crate) fn is_standstill(&mut self, mailbox: &Mailbox, now_ms: u64) -> bool {
        let passed_ms = now_ms.saturating_sub(std::mem::replace(&mut self.looked_ms, now_ms));
        let taken = mailbox.taken();
        let is_idle = std::mem::replace(&mut self.taken, taken) == taken && self.is_behind(mailbox);
        self.idle_ms = if is_idle { self.idle_ms + passed_ms.min(STANDSTILL_STEP_MS) } else { 0 };
        self.idle_ms > mailbox.standstill_ms()
    }
}
