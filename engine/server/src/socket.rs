//! A handle of one client in one namespace.
//!
//! Not the client's state in the engine (that is the hub's): a key, what the application keeps with it, and the acknowledgements it owes.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use socketville_hub::{Ending, Id, JoinError, Manner, NspId, SocketKey};
use socketville_proto::eio::Revision;

use crate::ack::{AckError, AckSlot};
use crate::ack_ids;
use crate::arguments::{Arguments, FromAnswer};
use crate::calls::Keep;
use crate::core::{Core, Recipients};
use crate::debts::Debt;
use crate::direct::Direct;
use crate::emitter::Emitter;
use crate::error::{EmitError, report};
use crate::handshake::Handshake;
use crate::held::Auth;
use crate::limits::{ACKS_PER_SOCKET_MAX, AUTH_KEPT_BYTES};
use crate::operator::{Broadcast, IntoRooms};
use crate::shares::{Over, Place};

/// One client in one namespace. Cheap to clone; stays on its core, so it is not `Send`: other threads use an [`Emitter`](crate::Emitter).
///
/// A handle outlives its client safely: what is emitted then goes nowhere.
///
/// ```
/// use socketville::{Server, Socket};
///
/// let io = Server::builder();
/// io.on_connect(|socket: Socket| socket.join("lobby")).on("say", |socket: Socket, text: String| {
///     socket.to("lobby").emit("said", &text);
/// });
/// ```
#[derive(Clone)]
pub struct Socket(Rc<Shared>);

pub(crate) struct Shared {
    core: Rc<Core>,
    pub(crate) key: SocketKey,
    id: Id,
    nsp: NspId,
    is_recovered: Cell<bool>,
    revision: Revision,
    /// Answers that its client owes: what [`debts`](crate::debts) counts.
    owed: Cell<u16>,
    /// What its client said in CONNECT. Behind one word, for most have none.
    auth: Cell<Option<Rc<Auth>>>,
    /// Made at first need: most sockets of a broadcast only listen.
    kept: OnceCell<Box<Kept>>,
}

/// What a socket that is more than a listener has.
#[derive(Default)]
struct Kept {
    acks: RefCell<Vec<(u64, Rc<AckSlot>)>>,
    next_ack: Cell<u64>,
    data: RefCell<Option<Keep>>,
    /// What its client calls it if that is not the id.
    name: OnceCell<Box<str>>,
}

/// With its two counts it takes 80 bytes of heap.
const _: () = assert!(size_of::<Shared>() <= 64);

impl Shared {
    pub(crate) fn new(core: Rc<Core>, key: SocketKey, id: Id, nsp: NspId, auth: Option<Rc<Auth>>) -> Self {
        let (is_recovered, revision) = (Cell::new(false), Revision::V4);
        let auth = Cell::new(auth);
        let (owed, kept) = (Cell::new(0), OnceCell::new());
        Self { core, key, id, nsp, is_recovered, revision, owed, auth, kept }
    }

    fn kept(&self) -> &Kept {
        self.kept.get_or_init(Box::default)
    }

    fn auth(&self) -> Option<Rc<Auth>> {
        let auth = self.auth.take();
        self.auth.set(auth.clone());
        auth
    }

    fn data(&self) -> Option<Keep> {
        self.kept.get()?.data.borrow().clone()
    }

    /// A client of this revision of Engine.IO, which may know itself by another name than its id.
    pub(crate) fn speaking(mut self, revision: Revision, name: Option<&str>) -> Self {
        self.revision = revision;
        if let Some(name) = name.filter(|name| *name != self.id.as_str()) {
            let _ = self.kept().name.set(name.into());
        }
        self
    }
}

impl Socket {
    pub(crate) const fn of(shared: Rc<Shared>) -> Self {
        Self(shared)
    }

    /// The id, 20 URL-safe characters; also the name of a room of one's own. Clients of Engine.IO 3 know themselves by that of their
    /// session, `/namespace#` before it if that is not `/`. Source: `socket.id`.
    pub fn id(&self) -> &str {
        let name = self.0.kept.get().and_then(|kept| kept.name.get());
        name.map_or(self.0.id.as_str(), |name| name)
    }

