//! One step of a flush: which connections it is for, where their bytes lie, and what came of it.
//!
//! The bytes stay in the outbox, but for those that had to be gathered from scattered ranges.

use super::arena::{KEPT_BYTES, Span};
use crate::ConnId;

/// What the kernel did with an entry of a batch that it did not take whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It took so many bytes; the rest waits until the socket is writable.
    Took(usize),
    /// The connection is broken.
    Broken,
}

/// Entries of one flush step; reused, so that flushing does not allocate.
#[derive(Default)]
pub struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) gathered: Vec<u8>,
    pub(super) needs_care: bool,
}

/// What follows from a flush step.
#[derive(Default)]
pub struct Settled {
    /// To be watched until they are writable.
    pub blocked: Vec<ConnId>,
    /// Closing, and all their bytes are with the kernel now.
    pub drained: Vec<ConnId>,
    /// Broken.
    pub broken: Vec<ConnId>,
    /// All their bytes are with the kernel now, and the hub waited for that; for [`Hub::handle_idle`](crate::Hub::handle_idle).
    pub idle: Vec<ConnId>,
}

/// One connection's part of a batch.
pub(super) struct Entry {
    pub(super) conn: ConnId,
    pub(super) source: Source,
}

/// Where an entry's bytes lie.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Arena(Span),
    /// In the batch itself.
    Gathered(Span),
    Backlog,
}

impl Batch {
    /// Entries in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes that were gathered.
    #[inline]
    pub(super) fn gathered(&self, span: Span) -> &[u8] {
        &self.gathered[span.start as usize..span.end as usize]
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.gathered.clear();
        self.gathered.shrink_to(KEPT_BYTES);
        self.needs_care = false;
    }
}

impl Settled {
    /// Empties the lists, keeping their memory.
    pub fn clear(&mut self) {
        self.blocked.clear();
        self.drained.clear();
        self.broken.clear();
        self.idle.clear();
    }
}
