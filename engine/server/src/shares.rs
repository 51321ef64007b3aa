//! A share of a core's tasks for each client: who has that many handlers waiting is not read on until some have ended.
//!
//! Not a refusal: nothing of a client is dropped, and its order is kept. What it has sent lies in its connection's buffer, and TCP tells it to wait. A
//! handler that waits for its own client's answer does not count, or the answer would lie behind what is not read ([`debts`](crate::debts)). A core with
//! [`TASKS_MAX`](crate::limits::TASKS_MAX) waiting tasks leaves each further client one.
//!
//! Cost: a handler that ends without waiting costs nothing here; one that waits costs a look into a map at either end.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use socketville_hub::{Charge, Kind, Owner, Pause, SessionKey, SocketKey};

use crate::core::Core;
use crate::held::Auth;
use crate::limits::{TASKS_MAX, WAITING_BYTES_MAX, WAITING_BYTES_OWING, WAITING_BYTES_SHORT};

/// What the clients of a core have waiting.
#[derive(Default)]
pub(crate) struct Shares {
    /// By session; those with a task that waits.
    shares: RefCell<HashMap<SessionKey, Share, ahash::RandomState>>,
    /// Tasks that wait, of all clients.
    waiting: Cell<usize>,
    /// Sessions that are not read, for those who only want to know whether there is one.
    paused: Cell<usize>,
    /// Those that are not read since the core has too many tasks, in turn.
    crowded: RefCell<VecDeque<SessionKey>>,
}

#[derive(Default)]
struct Share {
    waiting: usize,
    /// Bytes that its waiting tasks may hold.
    bytes: usize,
    /// The part of them that events take, which is charged here.
    events: usize,
    is_paused: bool,
}

/// A task of a client that waits; it counts until this is dropped.
pub(crate) struct Place {
    core: Rc<Core>,
    session: SessionKey,
    bytes: usize,
    charge: Charge,
}

/// What a task waits over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    /// An event of so many bytes.
    Event(usize),
    /// So many bytes that somebody else has charged.
    Charged(usize),
}

impl Over {
    /// What a client said in CONNECT, if anything.
    pub(crate) fn auth(auth: Option<&Auth>) -> Self {
        Self::Charged(auth.map_or(0, Auth::bytes))
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Event(bytes) | Self::Charged(bytes) => bytes,
        }
    }

    const fn event(self) -> usize {
        match self {
            Self::Event(bytes) => bytes,
            Self::Charged(_) => 0,
        }
    }
}

/// Bytes that a client's handlers may wait over until it is not read on: few where the core holds much, more while it owes an answer to one of them,
/// which lies behind what it has sent.
const fn bytes_max(is_short: bool, answers_owed: usize) -> usize {
    let bytes = if is_short { WAITING_BYTES_SHORT } else { WAITING_BYTES_MAX };
    if answers_owed > 0 { bytes * WAITING_BYTES_OWING } else { bytes }
}

impl Place {
    /// One task more, over this.
    pub(crate) fn take(core: &Rc<Core>, session: SessionKey, over: Over) -> Self {
        let charge = core.hub().charge(Kind::Requests, Owner::Core, over.event());
        let bytes = over.bytes();
        core.shares.waiting.set(core.shares.waiting.get() + 1);
        let (waiting, held) = {
            let mut shares = core.shares.shares.borrow_mut();
            let share = shares.entry(session).or_default();
            share.waiting += 1;
            share.bytes += bytes;
            share.events += charge.bytes();
            (share.waiting, share.bytes)
        };
        let is_crowded = core.shares.waiting.get() >= TASKS_MAX;
        if is_crowded || !core.has_room(session, waiting, held) {
            core.pause_client(session);
        }
        if is_crowded {
            core.shares.crowded.borrow_mut().push_back(session);
        }
        Self { core: Rc::clone(core), session, bytes, charge }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (core, session) = (Rc::clone(&self.core), self.session);
        core.shares.waiting.set(core.shares.waiting.get() - 1);
        let left = core.shares.shares.borrow_mut().get_mut(&session).map_or(0, |share| {
            share.waiting -= 1;
            share.bytes -= self.bytes;
            share.events -= self.charge.bytes();
            share.waiting
        });
        if left <= core.town.app.tasks_per_client() / 2 {
            core.shares.crowded.borrow_mut().push_back(session);
        }
        // As many as there is room for: while there is none, those who may be read again wait in turn.
        for _ in core.shares.waiting.get()..TASKS_MAX {
            let next = core.shares.crowded.borrow_mut().pop_front();
            let Some(next) = next else { return };
            core.resume_client(next);
        }
    }
}

impl Shares {
    /// Whether a session's packets wait.
    #[inline]
    pub(crate) fn is_paused(&self, session: SessionKey) -> bool {
        self.has_paused() && self.shares.borrow().get(&session).is_some_and(|share| share.is_paused)
    }

    /// Whether any session's packets wait.
    #[inline]
    pub(crate) fn has_paused(&self) -> bool {
        self.paused.get() > 0
    }

    /// Bytes of the events that handlers of all clients wait over.
    pub(crate) fn bytes(&self) -> usize {
        self.shares.borrow().values().map(|share| share.events).sum()
    }
}

impl Core {
    /// A session is not read any more: its WebSocket, or its POSTs.
    fn pause_client(&self, session: SessionKey) {
        let mut shares = self.shares.shares.borrow_mut();
        let Some(share) = shares.get_mut(&session) else { return };
        self.hub_mut().pause_session(session, Pause::Handlers);
        self.pauses.set(self.pauses.get() + 1);
        if !std::mem::replace(&mut share.is_paused, true) {
            self.shares.paused.set(self.shares.paused.get() + 1);
            self.counters.borrow_mut().reads_paused += 1;
        }
    }

    /// A session is read again, if it was not.
    fn resume_client(&self, session: SessionKey) {
        let mut shares = self.shares.shares.borrow_mut();
        let Some(share) = shares.get_mut(&session) else { return };
        if std::mem::take(&mut share.is_paused) {
            self.shares.paused.set(self.shares.paused.get() - 1);
            let mut hub = self.hub_mut();
            hub.resume_session(self.now_ms.get(), session, Pause::Handlers);
            if hub.has_post(session) {
                self.payloads.borrow_mut().push(session);
            }
        }
        if share.waiting == 0 {
            shares.remove(&session);
        }
    }

    /// A task over a socket that has no handle yet begins to wait.
    pub(crate) fn socket_place(self: &Rc<Self>, key: SocketKey, over: Over) -> Option<Place> {
        let session = self.hub().session_of_socket(key)?;
        Some(Place::take(self, session, over))
    }

    /// Whether a session may have another task that waits. What its client owes is counted only if it matters.
    fn has_room(&self, session: SessionKey, waiting: usize, held: usize) -> bool {
        let most = self.town.app.tasks_per_client();
        let is_short = self.hub().is_above_soft_mark();
        if waiting < most && held < bytes_max(is_short, 0) {
            return true;
        }
        let owed = self.answers_owed(session);
        waiting < most + owed && held < bytes_max(is_short, owed)
    }

    /// A client owes an answer: what it has sent before must not keep it from being read.
    pub(crate) fn expect_answer(&self, socket: SocketKey) {
        if !self.shares.has_paused() {
            return;
        }
        let Some(session) = self.hub().session_of_socket(socket) else { return };
        let share = self.shares.shares.borrow().get(&session).map(|share| (share.waiting, share.bytes));
        if share.is_some_and(|(waiting, held)| self.has_room(session, waiting, held)) {
            self.resume_client(session);
        }
    }
}
