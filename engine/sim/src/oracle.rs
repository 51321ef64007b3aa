//! The oracle's record: every join, leave, emit and reception in the order in which they happened, and what is wrong with them.
//!
//! Not a second implementation of rooms: it does not select recipients. It asks of each pair of message and client whether the client was
//! certainly, perhaps or certainly not meant, *while the message was being delivered*: from the emit until every core has had a turn after
//! it. Who was certainly meant gets it once; who certainly was not never does; and what one emitter says arrives in its order, without a gap.

use std::collections::{BTreeMap, HashMap};

use crate::app;
use crate::cuts::{Cut, Owed};
use crate::subject::{Excuse, Span, Subject, Was};

/// Whom a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// Nobody: the engine refused it whole.
    Nobody,
    /// Everyone.
    All,
    /// A room.
    Room(u8),
    /// Two rooms, each client once.
    Either(u8, u8),
    /// A room, but not those who are in another.
    But(u8, u8),
    /// One client.
    Client(u64),
    /// One client that is not in yet; it gets it after the answer to its CONNECT.
    Newcomer(u64),
}

/// What an emit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// A message.
    Message,
    /// A message that may be dropped.
    Volatile,
    /// A message with an attachment.
    Binary,
    /// An order to leave the namespace.
    Leave,
}

/// A message as it was emitted.
#[derive(Debug)]
pub struct Emit {
    /// Who speaks: a client's number, or [`OUTSIDE`].
    pub sender: u64,
    /// The sender's count.
    pub seq: u64,
    /// For whom.
    pub to: To,
    /// The client that is left out.
    pub skip: Option<u64>,
    /// What it is.
    pub what: What,
    /// Bytes of its text.
    pub bytes: usize,
    from: u64,
    settled: u64,
    cores_left: u64,
}

/// The oracle's record.
#[derive(Debug)]
pub struct OracleRecord {
    cores: usize,
    tick: u64,
    subjects: BTreeMap<u64, Subject>,
    emits: Vec<Emit>,
    by_key: HashMap<(u64, u64), usize>,
    seqs: BTreeMap<u64, u64>,
    unsettled: Vec<usize>,
    /// Orders to leave, by place.
    orders: Vec<usize>,
    cuts: Vec<Cut>,
    /// Whether the server is being stopped: it may end whatever there is.
    pub is_stopping: bool,
    /// Encodes that the engine must have done.
    pub encodes: u64,
    faults: Vec<String>,
}

/// The sender number of the emitter outside all cores.
pub const OUTSIDE: u64 = u64::MAX;

/// The sender of orders.
const ORDERS: u64 = u64::MAX - 1;

/// Bytes of a message around its text, at most.
const ENVELOPE_BYTES: usize = 64;

impl OracleRecord {
    /// An empty record for a machine of so many cores.
    pub fn new(cores: usize) -> Self {
        Self {
            cores,
            tick: 0,
            subjects: BTreeMap::new(),
            emits: Vec::new(),
            by_key: HashMap::new(),
            seqs: BTreeMap::new(),
            unsettled: Vec::new(),
            orders: Vec::new(),
            cuts: Vec::new(),
            is_stopping: false,
            encodes: 0,
            faults: Vec::new(),
        }
    }

    /// Something that must not be.
    pub fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// The first thing that must not be.
    pub fn first_fault(&self) -> Option<&str> {
        self.faults.first().map(String::as_str)
    }

    /// A client's record.
    pub fn subject(&mut self, client: u64) -> &mut Subject {
        self.subjects.entry(client).or_default()
    }

    /// Messages emitted so far.
    pub const fn emits(&self) -> usize {
        self.emits.len()
    }

    /// Receptions so far.
    pub fn receptions(&self) -> usize {
        self.subjects.values().map(|subject| subject.got.len()).sum()
    }

    /// Clients that are in the namespace.
    pub fn online(&self) -> usize {
        self.subjects.values().filter(|subject| subject.is_online()).count()
    }

    /// A client that is not in yet may be cut: the application is not told of it.
    pub fn excuse_newcomers(&mut self, excuse: Excuse) {
        let newcomers = self.subjects.values_mut().filter(|subject| !subject.was_online());
        newcomers.for_each(|subject| _ = subject.excuses.insert(excuse));
    }

