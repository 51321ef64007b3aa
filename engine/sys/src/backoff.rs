//! The pause after failed accepts. It is not a timer: the drivers ask it how long they may sleep.

use std::time::{Duration, Instant};

use crate::limits::{ACCEPT_PAUSE_MAX, ACCEPT_PAUSE_MIN};

/// Doubles from 10 ms to 1 s while accepts fail, forgotten at the first success.
#[derive(Debug)]
pub(crate) struct Backoff {
    pause: Duration,
    until: Option<Instant>,
}

impl Backoff {
    pub(crate) const fn new() -> Backoff {
        Backoff { pause: ACCEPT_PAUSE_MIN, until: None }
    }

    /// An accept failed: no other one before the pause is over.
    pub(crate) fn fail(&mut self, now: Instant) {
        self.until = Some(now + self.pause);
        self.pause = (self.pause * 2).min(ACCEPT_PAUSE_MAX);
    }

    /// An accept succeeded.
    pub(crate) fn succeed(&mut self) {
        self.pause = ACCEPT_PAUSE_MIN;
    }

    /// A descriptor was freed here: no reason to wait any longer.
    pub(crate) fn hurry(&mut self, now: Instant) {
        if self.until.is_some() {
            self.until = Some(now);
        }
    }

    /// Whether a pause is on.
    pub(crate) fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// When the pause is over.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Ends the pause if it is over, and says so once.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.until.is_some_and(|until| until <= now);
        if due {
            self.until = None;
        }
        due
    }

    /// Ends the pause without further effect.
    pub(crate) fn cancel(&mut self) {
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_second_and_are_forgotten() {
        let mut backoff = Backoff::new();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            backoff.fail(now);
            let until = backoff.until().expect("a pause is on");
            pauses.push((until - now).as_millis());
            assert!(!backoff.take_due(until - Duration::from_millis(1)));
            assert!(backoff.take_due(until));
            assert!(!backoff.take_due(until), "said once");
            now = until;
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        backoff.succeed();
        backoff.fail(now);
        assert_eq!(backoff.until(), Some(now + ACCEPT_PAUSE_MIN));
        backoff.hurry(now);
        assert!(backoff.take_due(now));
        backoff.hurry(now);
        assert!(!backoff.is_on(), "hurry starts nothing");
    }
}
