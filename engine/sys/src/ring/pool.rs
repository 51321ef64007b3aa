//! The buffers receives are made into. It is not an allocator: one batch of receives uses them from the first on, and
//! between batches they are free.

use crate::limits::{RECEIVE_BUFFERS, RECEIVE_BYTES};

/// 64 buffers of 16 KiB in one piece.
#[derive(Debug)]
pub(super) struct Pool {
    bytes: Box<[u8]>,
}

impl Pool {
    pub(super) fn new() -> Pool {
        Pool { bytes: vec![0; RECEIVE_BUFFERS * RECEIVE_BYTES].into_boxed_slice() }
    }

    /// The buffer at a place of the batch.
    pub(super) fn buffer(&mut self, place: usize) -> &mut [u8] {
        let start = place * RECEIVE_BYTES;
        &mut self.bytes[start..start + RECEIVE_BYTES]
    }

    /// All of it, for a receive that stores nothing.
    pub(super) fn all(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Gives the memory up to a kernel that might still write to it.
    pub(super) fn abandon(&mut self) {
        let lost = std::mem::replace(self, Pool::new());
        Box::leak(lost.bytes);
    }
}
