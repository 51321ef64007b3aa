//! Answers that clients owe, whoever asked them: the handler of an event, a broadcast, another thread.
//!
//! Not the answers. A handler that waits for its own client must not keep that client from being read, or the answer would lie behind what is not
//! read. So every question makes a debt here, and lets go of it when it is answered or nobody waits for it; what a session owes on all its sockets is
//! how many tasks more than its share may wait ([`shares`](crate::shares)). There is no other way to wait for a client.
//!
//! Cost: a number in each socket, which a question counts up and its end counts down.

use std::rc::Rc;

use socketville_hub::{Bitset, SessionKey, SocketKey};

use crate::core::Core;
use crate::socket::Socket;

/// One client owes one answer, until this is dropped.
pub(crate) struct Debt<'a> {
    socket: &'a Socket,
}

impl<'a> Debt<'a> {
    pub(crate) fn new(socket: &'a Socket) -> Self {
        socket.owe();
        Self { socket }
    }
}

impl Drop for Debt<'_> {
    fn drop(&mut self) {
        self.socket.owe_no_more();
    }
}

/// Clients of one core that owe an answer to the same question. Who still does when this is dropped owes it no more.
pub(crate) struct Debts {
    core: Rc<Core>,
    slots: Bitset,
}

impl Debts {
    /// The sockets in these slots owe an answer.
    pub(crate) fn new(core: &Rc<Core>, slots: Bitset) -> Self {
        slots.for_each(|slot| {
            if let Some(socket) = core.socket_in(slot) {
                socket.owe();
            }
        });
        Self { core: Rc::clone(core), slots }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The client has answered, or left; true if it owed.
    pub(crate) fn settle(&mut self, key: SocketKey) -> bool {
        let was_owed = self.slots.remove(key.index);
        if was_owed && let Some(socket) = self.core.socket(key) {
            socket.owe_no_more();
        }
        was_owed
    }

    /// Nobody owes any more.
    pub(crate) fn settle_all(&mut self) {
        let core = &self.core;
        let owing = std::mem::take(&mut self.slots);
        owing.for_each(|slot| {
            if let Some(socket) = core.socket_in(slot) {
                socket.owe_no_more();
            }
        });
    }
}

impl Drop for Debts {
    fn drop(&mut self) {
        self.settle_all();
    }
}

impl Core {
    /// Answers that a session's client owes, on all its sockets.
    pub(crate) fn answers_owed(&self, session: SessionKey) -> usize {
        let hub = self.hub();
        hub.sockets_of(session)
            .iter()
            .filter_map(|&key| self.socket(key))
            .map(|socket| socket.answers_owed())
            .sum()
    }
}
