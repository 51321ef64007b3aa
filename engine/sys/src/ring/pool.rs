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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_have_the_size_that_was_asked_for_and_do_not_overlap() {
        let mut pool = Pool::new(100);
        pool.buffer(0).fill(1);
        pool.buffer(RECEIVE_BUFFERS - 1).fill(2);
        assert_eq!(pool.buffer(0), [1; 100]);
        assert_eq!(pool.buffer(RECEIVE_BUFFERS - 1), [2; 100]);
        assert_eq!(pool.all().len(), RECEIVE_BUFFERS * 100);
    }

    #[test]
    fn no_wish_makes_them_empty_or_huge() {
        assert_eq!(Pool::new(0).buffer_bytes(), 1);
        assert_eq!(Pool::new(usize::MAX).buffer_bytes(), RECEIVE_BYTES_MAX);
    }
}
