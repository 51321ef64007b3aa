//! Opcodes, and the parts of a client's frame header (RFC 6455 section 5.2).
//!
//! Not the rules about a sequence of frames, which are the decoder's: here a header is read part by part, so
//! that each part can be judged before the next one arrives.

use super::Error;
use super::deflate::RSV1;
use crate::limits;

/// What a frame carries (RFC 6455 section 11.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further part of a fragmented message.
    Continuation = 0x0,
    /// Text, or its first part.
    Text = 0x1,
    /// Bytes, or their first part.
    Binary = 0x2,
    /// The end.
    Close = 0x8,
    /// A ping.
    Ping = 0x9,
    /// A pong, asked for or not.
    Pong = 0xa,
}

/// Whether a message's payload is as it is meant (RFC 7692 section 6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Packing {
    #[default]
    Plain,
    Deflated,
}

/// The header of a client's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) fin: bool,
    pub(super) opcode: Opcode,
    /// Of the message, if this is its first frame.
    pub(super) packing: Packing,
    /// Bytes of payload that have not been taken.
    pub(super) remaining: u64,
    /// The key that the next byte's mask begins with.
    pub(super) key: [u8; 4],
}

/// The first two bytes of a client's frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) fin: bool,
    pub(super) opcode: Opcode,
    pub(super) packing: Packing,
    length: u8,
}

impl Opcode {
    /// The opcode of these four bits, if there is one.
    pub(super) fn parse(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    /// Whether frames of this kind may come between the fragments of a message (section 5.5).
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

impl Start {
    /// The first two bytes of `header`; `None` if they have not arrived. `reserved` are the bits that an extension
    /// defines, on the first frame of a message only (RFC 7692 section 6.1).
    ///
    /// # Errors
    ///
    /// All that two bytes can do wrong by themselves.
    #[inline]
    pub(super) fn parse(header: &[u8], reserved: u8) -> Result<Option<Self>, Error> {
        let [first, second, ..] = *header else { return Ok(None) };
        let bits = first & 0x70;
        if bits & !reserved != 0 {
            return Err(Error::Reserved(bits));
        }
        let opcode = Opcode::parse(first & 0x0f).ok_or(Error::UnknownOpcode(first & 0x0f))?;
        if bits != 0 && !matches!(opcode, Opcode::Text | Opcode::Binary) {
            return Err(Error::Reserved(bits));
        }
        let packing = if bits & RSV1 == 0 { Packing::Plain } else { Packing::Deflated };
        if second & 0x80 == 0 {
            return Err(Error::Unmasked);
        }
        let start = Self { fin: first & 0x80 != 0, opcode, packing, length: second & 0x7f };
        if opcode.is_control() && !start.fin {
            return Err(Error::ControlFragmented(opcode));
        }
        if opcode.is_control() && usize::from(start.length) > limits::CONTROL_PAYLOAD_MAX {
            return Err(Error::ControlTooLong(opcode));
        }
        Ok(Some(start))
    }

    /// The payload's length and where the masking key begins; `None` if the length has not arrived.
    ///
    /// A length in more bytes than it needs is accepted, as other servers do: some small clients always use
    /// the long form, and nothing else reads the same bytes.
    #[inline]
    pub(super) fn length(&self, header: &[u8]) -> Option<(u64, usize)> {
        match (self.length, header) {
            (126, &[_, _, a, b, ..]) => Some((u64::from(u16::from_be_bytes([a, b])), 4)),
            (127, &[_, _, a, b, c, d, e, f, g, h, ..]) => {
                Some((u64::from_be_bytes([a, b, c, d, e, f, g, h]), 10))
            }
            (126 | 127, _) => None,
            (length, _) => Some((u64::from(length), 2)),
        }
    }
}
