//! Operators: whom a broadcast is for.
//!
//! Not the broadcast: nothing is allocated for rooms named by `&str`, nothing happens until `emit`.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use smallvec::SmallVec;
use socketville_hub::{Id, NspId, Record, Selector};
use socketville_proto::encode;
use socketville_proto::sio::Parser;

use crate::adapter::Reach;
use crate::args::{Form, write_event};
use crate::core::{Core, Recipients};
use crate::error::{EmitError, report};
use crate::event_name::EventName;
use crate::flush::allowance_ms;
use crate::mailbox::{Letter, Order};
use crate::survey::{Answers, ask};
use crate::town::Town;

/// Names of rooms, gathered by [`IntoRooms`]; the few that are usual need no allocation.
#[derive(Clone, Debug, Default)]
pub struct Rooms<'a>(SmallVec<[Cow<'a, str>; 2]>);

impl<'a> Rooms<'a> {
    /// Adds a room.
    pub fn push(&mut self, name: impl Into<Cow<'a, str>>) {
        self.0.push(name.into());
    }

    /// The names that were added, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn to_owned(&self) -> Rooms<'static> {
        Rooms(self.0.iter().map(|room| Cow::Owned(room.to_string())).collect())
    }
}

/// A broadcast on its way to being emitted, or an order to the sockets that it is for. Source: `BroadcastOperator`.
///
/// On a core's own thread it takes effect at once there, in order with the core's other calls; from elsewhere it is encoded once and posted to
/// every core.
/// It holds nothing of a core, so it may cross threads, and so may the futures of its methods.
#[must_use = "an operator does nothing until `emit`"]
#[derive(Clone)]
pub struct Broadcast<'a> {
    town: &'a Arc<Town>,
    nsp: Option<NspId>,
    /// The namespace as the caller named it.
    name: Cow<'a, str>,
    target: Target<'a>,
}

/// The selection that operators build up, wherever they are used.
#[derive(Default, Clone)]
pub(crate) struct Target<'a> {
    pub(crate) to: Rooms<'a>,
    pub(crate) except: Rooms<'a>,
    pub(crate) skip: Option<Id>,
    pub(crate) is_volatile: bool,
    pub(crate) is_uncompressed: bool,
    flush_within_ms: Option<u8>,
    is_local: bool,
    names_rooms: bool,
}

/// A broadcast that all cores will deliver; the first that does encodes it, and it is that core's in the history.
pub(crate) struct SharedRecord {
    nsp: NspId,
    target: Target<'static>,
    id: Option<u64>,
    json: Vec<u8>,
    attachments: Vec<Vec<u8>>,
    record: OnceLock<Arc<Record>>,
}

impl SharedRecord {
    pub(crate) fn held_bytes(&self) -> usize {
        self.json.len() + self.attachments.iter().map(Vec::len).sum::<usize>()
    }

    pub(crate) fn record(&self, core: &Core) -> Arc<Record> {
        let encode = || {
            core.learn_child(self.nsp);
            let mut hub = core.hub_mut();
            Arc::new(hub.record(self.nsp, &self.target.selector(), self.id, &self.json, &self.attachments))
        };
        Arc::clone(self.record.get_or_init(encode))
    }
}

/// An event as JSON, with its attachments.
pub(crate) fn written(
    town: &Town,
    event: &str,
    args: &impl Serialize,
) -> Result<(Vec<u8>, Vec<Vec<u8>>), EmitError> {
    let (mut json, mut attachments) = (Vec::new(), Vec::new());
    write_event(&mut json, EventName::new(event)?, args, &mut attachments, Form::of(&town.app.config))?;
    Ok((json, attachments))
}

/// A room's name, or several.
pub trait IntoRooms<'a> {
    /// Adds the names.
    fn add_to(self, rooms: &mut Rooms<'a>);
}

impl<'a> IntoRooms<'a> for &'a str {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        rooms.push(self);
    }
}
impl<'a> IntoRooms<'a> for &'a String {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        rooms.push(self);
    }
}
impl<'a> IntoRooms<'a> for String {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        rooms.push(self);
    }
}
impl<'a, T: IntoRooms<'a>> IntoRooms<'a> for Vec<T> {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        self.into_iter().for_each(|room| room.add_to(rooms));
    }
}
impl<'a, T: IntoRooms<'a>, const N: usize> IntoRooms<'a> for [T; N] {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        self.into_iter().for_each(|room| room.add_to(rooms));
    }
}
impl<'a> IntoRooms<'a> for &'a [String] {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        self.iter().for_each(|room| rooms.push(room));
    }
}

