//! Which socket an id means: the ids of sockets, and the names that clients of Engine.IO 3 have in namespaces other than `/`.
//!
//! Not rooms: an id is the room of one's own, which no table holds.

use socketville_proto::eio::Revision;

use crate::sockets::Socket;
use crate::{Hub, Id, Keyed, NspId, SessionKey, SocketKey};

/// Sockets by their ids.
pub(crate) struct SocketIds {
    by_id: Keyed<Id, SocketKey>,
    /// `/namespace#session`. Source: the reference's `Socket` for protocol 3; the client makes up the same by itself.
    by_name: Keyed<Box<str>, SocketKey>,
}

impl SocketIds {
    pub(crate) fn new(hasher: &ahash::RandomState) -> Self {
        Self { by_id: Keyed::with_hasher(hasher.clone()), by_name: Keyed::with_hasher(hasher.clone()) }
    }

    pub(crate) fn insert(&mut self, id: Id, key: SocketKey) {
        self.by_id.insert(id, key);
    }

    pub(crate) fn insert_name(&mut self, name: &str, key: SocketKey) {
        self.by_name.insert(name.into(), key);
    }

    /// Forgets an id, unless another socket has it by now: a client of Engine.IO 3 that comes back to `/` has the same again.
    pub(crate) fn remove(&mut self, id: &Id, key: SocketKey) {
        if self.by_id.get(id) == Some(&key) {
            self.by_id.remove(id);
        }
    }

    /// The same for a name.
    pub(crate) fn remove_name(&mut self, name: &str, key: SocketKey) {
        if self.by_name.get(name) == Some(&key) {
            self.by_name.remove(name);
        }
    }

    pub(crate) fn get(&self, id: &Id) -> Option<SocketKey> {
        self.by_id.get(id).copied()
    }

    /// The socket whose own room has this name.
    pub(crate) fn named(&self, name: &str) -> Option<SocketKey> {
        match Id::parse(name) {
            Some(id) => self.get(&id),
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

    /// What the application and the client call a socket: its id, but for clients of Engine.IO 3 in namespaces other than `/`.
    pub fn name_of(&self, key: SocketKey) -> Option<&str> {
        self.sockets.find(key).map(Socket::name)
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
        Some(socket.name().into())
    }
}
