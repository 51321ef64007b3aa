//! One core's world as handlers see it: the hub, its sockets, its tasks.
//!
//! Not the loop: nothing here knows a driver. All borrows are short, none lasts over a handler, so a handler may call anything.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use socketville_hub::{Effect, Hub, Id, Kind, Manner, NspId, Pages, Record, Selector, Sent, SocketKey};
use socketville_proto::encode;

use crate::adapter::Reach;
use crate::args::{Form, write_args, write_event};
use crate::budget::Budget;
use crate::calls::{Dropped, Keep};
use crate::error::EmitError;
use crate::event_name::EventName;
use crate::executor::Executor;
use crate::gather::Asked;
use crate::held::{Auth, HeldSums};
use crate::limits::{DROPS_AT_END_MAX, TASKS_MAX};
use crate::mailbox::Letter;
use crate::metrics::{CoreCounters, CoreReport};
use crate::mismatch::Told;
use crate::payloads::Payloads;
use crate::queries::Queries;
use crate::refusals;
use crate::shares::Shares;
use crate::sleep::{self, Timers};
use crate::socket::{Shared, Socket};
use crate::town::Town;

pub(crate) struct Core {
    pub(crate) index: u16,
    pub(crate) town: Arc<Town>,
    hub: RefCell<Hub>,
    pub(crate) now_ms: Cell<u64>,
    pub(crate) executor: Executor,
    pub(crate) timers: Rc<Timers>,
    pub(crate) counters: RefCell<CoreCounters>,
    /// By the socket's slot.
    sockets: RefCell<Pages<Option<Rc<Shared>>>>,
    /// Letters to the other cores.
    pub(crate) outgoing: RefCell<VecDeque<Letter>>,
    /// What the log was told of refusals.
    pub(crate) refusals_told: refusals::Told,
    /// Queries that other cores have not answered yet.
    pub(crate) queries: Queries,
    /// Broadcasts whose answers are still owed here, by the id of their packet.
    pub(crate) asked: RefCell<HashMap<u64, Rc<Asked>>>,
    /// The parents of the dynamic namespaces that this core knows.
    pub(crate) parents: RefCell<HashMap<NspId, usize>>,
    /// What the log was told of handlers that could not be called.
    pub(crate) mismatches: Told,
    /// POSTs with more packets than one turn handles.
    pub(crate) payloads: RefCell<Payloads>,
    /// The head of the POST whose messages are being read, for bare Engine.IO.
    pub(crate) post_head: RefCell<Option<Box<[u8]>>>,
    /// What only the loop can do.
    pub(crate) errands: RefCell<VecDeque<Effect>>,
    /// Reading that an effect asked for while others were being done.
    pub(crate) readings: RefCell<VecDeque<Effect>>,
    /// How many times over effects are being done.
    pub(crate) effects_depth: Cell<u32>,
    /// Values of the application's that are to be dropped.
    pub(crate) dropped: Dropped,
    /// What was kept with lost sockets, by their ids.
    pub(crate) kept_data: RefCell<HashMap<Id, Keep>>,
    /// What clients have waiting.
    pub(crate) shares: Shares,
    /// Whether any namespace has watchers of outgoing events.
    watches_outgoing: bool,
    /// What a turn may still read.
    pub(crate) budget: Budget,
    /// What the application has of requests and clients.
    pub(crate) held: HeldSums,
    /// Whether watchers of outgoing events are being called.
    pub(crate) is_showing: Cell<bool>,
    /// How often a connection was paused: a loop over messages looks whether it was its own only when this has changed.
    pub(crate) pauses: Cell<u64>,
    /// JSON and attachments of the packet being written; kept, so that an emit does not allocate.
    scratch: Cell<Option<Box<Scratch>>>,
}

/// JSON and attachments of a packet. Behind a pointer, since it is taken out and put back with every emit.
#[derive(Default)]
struct Scratch {
    json: Vec<u8>,
    attachments: Vec<Vec<u8>>,
}

/// A packet's way out, as an operator knows it.
#[derive(Clone, Copy)]
pub(crate) enum Recipients<'a> {
    Socket(SocketKey, Manner),
    Rooms(NspId, &'a Selector<'a>, Reach),
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}

