//! The buffers receives are made into. It is not an allocator: one batch of receives uses them from the first on, and
//! between batches they are free.

use crate::limits::{RECEIVE_BUFFERS, RECEIVE_BYTES_MAX};

/// 64 buffers in one piece.
#[derive(Debug)]
pub(super) struct Pool {
    bytes: Box<[u8]>,
    buffer_bytes: usize,
}

impl Pool {
    /// Buffers of so many bytes: at least one, at most [`RECEIVE_BYTES_MAX`].
    pub(super) fn new(buffer_bytes: usize) -> Pool {
        let buffer_bytes = buffer_bytes.clamp(1, RECEIVE_BYTES_MAX);
        Pool { bytes: vec![0; RECEIVE_BUFFERS * buffer_bytes].into_boxed_slice(), buffer_bytes }
    }

    /// Bytes of each.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// The buffer at a place of the batch.
    pub(super) fn buffer(&mut self, place: usize) -> &mut [u8] {
        let start = place * self.buffer_bytes;
        &mut self.bytes[start..start + self.buffer_bytes]
    }

    /// All of it, for a receive that stores nothing.
    pub(super) fn all(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Gives the memory up to a kernel that might still write to it.
    pub(super) fn abandon(&mut self) {
        let fresh = Pool::new(self.buffer_bytes);
        let lost = std::mem::replace(self, fresh);
        Box::leak(lost.bytes);
    }
}
