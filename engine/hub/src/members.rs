//! The members of a room: slots of this core's sockets, a vector for the few or the widely spread, and a bitset for the many. Neither is larger than the
//! [`MEMBER_BYTES`](crate::limits::MEMBER_BYTES) that each member is charged.
//!
//! Not a registry of names. Iterating costs a word per 64 slots plus a few cycles per member; all of it is under a thousandth
//! of the sends that follow (64 members a word, 4 us a send).

use crate::limits::{MEMBER_BYTES, SMALL_ROOM_MAX};

/// A set of slots.
#[derive(Debug, Clone)]
pub(crate) enum Members {
    Few(Vec<u32>),
    Many(Bitset),
}

impl Default for Members {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Members {
    /// True if it was not in before.
    pub(crate) fn insert(&mut self, slot: u32) -> bool {
        match self {
            Self::Many(bits) if is_dense(bits.len + 1, bits.words.len().max(word_of(slot) + 1)) => {
                bits.insert(slot)
            }
            Self::Many(bits) => {
                let mut few = bits.to_vec();
                few.push(slot);
                *self = Self::Few(few);
                true
            }
            Self::Few(few) if few.contains(&slot) => false,
            Self::Few(few) => {
                few.push(slot);
                self.settle();
                true
            }
        }
    }

    /// A vector that has become large is a bitset from now on, if that is small enough.
    fn settle(&mut self) {
        let Self::Few(few) = self else { return };
        if few.len() <= SMALL_ROOM_MAX {
            return;
        }
        let words = few.iter().copied().max().map_or(0, word_of) + 1;
        // Half of what a bitset may have, so that a room at the border does not change its form with each visitor.
        if is_dense(few.len(), words * 2) {
            let mut bits = Bitset::default();
            bits.union(self);
            *self = Self::Many(bits);
        }
    }

    /// True if it was in before. A bitset that became small, or large for its members, is a vector again.
    pub(crate) fn remove(&mut self, slot: u32) -> bool {
        match self {
            Self::Few(few) => match few.iter().position(|&s| s == slot) {
                Some(at) => {
                    few.swap_remove(at);
                    if few.len() * 4 < few.capacity() && few.capacity() > SMALL_ROOM_MAX {
                        few.shrink_to(few.len() * 2);
                    }
                    true
                }
                None => false,
            },
            Self::Many(bits) => {
                let was_in = bits.remove(slot);
                if bits.len <= SMALL_ROOM_MAX / 2 || !is_dense(bits.len, bits.words.len()) {
                    *self = Self::Few(bits.to_vec());
                }
                was_in
            }
        }
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        match self {
            Self::Few(few) => few.contains(&slot),
            Self::Many(bits) => bits.contains(slot),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(bits) => bits.len,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn for_each(&self, mut visit: impl FnMut(u32)) {
        match self {
            Self::Few(few) => few.iter().for_each(|&slot| visit(slot)),
            Self::Many(bits) => bits.for_each(visit),
        }
    }
}

/// A flat bitset over the slots of one core's sockets.
#[derive(Debug, Clone, Default)]
pub struct Bitset {
    words: Vec<u64>,
    len: usize,
}

/// The word of a bitset that has a slot.
const fn word_of(slot: u32) -> usize {
    slot as usize / 64
}

/// Whether a bitset of so many words costs no more than its members are charged.
const fn is_dense(members: usize, words: usize) -> bool {
    words * size_of::<u64>() <= members * MEMBER_BYTES
}

impl Bitset {
    fn to_vec(&self) -> Vec<u32> {
        let mut slots = Vec::with_capacity(self.len);
        self.for_each(|slot| slots.push(slot));
        slots
    }

    /// How many are in.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none is in.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True if it was not in before.
    pub fn insert(&mut self, slot: u32) -> bool {
        let (word, bit) = (slot as usize / 64, 1u64 << (slot % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.len += usize::from(new);
        new
    }

    /// True if it was in before.
    pub fn remove(&mut self, slot: u32) -> bool {
        let bit = 1u64 << (slot % 64);
        let Some(word) = self.words.get_mut(slot as usize / 64) else { return false };
        let was_in = *word & bit != 0;
        *word &= !bit;
        self.len -= usize::from(was_in);
        was_in
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        self.words.get(slot as usize / 64).is_some_and(|word| word & (1 << (slot % 64)) != 0)
    }

    pub(crate) fn clear(&mut self) {
        self.words.clear();
        self.len = 0;
    }

    /// Adds all of `other`: words at a time where both are bitsets.
    pub(crate) fn union(&mut self, other: &Members) {
        match other {
            Members::Few(few) => few.iter().for_each(|&slot| {
                self.insert(slot);
            }),
            Members::Many(bits) => {
                if bits.words.len() > self.words.len() {
                    self.words.resize(bits.words.len(), 0);
                }
                for (mine, theirs) in self.words.iter_mut().zip(&bits.words) {
                    self.len += (theirs & !*mine).count_ones() as usize;
                    *mine |= theirs;
                }
            }
        }
    }

    /// Takes away all of `other`.
    pub(crate) fn subtract(&mut self, other: &Members) {
        match other {
            Members::Few(few) => few.iter().for_each(|&slot| {
                self.remove(slot);
            }),
            Members::Many(bits) => {
                for (mine, theirs) in self.words.iter_mut().zip(&bits.words) {
                    self.len -= (*mine & theirs).count_ones() as usize;
                    *mine &= !theirs;
                }
            }
        }
    }

    /// Visits all, the lowest slot first.
    pub fn for_each(&self, mut visit: impl FnMut(u32)) {
        for (index, &word) in self.words.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                visit(index as u32 * 64 + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn listed(members: &Members) -> BTreeSet<u32> {
        let mut all = BTreeSet::new();
        members.for_each(|slot| assert!(all.insert(slot), "{slot} twice"));
        all
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(spread in prop::sample::select(vec![1u32, 7, 64, 3000]), ops in prop::collection::vec((any::<bool>(), 0u32..300), 0..400)) {
            let (mut ours, mut naive) = (Members::default(), BTreeSet::new());
            for (join, slot) in ops {
                let slot = slot * spread;
                if join {
                    prop_assert_eq!(ours.insert(slot), naive.insert(slot));
                } else {
                    prop_assert_eq!(ours.remove(slot), naive.remove(&slot));
                }
                prop_assert_eq!(ours.len(), naive.len());
                let (bytes, members) = match &ours {
                    Members::Few(few) => (few.len() * size_of::<u32>(), few.len()),
                    Members::Many(bits) => (bits.words.len() * size_of::<u64>(), bits.len),
                };
                prop_assert!(bytes <= members * MEMBER_BYTES, "{} bytes of {} members", bytes, members);
            }
            prop_assert_eq!(listed(&ours), naive);
        }

        #[test]
        fn union_and_except_agree_with_sets(a in prop::collection::btree_set(0u32..500, 0..80),
                                            b in prop::collection::btree_set(0u32..500, 0..80),
                                            c in prop::collection::btree_set(0u32..500, 0..80)) {
            let of = |set: &BTreeSet<u32>| { let mut m = Members::default(); set.iter().for_each(|&s| { m.insert(s); }); m };
            let mut bits = Bitset::default();
            bits.union(&of(&a));
            bits.union(&of(&b));
            bits.subtract(&of(&c));
            let naive: BTreeSet<u32> = a.union(&b).copied().filter(|s| !c.contains(s)).collect();
            prop_assert_eq!(bits.len, naive.len());
            prop_assert_eq!(listed(&Members::Many(bits)), naive);
        }
    }
}
