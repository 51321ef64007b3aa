//! The connections of one driver by index, and what waits to be reported about them. It is not the kernel's table: it
//! holds what the kernel does not, the generation and a few flags.
//!
//! ```text
//! open(index) -> Token(index, g) ... close(token): generation becomes g + 1, everything that still says g is stale
//! ```
//!
//! 16 bytes a connection; the table grows with the largest index.

use std::os::fd::OwnedFd;

use crate::cores::descriptor_limit;
use crate::limits::{GENERATION_MASK, SLOTS_RESERVED_MAX};
use crate::token::Token;
use crate::{End, Ready};

/// The table and the queue of the next report.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    pending: Vec<Ready>,
    woken: bool,
}

/// One place of the table.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    generation: u32,
    /// The ordinary descriptor, if the driver uses them.
    pub(crate) file: Option<OwnedFd>,
    pub(crate) flags: Flags,
}

/// What a driver remembers about a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    is_open: bool,
    is_queued: bool,
    /// The peer has finished or the connection is broken: after any bytes there is still an end to receive.
    pub(crate) is_hung_up: bool,
    /// The connection is gone in both directions.
    pub(crate) is_broken: bool,
    /// The kernel has a request to tell us about readability.
    pub(crate) is_polled: bool,
    /// The kernel has a request to tell us about writability, or the core wants to know of it.
    pub(crate) is_watched: bool,
    /// The last send was not taken whole and no writability was seen since (epoll).
    pub(crate) is_full: bool,
}

impl Slots {
    /// With room for as many connections as the process may have descriptors: memory that is reserved, not used, so that growing never
    /// copies the table.
    pub(crate) fn with_room() -> Self {
        let limit = usize::try_from(descriptor_limit().rlim_cur).unwrap_or(usize::MAX);
        let room = limit.min(SLOTS_RESERVED_MAX);
        Self { slots: Vec::with_capacity(room), ..Self::default() }
    }

    /// Takes a place for a new connection.
    pub(crate) fn open(&mut self, index: u32, file: Option<OwnedFd>) -> Token {
        let place = index as usize;
        if place >= self.slots.len() {
            self.slots.resize_with(place + 1, Slot::default);
        }
        let slot = &mut self.slots[place];
        assert!(!slot.flags.is_open, "the kernel gave out index {index} twice");
        slot.flags = Flags { is_open: true, ..Flags::default() };
        slot.file = file;
        Token { index, generation: slot.generation }
    }

    /// Frees the place and makes its tokens stale. Returns what it held.
    pub(crate) fn close(&mut self, token: Token) -> Option<Slot> {
        let slot = self.find_mut(token)?;
        let generation = (slot.generation + 1) & GENERATION_MASK;
        Some(std::mem::replace(slot, Slot { generation, ..Slot::default() }))
    }

    /// The slot of a connection that is still there.
    pub(crate) fn find(&self, token: Token) -> Option<&Slot> {
        self.slots.get(token.index as usize).filter(|slot| slot.is(token))
    }

    /// The same, to change it.
    pub(crate) fn find_mut(&mut self, token: Token) -> Option<&mut Slot> {
        self.slots.get_mut(token.index as usize).filter(|slot| slot.is(token))
    }

    /// How the peer has ended, as far as it is known.
    pub(crate) fn end_of(&self, token: Token) -> Option<End> {
        let Flags { is_hung_up, is_broken, .. } = self.find(token)?.flags;
        match (is_broken, is_hung_up) {
            (true, _) => Some(End::Broken),
            (false, true) => Some(End::Finished),
            (false, false) => None,
        }
    }

    /// Whether the connection is still there.
    pub(crate) fn is_current(&self, token: Token) -> bool {
        self.find(token).is_some()
    }

    /// Reports the connection readable at the end of the next wait, once.
    pub(crate) fn queue_readable(&mut self, token: Token) {
        if let Some(slot) = self.find_mut(token)
            && !std::mem::replace(&mut slot.flags.is_queued, true)
        {
            self.pending.push(Ready::Readable(token));
        }
    }

    /// Reports an acceptance or writability at the end of the next wait.
    pub(crate) fn queue(&mut self, ready: Ready) {
        debug_assert!(!matches!(ready, Ready::Readable(_)), "goes through queue_readable");
        if ready != Ready::Woken || !std::mem::replace(&mut self.woken, true) {
            self.pending.push(ready);
        }
    }

    /// Whether a report is due. (It may turn out to be about connections that are gone.)
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Appends all that is due and still true.
    pub(crate) fn report(&mut self, ready: &mut Vec<Ready>) {
        self.woken = false;
        let mut pending = std::mem::take(&mut self.pending);
        ready.extend(pending.drain(..).filter(|&due| self.report_one(due)));
        self.pending = pending;
    }

    fn report_one(&mut self, due: Ready) -> bool {
        match due {
            Ready::Woken => true,
            Ready::Accepted(token) | Ready::Writable(token) => self.is_current(token),
            Ready::Readable(token) => match self.find_mut(token) {
                Some(slot) => std::mem::replace(&mut slot.flags.is_queued, false),
                None => false,
            },
        }
    }
}

impl Slot {
    fn is(&self, token: Token) -> bool {
        self.flags.is_open && self.generation == token.generation
    }
}

const _: () = assert!(size_of::<Slot>() <= 16, "a million connections, sixteen megabytes");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_token_is_stale_and_the_place_is_used_again() {
        let mut slots = Slots::default();
        let first = slots.open(7, None);
        assert!(slots.is_current(first));
        assert!(slots.close(first).is_some());
        assert!(!slots.is_current(first));
        assert!(slots.close(first).is_none(), "closing twice is legal and nothing");
        let second = slots.open(7, None);
        assert_eq!(second.index, first.index);
        assert_ne!(second.generation, first.generation);
        assert!(!slots.is_current(first));
        assert!(!slots.is_current(Token { index: 1_000, generation: 0 }), "never opened");
        assert!(!slots.is_current(Token { index: 3, generation: 0 }), "grown, never opened");
    }

    #[test]
    fn generations_wrap_within_their_bits() {
        let mut slots = Slots::default();
        let token = slots.open(0, None);
        slots.slots[0].generation = GENERATION_MASK;
        let last = Token { generation: GENERATION_MASK, ..token };
        assert!(slots.close(last).is_some());
        assert_eq!(slots.open(0, None).generation, 0);
    }

    #[test]
    fn reports_are_merged_and_forget_the_gone() {
        let mut slots = Slots::default();
        let (stays, goes) = (slots.open(0, None), slots.open(1, None));
        slots.queue(Ready::Accepted(stays));
        slots.queue(Ready::Accepted(goes));
        for _ in 0..3 {
            slots.queue_readable(stays);
            slots.queue_readable(goes);
            slots.queue(Ready::Woken);
        }
        slots.close(goes);
        let again = slots.open(1, None);
        slots.queue_readable(again);
        let mut ready = Vec::new();
        slots.report(&mut ready);
        let expected = [Ready::Accepted(stays), Ready::Readable(stays), Ready::Woken, Ready::Readable(again)];
        assert_eq!(ready, expected);
        assert!(!slots.has_pending());
        slots.queue_readable(stays);
        assert!(slots.has_pending(), "a report is due again after the last one was made");
    }
}