impl<'a> Broadcast<'a> {
    pub(crate) fn parser(&self) -> Parser {
        self.town.app.config.parser
    }

    /// In a namespace that exists.
    pub(crate) fn within_nsp(town: &'a Arc<Town>, nsp: NspId) -> Self {
        Self { town, nsp: Some(nsp), name: Cow::Borrowed(""), target: Target::default() }
    }

    /// In a namespace of this name; `None` is one that does not exist.
    pub(crate) fn named(town: &'a Arc<Town>, nsp: Option<NspId>, name: impl Into<Cow<'a, str>>) -> Self {
        Self { town, nsp, name: name.into(), target: Target::default() }
    }

    pub(crate) const fn skip(mut self, id: Id) -> Self {
        self.target.skip = Some(id);
        self
    }

    /// Those in this room too. Several rooms are their union; a room that does not exist is nobody. Source: `to`, `in`.
    pub fn to(mut self, rooms: impl IntoRooms<'a>) -> Self {
        self.target.add(rooms);
        self
    }

    /// The same as [`Broadcast::to`]; the reference's `in` is a keyword here.
    pub fn within(self, rooms: impl IntoRooms<'a>) -> Self {
        self.to(rooms)
    }

    /// But not those in this room. Source: `except`.
    pub fn except(mut self, rooms: impl IntoRooms<'a>) -> Self {
        rooms.add_to(&mut self.target.except);
        self
    }

    /// Dropped for clients to whom anything has not left yet. Source: `volatile`.
    pub const fn volatile(mut self) -> Self {
        self.target.is_volatile = true;
        self
    }

    /// Whether it may be compressed, for clients that agreed upon it; default yes. Source: `compress`.
    pub const fn compress(mut self, compress: bool) -> Self {
        self.target.is_uncompressed = !compress;
        self
    }

    /// How long it may wait for others, so that they leave in one send; zero is not at all. Default: what its namespace says, see
    /// [`Namespace::flush_interval`](crate::Namespace::flush_interval). On other cores it counts from when it arrives there; other servers go by their namespace's.
    ///
    /// ```
    /// use std::time::Duration;
    /// use socketville::{Server, Socket};
    ///
    /// Server::builder().on("at", |socket: Socket, (x, y): (f64, f64)| {
    ///     socket.broadcast().flush_within(Duration::from_millis(20)).emit("at", (socket.id(), x, y));
    /// });
    /// ```
    pub const fn flush_within(mut self, allowance: Duration) -> Self {
        self.target.flush_within_ms = Some(allowance_ms(allowance));
        self
    }

    /// Only to clients of this server. Source: `local`. A server without an [`Adapter`](crate::Adapter) has no others.
    pub const fn local(mut self) -> Self {
        self.target.is_local = true;
        self
    }

    /// Emits: encoded once, due to each at the end of this turn. A tuple spreads into several arguments.
    ///
    /// What cannot be written as JSON is logged and counted; [`Broadcast::try_emit`] returns it.
    pub fn emit(self, event: &str, args: impl Serialize) {
        report(event, self.try_emit(event, args));
    }

    /// As [`Broadcast::emit`].
    ///
    /// # Errors
    /// Arguments that cannot be written as JSON, an unknown namespace; from other threads also a core that is far behind ([`EmitError::Full`]) or
    /// has ended. Then no client of this server gets the event, and it may be emitted again.
    pub fn try_emit(self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        let nsp = self.known()?;
        EventName::new(event)?;
        if self.target.is_nobody() {
            return Ok(());
        }
        let reach = self.target.reach();
        if let Some(core) = self.town.current_core() {
            core.learn_child(nsp);
            let recipients = Recipients::Rooms(nsp, &self.target.selector(), reach);
            return core.emit(recipients, None, event, &args).map(drop);
        }
        let (json, attachments) = written(self.town, event, &args)?;
        if self.town.app.recovery.is_some() {
            let target = self.target.to_owned();
            let bytes = json.len() + attachments.iter().map(Vec::len).sum::<usize>();
            let order: Order = Arc::new(move |core| {
                core.learn_child(nsp);
                core.broadcast(nsp, &target.selector(), reach, &json, &attachments);
            });
            return self.town.post_to_first(Letter::Order(order, bytes));
        }
        let record = Arc::new(self.record(nsp, &json, &attachments));
        self.town.post_everywhere(&Letter::Record(record))?;
        self.tell_others_event(nsp, &json, &attachments);
        Ok(())
    }

