//! From an emit to the lanes: encode once, select, append.
//!
//! Not sending: bytes become due here and leave in the flush. Selection is (union of `to`, or all) minus the union of `except` minus the
//! sender, each socket at most once. Those who agreed upon compression get the packet's compressed form, made at the first of them. Another core's
//! broadcast arrives as a [`Record`] and takes the very same way.

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;
use socketville_proto::encode;

use crate::early::Sent;
use crate::forms::{Form, Forms};
use crate::limits::FLUSH_INTERVAL_MS_MAX;
use crate::members::{Bitset, Members};
use crate::namespaces::Namespace;
use crate::session::Link;
use crate::socket_ids::SocketIds;
use crate::sockets::{Socket, Standing};
use crate::table::Table;
use crate::{Hub, Id, NspId, Outbox, Position, Range, Record, SessionKey, SocketKey};

/// Where a socket's packets go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Route {
    /// It has left.
    #[default]
    Nobody,
    /// To the lane of the connection in this slot.
    Lane(u32),
    /// To the buffer of the session in this slot.
    Poll(u32),
}

/// Whom a broadcast is for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selector<'a> {
    /// Rooms; all sockets of the namespace if empty.
    pub to: &'a [Cow<'a, str>],
    /// Rooms whose sockets are left out.
    pub except: &'a [Cow<'a, str>],
    /// The sender.
    pub skip: Option<Id>,
    /// Whether a socket whose transport is busy is left out.
    pub volatile: bool,
    /// Whether the packet goes as it is also to those who agreed upon compression.
    pub uncompressed: bool,
    /// Milliseconds that it may wait for others; `None` is what its namespace allows, and more than
    /// [`FLUSH_INTERVAL_MS_MAX`] is that.
    pub flush_within_ms: Option<u8>,
}

/// How a packet to one socket is sent; see [`Selector`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Manner {
    /// Whether a busy transport drops it.
    pub volatile: bool,
    /// Whether it goes as it is though compression was agreed upon.
    pub uncompressed: bool,
}

/// What became of a broadcast.
#[derive(Debug)]
pub struct Delivery {
    /// Sockets of this core that it is due to.
    pub sockets: usize,
    /// What the other cores need, if there are any.
    pub record: Option<Arc<Record>>,
}

/// For packets that cannot have any.
pub(crate) const NO_ATTACHMENTS: &[Vec<u8>] = &[];

const _: () = assert!(size_of::<Route>() == 8);

impl Hub {
    /// Encodes a packet once and makes it due to all whom the selector names.
    pub fn broadcast(
        &mut self,
        nsp: NspId,
        selector: &Selector<'_>,
        kind: encode::Kind,
        payload: &[u8],
        attachments: &[Vec<u8>],
    ) -> Delivery {
        self.release();
        let (range, frames, record) = self.prepare(nsp, selector, kind, payload, attachments);
        Delivery { sockets: self.deliver(nsp, selector, range, frames), record }
    }

    /// Encodes a broadcast, puts it into the history, and writes what the other cores need, if there are any.
    #[inline(always)] // as `encode`
    pub(crate) fn prepare(
        &mut self,
        nsp: NspId,
        selector: &Selector<'_>,
        kind: encode::Kind,
        payload: &[u8],
        attachments: &[Vec<u8>],
    ) -> (Range, u32, Option<Arc<Record>>) {
        let position = self.next_position(kind, None);
        let (range, frames) = self.encode(nsp, kind, None, position, payload, attachments);
        self.counters.records += 1;
        let is_for_others = self.cores > 1;
        let record = (is_for_others || position.is_some())
            .then(|| Arc::new(Record { position, ..selector.record(nsp, self.outbox.bytes(range), frames) }));
        if let Some(record) = &record {
            self.remember(record);
        }
        (range, frames, record.filter(|_| is_for_others))
    }

    /// Makes another core's broadcast due here; how many sockets it was for.
    pub fn deliver_record(&mut self, record: &Arc<Record>) -> usize {
        self.release();
        let range = self.take_in(record);
        record.with_selector(|selector| self.deliver(record.nsp, selector, range, record.frames))
    }

    /// Another core's broadcast becomes bytes of ours.
    pub(crate) fn take_in(&mut self, record: &Arc<Record>) -> Range {
        self.counters.records_in += 1;
        self.remember(record);
        self.outbox.write(|arena| arena.extend_from_slice(&record.bytes))
    }