    /// The revision of Engine.IO that its client speaks: 4, or 3 with [`Builder::allow_eio3`](crate::Builder::allow_eio3).
    /// Source: `socket.conn.protocol`.
    pub fn protocol(&self) -> u8 {
        self.0.revision.number()
    }

    pub(crate) fn revision(&self) -> Revision {
        self.0.revision
    }

    /// The namespace with its slash. Source: `socket.nsp.name`.
    pub fn namespace(&self) -> String {
        self.0.core.hub().namespace_name(self.0.nsp).to_owned()
    }

    /// Whether the client is still in the namespace. Source: `socket.connected`.
    pub fn is_connected(&self) -> bool {
        self.0.core.hub().is_connected(self.0.key)
    }

    /// Whether its client came back after a lost transport, with its id, rooms, data and all that it missed. Source: `socket.recovered`.
    pub fn is_recovered(&self) -> bool {
        self.0.is_recovered.get()
    }

    /// What is kept for its client's return.
    pub(crate) fn kept_data(&self) -> Option<Keep> {
        self.0.data()
    }

    /// Its client has come back.
    pub(crate) fn recover(&self, data: Option<Keep>) {
        self.0.is_recovered.set(true);
        if data.is_some() {
            self.0.kept().data.replace(data);
        }
    }