    /// Emits, and waits until every core has made it due; how many sockets of this machine it was for. A future that is dropped before it is
    /// polled has done nothing; later the event is emitted all the same.
    ///
    /// # Errors
    /// As [`Broadcast::try_emit`]; and [`EmitError::Uncounted`], if a core stands still that has not said how many it was for.
    pub async fn emit_counted(self, event: &str, args: impl Serialize) -> Result<usize, EmitError> {
        self.known()?;
        EventName::new(event)?;
        if self.target.is_nobody() {
            return Ok(0);
        }
        let shared = Arc::new(self.shared(event, None, &args)?);
        let deliver = {
            let shared = Arc::clone(&shared);
            move |core: &Rc<Core>| {
                let record = shared.record(core);
                core.deliver(&record)
            }
        };
        let bytes = shared.held_bytes();
        let counting = ask(self.town, bytes, deliver)?;
        self.tell_others_event(shared.nsp, &shared.json, &shared.attachments);
        drop(shared);
        let Answers { all: counts, is_late } = counting.answers().await;
        let is_whole = counts.len() == self.town.mailboxes.len();
        let counted = counts.into_iter().sum();
        // One that has thrown its letters away has no clients that count; one that has ended is the server's end.
        match is_whole || !self.town.has_ended() {
            true if is_late => Err(EmitError::Uncounted(counted)),
            true => Ok(counted),
            false => Err(EmitError::Ended),
        }
    }

    /// Encodes once, for all cores, on a thread that is none.
    fn record(&self, nsp: NspId, payload: &[u8], attachments: &[Vec<u8>]) -> Record {
        let town = self.town;
        let name = town.name_of(nsp);
        let packet = encode::Packet { kind: encode::Kind::Event, nsp: &name, id: None, payload, attachments };
        let mut bytes = Vec::new();
        let frames = town.app.config.parser.write(&mut bytes, &packet) as u32;
        town.emits_outside.fetch_add(1, Ordering::Relaxed);
        self.target.selector().record(nsp, &bytes, frames)
    }

    /// The clients of other servers too, unless it was said that it is for those of this one.
    fn tell_others_event(&self, nsp: NspId, json: &[u8], attachments: &[Vec<u8>]) {
        if self.target.reach() == Reach::Everywhere {
            self.town.tell_others_event(nsp, &self.target.selector(), json, attachments);
        }
    }

    /// What all cores will deliver, written here and encoded by the first of them.
    pub(crate) fn shared(
        &self,
        event: &str,
        id: Option<u64>,
        args: &impl Serialize,
    ) -> Result<SharedRecord, EmitError> {
        let (nsp, target) = (self.known()?, self.target.to_owned());
        let (json, attachments) = written(self.town, event, args)?;
        Ok(SharedRecord { nsp, target, id, json, attachments, record: OnceLock::new() })
    }

    /// The namespace, if it exists.
    pub(crate) fn known(&self) -> Result<NspId, EmitError> {
        self.nsp.ok_or_else(|| EmitError::Namespace(self.name.clone().into_owned()))
    }

    pub(crate) const fn town(&self) -> &'a Arc<Town> {
        self.town
    }

    pub(crate) const fn target(&self) -> &Target<'a> {
        &self.target
    }
}

impl fmt::Debug for Broadcast<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("to", &self.target.to)
            .field("except", &self.target.except)
            .finish_non_exhaustive()
    }
}

impl<'a> Target<'a> {
    pub(crate) fn add(&mut self, rooms: impl IntoRooms<'a>) {
        rooms.add_to(&mut self.to);
        self.names_rooms = true;
    }

    /// An empty list of rooms means nobody, never everybody.
    pub(crate) fn is_nobody(&self) -> bool {
        self.names_rooms && self.to.is_empty()
    }

    pub(crate) const fn reach(&self) -> Reach {
        if self.is_local { Reach::Here } else { Reach::Everywhere }
    }

    pub(crate) fn selector(&self) -> Selector<'_> {
        Selector {
            to: &self.to.0,
            except: &self.except.0,
            skip: self.skip,
            volatile: self.is_volatile,
            uncompressed: self.is_uncompressed,
            flush_within_ms: self.flush_within_ms,
        }
    }

    /// The same with names of its own, to be taken to other threads.
    pub(crate) fn to_owned(&self) -> Target<'static> {
        Target { to: self.to.to_owned(), except: self.except.to_owned(), ..*self }
    }
}
