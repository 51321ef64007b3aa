//! Namespaces and their rooms: names, and who is in.
//!
//! Not sockets: a room holds slots. A room exists exactly while someone is in it.

use crate::members::Members;
use crate::table::{Key, Table};
use crate::{Hub, Keyed};

/// A namespace; the same number on every core.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct NspId(pub u16);

pub(crate) type RoomKey = Key<Room>;

pub(crate) struct Namespace {
    pub(crate) name: Box<str>,
    pub(crate) members: Members,
    pub(crate) rooms: Table<Room>,
    pub(crate) room_names: Keyed<Box<str>, RoomKey>,
}

pub(crate) struct Room {
    pub(crate) name: Box<str>,
    pub(crate) members: Members,
}

impl Namespace {
    pub(crate) fn room(&self, name: &str) -> Option<&Room> {
        self.rooms.find(*self.room_names.get(name)?)
    }

    pub(crate) fn room_or_new(&mut self, name: &str) -> RoomKey {
        if let Some(&key) = self.room_names.get(name) {
            return key;
        }
        let key = self.rooms.insert(Room { name: name.into(), members: Members::default() });
        self.room_names.insert(name.into(), key);
        key
    }

    /// Takes a socket out; the room if it went with it.
    pub(crate) fn leave(&mut self, key: RoomKey, slot: u32) -> Option<Room> {
        let room = self.rooms.find_mut(key)?;
        room.members.remove(slot);
        if !room.members.is_empty() {
            return None;
        }
        let room = self.rooms.remove(key)?;
        self.room_names.remove(&room.name);
        Some(room)
    }
}

impl Hub {
    /// Adds a namespace; its number if it exists. All cores add the same ones in the same order, before their first connection.
    ///
    /// # Panics
    /// At the 65 536th namespace.
    pub fn add_namespace(&mut self, name: &str) -> NspId {
        if let Some(nsp) = self.namespace(name) {
            return nsp;
        }
        let nsp = NspId(u16::try_from(self.namespaces.len()).expect("fewer than 65 536 namespaces"));
        self.namespaces.push(Namespace {
            name: name.into(),
            members: Members::default(),
            rooms: Table::new(),
            room_names: Keyed::with_hasher(self.hasher.clone()),
        });
        self.namespace_names.insert(name.into(), nsp);
        nsp
    }

    /// The number of a namespace.
    pub fn namespace(&self, name: &str) -> Option<NspId> {
        self.namespace_names.get(name).copied()
    }

    /// The name of a namespace, with its slash.
    pub fn namespace_name(&self, nsp: NspId) -> &str {
        self.namespaces.get(usize::from(nsp.0)).map_or("", |n| &n.name)
    }

    /// Sockets of this core in a namespace.
    pub fn namespace_len(&self, nsp: NspId) -> usize {
        self.namespaces.get(usize::from(nsp.0)).map_or(0, |n| n.members.len())
    }

    /// Sockets of this core in a room.
    pub fn room_len(&self, nsp: NspId, room: &str) -> usize {
        self.namespaces
            .get(usize::from(nsp.0))
            .and_then(|n| n.room(room))
            .map_or(0, |room| room.members.len())
    }

    /// The rooms of a namespace on this core with their sizes, in no order.
    pub fn rooms(&self, nsp: NspId) -> impl Iterator<Item = (&str, usize)> {
        self.namespaces
            .get(usize::from(nsp.0))
            .into_iter()
            .flat_map(|n| n.room_names.values().filter_map(|key| n.rooms.find(*key)))
            .map(|room| (&*room.name, room.members.len()))
    }
}
