//! Where bytes lie in an arena: what lanes hold of a packet. It says nothing of the arena's life, which ends with the flush.

/// A part of the arena, or of that of the other forms: then its positions have the bit `OTHER_FORM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Range {
    /// Both, if `next` begins where this ends.
    pub(crate) fn joined(self, next: Self) -> Option<Self> {
        (self.end == next.start).then_some(Self { start: self.start, end: next.end })
    }

    /// Bytes.
    pub(crate) const fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}