    /// Whether a client is in the namespace that will never be heard of again.
    pub fn has_vanished(&self) -> bool {
        self.subjects
            .values()
            .any(|subject| subject.is_online() && subject.excuses.contains(&Excuse::Vanished))
    }

    /// Clients with this among their excuses.
    pub fn count(&self, excuse: Excuse) -> usize {
        self.subjects.values().filter(|subject| subject.excuses.contains(&excuse)).count()
    }

    /// A client has joined the namespace.
    pub fn connected(&mut self, client: u64) {
        let from = self.next_tick();
        if self.subject(client).was_online() {
            self.fault(format!("client {client} was connected twice"));
        }
        self.subject(client).online.push(Span { from, until: u64::MAX });
    }

    /// A client's event has reached its handler: each once, in the order in which the client sent them.
    pub fn heard(&mut self, client: u64, event: u64) {
        let subject = self.subject(client);
        let expected = subject.next_event;
        subject.next_event = event + 1;
        if event != expected {
            self.fault(format!("client {client}: expected its event {expected}, the handler got {event}"));
        }
    }

    /// A client's event has come with bytes of its own, which its number decides.
    pub fn came(&mut self, client: u64, event: u64, bytes: &[u8]) {
        self.heard(client, event);
        if !app::is_text(event, bytes) {
            self.fault(format!("client {client}: the {} B of its event {event} are others", bytes.len()));
        }
    }

    /// A handler has put a client into a room.
    pub fn joined(&mut self, client: u64, room: u8) {
        let tick = self.next_tick();
        self.subject(client).join(room, tick);
    }

    /// A handler has taken a client out of a room.
    pub fn left(&mut self, client: u64, room: u8) {
        let tick = self.next_tick();
        self.subject(client).leave(room, tick);
    }

    /// Something is about to be emitted; the number it carries.
    pub fn emit(&mut self, sender: u64, to: To, skip: Option<u64>, what: What, bytes: usize) -> u64 {
        self.encodes += 1;
        self.note(sender, to, skip, what, bytes)
    }

    /// All these are about to be ordered to leave.
    pub fn order_to_leave(&mut self, to: To) {
        self.orders.push(self.emits.len());
        self.note(ORDERS, to, None, What::Leave, 0);
    }

    fn note(&mut self, sender: u64, to: To, skip: Option<u64>, what: What, bytes: usize) -> u64 {
        let from = self.next_tick();
        let next = self.seqs.entry(sender).or_default();
        let seq = *next;
        *next += 1;
        let place = self.emits.len();
        let cores_left = (1 << self.cores) - 1;
        let emit = Emit { sender, seq, to, skip, what, bytes, from, settled: u64::MAX, cores_left };
        self.emits.push(emit);
        self.by_key.insert((sender, seq), place);
        self.unsettled.push(place);
        seq
    }

    /// The engine has refused a message: nobody gets it.
    pub fn refuse(&mut self, sender: u64, seq: u64) {
        if let Some(&place) = self.by_key.get(&(sender, seq)) {
            self.emits[place].to = To::Nobody;
        }
    }

    /// A core has ended a turn, and has collected all that was emitted before.
    pub fn turned(&mut self, core: usize) {
        let tick = self.next_tick();
        let emits = &mut self.emits;
        self.unsettled.retain(|&place| {
            let emit = &mut emits[place];
            emit.cores_left &= !(1 << core);
            if emit.cores_left == 0 {
                emit.settled = tick;
            }
            emit.cores_left != 0
        });
    }

    /// A client got a message.
    pub fn received(&mut self, client: u64, sender: u64, seq: u64) {
        let Some(&place) = self.by_key.get(&(sender, seq)) else {
            return self.fault(format!("client {client} got {sender}:{seq}, which nobody emitted"));
        };
        self.next_tick(); // whoever has left a room just now is in it no more
        let is_meant = self.meant(client, place);
        let subject = self.subject(client);
        let is_new = subject.got.insert(place);
        let last = subject.last.insert(sender, seq);
        let tick = self.tick;
        let emit = &self.emits[place];
        if !is_new {
            self.faults.push(format!("client {client} got {emit:?} twice"));
        } else if is_meant == Was::Never {
            let (online, rooms) = (&self.subjects[&client].online, &self.subjects[&client].rooms);
            self.faults.push(format!(
                "client {client} got {emit:?}, not being meant (tick {tick}): {online:?}, {rooms:?}"
            ));
        } else if let Some(last) = last.filter(|&last| last >= seq) {
            self.faults.push(format!("client {client} got {emit:?} after number {last} of the same sender"));
        }
    }