    /// The transport in use, `polling` or `websocket`. Source: `socket.conn.transport.name`.
    pub fn transport(&self) -> &'static str {
        self.0.core.hub().transport_of(self.0.key)
    }

    /// The Engine.IO session's id. Source: `socket.conn.id`. Whoever knows it can speak as this client: keep it secret.
    pub fn session_id(&self) -> String {
        let hub = self.0.core.hub();
        hub.session_id_of(self.0.key).map_or_else(String::new, |id| id.as_str().to_owned())
    }

    /// A handle of the server, for other threads, other namespaces and questions to all cores. Source: `socket.server`.
    pub fn emitter(&self) -> Emitter {
        Emitter::new(Arc::clone(&self.0.core.town))
    }

    /// What the client said when it connected. Source: `socket.handshake`.
    pub fn handshake(&self) -> Handshake {
        let hub = self.0.core.hub();
        Handshake::new(
            hub.greeting_of(self.0.key),
            self.0.auth().map(|auth| auth.json()),
            self.0.core.now_ms.get(),
        )
    }

    /// The core it lives on.
    pub fn core(&self) -> u16 {
        self.0.core.index
    }

    /// Joins a room at once. Source: `socket.join`.
    ///
    /// # Errors
    /// A limit ([`JoinError`]); being in the room already is none.
    pub fn join(&self, room: impl AsRef<str>) -> Result<(), JoinError> {
        self.0.core.hub_mut().join(self.0.key, room.as_ref())
    }

    /// Leaves a room at once; not being in is fine. Source: `socket.leave`.
    pub fn leave(&self, room: impl AsRef<str>) {
        self.0.core.hub_mut().leave(self.0.key, room.as_ref());
    }

    /// The rooms it is in, its own id first. Source: `socket.rooms`.
    pub fn rooms(&self) -> Vec<String> {
        self.0.core.hub().rooms_of(self.0.key)
    }

    /// Whether it is in a room. Source: `socket.rooms.has`.
    pub fn is_in(&self, room: impl AsRef<str>) -> bool {
        self.0.core.hub().is_in(self.0.key, room.as_ref())
    }

    /// Sends an event to this client. A tuple spreads into several arguments. Source: `socket.emit`.
    ///
    /// What cannot be written as JSON is logged and counted; [`Socket::try_emit`] returns it.
    pub fn emit(&self, event: &str, args: impl Serialize) {
        report(event, self.try_emit(event, args));
    }

    /// As [`Socket::emit`].
    ///
    /// # Errors
    /// If the arguments cannot be written as JSON.
    pub fn try_emit(&self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        self.emit_in(Manner::default(), event, &args)
    }

    /// Sends an event that may be dropped if the transport is busy. Source: `socket.volatile.emit`.
    pub fn emit_volatile(&self, event: &str, args: impl Serialize) {
        self.volatile().emit(event, args);
    }

    /// What is emitted next to this client is dropped if anything before it has not left yet. Source: `socket.volatile`.
    pub fn volatile(&self) -> Direct<'_> {
        Direct::new(self).volatile()
    }

    /// Whether what is emitted next to this client may be compressed. Source: `socket.compress`.
    pub fn compress(&self, compress: bool) -> Direct<'_> {
        Direct::new(self).compress(compress)
    }

    pub(crate) fn emit_in(
        &self,
        manner: Manner,
        event: &str,
        args: &impl Serialize,
    ) -> Result<(), EmitError> {
        self.0.core.emit(Recipients::Socket(self.0.key, manner), None, event, args).map(drop)
    }

    /// To all others in a room, or in one of several. Source: `socket.to`.
    pub fn to<'a>(&'a self, rooms: impl IntoRooms<'a>) -> Broadcast<'a> {
        self.broadcast().to(rooms)
    }

    /// To all others in the namespace but those in a room. Source: `socket.except`.
    pub fn except<'a>(&'a self, rooms: impl IntoRooms<'a>) -> Broadcast<'a> {
        self.broadcast().except(rooms)
    }

    /// To all others in the namespace. Source: `socket.broadcast`.
    pub fn broadcast(&self) -> Broadcast<'_> {
        Broadcast::within_nsp(&self.0.core.town, self.0.nsp).skip(self.0.id)
    }

    /// To all in the namespace but this one, on this server only. Source: `socket.local`.
    pub fn local(&self) -> Broadcast<'_> {
        self.broadcast().local()
    }

    /// To all in the namespace, this one included. Source: `socket.nsp`.
    pub fn nsp(&self) -> Broadcast<'_> {
        Broadcast::within_nsp(&self.0.core.town, self.0.nsp)
    }

    /// Sends an event and waits for the client's answer: its first argument, or all [`Arguments`]. Source: `socket.timeout(ms).emitWithAck`.
    /// A future that is dropped waits no longer; an answer that comes then is ignored.
    ///
    /// # Errors
    /// No answer in time, the client left, the answer is not a `T`, or too many answers are owed ([`AckError`]).
    ///
    /// ```
    /// use std::time::Duration;
    /// use socketville::{Server, Socket};
    ///
    /// Server::builder().on("quiz", async |socket: Socket| {
    ///     match socket.emit_with_ack::<u32>("answer?", "6 x 7", Duration::from_secs(5)).await {
    ///         Ok(42) => socket.emit("right", ()),
    ///         Ok(other) => socket.emit("wrong", other),
    ///         Err(error) => socket.emit("too late", error.to_string()),
    ///     }
    /// });
    /// ```
    pub async fn emit_with_ack<T: FromAnswer>(
        &self,
        event: &str,
        args: impl Serialize,
        timeout: Duration,
    ) -> Result<T, AckError> {
        let owed = self.owe_ack()?;
        let to = Recipients::Socket(self.0.key, Manner::default());
        let answer = match self.0.core.emit(to, Some(owed.id), event, &args) {
            Ok(false) => Err(AckError::Disconnected),
            Ok(true) => owed.slot.answer_within(timeout).await,
            Err(error) => Err(AckError::Emit(error)),
        };
        drop(owed);
        T::from_answer(answer?).map_err(AckError::Argument)
    }

    /// A task of this client's begins to wait, over this.
    pub(crate) fn take_place(&self, over: Over) -> Option<Place> {
        let session = self.0.core.hub().session_of_socket(self.0.key)?;
        Some(Place::take(&self.0.core, session, over))
    }

    pub(crate) fn answers_owed(&self) -> usize {
        usize::from(self.0.owed.get())
    }

    /// Its client owes one answer more, and is read on for it.
    pub(crate) fn owe(&self) {
        self.0.owed.set(self.0.owed.get().saturating_add(1));
        self.0.core.expect_answer(self.0.key);
    }

    /// Its client owes one answer less.
    pub(crate) fn owe_no_more(&self) {
        self.0.owed.set(self.0.owed.get().saturating_sub(1));
    }

    fn owe_ack(&self) -> Result<Owed<'_>, AckError> {
        let kept = self.0.kept();
        let mut acks = kept.acks.borrow_mut();
        if acks.len() >= self.0.core.town.app.acks_per_socket.unwrap_or(ACKS_PER_SOCKET_MAX) {
            return Err(AckError::TooMany);
        }
        let id = loop {
            let id = ack_ids::own(kept.next_ack.replace(kept.next_ack.get().wrapping_add(1)));
            if acks.iter().all(|(owed, _)| *owed != id) {
                break id;
            }
        };
        let slot = Rc::new(AckSlot::default());
        acks.push((id, Rc::clone(&slot)));
        drop(acks);
        Ok(Owed { socket: self, id, slot, _debt: Debt::new(self) })
    }

    /// The client has answered; unknown ids are ignored, and an answer counts once.
    pub(crate) fn answer(&self, id: u64, answer: Arguments) {
        let Some(kept) = self.0.kept.get() else { return };
        let owed = kept.acks.borrow().iter().find(|(other, _)| *other == id).map(|(_, slot)| Rc::clone(slot));
        if let Some(slot) = owed {
            slot.fill(Ok(answer));
        }
    }

    /// The client has left: nobody will answer.
    pub(crate) fn abandon_acks(&self) {
        for (_, slot) in self.0.kept.get().map(|kept| kept.acks.take()).unwrap_or_default() {
            slot.fill(Err(AckError::Disconnected));
        }
    }

    /// The raw JSON of the namespace's `auth`, if it is kept.
    pub(crate) fn auth(&self) -> Option<Rc<Auth>> {
        self.0.auth()
    }

    /// The connection handlers have been called: a long `auth` is let go.
    pub(crate) fn let_auth_go(&self) {
        let kept_bytes = self.0.core.town.app.auth_kept_bytes.unwrap_or(AUTH_KEPT_BYTES);
        self.0.auth.set(self.0.auth.take().filter(|auth| auth.as_str().len() <= kept_bytes));
    }

    pub(crate) fn key(&self) -> SocketKey {
        self.0.key
    }

    pub(crate) fn nsp_id(&self) -> NspId {
        self.0.nsp
    }

    pub(crate) fn core_rc(&self) -> &Rc<Core> {
        &self.0.core
    }

    pub(crate) fn acknowledge(&self, id: u64, args: &(impl Serialize + ?Sized)) -> Result<(), EmitError> {
        self.0.core.acknowledge(self.0.key, id, args).map(drop)
    }

    /// Keeps a value with the client; others see it as JSON in [`RemoteSocket::data`](crate::RemoteSocket::data). It is dropped on its core, in the
    /// turn in which the last of the engine lets go of it: its `Drop` may do what a handler may. Source: `socket.data`.
    pub fn set_data<T: Serialize + Send + Sync + 'static>(&self, data: T) {
        self.0.kept().data.replace(Some(Keep::new(Arc::new(data))));
    }

    /// The value kept with the client, if it is a `T`.
    pub fn data<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.data()?.to_data()?.into_any().downcast().ok()
    }

    /// The value kept with the client as JSON; `{}` if there is none.
    pub(crate) fn data_json(&self) -> serde_json::Value {
        let data = self.0.data().and_then(|kept| kept.to_data());
        let Some(data) = data else { return serde_json::json!({}) };
        self.0.core.call_out("writing the data of a socket", || data.to_json()).unwrap_or_default()
    }

    /// Makes the client leave the namespace. Source: `socket.disconnect()`.
    pub fn disconnect(&self) {
        self.end(Ending::Namespace);
    }

    /// Makes the client leave all namespaces and closes its connection. Source: `socket.disconnect(true)`.
    pub fn disconnect_all(&self) {
        self.end(Ending::Connection);
    }

    fn end(&self, ending: Ending) {
        let core = &self.0.core;
        core.hub_mut().disconnect_socket(core.now_ms.get(), self.0.key, ending);
    }
}

/// An answer that a client owes, while somebody waits for it. Its place is free again when nobody does, for whatever reason.
struct Owed<'a> {
    socket: &'a Socket,
    id: u64,
    slot: Rc<AckSlot>,
    _debt: Debt<'a>,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        self.socket.0.kept().acks.borrow_mut().retain(|(other, _)| *other != self.id);
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("id", &self.id()).finish_non_exhaustive()
    }
}
