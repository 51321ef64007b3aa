//! The bytes of one turn: every packet is written here once, and lanes hold ranges of it.
//!
//! Two buffers: packets as they were encoded, and the other forms that some connections need (compressed, Engine.IO 3), so that the
//! packets of either lie side by side and their ranges merge. A range is valid until the arena starts anew, which is only the outbox's
//! to decide: a [`Range`] that leaves the outbox knows its epoch where debug assertions are on, and an old one is a panic there.

/// A part of the arena, for the caller of [`Outbox::write`](super::Outbox::write): to be made due, or to be read, before anything else
/// is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub(super) span: Span,
    #[cfg(debug_assertions)]
    epoch: u32,
}

/// Where bytes lie: a part of the arena, or of the other forms if its positions have the bit [`OTHER_FORM`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Marks positions of other forms. Neither buffer grows so far: both are looked at before each packet.
const OTHER_FORM: u32 = 1 << 31;

/// Bytes of each buffer that are kept between turns: a working set that fits the second-level cache. A core that may hold little keeps less.
pub(crate) const KEPT_BYTES: usize = 1 << 20;

const _: () = assert!(crate::limits::ARENA_HARD_BYTES_MAX < OTHER_FORM as usize / 2);

/// The bytes of one turn.
pub(super) struct Arena {
    plain: Vec<u8>,
    forms: Vec<u8>,
    /// Bytes of each buffer that are kept.
    kept_bytes: usize,
    /// How often it started anew.
    #[cfg(debug_assertions)]
    epoch: u32,
}

impl Range {
    /// Both, if `next` begins where this ends.
    pub(crate) fn joined(self, next: Self) -> Option<Self> {
        (self.span.end == next.span.start)
            .then_some(Self { span: Span { start: self.span.start, end: next.span.end }, ..next })
    }

    /// Bytes.
    pub(crate) const fn len(self) -> usize {
        self.span.len()
    }

    pub(super) const fn is_empty(self) -> bool {
        self.span.start == self.span.end
    }
}

impl Span {
    pub(super) const NONE: Self = Self { start: 0, end: 0 };

    pub(super) const fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self {
            plain: Vec::new(),
            forms: Vec::new(),
            kept_bytes: KEPT_BYTES,
            #[cfg(debug_assertions)]
            epoch: 0,
        }
    }
}

impl Arena {
    /// Bytes of each buffer that are kept between turns, [`KEPT_BYTES`] at the most.
    pub(super) const fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    pub(super) fn keep_at_most(&mut self, bytes: usize) {
        self.kept_bytes = bytes.min(KEPT_BYTES);
    }

    /// Bytes in use.
    pub(super) fn len(&self) -> usize {
        self.plain.len() + self.forms.len()
    }

    /// Bytes of memory.
    pub(super) fn capacity(&self) -> usize {
        self.plain.capacity() + self.forms.capacity()
    }

    /// The longer of the two buffers, in bytes: what positions count.
    pub(super) fn reach(&self) -> usize {
        self.plain.len().max(self.forms.len())
    }

    #[inline]
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range {
        let start = self.plain.len() as u32;
        write(&mut self.plain);
        self.range(Span { start, end: self.plain.len() as u32 })
    }

    /// Another form of a packet, made of its frames.
    pub(super) fn write_form(&mut self, packet: Range, write: impl FnOnce(&[u8], &mut Vec<u8>)) -> Range {
        self.check(packet);
        let start = self.forms.len() as u32;
        let Span { start: from, end: to } = packet.span;
        let frames = if from & OTHER_FORM == 0 { &self.plain[from as usize..to as usize] } else { &[] };
        write(frames, &mut self.forms);
        self.range(Span { start: start | OTHER_FORM, end: self.forms.len() as u32 | OTHER_FORM })
    }

    #[inline]
    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        let (bytes, start, end) = match span.start & OTHER_FORM {
            0 => (&self.plain, span.start, span.end),
            _ => (&self.forms, span.start ^ OTHER_FORM, span.end ^ OTHER_FORM),
        };
        &bytes[start as usize..end as usize]
    }

    #[inline]
    fn range(&self, span: Span) -> Range {
        Range {
            span,
            #[cfg(debug_assertions)]
            epoch: self.epoch,
        }
    }

    /// The range of bytes that are there.
    #[inline]
    pub(super) fn check(&self, range: Range) -> Span {
        #[cfg(debug_assertions)]
        assert_eq!(range.epoch, self.epoch, "a range was kept while the arena started anew");
        range.span
    }

    /// Starts anew with the bytes of one range; where they lie now.
    pub(super) fn restart_with(&mut self, kept: Option<Range>) -> Option<Range> {
        let bytes = kept.map(|range| self.bytes(self.check(range)).to_vec());
        self.restart();
        bytes.map(|bytes| self.write(|plain| plain.extend_from_slice(&bytes)))
    }

    /// Starts anew: all ranges end.
    pub(super) fn restart(&mut self) {
        for bytes in [&mut self.plain, &mut self.forms] {
            bytes.clear();
            bytes.shrink_to(self.kept_bytes);
        }
        #[cfg(debug_assertions)]
        {
            self.epoch = self.epoch.wrapping_add(1);
        }
    }
}
