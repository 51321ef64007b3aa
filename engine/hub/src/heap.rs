//! A binary heap by pages: the least first, and growing copies nothing (see [`crate::pages`]).
//!
//! Not for lookups or changes: what is in is what was pushed.

use crate::pages::Pages;

/// Entries of which the least is taken first; equals in no order.
pub(crate) struct Heap<T> {
    entries: Pages<T>,
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self { entries: Pages::new() }
    }
}

impl<T: Ord + Default> Heap<T> {
    pub(crate) fn peek(&self) -> Option<&T> {
        self.entries.get(0).filter(|_| !self.entries.is_empty())
    }

    pub(crate) fn push(&mut self, entry: T) {
        let mut at = self.entries.len();
        self.entries.push(entry);
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.entries[parent] <= self.entries[at] {
                break;
            }
            self.entries.swap(parent, at);
            at = parent;
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let last = self.entries.pop()?;
        if self.entries.is_empty() {
            return Some(last);
        }
        let first = &mut self.entries[0];
        let least = std::mem::replace(first, last);
        self.sink();
        Some(least)
    }

    /// Lets the first entry down to where it belongs.
    fn sink(&mut self) {
        let (mut at, len) = (0, self.entries.len());
        loop {
            let (left, right) = (at * 2 + 1, at * 2 + 2);
            if left >= len {
                return;
            }
            let child = if right < len && self.entries[right] < self.entries[left] { right } else { left };
            if self.entries[at] <= self.entries[child] {
                return;
            }
            self.entries.swap(at, child);
            at = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_agrees_with_the_standard_one(steps in prop::collection::vec(prop::option::of(0..50_u32), 0..2000)) {
            let (mut heap, mut twin) = (Heap::default(), BinaryHeap::new());
            for step in steps {
                match step {
                    Some(entry) => {
                        heap.push(entry);
                        twin.push(Reverse(entry));
                    }
                    None => prop_assert_eq!(heap.pop(), twin.pop().map(|Reverse(entry)| entry)),
                }
                prop_assert_eq!(heap.peek(), twin.peek().map(|Reverse(entry)| entry));
            }
        }
    }
}
