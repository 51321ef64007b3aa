//! The bytes of a fuzzer, read as choices.
//!
//! After the last byte every choice is 0, so that any input is a whole run, and a shorter one does less.

/// The choices that are left.
#[derive(Debug)]
pub(super) struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    /// All choices of a run.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether nothing is left.
    pub(super) const fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub(super) const fn byte(&mut self) -> u8 {
        match self.rest {
            [] => 0,
            [first, rest @ ..] => {
                self.rest = rest;
                *first
            }
        }
    }

    /// A number below `bound`, which is at most 256; 0 if that is 0.
    pub(super) const fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 => 0,
            _ => self.byte() as usize % bound,
        }
    }

    /// True for odd bytes.
    pub(super) const fn coin(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// The next bytes, or as many as there are.
    pub(super) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_that_are_used_up_are_0() {
        let mut choices = Choices::new(&[7, 9, 1]);
        assert_eq!((choices.below(4), choices.bytes(5), choices.is_over()), (3, &[9, 1][..], true));
        assert_eq!((choices.byte(), choices.below(5), choices.coin()), (0, 0, false));
    }
}
