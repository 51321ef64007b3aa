//! One client as the oracle knows it: when it was there, in which rooms, what it got, and why it may have been cut.
//!
//! Not the model client, which only knows its own side of the story. Times are ticks of the record: every event has its own.

use std::collections::{BTreeMap, BTreeSet};

/// A stretch of ticks; `u64::MAX` at the end means that it goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The first tick.
    pub from: u64,
    /// The last tick.
    pub until: u64,
}

/// Whether something was so during a span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Was {
    /// All the time.
    Always,
    /// Some of the time, or nobody can tell.
    Partly,
    /// At no time.
    Never,
}

/// What a model did that entitles the engine to end its session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Excuse {
    /// It left the namespace.
    Left,
    /// It ended or broke its connection.
    Ended,
    /// It says nothing any more.
    Vanished,
    /// It asked to be disconnected, or was ordered to leave.
    Kicked,
    /// It began a message or a body, and did not end it.
    Hoarded,
    /// The engine had a reason of its own, which is documented.
    Cut,
    /// Its deed was done: no reason for anything.
    Acted,
}

/// One client's record.
#[derive(Debug, Default)]
pub struct Subject {
    /// While it is in the namespace.
    pub online: Vec<Span>,
    /// While it is in each room.
    pub rooms: BTreeMap<u8, Vec<Span>>,
    /// The number that its next event must have.
    pub next_event: u64,
    /// The last number it got from each sender.
    pub last: BTreeMap<u64, u64>,
    /// Emits it got, by place in the record.
    pub got: BTreeSet<usize>,
    /// What it did.
    pub excuses: BTreeSet<Excuse>,
}

impl Span {
    /// Whether the two share a tick.
    const fn meets(self, other: Self) -> bool {
        self.from <= other.until && other.from <= self.until
    }

    /// Whether it has all ticks of the other.
    const fn covers(self, other: Self) -> bool {
        self.from <= other.from && other.until <= self.until
    }
}

impl Was {
    /// Of a list of spans: what they say about `during`.
    pub fn of(spans: &[Span], during: Span) -> Self {
        if spans.iter().any(|span| span.covers(during)) {
            Self::Always
        } else if spans.iter().any(|span| span.meets(during)) {
            Self::Partly
        } else {
            Self::Never
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Always, Self::Always) => Self::Always,
            _ => Self::Partly,
        }
    }

    /// The contrary.
    #[must_use]
    pub const fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Partly => Self::Partly,
            Self::Never => Self::Always,
        }
    }

    /// The same, but never certain.
    #[must_use]
    pub const fn at_most_partly(self) -> Self {
        match self {
            Self::Always | Self::Partly => Self::Partly,
            Self::Never => Self::Never,
        }
    }
}

impl Subject {
    /// Whether it is in the namespace.
    pub fn is_online(&self) -> bool {
        self.online.last().is_some_and(|span| span.until == u64::MAX)
    }

    /// Whether it was ever in the namespace.
    pub fn was_online(&self) -> bool {
        !self.online.is_empty()
    }

    /// Whether it was in a room during a span.
    pub fn was_in(&self, room: u8, during: Span) -> Was {
        self.rooms.get(&room).map_or(Was::Never, |spans| Was::of(spans, during))
    }

    /// Whether it did, or met, anything that entitles the engine to end its session.
    pub fn is_excused(&self) -> bool {
        self.excuses.iter().any(|&excuse| excuse != Excuse::Acted)
    }

    /// It is in a room from `tick` on; being in already is fine.
    pub fn join(&mut self, room: u8, tick: u64) {
        let spans = self.rooms.entry(room).or_default();
        if spans.last().is_none_or(|span| span.until != u64::MAX) {
            spans.push(Span { from: tick, until: u64::MAX });
        }
    }

    /// It is out of a room from `tick` on; not being in is fine.
    pub fn leave(&mut self, room: u8, tick: u64) {
        end(self.rooms.get_mut(&room), tick);
    }

    /// It is out of everything from `tick` on.
    pub fn leave_all(&mut self, tick: u64) {
        end(Some(&mut self.online), tick);
        self.rooms.values_mut().for_each(|spans| end(Some(spans), tick));
    }

    /// Rooms that it is in.
    pub fn rooms_now(&self) -> impl Iterator<Item = u8> {
        self.rooms
            .iter()
            .filter(|(_, spans)| spans.last().is_some_and(|span| span.until == u64::MAX))
            .map(|(room, _)| *room)
    }
}

fn end(spans: Option<&mut Vec<Span>>, tick: u64) {
    if let Some(span) = spans.and_then(|spans| spans.last_mut()).filter(|span| span.until == u64::MAX) {
        span.until = tick;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn span(from: u64, until: u64) -> Span {
        Span { from, until }
    }

    #[test]
    fn membership_is_certain_only_if_it_covers_the_whole_delivery() {
        let mut subject = Subject::default();
        subject.join(1, 10);
        subject.join(1, 12);
        subject.leave(1, 20);
        assert_eq!(subject.was_in(1, span(11, 19)), Was::Always);
        assert_eq!(subject.was_in(1, span(5, 11)), Was::Partly);
        assert_eq!(subject.was_in(1, span(19, 25)), Was::Partly);
        assert_eq!(subject.was_in(1, span(21, 25)), Was::Never);
        assert_eq!(subject.was_in(2, span(11, 19)), Was::Never);
        assert_eq!(subject.rooms_now().count(), 0);
    }

    #[test]
    fn what_is_unsure_stays_unsure() {
        assert_eq!(Was::Partly.not(), Was::Partly);
        assert_eq!(Was::Always.and(Was::Never.not()), Was::Always);
        assert_eq!(Was::Always.and(Was::Partly), Was::Partly);
        assert_eq!(Was::Partly.and(Was::Never), Was::Never);
        assert_eq!(Was::Always.at_most_partly(), Was::Partly);
    }
}
