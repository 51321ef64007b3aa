//! Sockets: a client in a namespace, with its rooms.
//!
//! Not handlers or data: those are the server's, which is told when a socket leaves and forgets it last.

use smallvec::SmallVec;
use socketville_proto::eio::Revision;
use socketville_proto::encode;

use crate::address_shares::rooms::room_bytes;
use crate::deadlines::Due;
use crate::delivery::{NO_ATTACHMENTS, Route};
use crate::limits::{MEMBER_BYTES, ROOM_NAME_BYTES_MAX, ROOMS_BYTES_MAX};
use crate::namespaces::RoomKey;
use crate::session::{Link, Session};
use crate::{Effect, Hub, Id, NspId, Reason, RoomChange, SessionKey, SocketKey};

/// A client in a namespace.
pub struct Socket {
    pub(crate) id: Id,
    pub(crate) nsp: NspId,
    pub(crate) session: SessionKey,
    pub(crate) rooms: SmallVec<[RoomKey; 2]>,
    pub(crate) standing: Standing,
    /// What its session speaks.
    pub(crate) revision: Revision,
}

const _: () = assert!(size_of::<Socket>() <= 64);

/// Whether a socket is in its namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Middlewares are looking at it: it takes the namespace's place in its session and may join rooms; what is emitted to it waits
    /// for the answer to its CONNECT, and of broadcasts it hears nothing.
    Waiting,
    /// It was let in.
    In,
}

/// Why a join was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// The socket has left.
    Gone,
    /// The name has more than [`ROOM_NAME_BYTES_MAX`] bytes.
    NameTooLong,
    /// The socket is in as many rooms as it may be.
    TooManyRoomsOfSocket,
    /// Rooms of the core take [`ROOMS_BYTES_MAX`] bytes, and the socket has its [`ROOMS_FREE`](crate::limits::ROOMS_FREE).
    TooManyRooms,
    /// Clients of its address hold a quarter of that, and the socket has its [`ROOMS_FREE`](crate::limits::ROOMS_FREE).
    TooManyRoomsOfAddress,
}

impl std::fmt::Display for JoinError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone => write!(f, "the socket has left"),
            Self::NameTooLong => write!(f, "a room's name has at most {ROOM_NAME_BYTES_MAX} bytes"),
            Self::TooManyRoomsOfSocket => write!(f, "the socket is in as many rooms as it may be"),
            Self::TooManyRooms => {
                write!(f, "rooms take at most {} MiB, or a quarter of the budget", ROOMS_BYTES_MAX >> 20)
            }
            Self::TooManyRoomsOfAddress => write!(f, "an address has at most a quarter of all rooms"),
        }
    }
}

impl std::error::Error for JoinError {}

impl Hub {
    /// Lets a client into a namespace (the answer to `Incoming::Connect`); the new socket's key and id.
    pub fn admit(&mut self, key: SessionKey, nsp: NspId) -> Option<(SocketKey, Id)> {
        let reserved = self.reserve(key, nsp)?;
        self.welcome(reserved.0);
        Some(reserved)
    }

    /// Makes the socket of a client that is not let in yet; then [`Hub::welcome`] or [`Hub::turn_down`].
    pub fn reserve(&mut self, key: SessionKey, nsp: NspId) -> Option<(SocketKey, Id)> {
        let (id, name) = self.new_socket_id(key, nsp);
        let session = self.sessions.find_mut(key).filter(|s| !matches!(s.link, Link::Closing(_)))?;
        let (rooms, standing, revision) = (SmallVec::new(), Standing::Waiting, session.revision);
        let socket = self.sockets.insert(Socket { id, nsp, session: key, rooms, standing, revision });
        session.sockets.push(socket);
        self.socket_ids.insert(&id, socket.index, &self.sockets);
        if let Some(name) = name {
            self.socket_ids.insert_name(name, socket.index);
        }
        self.routes.reach(socket.index as usize);
        self.routes[socket.index as usize] = Route::Nobody;
        Some((socket, id))
    }

