//! Lanes that wait: what was emitted with an allowance lies in its lane, and the lane stays out of the flush until the allowance is over.
//!
//! Not a delay of single packets: whatever becomes due without an allowance, or the end of the connection, takes along what waits before it. So the order
//! on a connection is the order of calls, as ever, and an allowance only decides when a send happens.
//!
//! ```text
//!          append_within                 its moment comes, or append, close, end, a full arena
//!   Idle ----------------> Waiting -------------------------------------------------------------> Dirty
//!                          |     ^
//!                          +-----+ append_within: joins what waits, at the earlier of both moments
//! ```
//!
//! A lane enters the wave of its moment once; who joins what waits already costs what joining a dirty lane costs. The lane keeps the low byte of its
//! moment: allowances are shorter than 256 ms and whatever is over is released before anything is appended, so a byte tells
//! which moment it is. A wave's entry whose lane has left meanwhile, or waits for another moment, is stale and says nothing; so there is no
//! cancelling, one timer for all (the first wave's moment), and stale entries are at most the sends of a quarter of a second.
//!
//! The arena cannot start anew while somebody waits. When it and the links between scattered ranges hold more than `ARENA_WAITING_BYTES_MAX`, all
//! allowances end at the next flush, which is counted.

use super::Outbox;
use super::arena::{Range, Span};
use super::lane::{Lane, NONE, Node, State};
use crate::ConnId;
use crate::limits::{ARENA_WAITING_BYTES_MAX, FLUSH_INTERVAL_MS_MAX};

impl Outbox {
    /// Makes a range due to the connection in slot `index` within so many milliseconds, at least one. Where more is due already, it goes with that.
    pub(crate) fn append_within(&mut self, index: u32, range: Range, allowance_ms: u8) {
        debug_assert!((1..=FLUSH_INTERVAL_MS_MAX).contains(&allowance_ms));
        let Some(lane) = self.lanes.get_mut(index as usize) else { return };
        if lane.is_closing() || range.is_empty() {
            return;
        }
        let span = self.arena.check(range);
        match lane.state {
            State::Idle => {
                lane.first = span;
                lane.next = NONE;
                lane.state = State::Waiting;
                self.wait(index, allowance_ms);
            }
            State::Waiting => {
                let is_earlier = allowance_ms < lane.left_ms(self.now_ms);
                self.extend(index, span);
                if is_earlier {
                    self.wait(index, allowance_ms);
                }
            }
            State::Free | State::Dirty | State::Blocked | State::Draining => self.append(index, range),
        }
    }

    fn wait(&mut self, index: u32, allowance_ms: u8) {
        let due_ms = self.now_ms + u64::from(allowance_ms);
        self.lanes[index as usize].due_low = due_ms as u8;
        self.waves.push(due_ms, index);
    }

    /// Something that does not wait takes along what does.
    #[cold]
    pub(super) fn append_hurried(&mut self, index: u32, span: Span) {
        self.lanes[index as usize].state = State::Dirty;
        self.dirty.push(index);
        self.extend(index, span);
    }

    fn extend(&mut self, index: u32, span: Span) {
        let lane = &mut self.lanes[index as usize];
        if lane.next == NONE && lane.first.end == span.start {
            lane.first.end = span.end;
        } else {
            self.append_scattered(index, span);
        }
    }

    /// What waits for a connection waits no longer.
    pub(crate) fn hurry(&mut self, conn: ConnId) {
        if let Some(lane) = self.lane_mut(conn).filter(|lane| lane.state == State::Waiting) {
            lane.state = State::Dirty;
            self.dirty.push(conn.index);
        }
    }

    /// It is this late now: whoever may wait no longer is flushed next, and new allowances count from here.
    pub(crate) fn release(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.release_until(now_ms);
    }

    /// Nobody waits any longer.
    pub(crate) fn release_all(&mut self) {
        self.release_until(u64::MAX);
    }

    fn release_until(&mut self, until_ms: u64) {
        while let Some((due_ms, members)) = self.waves.pop(until_ms) {
            for &index in &members {
                let lane = &mut self.lanes[index as usize];
                if lane.state == State::Waiting && lane.due_low == due_ms as u8 {
                    lane.state = State::Dirty;
                    self.dirty.push(index);
                }
            }
            self.waves.give_back(members);
        }
    }

    /// From when allowances count.
    pub(crate) const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// When [`Outbox::release`] has something to do.
    pub(crate) fn next_release_ms(&self) -> Option<u64> {
        let moments = [self.waves.next_ms(), self.backlogs.next_ms()];
        moments.into_iter().flatten().min()
    }

    /// Whether those who wait keep too much in the arena.
    pub(crate) fn is_crowded(&self) -> bool {
        !self.waves.is_empty()
            && self.arena_bytes() + self.nodes.len() * size_of::<Node>() > ARENA_WAITING_BYTES_MAX
    }
}

impl Lane {
    /// Milliseconds until the moment that a waiting lane waits for, which is still to come.
    const fn left_ms(&self, now_ms: u64) -> u8 {
        self.due_low.wrapping_sub(now_ms as u8)
    }
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;