impl Core {
    pub(crate) fn new(index: u16, town: Arc<Town>, seed: [u8; 32]) -> Rc<Self> {
        let cores = town.mailboxes.len() as u16;
        let mut hub = Hub::new(town.app.config.clone(), index, cores, seed);
        for (index, namespace) in town.app.namespaces.iter().enumerate() {
            match namespace.rule {
                None => {
                    let nsp = NspId::first(index as u16);
                    hub.enter_namespace(&namespace.name, nsp);
                    hub.set_flush_interval(nsp, namespace.flush_interval_ms);
                }
                Some(_) => hub.ask_for_unknown(),
            }
        }
        if town.app.namespaces.iter().any(|namespace| !namespace.room_watchers.is_empty()) {
            hub.watch_rooms();
        }
        if let Some(recovery) = &town.app.recovery {
            hub.set_recovery(recovery.for_hub(), town.secret);
        }
        hub.consult(town.app.hooks.consults());
        let (guarded, open): (Vec<_>, Vec<_>) = town.app.routes.iter().partition(|route| route.is_guarded());
        let guarded = guarded.into_iter().map(|route| route.path().into());
        hub.guard(guarded, open.into_iter().map(|route| (route.method(), route.path().into())));
        let watches_outgoing =
            town.app.namespaces.iter().any(|namespace| !namespace.on_any_outgoing.is_empty());
        let bell = Arc::clone(&town);
        let ring: Arc<dyn Fn() + Send + Sync> =
            Arc::new(move || bell.mailboxes[usize::from(index)].bell().ring());
        Rc::new(Self {
            index,
            town,
            hub: RefCell::new(hub),
            now_ms: Cell::new(0),
            executor: Executor::new(TASKS_MAX, ring),
            timers: Timers::new(0),
            counters: RefCell::default(),
            sockets: RefCell::default(),
            outgoing: RefCell::default(),
            refusals_told: refusals::Told::default(),
            queries: Queries::default(),
            asked: RefCell::default(),
            parents: RefCell::default(),
            mismatches: Told::default(),
            payloads: RefCell::default(),
            post_head: RefCell::default(),
            errands: RefCell::default(),
            readings: RefCell::default(),
            effects_depth: Cell::default(),
            dropped: Dropped::default(),
            kept_data: RefCell::default(),
            shares: Shares::default(),
            watches_outgoing,
            budget: Budget::default(),
            held: HeldSums::default(),
            is_showing: Cell::default(),
            pauses: Cell::default(),
            scratch: Cell::default(),
        })
    }

    /// The core whose thread this is, if it is one.
    pub(crate) fn current() -> Option<Rc<Self>> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// Makes this the current core while `run` runs; a simulation has several on one thread.
    pub(crate) fn enter<R>(self: &Rc<Self>, run: impl FnOnce() -> R) -> R {
        let before = CURRENT.replace(Some(Rc::clone(self)));
        let _timers = sleep::enter(&self.timers);
        let result = run();
        CURRENT.set(before);
        result
    }

