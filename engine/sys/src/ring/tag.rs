//! What a completion says about its request: operation, sequence and index in the 64 bits the kernel hands back. It is not a
//! pointer, so a completion of a forgotten request can be looked at safely.
//!
//! ```text
//! 63      56 55               32 31                                0
//! operation   sequence            index
//! polls       generation          index of the connection
//! accept      number of pauses    0
//! alarm       number of the arm   0
//! transfers   number of the call  position in the batch
//! questions   number of the call  0
//! ```

use crate::limits::GENERATION_MASK;
use crate::token::Token;

/// The requests this driver makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Op {
    /// An accept of the listener.
    Accept = 1,
    /// Multishot poll of the waker.
    Wake,
    /// Multishot poll of a connection for bytes and the end.
    Readable,
    /// One-shot poll of a connection for room.
    Writable,
    /// A send of the current batch.
    Send,
    /// A receive of the current batch.
    Receive,
    /// The timeout of a far deadline.
    Alarm,
    /// A request whose result the caller is waiting for.
    Ask,
    /// One whose result is a new descriptor.
    Install,
    /// A request whose result does not matter.
    Ignored,
}

const OPS: [Op; 10] = [
    Op::Accept,
    Op::Wake,
    Op::Readable,
    Op::Writable,
    Op::Send,
    Op::Receive,
    Op::Alarm,
    Op::Ask,
    Op::Install,
    Op::Ignored,
];

/// The content of `user_data`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tag {
    pub(super) op: Op,
    pub(super) sequence: u32,
    pub(super) index: u32,
}

impl Tag {
    pub(super) fn new(op: Op, sequence: u32, index: u32) -> Tag {
        debug_assert!(sequence <= GENERATION_MASK);
        Tag { op, sequence, index }
    }

    /// A request about a connection.
    pub(super) fn of(op: Op, token: Token) -> Tag {
        Tag::new(op, token.generation, token.index)
    }

    /// A request nobody asks about again.
    pub(super) fn ignored() -> Tag {
        Tag::new(Op::Ignored, 0, 0)
    }

    pub(super) fn pack(self) -> u64 {
        u64::from(self.op as u8) << 56
            | u64::from(self.sequence & GENERATION_MASK) << 32
            | u64::from(self.index)
    }

    /// `None` for a number this driver never made.
    pub(super) fn unpack(packed: u64) -> Option<Tag> {
        let op = OPS.into_iter().find(|&op| op as u8 == (packed >> 56) as u8)?;
        Some(Tag { op, sequence: (packed >> 32) as u32 & GENERATION_MASK, index: packed as u32 })
    }

    /// The connection a poll is about.
    pub(super) fn token(self) -> Token {
        Token { index: self.index, generation: self.sequence }
    }
}

/// The next number of a call or an arm.
pub(super) fn next(sequence: u32) -> u32 {
    (sequence + 1) & GENERATION_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_survives_the_kernel() {
        for op in OPS {
            for sequence in [0, 1, GENERATION_MASK] {
                for index in [0, 1, u32::MAX] {
                    let tag = Tag::new(op, sequence, index);
                    assert_eq!(Tag::unpack(tag.pack()), Some(tag));
                }
            }
        }
        assert_eq!(Tag::unpack(0), None);
        assert_eq!(Tag::unpack(u64::MAX), None);
        assert_eq!(next(GENERATION_MASK), 0);
    }
}
