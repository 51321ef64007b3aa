//! A share of a core's tasks for each client: who has that many handlers waiting is not read on until some have ended.
//!
//! Not a refusal: nothing of a client is dropped, and its order is kept. What it has sent lies in its connection's buffer, and TCP tells it to wait. A
//! handler that waits for its own client's answer does not count, or the answer would lie behind what is not read. A core with
//! [`TASKS_MAX`](crate::limits::TASKS_MAX) waiting tasks leaves each further client one.
//!
//! Cost: a handler that ends without waiting costs nothing here; one that waits costs a look into a map at either end.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use socketville_hub::{Charge, ConnId, Kind, Post, SessionKey, SocketKey};

use crate::core::Core;
use crate::limits::{TASKS_MAX, WAITING_BYTES_MAX, WAITING_BYTES_SHORT};

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
    /// Bytes of the events that its waiting handlers were called with.
    bytes: usize,
    is_paused: bool,
    /// A POST whose packets are handled up to a point.
    post: Option<(ConnId, Post)>,
}

/// A task of a client that waits; it counts until this is dropped.
pub(crate) struct Place {
    core: Rc<Core>,
    session: SessionKey,
    charge: Charge,
}

impl Place {
    /// One task more, over an event of so many bytes. `answers_owed` are those that the client itself has to give.
    pub(crate) fn take(core: &Rc<Core>, session: SessionKey, answers_owed: usize, bytes: usize) -> Self {
        let charge = core.hub().account().charge(Kind::Requests, bytes);
        core.shares.waiting.set(core.shares.waiting.get() + 1);
        let (waiting, held) = {
            let mut shares = core.shares.shares.borrow_mut();
            let share = shares.entry(session).or_default();
            share.waiting += 1;
            share.bytes += bytes;
            (share.waiting, share.bytes)
        };
        // Cutting a client does not end its handlers, so where memory is short it is not read on sooner.
        let is_much =
            held >= WAITING_BYTES_MAX || (held >= WAITING_BYTES_SHORT && core.hub().is_above_soft_mark());
        let is_heavy = is_much && answers_owed == 0;
        let is_crowded = core.shares.waiting.get() >= TASKS_MAX;
        if is_crowded || is_heavy || waiting >= core.town.app.tasks_per_client() + answers_owed {
            core.pause_client(session);
        }
        if is_crowded {
            core.shares.crowded.borrow_mut().push_back(session);
        }
        Self { core: Rc::clone(core), session, charge }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (core, session) = (Rc::clone(&self.core), self.session);
        core.shares.waiting.set(core.shares.waiting.get() - 1);
        let left = core.shares.shares.borrow_mut().get_mut(&session).map_or(0, |share| {
            share.waiting -= 1;
            share.bytes -= self.charge.bytes();
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

    /// Keeps what is left of a POST, until its session is read again.
    pub(crate) fn keep_post(&self, conn: ConnId, session: SessionKey, post: Post) {
        if let Some(share) = self.shares.borrow_mut().get_mut(&session) {
            share.post = Some((conn, post));
        }
    }
}

impl Core {
    /// A session is not read any more: its WebSocket, or its POSTs.
    fn pause_client(&self, session: SessionKey) {
        let mut shares = self.shares.shares.borrow_mut();
        let Some(share) = shares.get_mut(&session) else { return };
        self.hub_mut().pause_session(session);
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
            self.hub_mut().resume_session(self.now_ms.get(), session);
            if let Some((conn, post)) = share.post.take() {
                self.payloads.borrow_mut().push(conn, session, post);
            }
        }
        if share.waiting == 0 {
            shares.remove(&session);
        }
    }

    /// A task over a socket that has no handle yet begins to wait.
    pub(crate) fn socket_place(self: &Rc<Self>, key: SocketKey) -> Option<Place> {
        let session = self.hub().session_of_socket(key)?;
        Some(Place::take(self, session, 0, 0))
    }

    /// A client is about to owe an answer: what it has sent before must not keep it from being read.
    pub(crate) fn expect_answer(&self, socket: SocketKey, answers_owed: usize) {
        if !self.shares.has_paused() {
            return;
        }
        let Some(session) = self.hub().session_of_socket(socket) else { return };
        let most = self.town.app.tasks_per_client() + answers_owed;
        let may_go_on = self.shares.shares.borrow().get(&session).is_some_and(|share| share.waiting < most);
        if may_go_on {
            self.resume_client(session);
        }
    }
}
