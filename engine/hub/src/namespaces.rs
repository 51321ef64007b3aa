//! Namespaces and their rooms: names, and who is in.
//!
//! Not sockets: a room holds slots. A room exists exactly while someone is in it.

use crate::members::Members;
use crate::table::{Key, Table};
use crate::{Hub, Keyed};

/// A namespace; the same on every core. A place may be used again after a namespace was removed: then the generation is another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct NspId {
    /// The place.
    pub index: u16,
    /// How often it was used before.
    pub generation: u32,
}

impl NspId {
    /// The first namespace in a place.
    pub const fn first(index: u16) -> Self {
        Self { index, generation: 0 }
    }
}

/// The namespaces that one core knows, by their places.
#[derive(Default)]
pub(crate) struct Namespaces {
    places: Vec<Option<Namespace>>,
    /// The namespace `/`, so that the name which most packets leave out need not be compared with every seat's.
    root: Option<NspId>,
}

impl Namespaces {
    /// Whether a namespace has this name.
    pub(crate) fn is_called(&self, nsp: NspId, name: &str) -> bool {
        match name {
            "/" => self.root == Some(nsp),
            _ => self.find(nsp).is_some_and(|namespace| *namespace.name == *name),
        }
    }

    pub(crate) fn find(&self, nsp: NspId) -> Option<&Namespace> {
        self.places.get(usize::from(nsp.index))?.as_ref().filter(|namespace| namespace.id == nsp)
    }

    /// All that exist.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Namespace> {
        self.places.iter().flatten()
    }

    pub(crate) fn find_mut(&mut self, nsp: NspId) -> Option<&mut Namespace> {
        self.places.get_mut(usize::from(nsp.index))?.as_mut().filter(|namespace| namespace.id == nsp)
    }
}

pub(crate) type RoomKey = Key<Room>;

pub(crate) struct Namespace {
    id: NspId,
    pub(crate) name: Box<str>,
    pub(crate) members: Members,
    pub(crate) rooms: Table<Room>,
    pub(crate) room_names: Keyed<Box<str>, RoomKey>,
    /// How long broadcasts wait for others, unless they say otherwise.
    pub(crate) flush_interval_ms: u8,
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
        let nsp =
            NspId::first(u16::try_from(self.namespaces.places.len()).expect("fewer than 65 536 namespaces"));
        self.enter_namespace(name, nsp);
        nsp
    }

    /// Makes a namespace known that other cores may know already; nothing if this one does.
    pub fn enter_namespace(&mut self, name: &str, nsp: NspId) {
        if self.namespaces.find(nsp).is_some() {
            return;
        }
        let index = usize::from(nsp.index);
        if self.namespaces.places.len() <= index {
            self.namespaces.places.resize_with(index + 1, || None);
        }
        if name == "/" {
            self.namespaces.root = Some(nsp);
        }
        self.namespaces.places[index] = Some(Namespace {
            id: nsp,
            name: name.into(),
            members: Members::default(),
            rooms: Table::new(),
            room_names: Keyed::with_hasher(self.hasher.clone()),
            flush_interval_ms: 0,
        });
        self.namespace_names.insert(name.into(), nsp);
    }

    /// Broadcasts to a namespace may wait so many milliseconds for others, unless they say otherwise; 0, the default, is not at all.
    pub fn set_flush_interval(&mut self, nsp: NspId, interval_ms: u8) {
        if let Some(namespace) = self.namespaces.find_mut(nsp) {
            namespace.flush_interval_ms = interval_ms;
        }
    }

    /// Forgets a namespace that nobody is in any more.
    pub fn remove_namespace(&mut self, nsp: NspId) {
        if self.namespaces.find(nsp).is_some()
            && let Some(namespace) = self.namespaces.places[usize::from(nsp.index)].take()
            && self.namespace_names.get(&namespace.name) == Some(&nsp)
        {
            self.namespace_names.remove(&namespace.name);
        }
        if self.namespaces.root == Some(nsp) {
            self.namespaces.root = None;
        }
    }

    /// From now on clients that want a namespace which does not exist are told as [`Incoming::Unknown`](crate::Incoming::Unknown).
    pub const fn ask_for_unknown(&mut self) {
        self.asks_for_unknown = true;
    }

    /// The number of a namespace.
    pub fn namespace(&self, name: &str) -> Option<NspId> {
        self.namespace_names.get(name).copied()
    }

    /// The name of a namespace, with its slash.
    pub fn namespace_name(&self, nsp: NspId) -> &str {
        self.namespaces.find(nsp).map_or("", |n| &n.name)
    }

    /// Sockets of this core in a namespace.
    pub fn namespace_len(&self, nsp: NspId) -> usize {
        self.namespaces.find(nsp).map_or(0, |n| n.members.len())
    }

    /// Sockets of this core in a room.
    pub fn room_len(&self, nsp: NspId, room: &str) -> usize {
        self.namespaces.find(nsp).and_then(|n| n.room(room)).map_or(0, |room| room.members.len())
    }

    /// The rooms of a namespace on this core with their sizes, in no order.
    pub fn rooms(&self, nsp: NspId) -> impl Iterator<Item = (&str, usize)> {
        self.namespaces
            .find(nsp)
            .into_iter()
            .flat_map(|n| n.room_names.values().filter_map(|key| n.rooms.find(*key)))
            .map(|room| (&*room.name, room.members.len()))
    }
}
