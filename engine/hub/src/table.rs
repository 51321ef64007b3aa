//! A slab with generations: a key outlives its entry safely, and finds nothing then.
//!
//! Not a map: keys are made here, not chosen. Slots are reused lowest first, so that bitsets over slots stay short.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::marker::PhantomData;

use crate::pages::Pages;

/// A key of a table with generations; stale keys are legal and find nothing.
pub struct Key<T> {
    /// The slot.
    pub index: u32,
    /// How often the slot was used before.
    pub generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Key<T> {}
impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && self.generation == other.generation
    }
}
impl<T> Eq for Key<T> {}
impl<T> std::hash::Hash for Key<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.index, self.generation).hash(state);
    }
}
impl<T> std::fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

impl<T> Key<T> {
    /// A key that never finds anything.
    pub const NONE: Self = Self::new(u32::MAX, u32::MAX);

    /// A key by its parts.
    pub const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation, of: PhantomData }
    }
}

pub(crate) struct Table<T> {
    slots: Pages<Slot<T>>,
    free: BinaryHeap<Reverse<u32>>,
    len: usize,
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { generation: 0, value: None }
    }
}

impl<T> Table<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Pages::new(), free: BinaryHeap::new(), len: 0 }
    }

    pub(crate) fn insert(&mut self, value: T) -> Key<T> {
        self.len += 1;
        if let Some(Reverse(index)) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            debug_assert!(slot.value.is_none(), "a free slot is empty");
            slot.value = Some(value);
            return Key::new(index, slot.generation);
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 entries");
        self.slots.push(Slot { generation: 0, value: Some(value) });
        Key::new(index, 0)
    }

    pub(crate) fn remove(&mut self, key: Key<T>) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(Reverse(key.index));
        self.len -= 1;
        Some(value)
    }

    pub(crate) fn find_mut(&mut self, key: Key<T>) -> Option<&mut T> {
        self.slots
            .get_mut(key.index as usize)
            .filter(|slot| slot.generation == key.generation)?
            .value
            .as_mut()
    }

    pub(crate) fn find(&self, key: Key<T>) -> Option<&T> {
        self.slots.get(key.index as usize).filter(|slot| slot.generation == key.generation)?.value.as_ref()
    }

    /// The entry of a slot whatever its generation, with its key.
    pub(crate) fn at(&self, index: u32) -> Option<(Key<T>, &T)> {
        let slot = self.slots.get(index as usize)?;
        Some((Key::new(index, slot.generation), slot.value.as_ref()?))
    }

    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index as usize)?.value.as_mut()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = Key<T>> + '_ {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.value.is_some())
            .map(|(index, slot)| Key::new(index as u32, slot.generation))
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut table = Table::new();
        let old = table.insert("old");
        assert_eq!(table.remove(old), Some("old"));
        let new = table.insert("new");
        assert_eq!(new.index, old.index);
        assert_eq!(table.find(old), None);
        assert_eq!(table.remove(old), None);
        assert_eq!((table.find(new), table.len()), (Some(&"new"), 1));
    }

    #[test]
    fn the_lowest_free_slot_is_used_first() {
        let mut table = Table::new();
        let keys: Vec<_> = (0..5).map(|i| table.insert(i)).collect();
        table.remove(keys[3]);
        table.remove(keys[1]);
        assert_eq!(table.insert(9).index, 1);
        assert_eq!(table.insert(9).index, 3);
        assert_eq!(table.insert(9).index, 5);
    }
}
