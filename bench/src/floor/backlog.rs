//! What a full socket has not taken. Without a limit: it can hold one burst at most, and the floor is not a
//! server for strangers.

/// Bytes in order, taken from the front.
#[derive(Default)]
pub(super) struct Backlog {
    bytes: Vec<u8>,
    start: usize,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// The kernel has taken so many.
    pub(super) fn took(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_and_whole() {
        let mut backlog = Backlog::default();
        backlog.push(b"abc");
        backlog.took(2);
        backlog.push(b"de");
        assert_eq!(backlog.waiting(), b"cde");
        backlog.took(3);
        assert!(backlog.is_empty());
    }
}