    /// The hub, with all broadcasts due.
    pub(crate) fn hub(&self) -> Ref<'_, Hub> {
        if self.hub.borrow().is_bundling() {
            self.hub.borrow_mut().release();
        }
        self.hub.borrow()
    }

    /// The hub, with all broadcasts due.
    pub(crate) fn hub_mut(&self) -> RefMut<'_, Hub> {
        let mut hub = self.hub.borrow_mut();
        hub.release();
        hub
    }

    /// Whether anything of the hub is borrowed, so that the application must not be called.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.hub.try_borrow_mut().is_err() || self.sockets.try_borrow_mut().is_err()
    }

    /// The hub as it is, with broadcasts that may not be due yet.
    pub(crate) fn hub_ref(&self) -> Ref<'_, Hub> {
        self.hub.borrow()
    }

    /// Whether the arena is full, which does not depend on the bundle.
    pub(crate) fn is_full(&self) -> bool {
        self.hub.borrow().outbox.is_full()
    }

    /// Another core's broadcast, which becomes due with those that follow.
    pub(crate) fn bundle(&self, record: &Arc<Record>) {
        self.hub.borrow_mut().bundle_record(record);
    }

    /// A handle of a socket that is here.
    pub(crate) fn socket(&self, key: SocketKey) -> Option<Socket> {
        let sockets = self.sockets.borrow();
        let shared = sockets.get(key.index as usize)?.as_ref().filter(|shared| shared.key == key)?;
        Some(Socket::of(Rc::clone(shared)))
    }

    /// A handle of the socket in a slot.
    pub(crate) fn socket_in(&self, slot: u32) -> Option<Socket> {
        let sockets = self.sockets.borrow();
        sockets.get(slot as usize)?.as_ref().map(|shared| Socket::of(Rc::clone(shared)))
    }

    /// Handles of all sockets here that a selector names.
    pub(crate) fn select(&self, nsp: NspId, selector: &Selector<'_>) -> Vec<Socket> {
        let keys = self.hub().selected(nsp, selector);
        keys.into_iter().filter_map(|key| self.socket(key)).collect()
    }

    pub(crate) fn add_socket(
        self: &Rc<Self>,
        key: SocketKey,
        id: Id,
        nsp: NspId,
        auth: Option<Rc<Auth>>,
    ) -> Socket {
        let shared = Shared::new(Rc::clone(self), key, id, nsp, auth);
        let hub = self.hub();
        let shared = Rc::new(match hub.revision_of(key) {
            Some(revision) => shared.speaking(revision, hub.name_of(key)),
            None => shared,
        });
        drop(hub);
        let mut sockets = self.sockets.borrow_mut();
        let index = key.index as usize;
        sockets.reach(index);
        let before = sockets[index].replace(Rc::clone(&shared));
        drop(sockets);
        drop(before);
        Socket::of(shared)
    }

    pub(crate) fn remove_socket(self: &Rc<Self>, key: SocketKey) {
        let mut sockets = self.sockets.borrow_mut();
        let slot = sockets.get_mut(key.index as usize);
        let gone = slot.and_then(|slot| slot.take_if(|shared| shared.key == key));
        drop(sockets);
        drop(gone);
        self.excuse(key);
        let nsp = self.hub_mut().forget_socket(key);
        if let Some(nsp) = nsp {
            self.leave_child(nsp);
        }
    }

    /// What others had for this core while it stood still is lost: its clients are cut before they get anything newer, and it begins anew.
    #[cold]
    pub(crate) fn begin_anew(self: &Rc<Self>) {
        let cut = self.hub().gauges().sockets;
        self.hub_mut().begin_anew();
        self.run_effects();
        self.forget_children();
        self.counters.borrow_mut().standstills += 1;
        tracing::error!(
            core = self.index,
            sockets = cut,
            "a core stood still and missed something; its clients were cut"
        );
        self.town.mailboxes[usize::from(self.index)].move_again();
    }

    /// The last of a core: its tasks and sockets, which hold it too, are dropped.
    pub(crate) fn end(self: &Rc<Self>) {
        self.enter(|| {
            self.executor.close();
            drop(self.asked.take());
            drop(self.sockets.take());
            drop(self.kept_data.take());
            for _ in 0..DROPS_AT_END_MAX {
                self.drop_values();
            }
        });
    }

    /// Whether the account says what this core holds, what waits for it included; right after its turn.
    ///
    /// # Errors
    /// What differs, as a sentence.
    pub(crate) fn audit(&self, waiting: [(Kind, usize); 2]) -> Result<(), String> {
        let requests = self.shares.bytes() + self.held.requests();
        let [letters, crossings] = waiting;
        self.hub().audit(&[(Kind::Auth, self.held.auth()), (Kind::Requests, requests), letters, crossings])
    }

    /// What this core has done and holds; what outside threads have emitted counts as the first core's.
    pub(crate) fn report(&self) -> CoreReport {
        let hub = self.hub();
        let mut counters = hub.counters;
        if self.index == 0 {
            let emits = self.town.emits_outside.load(Ordering::Relaxed);
            counters.emits += emits;
            counters.encodes += emits;
        }
        let turns =
            CoreCounters { answers_owed: self.asked.borrow().len() as u64, ..*self.counters.borrow() };
        CoreReport { core: self.index, gauges: hub.gauges(), hub: counters, turns }
    }

    /// Emits an event; false if it was for one socket that has left, or was busy and the event volatile.
    pub(crate) fn emit(
        &self,
        recipients: Recipients<'_>,
        id: Option<u64>,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<bool, EmitError> {
        let event = EventName::new(event)?;
        self.with_scratch(|json, attachments| {
            write_event(json, event, args, attachments, Form::of(&self.town.app.config))?;
            self.send(recipients, encode::Kind::Event, id, json, attachments)
        })
    }

    /// Answers an event; false if who asked has left.
    pub(crate) fn acknowledge(
        &self,
        key: SocketKey,
        id: u64,
        args: &(impl Serialize + ?Sized),
    ) -> Result<bool, EmitError> {
        self.with_scratch(|json, attachments| {
            write_args(json, args, attachments, Form::of(&self.town.app.config))?;
            let to = Recipients::Socket(key, Manner::default());
            self.send(to, encode::Kind::Ack, Some(id), json, attachments)
        })
    }

    /// Broadcasts what another thread has written.
    pub(crate) fn broadcast(
        &self,
        nsp: NspId,
        selector: &Selector<'_>,
        reach: Reach,
        json: &[u8],
        attachments: &[Vec<u8>],
    ) {
        let to = Recipients::Rooms(nsp, selector, reach);
        let sent = self.send(to, encode::Kind::Event, None, json, attachments);
        debug_assert!(sent.is_ok(), "a broadcast has no client that could be too early");
    }

    fn with_scratch<R>(&self, run: impl FnOnce(&mut Vec<u8>, &mut Vec<Vec<u8>>) -> R) -> R {
        // Taken out, so that a `Serialize` that emits finds an empty one instead of a borrowed one.
        let mut scratch = self.scratch.take().unwrap_or_default();
        scratch.json.clear();
        scratch.attachments.clear();
        let result = run(&mut scratch.json, &mut scratch.attachments);
        self.scratch.set(Some(scratch));
        result
    }

    /// Shows an event to those who watch what its namespace sends.
    #[cold]
    fn watch(&self, recipients: &Recipients<'_>, json: &[u8]) {
        let Ok(array) = std::str::from_utf8(json) else { return };
        match *recipients {
            Recipients::Socket(key, _) => {
                let socket = self.socket(key).filter(|socket| self.is_watched(socket.nsp_id()));
                if let Some(socket) = socket {
                    self.show(&socket, array);
                }
            }
            Recipients::Rooms(nsp, selector, _) if self.is_watched(nsp) => {
                self.show_all(nsp, selector, array);
            }
            Recipients::Rooms(..) => {}
        }
    }

    fn send(
        &self,
        recipients: Recipients<'_>,
        kind: encode::Kind,
        id: Option<u64>,
        json: &[u8],
        attachments: &[Vec<u8>],
    ) -> Result<bool, EmitError> {
        if kind == encode::Kind::Event && self.watches_outgoing && !self.is_showing.get() {
            self.watch(&recipients, json);
        }
        match recipients {
            Recipients::Socket(key, manner) => {
                match self.hub_mut().send(key, kind, id, json, attachments, manner) {
                    Sent::Due => Ok(true),
                    Sent::Gone | Sent::Busy => Ok(false),
                    Sent::TooEarly => Err(EmitError::TooEarly),
                }
            }
            Recipients::Rooms(nsp, selector, reach) => {
                let record = self.hub.borrow_mut().bundle(nsp, selector, kind, json, attachments);
                let letter = if self.is_showing.get() { Letter::Unshown } else { Letter::Record };
                self.outgoing.borrow_mut().extend(record.map(letter));
                if reach == Reach::Everywhere {
                    self.town.tell_others_event(nsp, selector, json, attachments);
                }
                Ok(true)
            }
        }
    }
}
