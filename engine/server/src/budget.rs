//! What one turn reads of its clients: a budget of work, and a slice of it for each of them.
//!
//! Not time: work is counted in units of about 0.2 us (see [`READ_WORK_PER_TURN`]), so that a run can be replayed. A connection with more than
//! fits is put off, and goes on in a later turn behind those that wait already; nothing is dropped, and no connection's order changes.
//!
//! Cost: what came alone in its receive is not looked at here. Behind it each message costs a sum of four counters.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use socketville_hub::{ConnId, Counters, Pause};

use crate::core::Core;
use crate::limits::{
    LETTERS_PER_TURN_MAX, READ_WORK_PER_SLICE, READ_WORK_PER_TURN, WORK_PER_PACKET, WORK_PER_REQUEST,
    WORK_PER_SESSION,
};

/// What is left of a turn's budget.
#[derive(Default)]
pub(crate) struct Budget {
    /// The sum of all work at which no connection is read on.
    until: Cell<u64>,
    /// Work of one connection at a time.
    slice: Cell<u64>,
    /// Connections with bytes that were received and wait, in turn.
    put_off: RefCell<Vec<ConnId>>,
    /// Whether another core has so many records that a client whose events make more of them waits.
    is_behind: Cell<bool>,
    /// Whether so many of them wait here that no client is read.
    is_over: Cell<bool>,
    /// Letters to other cores when the connection that is read began to be.
    letters: Cell<usize>,
    /// Connections that wait for a core that is behind.
    stalled: RefCell<Vec<ConnId>>,
}

/// One connection's part of a turn. Begins when it has more than one message.
#[derive(Default)]
pub(crate) struct Slice(Option<u64>);

impl Budget {
    /// Whether no connection is put off.
    pub(crate) fn is_idle(&self) -> bool {
        self.put_off.borrow().is_empty()
    }
}

impl Slice {
    /// Whether the rest of a connection has its turn later.
    pub(crate) fn is_over(&mut self, core: &Core) -> bool {
        if core.has_made_records() {
            return true;
        }
        let work = core.work();
        let budget = &core.budget;
        let until = *self.0.get_or_insert_with(|| budget.until.get().min(work + budget.slice.get()));
        work >= until
    }
}

impl Core {
    /// A turn begins to read so many connections, while so many letters wait for this core: the further it is behind with those, the less it reads.
    pub(crate) fn begin_reading(&self, conns: usize, letters: usize) {
        let budget = match letters {
            0..=LETTERS_PER_TURN_MAX => READ_WORK_PER_TURN,
            _ => READ_WORK_PER_TURN * LETTERS_PER_TURN_MAX as u64 / letters as u64,
        };
        self.budget.slice.set((budget / conns.max(1) as u64).max(READ_WORK_PER_SLICE));
        self.budget.until.set(self.work() + budget);
    }

    /// The connections that are read next have a budget of their own, whatever is spent.
    pub(crate) fn grant(&self, work: u64) {
        self.budget.until.set(self.work() + work);
    }

    /// Whether the budget is spent.
    pub(crate) fn has_read_enough(&self) -> bool {
        self.work() >= self.budget.until.get()
    }

    /// Bytes of a connection wait for a later turn.
    pub(crate) fn put_off(self: &Rc<Self>, conn: ConnId, bytes: &[u8]) {
        let mut hub = self.hub_mut();
        hub.pause(conn, Pause::Turn);
        hub.hold(conn, bytes);
        self.pauses.set(self.pauses.get() + 1);
        self.budget.put_off.borrow_mut().push(conn);
        self.counters.borrow_mut().reads_put_off += 1;
    }

    /// Reads something of a connection. While another core is behind, one whose events make records for it waits from then on until that has
    /// caught up: its peer learns of it by TCP, and nothing is lost.
    pub(crate) fn read(self: &Rc<Self>, conn: ConnId, bytes: &mut [u8]) {
        if !self.budget.is_behind.get() {
            return self.read_bytes(conn, bytes);
        }
        let before = self.budget.letters.replace(self.outgoing.borrow().len());
        self.read_bytes(conn, bytes);
        if self.has_made_records() {
            self.hub_mut().pause(conn, Pause::Records);
            self.pauses.set(self.pauses.get() + 1);
            self.counters.borrow_mut().reads_stalled += 1;
            self.budget.stalled.borrow_mut().push(conn);
        }
        self.budget.letters.set(before);
    }

    fn has_made_records(&self) -> bool {
        self.budget.is_behind.get() && self.outgoing.borrow().len() > self.budget.letters.get()
    }

    /// Notes whether another core is behind, or so far that no client is read; clients that waited for it are read again when it is not.
    pub(crate) fn note_behind(self: &Rc<Self>, is_behind: bool, is_over: bool) {
        self.budget.is_over.set(is_over);
        self.budget.is_behind.set(is_behind);
        if !is_behind && self.has_stalled() {
            let stalled = self.budget.stalled.take();
            stalled.into_iter().for_each(|conn| self.hub_mut().resume(conn, Pause::Records));
        }
    }

    /// Whether another core is behind.
    pub(crate) fn is_behind(&self) -> bool {
        self.budget.is_behind.get()
    }

    /// Whether so many records wait for other cores that nobody is read.
    pub(crate) fn has_too_many_records(&self) -> bool {
        self.budget.is_over.get()
    }

    /// Whether clients wait for a core that is behind.
    pub(crate) fn has_stalled(&self) -> bool {
        !self.budget.stalled.borrow().is_empty()
    }

    /// The connections that were put off since the last call.
    pub(crate) fn take_put_off(&self) -> Vec<ConnId> {
        self.budget.put_off.take()
    }

    /// All work so far. What is due in a bundle counts when that is released.
    fn work(&self) -> u64 {
        let Counters { packets_in, requests, sessions_opened, frames_out, bytes_in, .. } =
            self.hub_ref().counters;
        packets_in * WORK_PER_PACKET
            + requests * WORK_PER_REQUEST
            + sessions_opened * WORK_PER_SESSION
            + frames_out
            + bytes_in / 1024
    }
}
