//! Whose an id is: for each id the slot of what has it.
//!
//! Not the ids themselves: they lie in the slots, so an entry here is four bytes instead of an id and a key, and the caller says
//! which id a slot has. Hashed with a key of this process, for peers send ids.

use hashbrown::HashTable;

use crate::Id;

/// Slots by their ids.
pub(crate) struct Register {
    slots: HashTable<u32>,
    hasher: ahash::RandomState,
}

impl Register {
    pub(crate) const fn new(hasher: ahash::RandomState) -> Self {
        Self { slots: HashTable::new(), hasher }
    }

    /// The slot of what has the id, as `id_of` tells of slots.
    pub(crate) fn find(&self, id: &Id, id_of: impl Fn(u32) -> Option<Id>) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        self.slots.find(hash, |&slot| id_of(slot).as_ref() == Some(id)).copied()
    }

    /// Enters a slot, which has the id already; in place of another that has the same.
    pub(crate) fn insert(&mut self, id: &Id, slot: u32, id_of: impl Fn(u32) -> Option<Id>) {
        let hasher = &self.hasher;
        let hash = hasher.hash_one(id);
        if let Some(other) = self.slots.find_mut(hash, |&slot| id_of(slot).as_ref() == Some(id)) {
            *other = slot;
            return;
        }
        self.slots.insert_unique(hash, slot, |&slot| id_of(slot).map_or(0, |id| hasher.hash_one(id)));
    }

    /// Takes a slot out; nothing if it is not there.
    pub(crate) fn remove(&mut self, id: &Id, slot: u32) {
        if let Ok(entry) = self.slots.find_entry(self.hasher.hash_one(id), |&other| other == slot) {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Ids;

    #[test]
    fn each_id_has_its_slot_through_growth_and_removal() {
        let mut ids = Ids::new(0, [3; 32]);
        let all: Vec<Id> = (0..1000).map(|_| ids.next()).collect();
        let id_of = |slot: u32| all.get(slot as usize).copied();
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let mut register = Register::new(hasher);
        for (slot, id) in all.iter().enumerate() {
            register.insert(id, slot as u32, id_of);
        }
        for slot in (0..1000).step_by(2) {
            register.remove(&all[slot], slot as u32);
        }
        register.remove(&all[1], 7); // another's slot: nothing
        for (slot, id) in all.iter().enumerate() {
            let expected = (slot % 2 == 1).then_some(slot as u32);
            assert_eq!(register.find(id, id_of), expected);
        }
        assert_eq!(register.find(&ids.next(), id_of), None);
    }
}
