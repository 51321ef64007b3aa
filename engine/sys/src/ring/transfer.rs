//! Sends and receives: the two kinds of requests that point to memory. Both are executed while they are submitted, and this
//! file is where that is relied on.
//!
//! Why a request with `MSG_DONTWAIT` is over when the submission returns: the kernel issues each request inline, in order.
//! Requests are set aside in three cases only: the caller asks for it (`ASYNC`, links, drains: we never do), the operation
//! always does (socket sends and receives never do), or the first try would have to wait. In the third case
//! `MSG_DONTWAIT` marks the request as one that must not wait, and the kernel completes it with `EAGAIN` instead. So
//! the slices of a batch are borrowed for exactly the call that owns the borrow.
//!
//! What if that argument failed? Each transfer carries the number of its call. A receive that is missing after the
//! call, or a send completion of an earlier call, is proof of it: the ring stops for good ([`Gate::break_for_good`]) and
//! memory the kernel could still write to is never freed.
//!
//! [`Gate::break_for_good`]: super::gate::Gate::break_for_good

use super::Ring;
use super::tag::{self, Op, Tag};
use crate::limits::{RECEIVE_BUFFERS, SEND_BYTES_MAX};
use crate::socket::is_not_now;
use crate::{Outcome, Outgoing, Received, Token, Unsent};

/// The result of a receive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Result32 {
    pub(super) result: i32,
    /// The kernel says that there is more, bytes or the end.
    pub(super) has_more: bool,
}