    /// The slots of this core's sockets that a broadcast with this selector would become due to.
    pub fn select(&self, nsp: NspId, selector: &Selector<'_>) -> Bitset {
        let (mut named, mut selection) = (Bitset::default(), Bitset::default());
        if let Some(namespace) = self.namespaces.find(nsp) {
            selector.select(namespace, &self.socket_ids, &self.sockets, &mut named);
        }
        named.for_each(|slot| {
            let route = self.routes.get(slot as usize).copied().unwrap_or(Route::Nobody);
            if route != Route::Nobody && (!selector.volatile || self.is_writable(route)) {
                selection.insert(slot);
            }
        });
        selection
    }

    /// The sockets of this core that a selector names, in the order of their slots.
    pub fn selected(&self, nsp: NspId, selector: &Selector<'_>) -> Vec<SocketKey> {
        let mut keys = Vec::new();
        self.select(nsp, selector).for_each(|slot| keys.extend(self.sockets.at(slot).map(|(key, _)| key)));
        keys
    }

    /// Sends a packet to one socket. To one that is not in yet it comes after the answer to its CONNECT.
    #[inline]
    pub fn send(
        &mut self,
        key: SocketKey,
        kind: encode::Kind,
        id: Option<u64>,
        payload: &[u8],
        attachments: &[Vec<u8>],
        manner: Manner,
    ) -> Sent {
        let Some(nsp) = self.sockets.find(key).map(|socket| socket.nsp) else { return Sent::Gone };
        let route = self.routes[key.index as usize];
        if route == Route::Nobody {
            return self.send_early(key, kind, id, payload, attachments, manner);
        }
        if manner.volatile && !self.is_writable(route) {
            self.counters.volatile_dropped += 1;
            return Sent::Busy;
        }
        let position = self.next_position(kind, id);
        let (range, frames) = self.encode(nsp, kind, id, position, payload, attachments);
        if position.is_some() {
            self.remember_alone(key, nsp, position, manner, range, frames);
        }
        self.counters.frames_out += u64::from(frames);
        match manner.uncompressed {
            true => self.append(route, range),
            false => self.append_packet(route, range),
        }
        Sent::Due
    }

    /// The place of an event that gets one: any that wants no answer, if there is a history.
    fn next_position(&self, kind: encode::Kind, id: Option<u64>) -> Option<Position> {
        let recoveries = self.recoveries.as_ref()?;
        (kind == encode::Kind::Event && id.is_none()).then(|| recoveries.history.next(self.core))
    }

    /// Puts an event into the history; of a volatile one only its place.
    fn remember(&mut self, record: &Arc<Record>) {
        if let (Some(recoveries), Some(position)) = (&mut self.recoveries, record.position) {
            recoveries.history.push(position, (!record.volatile).then(|| Arc::clone(record)));
        }
    }

    #[inline(never)]
    fn remember_alone(
        &mut self,
        key: SocketKey,
        nsp: NspId,
        position: Option<Position>,
        manner: Manner,
        range: Range,
        frames: u32,
    ) {
        let Some(id) = self.sockets.find(key).map(|socket| socket.id) else { return };
        let to = [Cow::Borrowed(id.as_str())];
        let selector = Selector { to: &to, volatile: manner.volatile, ..Selector::default() };
        let record = selector.record(nsp, self.outbox.bytes(range), frames);
        self.remember(&Arc::new(Record { position, is_alone: true, ..record }));
    }

    /// Encodes a broadcast for all cores, as one of this core's.
    pub fn record(
        &mut self,
        nsp: NspId,
        selector: &Selector<'_>,
        id: Option<u64>,
        payload: &[u8],
        attachments: &[Vec<u8>],
    ) -> Record {
        let position = self.next_position(encode::Kind::Event, id);
        let (range, frames) = self.encode(nsp, encode::Kind::Event, id, position, payload, attachments);
        self.counters.records += 1;
        Record { position, ..selector.record(nsp, self.outbox.bytes(range), frames) }
    }

