//! What is kept of a frame or a message that has not completely arrived.
//!
//! Not there for most connections most of the time: the decoder boxes it when a read ends inside a message,
//! and drops it with the message. Buffers grow with the bytes that came, never with a length that a peer only
//! declared.

use super::frame::{Frame, Packing};
use super::{Error, Opcode, mask};
use crate::limits;

/// The unfinished part of a client's stream.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// The first bytes of a header that is not complete.
    header: Stash<{ limits::FRAME_HEADER_BYTES_MAX }>,
    /// The frame whose payload is arriving.
    pub(super) frame: Option<Frame>,
    /// The payload of a control frame that is arriving, or was handed out by the last call.
    control: Stash<{ limits::CONTROL_PAYLOAD_MAX }>,
    /// The kind of the message under way: of its first frame, once the whole header is there.
    pub(super) opcode: Option<Opcode>,
    /// Whether that message is compressed.
    pub(super) packing: Packing,
    /// Frames of the message so far.
    pub(super) fragments: u32,
    /// The message's payload so far.
    message: Vec<u8>,
    /// The message was handed out by the last call and is dropped by the next.
    pub(super) is_delivered: bool,
}

/// A few bytes in place.
#[derive(Debug)]
struct Stash<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl Partial {
    /// Whether there is nothing unfinished: the box can go.
    pub(super) fn is_idle(&self) -> bool {
        self.is_delivered || (self.header.len == 0 && self.frame.is_none() && self.opcode.is_none())
    }

    /// The stashed header bytes followed by the first of `input`, as many as a header can have.
    pub(super) fn joined_header(&self, input: &[u8]) -> ([u8; limits::FRAME_HEADER_BYTES_MAX], usize) {
        let stashed = usize::from(self.header.len);
        let mut header = self.header.bytes;
        let fresh = input.len().min(header.len() - stashed);
        header[stashed..stashed + fresh].copy_from_slice(&input[..fresh]);
        (header, stashed + fresh)
    }

    pub(super) fn header_len(&self) -> usize {
        usize::from(self.header.len)
    }

    /// Keeps the bytes of a header that ends before it is complete.
    pub(super) fn push_header(&mut self, bytes: &[u8]) {
        self.header.push(bytes);
    }

    pub(super) fn clear_header(&mut self) {
        self.header.len = 0;
    }

    /// Notes that a data frame belongs to the message under way, or begins it.
    pub(super) fn begin_data(&mut self, opcode: Opcode, packing: Packing) {
        self.fragments += 1;
        if self.opcode.is_none() {
            self.opcode = Some(opcode);
            self.packing = packing;
        }
    }

    /// Unmasks and keeps payload bytes of `frame`, all of `bytes` belonging to it.
    pub(super) fn push_payload(&mut self, frame: &mut Frame, bytes: &mut [u8], message_max: usize) {
        debug_assert!(bytes.len() as u64 <= frame.remaining);
        mask::apply(bytes, frame.key);
        frame.key = mask::after(frame.key, bytes.len());
        if frame.opcode.is_control() {
            self.control.push(bytes);
        } else {
            self.reserve(bytes.len(), message_max);
            self.message.extend_from_slice(bytes);
        }
        frame.remaining -= bytes.len() as u64;
    }

    /// Makes room for `len` bytes: doubles, so that growing is linear in all, but not beyond the limit.
    fn reserve(&mut self, len: usize, message_max: usize) {
        let needed = self.message.len() + len;
        debug_assert!(needed <= message_max);
        if needed > self.message.capacity() {
            let doubled = (self.message.capacity() * 2).clamp(needed, message_max.max(needed));
            self.message.reserve_exact(doubled - self.message.len());
        }
    }

    pub(super) fn clear_control(&mut self) {
        self.control.len = 0;
    }

    pub(super) fn control(&self) -> &[u8] {
        self.control.as_slice()
    }

    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    /// Bytes of heap behind this, itself included.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.message.capacity()
    }

    /// The length of the message with a further frame of `len` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if that is more than allowed.
    pub(super) fn check_len(held: usize, len: u64, message_max: usize) -> Result<(), Error> {
        let len = len.saturating_add(held as u64);
        if len > message_max as u64 { Err(Error::TooLarge { len, max: message_max }) } else { Ok(()) }
    }
}

impl<const N: usize> Stash<N> {
    /// Adds bytes. The callers' rules bound them: a header by its form, a control payload by its header.
    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl<const N: usize> Default for Stash<N> {
    fn default() -> Self {
        const { assert!(N <= u8::MAX as usize) };
        Self { bytes: [0; N], len: 0 }
    }
}
