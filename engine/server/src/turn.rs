//! The turn: one loop, once per core, over any driver.
//!
//! ```text
//! wait      sleep until completion, wake-up or timer
//! now       the only time of the turn, before anything else; sleeps that are over wake their tasks
//! reap      completions -> hub -> handlers          handlers emit: bytes become due, nothing is sent
//! poll      handler tasks that were woken
//! collect   mailbox: records, orders, connections from other cores
//! expire    deadlines of peers, after all that the turn has read
//! publish   our new records to every other core
//! flush     each dirty connection: one send of one slice, in batches, within a budget
//! ```
//!
//! Not a place for rules: those of the protocol are the hub's, those of the kernel the driver's. A flush that runs out of its budget goes
//! on in the next turn; what is emitted meanwhile joins the connections that still wait, so load makes sends fuller, not more.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use socketville_hub::{
    Batch, Charge, ConnId, Effect, Kind, Look, Newcomer, Owner, Parting, Place, Reason, Refusal, Response,
    Settled,
};
use socketville_sys::{Driver, Outcome, Outgoing, Ready, Token, Unsent};

use crate::arrivals::{Arrivals, Speaker, peer_end};
use crate::core::Core;
use crate::crossing::Crossing;
use crate::limits::{LETTERS_PER_TURN_MAX, SENDS_PER_BATCH, SENDS_PER_TURN_MAX, TASKS_PER_TURN_MAX};
use crate::mailbox::Letter;
use crate::rarely::rarely;
use crate::stopping::{Step, Stopping, Verdict};
use crate::waiting::Waiting;

mod receive;

/// Takes a connection out of the engine, with what was read of it.
pub(crate) type Elsewhere<D> = Box<dyn Fn(<D as Driver>::Passed, Vec<u8>)>;

/// One core's loop.
pub(crate) struct Turn<D: Driver> {
    driver: D,
    core: Rc<Core>,
    /// By core; ours is where we collect.
    crossings: Arc<[Crossing<D::Passed>]>,
    ready: Vec<Ready>,
    arrivals: Arrivals,
    batch: Batch,
    unsent: Vec<Unsent>,
    refusals: Vec<(usize, Refusal)>,
    settled: Settled,
    /// Letters that a full mailbox did not take, by core.
    waiting: Vec<Waiting>,
    /// For what waits for this core, and here for others.
    letters: Charge,
    crossing: Charge,
    stopping: Stopping,
    /// Whether it has said so.
    has_ended: bool,
    /// Where connections go whose request is not ours.
    elsewhere: Option<Elsewhere<D>>,
    /// Whether addresses have shares.
    asks_addresses: bool,
}

/// Whether the loop goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Turn,
    Stop,
}

impl<D: Driver> Turn<D> {
    pub(crate) fn new(driver: D, core: Rc<Core>, crossings: Arc<[Crossing<D::Passed>]>) -> Self {
        core.town.mailboxes[usize::from(core.index)].bell().hang(driver.waker());
        let waiting = crossings.iter().map(|_| Waiting::default()).collect();
        let stopping = Stopping::new(core.town.app.drain_window().ms());
        let asks_addresses = core.hub().wants_addresses();
        let held_here = |kind| core.hub().charge(kind, Owner::Core, 0);
        let (letters, crossing) = (held_here(Kind::Letters), held_here(Kind::Crossings));
        Self {
            asks_addresses,
            driver,
            core,
            crossings,
            ready: Vec::new(),
            arrivals: Arrivals::default(),
            batch: Batch::default(),
            unsent: Vec::new(),
            refusals: Vec::new(),
            settled: Settled::default(),
            waiting,
            letters,
            crossing,
            stopping,
            has_ended: false,
            elsewhere: None,
        }
    }

    /// Has another server of this process answer what is neither the engine's nor a route's.
    pub(crate) fn hand_over_to(&mut self, elsewhere: Elsewhere<D>) {
        let core = &self.core;
        let served = core.town.app.routes.iter().map(|route| route.path().into());
        core.hub_mut().hand_over_all_but(served);
        self.elsewhere = Some(elsewhere);
    }