    #[inline(always)] // its arguments would go over the stack, once a message
    fn encode(
        &mut self,
        nsp: NspId,
        kind: encode::Kind,
        id: Option<u64>,
        position: Option<Position>,
        payload: &[u8],
        attachments: &[Vec<u8>],
    ) -> (Range, u32) {
        let name = self.namespaces.find(nsp).map_or("/", |namespace| &namespace.name);
        let placed = position.map(|position| with_position(payload, position));
        let payload = placed.as_deref().unwrap_or(payload);
        let packet = encode::Packet { kind, nsp: name, id, payload, attachments };
        let (parser, mut frames) = (self.config.parser, 0);
        let range = self.outbox.write(|arena| frames = parser.write(arena, &packet) as u32);
        self.counters.emits += 1;
        self.counters.encodes += 1;
        (range, frames)
    }

    /// A packet of the engine's own to a session (CONNECT, DISCONNECT).
    pub(crate) fn send_to_session(
        &mut self,
        key: SessionKey,
        nsp: NspId,
        kind: encode::Kind,
        payload: &[u8],
    ) {
        let name = self.namespaces.find(nsp).map_or("/", |namespace| &namespace.name);
        let packet = encode::Packet { kind, nsp: name, id: None, payload, attachments: NO_ATTACHMENTS };
        let parser = self.config.parser;
        let range = self.outbox.write(|arena| _ = parser.write(arena, &packet));
        if let Some(route) = self.route_of(key) {
            self.append_ahead(route, range);
        }
    }

    pub(crate) fn deliver(
        &mut self,
        nsp: NspId,
        selector: &Selector<'_>,
        range: Range,
        frames: u32,
    ) -> usize {
        let own_ms = || self.namespaces.find(nsp).map_or(0, |namespace| namespace.flush_interval_ms);
        match selector.flush_within_ms.unwrap_or_else(own_ms).min(FLUSH_INTERVAL_MS_MAX) {
            0 => self.deliver_by(nsp, selector, range, frames, 0, Outbox::append),
            ms => self.deliver_by(nsp, selector, range, frames, ms, |outbox, lane, range| {
                outbox.append_within(lane, range, ms);
            }),
        }
    }

    /// `append` makes it due to a lane: a parameter, so that a recipient without an allowance costs not even a look.
    fn deliver_by(
        &mut self,
        nsp: NspId,
        selector: &Selector<'_>,
        range: Range,
        frames: u32,
        allowance_ms: u8,
        append: impl Fn(&mut Outbox, u32, Range),
    ) -> usize {
        let mut selection = std::mem::take(&mut self.selection);
        let mut sockets = 0;
        let mut polls: SmallVec<[u32; 64]> = SmallVec::new();
        if let Some(namespace) = self.namespaces.find(nsp) {
            let (ids, sockets_here) = (&self.socket_ids, &self.sockets);
            let (outbox, routes) = (&mut self.outbox, &self.routes);
            let counters = &mut self.counters;
            let mut press = self.press.as_mut().filter(|_| !selector.uncompressed);
            let mut forms = Forms::new(range);
            let visit = |slot: u32| match routes.get(slot as usize) {
                Some(Route::Lane(lane)) if !selector.volatile || outbox.is_writable(*lane) => {
                    let form = outbox.form(*lane);
                    let range = forms.of(form, press.as_deref_mut(), outbox, counters);
                    append(outbox, *lane, range);
                    sockets += 1;
                }
                Some(Route::Lane(_)) => counters.volatile_dropped += 1,
                Some(Route::Poll(session)) => polls.push(*session),
                Some(Route::Nobody) | None => {}
            };
            match selector.simple(namespace, ids) {
                Simple::Nobody => {}
                Simple::All(members) => members.for_each(visit),
                Simple::No => {
                    selector.select(namespace, ids, sockets_here, &mut selection);
                    selection.for_each(visit);
                }
            }
        }
        self.selection = selection;
        for session in polls {
            if selector.volatile && !self.is_writable(Route::Poll(session)) {
                self.counters.volatile_dropped += 1;
            } else {
                self.append_to_poll(session, range, allowance_ms);
                sockets += 1;
            }
        }
        self.counters.frames_out += sockets as u64 * u64::from(frames);
        sockets
    }

    /// Makes a packet of the application's due, compressed where that was agreed upon.
    #[inline]
    pub(crate) fn append_packet(&mut self, route: Route, range: Range) {
        match route {
            Route::Lane(lane) => {
                let range = self.in_form_of(lane, range, true);
                self.outbox.append(lane, range);
            }
            Route::Poll(session) => self.append_to_poll(session, range, 0),
            Route::Nobody => {}
        }
    }