    /// The engine says that a client has left; there must have been a reason. What only the machine can tell is judged as a [`Cut`].
    pub fn disconnected(&mut self, client: u64, reason: &str) {
        let tick = self.next_tick();
        let was_ordered = self.orders.iter().any(|&place| self.meant(client, place) != Was::Never);
        let is_stopping = self.is_stopping;
        let subject = self.subject(client);
        if !subject.is_online() {
            return self.fault(format!("client {client} was disconnected ({reason}) without being online"));
        }
        if was_ordered {
            subject.excuses.insert(Excuse::Kicked);
        }
        let has = |excuse| subject.excuses.contains(&excuse);
        let is_excused = match reason {
            "client namespace disconnect" => has(Excuse::Left),
            "server namespace disconnect" => has(Excuse::Kicked),
            "transport close" | "transport error" => has(Excuse::Ended),
            "ping timeout" => has(Excuse::Vanished),
            "server shutting down" => is_stopping,
            _ => false,
        };
        if !is_excused {
            let owed = self.owed(client);
            self.cuts.push(Cut { client, reason: reason.into(), owed });
        }
        self.subject(client).leave_all(tick);
    }

    /// Ends for which a client has given no reason, since the last call.
    pub fn take_cuts(&mut self) -> Vec<Cut> {
        std::mem::take(&mut self.cuts)
    }

    /// Whether a client was ordered to leave, and is still there.
    pub fn should_be_gone(&self, client: u64) -> bool {
        self.orders.iter().any(|&place| self.meant(client, place) == Was::Always)
    }

    /// A client has read all that will ever come: what it must have got, it has.
    pub fn complete(&mut self, client: u64) {
        if let Some(text) = self.missing(client) {
            self.fault(text);
        }
    }

    /// The first message that a client must have got and has not.
    pub fn missing(&self, client: u64) -> Option<String> {
        let subject = self.subjects.get(&client)?;
        let is_missing = |&place: &usize| {
            !self.is_order(place) && !subject.got.contains(&place) && self.meant(client, place) == Was::Always
        };
        let place = (0..self.emits.len()).find(is_missing)?;
        Some(format!("client {client} never got {:?}", self.emits[place]))
    }

    fn is_order(&self, place: usize) -> bool {
        self.emits[place].what == What::Leave
    }

    /// Whoever got a later message of a sender got the earlier ones, however it ended.
    pub fn check_gaps(&mut self) {
        let mut gaps = Vec::new();
        for (&client, subject) in &self.subjects {
            for (place, emit) in self.emits.iter().enumerate() {
                let is_passed = subject.last.get(&emit.sender).is_some_and(|&last| last > emit.seq);
                if is_passed && !subject.got.contains(&place) && self.meant(client, place) == Was::Always {
                    gaps.push(format!("client {client} got later messages than {emit:?}, but not that one"));
                }
            }
        }
        self.faults.append(&mut gaps);
    }

    /// What a client may still have to get.
    pub fn owed(&self, client: u64) -> Owed {
        let mut owed = Owed::default();
        let Some(subject) = self.subjects.get(&client) else { return owed };
        for place in 0..self.emits.len() {
            if self.is_order(place) || subject.got.contains(&place) {
                continue;
            }
            let bytes = self.emits[place].bytes;
            match self.meant(client, place) {
                // Attachments are longer in a poll.
                Was::Always | Was::Partly if self.emits[place].what == What::Binary => {
                    owed.bytes_max += bytes / 3 * 4 + 2 * ENVELOPE_BYTES;
                }
                Was::Always | Was::Partly => owed.bytes_max += bytes + ENVELOPE_BYTES,
                Was::Never => {}
            }
        }
        owed
    }