    /// Sleeps until there is something to do.
    pub(crate) fn wait(&mut self, now_ms: u64) -> io::Result<()> {
        let core = Rc::clone(&self.core);
        let bell = core.town.mailboxes[usize::from(core.index)].bell();
        bell.doze();
        let timeout = self.timeout(now_ms);
        let waited = self.driver.wait(timeout, &mut self.ready);
        bell.rise();
        waited
    }

    /// How long the loop may sleep.
    pub(crate) fn timeout(&self, now_ms: u64) -> Option<Duration> {
        let core = &self.core;
        let hub = core.hub();
        let mailbox = &core.town.mailboxes[usize::from(core.index)];
        let is_busy = hub.is_due()
            || core.executor.has_woken()
            || !mailbox.is_empty()
            || (mailbox.is_stopping() && self.stopping.is_running())
            || (self.stopping.is_settling() && core.town.has_settled())
            || (!self.has_ended && mailbox.has_finished() && core.town.has_finished())
            || !self.crossings[usize::from(core.index)].is_empty()
            || !self.arrivals.is_empty()
            || !core.errands.borrow().is_empty()
            || !core.budget.is_idle()
            || !core.payloads.borrow().is_empty()
            || !core.dropped.is_empty()
            || hub.has_effects()
            || !core.outgoing.borrow().is_empty();
        if is_busy {
            return Some(Duration::ZERO);
        }
        let is_waiting = core.is_behind() || self.waiting.iter().any(|waiting| !waiting.letters.is_empty());
        let retry_ms = is_waiting.then_some(now_ms + 1);
        let (hub_ms, sleeps_ms) = (hub.next_timer_ms(), core.timers.next_deadline());
        let next_ms = [hub_ms, sleeps_ms, core.queries.next_ms(), retry_ms, self.stopping.next_ms()];
        let next_ms = next_ms.into_iter().flatten().min();
        next_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms)))
    }

    /// One turn at this time.
    pub(crate) fn turn(&mut self, now_ms: u64) -> Next {
        let core = Rc::clone(&self.core);
        core.now_ms.set(now_ms);
        core.enter(|| {
            core.timers.advance(now_ms);
            core.queries.advance(now_ms);
            core.hub_mut().handle_time(now_ms);
            if core.town.mailboxes[usize::from(core.index)].is_standing() {
                core.begin_anew();
            }
            let look = self.reap(now_ms);
            core.read_payloads();
            self.poll_tasks();
            self.collect(now_ms);
            core.hub_mut().handle_timers(now_ms, look);
            core.run_effects();
            core.drop_values();
            core.run_effects();
            self.publish(now_ms);
            self.ask_addresses();
            self.flush(now_ms);
            self.run_errands(now_ms);
            let [(_, letters), (_, crossing)] = self.waiting_bytes();
            self.letters.set(letters);
            self.crossing.set(crossing);
        });
        core.counters.borrow_mut().turns += 1;
        match self.stopping.judge(now_ms, || core.hub().remains()) {
            Verdict::GoesOn => Next::Turn,
            Verdict::Done | Verdict::Cut => self.finish(),
        }
    }

    /// Cores end together: until then each answers what the others, and connections that are there, ask it.
    fn finish(&mut self) -> Next {
        let core = Rc::clone(&self.core);
        let mailboxes = &core.town.mailboxes;
        let own = &mailboxes[usize::from(core.index)];
        if !own.has_finished() {
            // Also without a cut: a client in the middle of an upgrade polls no more, and what waits for its poll is lost.
            core.town.cut_off(core.hub().owed());
            own.finish();
            mailboxes.iter().for_each(|mailbox| mailbox.bell().ring());
        }
        self.has_ended = core.town.has_finished();
        if self.has_ended { Next::Stop } else { Next::Turn }
    }

    fn reap(&mut self, now_ms: u64) -> Look {
        self.core.note_refusals(self.driver.counters());
        let mut look = Look::Quiet;
        for ready in self.ready.drain(..) {
            match ready {
                Ready::Accepted(token) => {
                    look = Look::Busy;
                    let newcomer = newcomer(&mut self.driver, token, self.asks_addresses);
                    self.core.hub_mut().open_from(now_ms, conn_of(token), newcomer);
                }
                Ready::Readable(token) => self.arrivals.push(token),
                Ready::Writable(token) => self.core.hub_mut().outbox.handle_writable(conn_of(token)),
                Ready::Woken => {}
            }
        }
        // A full arena is sent first: who speaks waits in the kernel, which tells its peer so.
        if self.core.is_full() || self.core.has_too_many_records() {
            return Look::Averted;
        }
        if !self.arrivals.is_empty() {
            look = Look::Busy;
        }
        let core = &self.core;
        let mut turn = self.arrivals.take(|token| match core.hub().is_new(conn_of(token)) {
            false if self.driver.end_of(token).is_none() => Speaker::Established,
            _ => Speaker::Passing,
        });
        {
            let mut hub = core.hub_mut();
            turn.retain(|&token| {
                let is_read = hub.may_read(conn_of(token));
                if !is_read && let Some(end) = self.driver.end_of(token) {
                    hub.note_end(conn_of(token), peer_end(end));
                }
                is_read
            });
        }
        let has_read_all = self.receive(now_ms, &turn);
        self.arrivals.give_back(turn);
        // Late peers are judged when all that had arrived before has been read.
        let look = if has_read_all { look } else { Look::Behind };
        if self.core.has_stalled() { Look::Averted } else { look }
    }

    /// Polls what was woken before, unless the arena is full; a task that yields goes on in the next turn, after what it emitted has left.
    fn poll_tasks(&self) {
        let core = &self.core;
        if core.is_full() || core.has_too_many_records() {
            return;
        }
        core.executor.run_woken(core.executor.queued().min(TASKS_PER_TURN_MAX));
        for (_, message) in core.executor.take_panics() {
            core.counters.borrow_mut().handler_panics += 1;
            rarely!(error, message, "a task panicked");
        }
        core.run_effects();
    }

    fn collect(&mut self, now_ms: u64) {
        let core = Rc::clone(&self.core);
        let index = usize::from(core.index);
        let half = core.town.mailboxes[index].len().div_ceil(2);
        for _ in 0..half.max(LETTERS_PER_TURN_MAX) {
            if core.is_full() {
                break;
            }
            match core.town.mailboxes[index].take() {
                None => break,
                Some(Letter::Record(record)) => core.collect(&record),
                Some(Letter::Unshown(record)) => core.bundle(&record),
                Some(Letter::Order(order, _)) => order(&core),
            }
        }
        self.stop(now_ms);
        while !self.crossings[index].is_empty()
            && let Some((passed, mut bytes)) = self.crossings[index].pop()
        {
            if let Ok(token) = self.driver.adopt(passed) {
                let newcomer = newcomer(&mut self.driver, token, self.asks_addresses);
                core.hub_mut().open_from(now_ms, conn_of(token), newcomer);
                core.handle_bytes(conn_of(token), &mut bytes);
            }
        }
    }

    /// On the way to the end, if somebody wants it.
    fn stop(&mut self, now_ms: u64) {
        let core = Rc::clone(&self.core);
        let mailbox = &core.town.mailboxes[usize::from(core.index)];
        if !mailbox.is_stopping() {
            return;
        }
        let has_heard_all = || core.town.has_settled() && mailbox.is_empty();
        let step = self.stopping.begin(now_ms).or_else(|| self.stopping.settle(now_ms, has_heard_all));
        match step {
            Some(Step::CloseListener) => self.driver.close_listener(),
            Some(Step::CloseAll { until_ms }) => {
                core.hub_mut().close_all(now_ms, until_ms);
                core.run_effects();
            }
            None => {}
        }
    }

    /// To the other cores before our own flush, so that they work while we send.
    fn publish(&mut self, now_ms: u64) {
        let core = Rc::clone(&self.core);
        while let Some(letter) = core.outgoing.borrow_mut().pop_front() {
            for (index, waiting) in self.waiting.iter_mut().enumerate() {
                if index != usize::from(core.index) {
                    waiting.push(letter.clone());
                }
            }
        }
        let mail = core.town.app.mail;
        let bytes_max = mail.records_waiting_bytes_max.min(core.town.app.config.budget.hard_bytes / 2);
        let (mut is_behind, mut is_over) = (false, false);
        for (index, (mailbox, waiting)) in core.town.mailboxes.iter().zip(&mut self.waiting).enumerate() {
            if index == usize::from(core.index) {
                continue;
            }
            waiting.post_to(mailbox);
            if waiting.is_standstill(mailbox, now_ms) {
                core.counters.borrow_mut().records_dropped += waiting.letters.len() as u64;
                *waiting = Waiting::default();
                mailbox.stand_still();
            }
            is_behind |= waiting.is_behind(mailbox);
            is_over |= waiting.letters.len() > mail.records_waiting_max || waiting.bytes > bytes_max;
        }
        core.note_behind(is_behind, is_over);
        if self.stopping.is_settling() && self.waiting.iter().all(|waiting| waiting.letters.is_empty()) {
            let mailboxes = &core.town.mailboxes;
            if !mailboxes[usize::from(core.index)].has_settled() {
                mailboxes[usize::from(core.index)].settle();
                mailboxes.iter().for_each(|mailbox| mailbox.bell().ring());
            }
        }
    }

    fn flush(&mut self, now_ms: u64) {
        self.core.hub_mut().settle_polls(now_ms);
        for _ in 0..SENDS_PER_TURN_MAX / SENDS_PER_BATCH {
            self.flush_batch();
            if self.batch.is_empty() {
                break;
            }
        }
        self.core.hub_mut().cut_slow(now_ms);
        self.core.hub_mut().relieve(now_ms);
        self.core.run_effects();
    }

    /// The only place that sends.
    fn flush_batch(&mut self) {
        let mut hub = self.core.hub_mut();
        let mut counters = self.core.counters.borrow_mut();
        hub.outbox.take_batch(&mut self.batch, SENDS_PER_BATCH);
        self.unsent.clear();
        let mut outgoing: SmallVec<[Outgoing<'_>; SENDS_PER_BATCH]> = SmallVec::new();
        for (conn, bytes) in hub.outbox.slices(&self.batch) {
            counters.bytes_out += bytes.len() as u64;
            outgoing.push(Outgoing { token: token_of(conn), bytes });
        }
        counters.sends += outgoing.len() as u64;
        self.driver.send(&outgoing, &mut self.unsent);
        drop(outgoing);
        self.refusals.clear();
        self.refusals.extend(self.unsent.iter().map(|unsent| match unsent.outcome {
            Outcome::Partial(count) => (unsent.position, Refusal::Took(count)),
            Outcome::Failed(_) => (unsent.position, Refusal::Broken),
        }));
        counters.sends_refused += self.refusals.len() as u64;
        drop(counters);
        self.settled.clear();
        hub.outbox.settle(&self.batch, &self.refusals, &mut self.settled);
        self.settled.blocked.iter().for_each(|conn| self.driver.watch_writable(token_of(*conn)));
        self.settled.broken.iter().for_each(|conn| hub.handle_end(*conn, Reason::TransportClose));
        self.settled.idle.iter().for_each(|conn| hub.handle_idle(*conn));
        for conn in &self.settled.drained {
            match hub.part(*conn) {
                Parting::HalfClose => self.driver.shutdown(token_of(*conn)),
                Parting::Close => {
                    self.driver.close(token_of(*conn));
                    hub.forget(*conn);
                }
            }
        }
    }

    /// Before the flush, which ends the connections of clients that poll each time on a new one.
    fn ask_addresses(&mut self) {
        let core = Rc::clone(&self.core);
        core.errands.borrow_mut().retain(|errand| {
            let Effect::AskAddress(conn, session) = errand else { return true };
            if let Ok(address) = self.driver.peer_address(token_of(*conn)) {
                core.hub_mut().set_address(*session, address.ip());
            }
            false
        });
    }

    fn run_errands(&mut self, now_ms: u64) {
        let core = Rc::clone(&self.core);
        while let Some(effect) = { core.errands.borrow_mut().pop_front() } {
            match effect {
                Effect::Close(conn) => {
                    self.driver.close(token_of(conn));
                    core.hub_mut().forget(conn);
                }
                Effect::Pass(conn, to, bytes) => self.pass(now_ms, conn, to, bytes),
                Effect::HandOver(conn, bytes) => self.hand_over(now_ms, conn, bytes),
                Effect::Join(session, nsp) => core.join_unasked(session, nsp),
                Effect::Read(conn) => self.arrivals.push(token_of(conn)),
                Effect::Request(..)
                | Effect::AskAddress(..)
                | Effect::Resume(_)
                | Effect::Room(_)
                | Effect::Consider(..)
                | Effect::Refused(_)
                | Effect::Lapsed(_)
                | Effect::PostOver(..)
                | Effect::Disconnecting(..)
                | Effect::Abandoned(_) => {}
            }
        }
    }

    fn pass(&mut self, now_ms: u64, conn: ConnId, to: u16, bytes: Vec<u8>) {
        match self.driver.pass(token_of(conn)) {
            Ok(passed) => {
                self.core.hub_mut().forget(conn);
                // A full queue drops, and so closes, the connection: its client tries again.
                let mut counters = self.core.counters.borrow_mut();
                match self.crossings[usize::from(to)].push(passed, bytes) {
                    true => self.core.town.mailboxes[usize::from(to)].bell().ring(),
                    false => counters.passes_refused += 1,
                }
                counters.connections_passed += 1;
            }
            Err(_) => self.say_busy(now_ms, conn),
        }
    }

    fn hand_over(&mut self, now_ms: u64, conn: ConnId, bytes: Vec<u8>) {
        match (self.driver.pass(token_of(conn)), &self.elsewhere) {
            (Ok(passed), Some(elsewhere)) => {
                self.core.hub_mut().forget(conn);
                elsewhere(passed, bytes);
                self.core.counters.borrow_mut().connections_handed_over += 1;
            }
            _ => self.say_busy(now_ms, conn),
        }
    }

    fn say_busy(&self, now_ms: u64, conn: ConnId) {
        let busy =
            Response { status: 503, headers: vec![("Retry-After".into(), "1".into())], body: Vec::new() };
        self.core.hub_mut().respond(now_ms, conn, &busy);
    }

    /// Bytes that wait for this core, or here for others.
    pub(crate) fn waiting_bytes(&self) -> [(Kind, usize); 2] {
        let index = usize::from(self.core.index);
        let for_others: usize = self.waiting.iter().map(|waiting| waiting.bytes).sum();
        let letters = self.core.town.mailboxes[index].bytes() + for_others;
        [(Kind::Letters, letters), (Kind::Crossings, self.crossings[index].bytes())]
    }

    /// What is ready already, for a loop that does not sleep.
    pub(crate) fn look(&mut self) -> io::Result<()> {
        self.driver.wait(Some(Duration::ZERO), &mut self.ready)
    }

    /// Whether nothing that this core has written waits for a place in another's mailbox.
    pub(crate) fn has_posted_all(&self) -> bool {
        self.core.outgoing.borrow().is_empty()
            && self.waiting.iter().all(|waiting| waiting.letters.is_empty())
    }

    pub(crate) fn driver_mut(&mut self) -> &mut D {
        &mut self.driver
    }
}

/// What is known of a connection before it says anything.
fn newcomer<D: Driver>(driver: &mut D, token: Token, asks_address: bool) -> Newcomer {
    let address = if asks_address { driver.peer_address(token).ok() } else { None };
    let place = driver.last_places(token).map_or(Place::Ordinary, Place::Last);
    Newcomer { address: address.map(|address| address.ip()), place }
}

fn conn_of(token: Token) -> ConnId {
    ConnId { index: token.index, generation: token.generation }
}

fn token_of(conn: ConnId) -> Token {
    Token { index: conn.index, generation: conn.generation }
}