    /// Lets a waiting socket in; false if its client left meanwhile.
    pub fn welcome(&mut self, key: SocketKey) -> bool {
        if !self.is_held_waiting(key) {
            return false;
        }
        let Some(socket) = self.sockets.find_mut(key) else { return false };
        socket.standing = Standing::In;
        let (id, nsp, session, revision) = (socket.id, socket.nsp, socket.session, socket.revision);
        if let Some(session) = self.sessions.find_mut(session) {
            session.connect = Due::NEVER;
        }
        self.address_shares.settle(session.index);
        if let Some(namespace) = self.namespaces.find_mut(nsp) {
            namespace.members.insert(key.index);
        }
        self.routes[key.index as usize] = self.route_of(session).unwrap_or(Route::Nobody);
        if let Some(name) = self.watched_name(key) {
            self.tell_room(nsp, &name, RoomChange::Created);
            self.tell_room(nsp, &name, RoomChange::Joined(name.clone()));
        }
        self.mark_start(key);
        let payload = match self.pid_of(&id) {
            _ if revision == Revision::V3 => String::new(),
            Some(pid) => format!(r#"{{"sid":"{}","pid":"{pid}"}}"#, id.as_str()),
            None => format!(r#"{{"sid":"{}"}}"#, id.as_str()),
        };
        self.send_to_session(session, nsp, encode::Kind::Connect, payload.as_bytes());
        self.send_waiting(key);
        true
    }

    /// Refuses a waiting socket with an object that has a `message` and perhaps `data`.
    pub fn turn_down(&mut self, key: SocketKey, error: &str) {
        let Some(socket) = self.sockets.find(key).filter(|_| self.is_held_waiting(key)) else { return };
        let (session, name) = (socket.session, self.namespace_name(socket.nsp).to_owned());
        if let Some(session) = self.sessions.find_mut(session) {
            session.sockets.remove(key);
        }
        self.refuse(session, &name, error);
        self.effects.push_back(Effect::Abandoned(key));
    }

    /// Whether a socket waits for [`Hub::welcome`].
    pub fn is_waiting(&self, key: SocketKey) -> bool {
        self.sockets.find(key).is_some_and(|socket| socket.standing == Standing::Waiting)
    }

    /// Whether a socket waits and its client is still there: one that was turned down or has left is waiting to be forgotten.
    pub(crate) fn is_held_waiting(&self, key: SocketKey) -> bool {
        self.sockets.find(key).is_some_and(|socket| {
            socket.standing == Standing::Waiting
                && self
                    .sessions
                    .find(socket.session)
                    .is_some_and(|session| session.sockets.all().contains(&key))
        })
    }

    /// Refuses a client with an object that has a `message` and perhaps `data`.
    pub fn refuse(&mut self, key: SessionKey, name: &str, error: &str) {
        let packet = encode::Packet {
            kind: encode::Kind::ConnectError,
            nsp: name,
            id: None,
            payload: error.as_bytes(),
            attachments: NO_ATTACHMENTS,
        };
        let parser = self.config.parser;
        let range = self.outbox.write(|arena| _ = parser.write(arena, &packet));
        if let Some(route) = self.route_of(key) {
            self.append_ahead(route, range);
        }
    }

    /// Makes a socket leave its namespace. `close` ends the whole connection.
    pub fn disconnect_socket(&mut self, now_ms: u64, key: SocketKey, close: Ending) {
        let Some(socket) = self.sockets.find(key) else { return };
        let (session, nsp) = (socket.session, socket.nsp);
        if matches!(self.routes[key.index as usize], Route::Nobody) {
            return;
        }
        if close == Ending::Namespace {
            self.send_to_session(session, nsp, encode::Kind::Disconnect, b"");
            return self.detach_socket(key, Reason::ServerNamespaceDisconnect);
        }
        self.send_disconnects(session);
        self.close_session(now_ms, session, Reason::ServerNamespaceDisconnect);
    }

    /// A DISCONNECT for each namespace that a session has joined: a client that misses one takes the close for an accident and
    /// connects again.
    fn send_disconnects(&mut self, session: SessionKey) {
        let seats: Vec<_> =
            self.sessions.find(session).map_or(&[][..], |session| session.sockets.all()).into();
        for key in seats {
            if let Some(nsp) = self.sockets.find(key).filter(|s| s.standing == Standing::In).map(|s| s.nsp) {
                self.send_to_session(session, nsp, encode::Kind::Disconnect, b"");
            }
        }
    }

    /// Takes a socket from its session; the application is told, then forgets it.
    pub(crate) fn detach_socket(&mut self, key: SocketKey, reason: Reason) {
        let Some(socket) = self.sockets.find(key) else { return };
        if let Some(session) = self.sessions.find_mut(socket.session) {
            session.sockets.remove(key);
        }
        self.end_socket(key, reason);
    }

    /// The session has let go of a socket: the application is told if it knew it.
    pub(crate) fn end_socket(&mut self, key: SocketKey, reason: Reason) {
        self.routes[key.index as usize] = Route::Nobody;
        let is_known = !self.is_waiting(key);
        self.effects.push_back(if is_known {
            Effect::Disconnecting(key, reason)
        } else {
            Effect::Abandoned(key)
        });
    }

    /// The last of a socket: it leaves its rooms, its slot is free.
    /// Its namespace, if it was there.
    pub fn forget_socket(&mut self, key: SocketKey) -> Option<NspId> {
        let socket = self.sockets.remove(key)?;
        self.forget_waiting(key);
        let name = self.socket_ids.remove(&socket.id, key.index);
        let name = name.as_deref().unwrap_or(socket.id.as_str());
        if let Some(namespace) = self.namespaces.find_mut(socket.nsp) {
            namespace.members.remove(key.index);
        }
        for (left, &room) in (0..socket.rooms.len()).rev().zip(&socket.rooms) {
            self.leave_room(socket.nsp, name, room, key, left);
        }
        if socket.standing == Standing::In && self.watches_rooms {
            self.tell_room(socket.nsp, name, RoomChange::Left(name.into()));
            self.tell_room(socket.nsp, name, RoomChange::Deleted);
        }
        Some(socket.nsp)
    }

    /// `rooms_left` are those that the socket is in still.
    fn leave_room(&mut self, nsp: NspId, who: &str, key: RoomKey, socket: SocketKey, rooms_left: usize) {
        let Some(namespace) = self.namespaces.find_mut(nsp) else { return };
        let name =
            if self.watches_rooms { namespace.rooms.find(key).map(|room| room.name.clone()) } else { None };
        let gone = namespace.leave(key, socket.index);
        let bytes = MEMBER_BYTES + gone.as_ref().map_or(0, |room| room_bytes(room.name.len()));
        self.address_shares.leave_room(socket, rooms_left, bytes);
        self.rooms_open -= usize::from(gone.is_some());
        if let Some(name) = name {
            self.tell_room(nsp, &name, RoomChange::Left(who.into()));
        }
        if let Some(room) = gone {
            self.tell_room(nsp, &room.name, RoomChange::Deleted);
        }
    }

    /// Puts a socket into a room; being in already is fine.
    pub fn join(&mut self, key: SocketKey, room: &str) -> Result<(), JoinError> {
        let joined = self.try_join(key, room);
        self.counters.joins_refused += u64::from(joined.is_err());
        joined
    }

    fn try_join(&mut self, key: SocketKey, name: &str) -> Result<(), JoinError> {
        let socket = self.sockets.find_mut(key).ok_or(JoinError::Gone)?;
        self.sessions.find(socket.session).ok_or(JoinError::Gone)?; // it is on its way out
        let namespace = self.namespaces.find_mut(socket.nsp).ok_or(JoinError::Gone)?;
        if name.len() > ROOM_NAME_BYTES_MAX {
            return Err(JoinError::NameTooLong);
        }
        if name == self.socket_ids.name(key.index, &socket.id) {
            return Ok(()); // the room of one's own exists always
        }
        let (rooms, is_new) = (socket.rooms.len(), namespace.room(name).is_none());
        if namespace.room(name).is_some_and(|room| room.members.contains(key.index)) {
            return Ok(());
        }
        if rooms >= self.config.rooms_per_socket_max {
            return Err(JoinError::TooManyRoomsOfSocket);
        }
        self.take_room(key, rooms, is_new.then_some(name.len()))?;
        let socket = self.sockets.find_mut(key).ok_or(JoinError::Gone)?;
        let namespace = self.namespaces.find_mut(socket.nsp).ok_or(JoinError::Gone)?;
        let room = namespace.room_or_new(name);
        self.rooms_open += usize::from(is_new);
        let has_joined = namespace.rooms.find_mut(room).is_some_and(|r| r.members.insert(key.index));
        let nsp = socket.nsp;
        if has_joined {
            socket.rooms.push(room);
        }
        if is_new {
            self.tell_room(nsp, name, RoomChange::Created);
        }
        if let Some(who) = self.watched_name(key).filter(|_| has_joined) {
            self.tell_room(nsp, name, RoomChange::Joined(who));
        }
        Ok(())
    }

    /// Takes a socket out of a room; not being in is fine.
    pub fn leave(&mut self, key: SocketKey, name: &str) {
        let Some(socket) = self.sockets.find_mut(key) else { return };
        let Some(namespace) = self.namespaces.find_mut(socket.nsp) else { return };
        let Some(&room) = namespace.room_names.get(name) else { return };
        let Some(at) = socket.rooms.iter().position(|&r| r == room) else { return };
        socket.rooms.swap_remove(at);
        let (nsp, left) = (socket.nsp, socket.rooms.len());
        let who = self.watched_name(key).unwrap_or_default();
        self.leave_room(nsp, &who, room, key, left);
    }

    /// The rooms of a socket, its own id first.
    pub fn rooms_of(&self, key: SocketKey) -> Vec<String> {
        let Some(socket) = self.sockets.find(key) else { return Vec::new() };
        let Some(namespace) = self.namespaces.find(socket.nsp) else { return Vec::new() };
        let rooms = socket.rooms.iter().filter_map(|room| namespace.rooms.find(*room));
        let own = self.socket_ids.name(key.index, &socket.id);
        std::iter::once(own).chain(rooms.map(|room| &*room.name)).map(str::to_owned).collect()
    }

    /// Whether a socket is in a room.
    pub fn is_in(&self, key: SocketKey, room: &str) -> bool {
        self.sockets.find(key).is_some_and(|socket| {
            self.socket_ids.name(key.index, &socket.id) == room
                || self
                    .namespaces
                    .find(socket.nsp)
                    .and_then(|n| n.room(room))
                    .is_some_and(|room| room.members.contains(key.index))
        })
    }

    /// The transport that a socket's packets take: `polling` or `websocket`.
    pub fn transport_of(&self, key: SocketKey) -> &'static str {
        let session = self.sockets.find(key).and_then(|socket| self.sessions.find(socket.session));
        match session.map(|session| &session.link) {
            Some(Link::WebSocket(_)) => "websocket",
            _ => "polling",
        }
    }

    /// The session of a socket.
    pub fn session_of_socket(&self, key: SocketKey) -> Option<SessionKey> {
        self.sockets.find(key).map(|socket| socket.session)
    }

    /// The sockets of a session; none if it is gone.
    pub fn sockets_of(&self, key: SessionKey) -> &[SocketKey] {
        self.sessions.find(key).map_or(&[], |session| session.sockets.all())
    }

    /// A socket's id.
    pub fn id_of(&self, key: SocketKey) -> Option<Id> {
        self.sockets.find(key).map(|socket| socket.id)
    }

    /// The Engine.IO id of a socket's session.
    pub fn session_id_of(&self, key: SocketKey) -> Option<Id> {
        let socket = self.sockets.find(key)?;
        self.sessions.find(socket.session).map(|session| session.id)
    }

    /// Whether a socket is still in its namespace.
    pub fn is_connected(&self, key: SocketKey) -> bool {
        self.sockets.find(key).is_some()
            && !matches!(self.routes.get(key.index as usize), None | Some(Route::Nobody))
    }

    /// The socket of a session that is in a namespace with this name. Asks the few that the session has, not the map of all names.
    #[inline(always)] // into the reading of a packet, which has the session at hand
    pub(crate) fn joined_socket_named(&self, session: &Session, name: &str) -> Option<SocketKey> {
        for &key in session.sockets.all() {
            let socket = self.sockets.find(key).filter(|socket| socket.standing == Standing::In);
            if socket.is_some_and(|socket| self.namespaces.is_called(socket.nsp, name)) {
                return Some(key);
            }
        }
        None
    }

    /// The socket of a session for a namespace, be it in or waiting.
    pub(crate) fn socket_of(&self, key: SessionKey, nsp: NspId) -> Option<SocketKey> {
        let session = self.sessions.find(key)?;
        session
            .sockets
            .all()
            .iter()
            .copied()
            .find(|&socket| self.sockets.find(socket).is_some_and(|s| s.nsp == nsp))
    }
}

/// How far a disconnect goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The socket leaves its namespace.
    Namespace,
    /// The connection under it ends too.
    Connection,
}
