//! What each completion means. Nothing is decided here: completions become flags, reports for the next wait, and
//! results of the call that is going on.

use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Instant;

use io_uring::cqueue::{self, Entry};

use super::request::Request;
use super::tag::{Op, Tag};
use super::transfer::Result32;
use super::{Descriptors, Ring};
use crate::Ready;
use crate::slots::Slot;
use crate::token::Token;

impl Ring {
    /// Handles all completions there are. May be called at any time: what belongs to the next wait is kept for it.
    pub(super) fn reap(&mut self) {
        loop {
            let mut completions = std::mem::take(&mut self.completions);
            self.gate.drain(&mut completions);
            let is_empty = completions.is_empty();
            for completion in completions.drain(..) {
                self.complete(&completion);
            }
            self.completions = completions;
            if is_empty {
                break;
            }
        }
        self.counters.enters = self.gate.enters;
        self.counters.overflows = self.gate.overflows;
    }

    fn complete(&mut self, completion: &Entry) {
        let Some(tag) = Tag::unpack(completion.user_data()) else {
            debug_assert!(false, "a completion nobody asked for");
            return;
        };
        self.complete_request(tag, completion.result(), completion.flags());
    }

    fn complete_request(&mut self, tag: Tag, result: i32, flags: u32) {
        let is_last = !cqueue::more(flags);
        match tag.op {
            Op::Accept => self.complete_accept(tag.sequence, result),
            Op::Wake => self.complete_wake(is_last),
            Op::Readable => self.complete_readable(tag.token(), result, is_last),
            Op::Writable => self.complete_writable(tag.token()),
            Op::Send => self.complete_send(tag, result),
            Op::Receive => {
                let has_more = cqueue::sock_nonempty(flags);
                self.complete_receive(tag, Result32 { result, has_more });
            }
            Op::Alarm => self.complete_alarm(tag),
            Op::Ask if tag.sequence == self.ask_sequence => self.answer = Some(result),
            Op::Install if tag.sequence == self.ask_sequence => self.answer = Some(result),
            Op::Ask => debug_assert!(false, "the kernel kept a question beyond its submission"),
            Op::Install => close_late(result),
            Op::Ignored => {}
        }
    }

    /// A descriptor the kernel has just given out becomes a connection of this driver.
    pub(super) fn join(&mut self, index: u32) -> Token {
        let file = match self.descriptors {
            Descriptors::Direct => None,
            // SAFETY: the kernel opened this descriptor for us, by an accept whose completion is seen once, or it comes
            // out of an `OwnedFd` that was given up (`take_over`).
            Descriptors::Ordinary => Some(unsafe { OwnedFd::from_raw_fd(index as RawFd) }),
        };
        let token = self.slots.open(index, file);
        self.arm_readable(token);
        token
    }

    fn complete_wake(&mut self, is_last: bool) {
        self.waker.acknowledge();
        self.counters.wakes += 1;
        self.slots.queue(Ready::Woken);
        if is_last {
            self.counters.rearms += 1;
            self.gate.push(&Request::wake(self.waker.descriptor()));
        }
    }

    fn complete_readable(&mut self, token: Token, result: i32, is_last: bool) {
        let Some(slot) = self.slots.find_mut(token) else {
            self.counters.stale_completions += 1;
            return;
        };
        let ends = i32::from(libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR);
        if result >= 0 && result & ends != 0 {
            slot.flags.is_hung_up = true;
            slot.flags.is_broken |= result & i32::from(libc::POLLHUP | libc::POLLERR) != 0;
        }
        slot.flags.is_polled = !is_last;
        // After the end there is nothing left to poll for: what is still to be received keeps itself reported.
        if is_last && !slot.flags.is_hung_up {
            self.counters.rearms += 1;
            self.arm_readable(token);
        }
        self.slots.queue_readable(token);
    }

    /// Asks for arrivals on a connection until further notice.
    pub(super) fn arm_readable(&mut self, token: Token) {
        if let Some(slot) = self.slots.find_mut(token) {
            slot.flags.is_polled = true;
            self.gate.push(&Request::readable(token, self.descriptors));
        }
    }

    fn complete_writable(&mut self, token: Token) {
        let Some(slot) = self.slots.find_mut(token) else {
            self.counters.stale_completions += 1;
            return;
        };
        slot.flags.is_watched = false;
        self.slots.queue(Ready::Writable(token));
    }

    /// Ends the requests that would keep the connection alive, and lets go of its place. `None` and counted if it is gone already.
    pub(super) fn leave(&mut self, token: Token) -> Option<Slot> {
        let Some(slot) = self.slots.close(token) else {
            self.counters.stale_tokens += 1;
            return None;
        };
        if slot.flags.is_polled {
            self.gate.push(&Request::cancel(Tag::of(Op::Readable, token)));
        }
        if slot.flags.is_watched {
            self.gate.push(&Request::cancel(Tag::of(Op::Writable, token)));
        }
        if self.accepting.backoff.is_on() {
            self.accepting.backoff.hurry(Instant::now());
        }
        Some(slot)
    }

    /// Frees the descriptor of a connection that has left, after everything that was asked for before.
    pub(super) fn close_descriptor(&mut self, token: Token, slot: Slot) {
        if self.gate.is_broken() {
            return;
        }
        // The number goes back to the process when the request is executed, so it is given up here.
        let _number = slot.file.map(IntoRawFd::into_raw_fd);
        self.gate.push(&Request::close(token, self.descriptors));
    }

    /// Whether the kernel numbers our connections.
    pub(super) fn is_direct(&self) -> bool {
        self.descriptors == Descriptors::Direct
    }
}

/// The answer to a question that nobody waits for any more is a descriptor that nobody would close.
fn close_late(result: i32) {
    debug_assert!(false, "the kernel kept a question beyond its submission");
    if result >= 0 {
        // SAFETY: the kernel has opened it for a request whose result nobody else has seen.
        drop(unsafe { OwnedFd::from_raw_fd(result) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::tag;

    /// An answer that comes after its question was given up is not that of the next question. No kernel is known that answers late, so
    /// where debug assertions are on it is said.
    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "beyond its submission"))]
    fn a_late_answer_is_nobodys() {
        let mut ring = Ring::new(None).expect("a ring");
        let given_up = ring.ask_sequence;
        ring.ask_sequence = tag::next(given_up);
        ring.complete_request(Tag::new(Op::Install, given_up, 0), -libc::EBADF, 0);
        assert_eq!(ring.answer, None);
        ring.complete_request(Tag::new(Op::Install, ring.ask_sequence, 0), -libc::EBADF, 0);
        assert_eq!(ring.answer, Some(-libc::EBADF));
    }
}