    /// Whether a message is for a client, in its rooms during the delivery.
    fn meant(&self, client: u64, place: usize) -> Was {
        let emit = &self.emits[place];
        let Some(subject) = self.subjects.get(&client).filter(|_| emit.skip != Some(client)) else {
            return Was::Never;
        };
        let during = Span { from: emit.from, until: emit.settled.min(self.tick) };
        let online = Was::of(&subject.online, during);
        let was_in = |room| subject.was_in(room, during).and(online);
        let meant = match emit.to {
            To::Nobody => Was::Never,
            To::All => online,
            To::Room(room) => was_in(room),
            To::Either(a, b) => was_in(a).not().and(was_in(b).not()).not(),
            To::But(room, except) => was_in(room).and(was_in(except).not()),
            To::Client(only) if only == client => online,
            To::Newcomer(only) if only == client && subject.was_online() => Was::Always,
            To::Client(_) | To::Newcomer(_) => Was::Never,
        };
        let may_be_dropped = emit.what == What::Volatile || emit.settled == u64::MAX;
        if may_be_dropped { meant.at_most_partly() } else { meant }
    }

    const fn next_tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients 1 and 2 in room 0, two cores.
    fn book() -> OracleRecord {
        let mut record = OracleRecord::new(2);
        for client in [1, 2] {
            record.connected(client);
            record.joined(client, 0);
        }
        record
    }

    fn settle(record: &mut OracleRecord) {
        record.turned(0);
        record.turned(1);
    }

    #[test]
    fn who_gets_everything_once_and_in_order_is_content() {
        let mut record = book();
        for _ in 0..3 {
            record.emit(1, To::Room(0), Some(1), What::Message, 10);
        }
        settle(&mut record);
        (0..3).for_each(|seq| record.received(2, 1, seq));
        record.complete(1);
        record.complete(2);
        record.check_gaps();
        assert_eq!(record.first_fault(), None);
    }

    #[test]
    fn loss_repetition_disorder_and_strangers_are_faults() {
        let faults = |receptions: &[(u64, u64)]| {
            let mut record = book();
            for _ in 0..2 {
                record.emit(1, To::Room(0), Some(1), What::Message, 10);
            }
            settle(&mut record);
            receptions.iter().for_each(|&(client, seq)| record.received(client, 1, seq));
            record.complete(2);
            record.first_fault().map(str::to_owned).unwrap_or_default()
        };
        assert!(faults(&[(2, 0)]).contains("never got"));
        assert!(faults(&[(2, 0), (2, 0)]).contains("twice"));
        assert!(faults(&[(2, 1), (2, 0)]).contains("after number"));
        assert!(faults(&[(1, 0)]).contains("not being meant"));
        assert!(faults(&[(2, 7)]).contains("nobody emitted"));
    }

    #[test]
    fn who_leaves_during_a_delivery_may_get_it_or_not() {
        for gets in [false, true] {
            let mut record = book();
            record.emit(1, To::Room(0), None, What::Message, 10);
            record.turned(0);
            record.left(2, 0);
            record.turned(1);
            if gets {
                record.received(2, 1, 0);
            }
            record.complete(2);
            assert_eq!(record.first_fault(), None);
        }
    }

    #[test]
    fn who_left_before_must_not_get_it() {
        let mut record = book();
        record.left(2, 0);
        record.emit(1, To::Room(0), None, What::Message, 10);
        record.received(2, 1, 0);
        assert!(record.first_fault().is_some());
    }

    #[test]
    fn a_client_is_cut_for_a_reason_only() {
        let mut record = book();
        record.subject(1).excuses.insert(Excuse::Ended);
        record.disconnected(1, "transport close");
        assert_eq!(record.first_fault(), None);
        assert_eq!(record.take_cuts().len(), 0);
        record.disconnected(2, "ping timeout");
        let cuts = record.take_cuts();
        assert_eq!((cuts.len(), cuts[0].client), (1, 2), "somebody else must judge it");
    }

    #[test]
    fn a_gap_is_a_fault_even_of_a_client_that_was_cut() {
        let mut record = book();
        for _ in 0..2 {
            record.emit(1, To::Room(0), None, What::Message, 10);
        }
        settle(&mut record);
        record.received(2, 1, 1);
        record.check_gaps();
        assert!(record.first_fault().is_some_and(|fault| fault.contains("but not that one")));
    }
}
