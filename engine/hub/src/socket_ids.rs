//! Which socket an id means: the ids of sockets, and the names that clients of Engine.IO 3 have in namespaces other than `/`.
//!
//! Not rooms: an id is the room of one's own, which no table holds.

use socketville_proto::eio::Revision;

use crate::register::Register;
use crate::sockets::Socket;
use crate::table::Table;
use crate::{Hub, Id, Keyed, NspId, SessionKey, SocketKey};

/// The slots of sockets by their ids.
pub(crate) struct SocketIds {
    by_id: Register,
    /// `/namespace#session`. Source: the reference's `Socket` for protocol 3; the client makes up the same by itself.
    by_name: Keyed<Box<str>, u32>,
    /// The same names, by slot: few sockets have one, so it does not lie in the socket.
    names: Keyed<u32, Box<str>>,
}

impl SocketIds {
    pub(crate) fn new(hasher: &ahash::RandomState) -> Self {
        let (by_name, names) = (Keyed::with_hasher(hasher.clone()), Keyed::with_hasher(hasher.clone()));
        Self { by_id: Register::new(hasher.clone()), by_name, names }
    }

    /// A socket, which has the id already. Another that had it has it no longer: a client of Engine.IO 3 that comes back to `/` has the
    /// same again.
    pub(crate) fn insert(&mut self, id: &Id, slot: u32, sockets: &Table<Socket>) {
        self.by_id.insert(id, slot, |slot| id_in(sockets, slot));
    }

    pub(crate) fn insert_name(&mut self, name: String, slot: u32) {
        let name = name.into_boxed_str();
        self.names.insert(slot, name.clone());
        self.by_name.insert(name, slot);
    }

    /// Forgets a socket; its name, if it had one. Ids and names that another socket has by now stay.
    pub(crate) fn remove(&mut self, id: &Id, slot: u32) -> Option<Box<str>> {
        self.by_id.remove(id, slot);
        if self.names.is_empty() {
            return None;
        }
        let name = self.names.remove(&slot)?;
        if self.by_name.get(&name) == Some(&slot) {
            self.by_name.remove(&name);
        }
        Some(name)
    }

    pub(crate) fn find(&self, id: &Id, sockets: &Table<Socket>) -> Option<u32> {
        self.by_id.find(id, |slot| id_in(sockets, slot))
    }

    /// What the application and the client call a socket.
    pub(crate) fn name<'a>(&'a self, slot: u32, id: &'a Id) -> &'a str {
        match self.names.is_empty() {
            true => id.as_str(),
            false => self.names.get(&slot).map_or(id.as_str(), |name| name),
        }
    }

    /// The socket whose own room has this name.
    pub(crate) fn named(&self, name: &str, sockets: &Table<Socket>) -> Option<u32> {
        match Id::parse(name) {
            Some(id) => self.find(&id, sockets),
            None if self.by_name.is_empty() => None,
            None => self.by_name.get(name).copied(),
        }
    }

    /// Whether a room's name may be that of a socket's own room.
    pub(crate) fn may_name(&self, room: &str) -> bool {
        room.len() == crate::ID_LEN || (!self.by_name.is_empty() && room.starts_with('/'))
    }
}

impl Hub {
    /// The revision of Engine.IO that a socket's session speaks.
    pub fn revision_of(&self, key: SocketKey) -> Option<Revision> {
        self.sockets.find(key).map(|socket| socket.revision)
    }

    /// The revision of Engine.IO that a session speaks.
    pub fn revision_of_session(&self, key: SessionKey) -> Option<Revision> {
        self.sessions.find(key).map(|session| session.revision)
    }

    /// What the application and the client call a socket: its id, but for clients of Engine.IO 3 in namespaces other than `/`.
    pub fn name_of(&self, key: SocketKey) -> Option<&str> {
        self.sockets.find(key).map(|socket| self.socket_ids.name(key.index, &socket.id))
    }

    /// An id for a socket of a session, and the name that it has besides. Clients of Engine.IO 3 are not told their id: they
    /// take it to be the session's, behind the namespace if that is not `/`.
    pub(crate) fn new_socket_id(&mut self, key: SessionKey, nsp: NspId) -> (Id, Option<String>) {
        let session = self.sessions.find(key).filter(|session| session.revision == Revision::V3);
        match (session.map(|session| session.id), self.namespace_name(nsp)) {
            (None, _) => (self.ids.next(), None),
            (Some(id), "/") => (id, None),
            (Some(id), nsp) => {
                let name = format!("{nsp}#{}", id.as_str());
                (self.ids.next(), Some(name))
            }
        }
    }

    /// What to call a socket when telling of rooms; `None` if nobody is told.
    pub(crate) fn watched_name(&self, key: SocketKey) -> Option<Box<str>> {
        let socket = self.sockets.find(key).filter(|_| self.watches_rooms)?;
        Some(self.socket_ids.name(key.index, &socket.id).into())
    }
}

/// The id of the socket in a slot.
fn id_in(sockets: &Table<Socket>, slot: u32) -> Option<Id> {
    sockets.at(slot).map(|(_, socket)| socket.id)
}
