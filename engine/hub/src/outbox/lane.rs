//! A connection's lane: which ranges are due to it, and where it stands.
//!
//! ```text
//!                 append           take_batch           settle: all sent
//!   Free -> Idle --------> Dirty ---------------> Idle <---------------+
//!                                       |  settle: a rest               |
//!                                       v                               |
//!                                    Blocked --handle_writable--> Draining
//! ```
//!
//! Beside `Dirty` there is `Waiting`, for bytes that are allowed some milliseconds: see `waiting`. A lane whose ranges are scattered holds the
//! first itself, and links to nodes for the others.

use super::arena::Span;
use crate::forms::Form;

/// What is due to one connection: 24 bytes, two loads and two stores a recipient.
#[derive(Clone, Copy)]
pub(super) struct Lane {
    pub(super) generation: u32,
    pub(super) first: Span,
    pub(super) next: u32,
    pub(super) last: u32,
    pub(super) state: State,
    pub(super) then: Then,
    pub(super) form: Form,
    /// While it waits: until when, the low byte of the milliseconds.
    pub(super) due_low: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Free,
    Idle,
    Dirty,
    Blocked,
    Draining,
    Waiting,
}

/// What follows once all that is due has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    Nothing,
    /// Its owner is told, once.
    Report,
    /// Nothing more may become due; its owner is told.
    Close,
    /// It owes too much: nothing is sent before its owner has added the last bytes, or cut it.
    Cut,
}

/// A range behind the first of a lane.
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) next: u32,
}

/// No node.
pub(super) const NONE: u32 = u32::MAX;

pub(super) const FREE: Lane = Lane {
    generation: 0,
    first: Span::NONE,
    next: NONE,
    last: NONE,
    state: State::Free,
    then: Then::Nothing,
    form: Form::Plain,
    due_low: 0,
};

const _: () = assert!(size_of::<Lane>() <= 24);

impl Default for Lane {
    fn default() -> Self {
        FREE
    }
}

impl Lane {
    #[inline]
    pub(super) fn is_closing(&self) -> bool {
        matches!(self.then, Then::Close | Then::Cut)
    }

    /// The ranges that are due, in order.
    pub(super) fn spans<'a>(&self, nodes: &'a [Node]) -> impl Iterator<Item = Span> + use<'a> {
        let (mut span, mut next) = (Some(self.first), self.next);
        std::iter::from_fn(move || {
            let current = span?;
            span = nodes.get(next as usize).map(|node| {
                next = node.next;
                node.span
            });
            Some(current)
        })
    }
}