    /// Makes a packet of the protocol itself due, ahead of broadcasts.
    pub(crate) fn append_ahead(&mut self, route: Route, range: Range) {
        match route {
            Route::Lane(lane) => {
                let range = self.in_form_of(lane, range, false);
                self.outbox.append_ahead(lane, range);
            }
            Route::Poll(_) | Route::Nobody => self.append(route, range),
        }
    }

    /// Makes a packet due, not compressed.
    pub(crate) fn append(&mut self, route: Route, range: Range) {
        match route {
            Route::Lane(lane) => {
                let range = self.in_form_of(lane, range, false);
                self.outbox.append(lane, range);
            }
            Route::Poll(session) => self.append_to_poll(session, range, 0),
            Route::Nobody => {}
        }
    }

    /// The packet as this lane's client reads it, compressed if it may be and that was agreed upon.
    #[inline]
    fn in_form_of(&mut self, lane: u32, range: Range, may_be_compressed: bool) -> Range {
        match self.outbox.form(lane) {
            Form::Plain => range,
            form => {
                let press = self.press.as_mut().filter(|_| may_be_compressed);
                Forms::new(range).of(form, press, &mut self.outbox, &mut self.counters)
            }
        }
    }

    fn is_writable(&self, route: Route) -> bool {
        match route {
            Route::Lane(lane) => self.outbox.is_writable(lane),
            Route::Poll(index) => self.sessions.at(index).is_some_and(
                |(_, session)| matches!(&session.link, Link::Polling(polling) if polling.parked.is_some() && !polling.is_due && polling.waits_until_ms.is_none()),
            ),
            Route::Nobody => false,
        }
    }

    pub(crate) fn route_of(&self, key: SessionKey) -> Option<Route> {
        match &self.sessions.find(key)?.link {
            Link::WebSocket(conn) => Some(Route::Lane(conn.index)),
            Link::Polling(_) => Some(Route::Poll(key.index)),
            Link::Closing(_) => None,
        }
    }

    /// After an upgrade, packets take the new way.
    pub(crate) fn route_sockets_of(&mut self, key: SessionKey) {
        let Some(route) = self.route_of(key) else { return };
        if let Some(session) = self.sessions.find(key) {
            for &socket in session.sockets.all() {
                if self.sockets.find(socket).is_some_and(|socket| socket.standing == Standing::In) {
                    self.routes[socket.index as usize] = route;
                }
            }
        }
    }
}

/// An event's array with its place as one more argument: where the official client looks for it.
fn with_position(payload: &[u8], position: Position) -> Vec<u8> {
    let mut placed = Vec::with_capacity(payload.len() + 20);
    placed.extend_from_slice(payload.strip_suffix(b"]").unwrap_or(payload));
    placed.extend_from_slice(b",\"");
    position.write(&mut placed);
    placed.extend_from_slice(b"\"]");
    placed
}

/// Whether a selection needs no set of its own.
enum Simple<'a> {
    Nobody,
    All(&'a Members),
    No,
}

impl Selector<'_> {
    /// The frequent cases: everyone, or one room, and nobody left out.
    fn simple<'n>(&self, namespace: &'n Namespace, ids: &SocketIds) -> Simple<'n> {
        match (self.to, self.except, self.skip) {
            ([], [], None) => Simple::All(&namespace.members),
            // A name like an id may mean a socket's own room, whether or not others are in a room of that name.
            ([room], [], None) if !ids.may_name(room) => {
                namespace.room(room).map_or(Simple::Nobody, |room| Simple::All(&room.members))
            }
            _ => Simple::No,
        }
    }

    fn select(
        &self,
        namespace: &Namespace,
        ids: &SocketIds,
        sockets: &Table<Socket>,
        selection: &mut Bitset,
    ) {
        let own = |name: &str| {
            let slot = ids.named(name, sockets)?;
            namespace.members.contains(slot).then_some(slot)
        };
        selection.clear();
        if self.to.is_empty() {
            selection.union(&namespace.members);
        }
        for name in self.to {
            if let Some(room) = namespace.room(name) {
                selection.union(&room.members);
            }
            if let Some(slot) = own(name) {
                selection.insert(slot);
            }
        }
        for name in self.except {
            if let Some(room) = namespace.room(name) {
                selection.subtract(&room.members);
            }
            if let Some(slot) = own(name) {
                selection.remove(slot);
            }
        }
        if let Some(slot) = self.skip.and_then(|id| ids.find(&id, sockets)) {
            selection.remove(slot);
        }
    }
}
