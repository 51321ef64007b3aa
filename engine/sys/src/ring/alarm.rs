//! The timer that a sleep far from its deadline leaves running.
//!
//! A deadline given to a sleep costs a kernel timer each time: started, and cancelled by whatever came first. A server that keeps
//! thousands of connections always has a deadline, mostly seconds away, and mostly the same as before. So a far deadline is a request
//! of its own, made once; sleeps before it need none. It may go off too early, when its deadline was put off meanwhile: nobody
//! minds a wait that looks at the clock once more. Near deadlines go with the sleep.

use std::time::{Duration, Instant};

use io_uring::opcode::Timeout;
use io_uring::types::Timespec;

use super::Ring;
use super::request::Request;
use super::tag::{self, Op, Tag};
use crate::limits::ALARM_FROM;

/// The request that is under way, if one is.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    at: Option<Instant>,
    sequence: u32,
    /// The kernel reads it during the submission.
    time: Box<Timespec>,
}

impl Alarm {
    fn tag(&self) -> Tag {
        Tag::new(Op::Alarm, self.sequence, 0)
    }
}

impl Ring {
    /// Sleeps until there is a completion, the deadline is over, or an earlier one that was given before.
    pub(super) fn sleep_until(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return self.gate.sleep(None) };
        if self.alarm.at.is_some_and(|at| at <= deadline) {
            return self.gate.sleep(None);
        }
        let time = deadline.saturating_duration_since(Instant::now());
        if time < ALARM_FROM {
            return self.gate.sleep(Some(time));
        }
        self.set_alarm(deadline, time);
        self.gate.sleep(None);
    }

    fn set_alarm(&mut self, at: Instant, time: Duration) {
        if self.alarm.at.replace(at).is_some() {
            self.gate.push(&Request::cancel(self.alarm.tag()));
        }
        self.alarm.sequence = tag::next(self.alarm.sequence);
        *self.alarm.time = Timespec::from(time);
        self.counters.alarms += 1;
        let timeout = Timeout::new(&raw const *self.alarm.time).build().user_data(self.alarm.tag().pack());
        // SAFETY: a timeout points to the alarm's own `time`, which is as old as the ring and which the kernel reads while it
        // takes the request. One that it takes late, after `time` has changed, is cancelled behind.
        unsafe { self.gate.push_entry(&timeout) };
    }

    /// It went off, or was cancelled for an earlier one.
    pub(super) fn complete_alarm(&mut self, tag: Tag) {
        if tag.sequence == self.alarm.sequence {
            self.alarm.at = None;
        }
    }
}