impl Ring {
    /// One chunk after the other: as many sends as the submission queue holds, one enter for them, exceptions.
    pub(super) fn send_all(&mut self, batch: &[Outgoing<'_>], unsent: &mut Vec<Unsent>) {
        debug_assert!(is_one_each(batch), "two entries of a batch for one connection");
        self.send_sequence = tag::next(self.send_sequence);
        let mut start = 0;
        while start < batch.len() {
            let room = self.gate.room().max(1);
            let end = batch.len().min(start + room);
            for (position, outgoing) in (start..end).zip(&batch[start..end]) {
                self.send_push(position, outgoing);
            }
            self.gate.submit();
            self.reap();
            start = end;
        }
        self.send_report(batch, unsent);
    }

    fn send_push(&mut self, position: usize, outgoing: &Outgoing<'_>) {
        if !self.slots.is_current(outgoing.token) {
            self.counters.stale_tokens += 1;
            return;
        }
        if outgoing.bytes.is_empty() {
            return;
        }
        if self.gate.is_broken() {
            self.exceptions.push((position, -libc::EIO));
            return;
        }
        self.counters.sends += 1;
        let length = outgoing.bytes.len().min(SEND_BYTES_MAX);
        let tag = Tag::new(Op::Send, self.send_sequence, position as u32);
        let entry = self.descriptors.send(outgoing.token, outgoing.bytes.as_ptr(), length as u32, tag);
        // A whole part of a longer entry is an exception as well.
        let entry =
            if length < outgoing.bytes.len() { entry.clear_flags().flags(self.file_flags()) } else { entry };
        // SAFETY: `bytes` is borrowed until `send` returns. Before that `send_all` submits, which executes the request
        // to its end (see the top of the file) or breaks the gate, after which it is never executed.
        unsafe { self.gate.push_entry(&entry) };
    }

    pub(super) fn complete_send(&mut self, tag: Tag, result: i32) {
        if tag.sequence == self.send_sequence && self.is_sending {
            self.exceptions.push((tag.index as usize, result));
        } else {
            debug_assert!(false, "the kernel kept a send beyond its submission");
            self.gate.break_for_good(libc::EPROTO);
        }
    }

    fn send_report(&mut self, batch: &[Outgoing<'_>], unsent: &mut Vec<Unsent>) {
        let mut exceptions = std::mem::take(&mut self.exceptions);
        exceptions.sort_unstable_by_key(|&(position, _)| position);
        for (position, result) in exceptions.drain(..) {
            let length = batch.get(position).map_or(0, |outgoing| outgoing.bytes.len());
            if let Some(outcome) = self.send_outcome(result, length) {
                unsent.push(Unsent { position, outcome });
            }
        }
        self.exceptions = exceptions;
    }

    fn send_outcome(&mut self, result: i32, length: usize) -> Option<Outcome> {
        match usize::try_from(result) {
            Ok(taken) if taken == length => None,
            Ok(taken) => {
                self.counters.sends_partial += 1;
                Some(Outcome::Partial(taken))
            }
            Err(_) if is_not_now(-result) => {
                self.counters.sends_full += 1;
                Some(Outcome::Partial(0))
            }
            Err(_) => {
                self.counters.sends_failed += 1;
                Some(Outcome::Failed(-result))
            }
        }
    }

    /// A batch of receives, one enter for all of them, then their outcomes in order.
    pub(super) fn receive_batch(&mut self, tokens: &[Token], sink: &mut dyn FnMut(Token, Received<'_>)) {
        debug_assert!(tokens.len() <= RECEIVE_BUFFERS);
        self.receive_sequence = tag::next(self.receive_sequence);
        self.results.fill(None);
        for (place, &token) in tokens.iter().enumerate() {
            self.receive_push(place, token);
        }
        self.gate.submit();
        self.reap();
        if self.receives_out != 0 {
            debug_assert!(self.gate.is_broken(), "the kernel kept a receive beyond its submission");
            self.gate.break_for_good(libc::EPROTO);
            self.pool.abandon();
            self.receives_out = 0;
        }
        for (place, &token) in tokens.iter().enumerate() {
            self.receive_report(place, token, sink);
        }
    }

    fn receive_push(&mut self, place: usize, token: Token) {
        if !self.slots.is_current(token) {
            self.counters.stale_tokens += 1;
            return;
        }
        if self.gate.is_broken() {
            return;
        }
        self.counters.receives += 1;
        self.receives_out += 1;
        let tag = Tag::new(Op::Receive, self.receive_sequence, place as u32);
        let buffer = self.pool.buffer(place);
        let entry = self.descriptors.receive(token, buffer.as_mut_ptr(), buffer.len() as u32, tag);
        // SAFETY: the buffer belongs to the pool, which is not touched before all receives of the batch are counted as
        // completed, lives as long as the ring, and is leaked rather than freed if one is missing.
        unsafe { self.gate.push_entry(&entry) };
    }

    pub(super) fn complete_receive(&mut self, tag: Tag, result: Result32) {
        let place = self.results.get_mut(tag.index as usize);
        match place {
            Some(place) if tag.sequence == self.receive_sequence && self.receives_out > 0 => {
                self.receives_out -= 1;
                *place = Some(result);
            }
            _ => self.gate.break_for_good(libc::EPROTO),
        }
    }

    fn receive_report(&mut self, place: usize, token: Token, sink: &mut dyn FnMut(Token, Received<'_>)) {
        let Some(Result32 { result, has_more }) = self.results[place] else { return };
        match usize::try_from(result) {
            Ok(0) => sink(token, Received::Eof),
            Ok(length) => {
                let is_hung_up = self.slots.find(token).is_some_and(|slot| slot.flags.is_hung_up);
                if length == self.pool.buffer_bytes() || has_more || is_hung_up {
                    self.slots.queue_readable(token);
                }
                let buffer = self.pool.buffer(place);
                let length = length.min(buffer.len());
                sink(token, Received::Bytes(&mut buffer[..length]));
            }
            Err(_) if is_not_now(-result) => {
                self.counters.receives_empty += 1;
                self.receive_rearm(token);
                sink(token, Received::Empty);
            }
            Err(_) => sink(token, Received::Failed(-result)),
        }
    }

    /// The end was announced but is not there: be told when it comes.
    fn receive_rearm(&mut self, token: Token) {
        if let Some(slot) = self.slots.find_mut(token)
            && !slot.flags.is_polled
        {
            slot.flags.is_hung_up = false;
            self.counters.rearms += 1;
            self.arm_readable(token);
        }
    }

    /// Throws away what a closing connection has not received: unread bytes would turn the end into a reset.
    pub(super) fn discard(&mut self, token: Token) {
        let all = self.pool.all();
        let entry = self.descriptors.discard(token, all.as_mut_ptr(), all.len() as u32);
        // SAFETY: the pool is valid for that many bytes and outlives the queue. With MSG_TRUNC a stream socket writes
        // none of them; and if it did, this request is executed before any receive that is queued after it.
        unsafe { self.gate.push_entry(&entry) };
    }
}

/// The rule of a batch, in debug builds.
fn is_one_each(batch: &[Outgoing<'_>]) -> bool {
    let mut tokens: Vec<_> =
        batch.iter().map(|outgoing| (outgoing.token.index, outgoing.token.generation)).collect();
    tokens.sort_unstable();
    tokens.windows(2).all(|pair| pair[0] != pair[1])
}
