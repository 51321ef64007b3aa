//! The oracle's record: every join, leave, emit and reception in the order in which they happened, and what is wrong with them.
//!
//! Not a second implementation of rooms: it does not select recipients. It asks of each pair of message and client whether the client was
//! certainly, perhaps or certainly not meant, *while the message was being delivered*: from the emit until every core has had a turn after
//! it. Who was certainly meant gets it once; who certainly was not never does; and what one emitter says arrives in its order, without a gap.

use std::collections::{BTreeMap, HashMap};

use crate::subject::{Excuse, Span, Subject, Was};

/// Whom a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
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
    /// Whether it may be dropped.
    pub is_volatile: bool,
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
    backlog_bytes_max: usize,
    tick: u64,
    subjects: BTreeMap<u64, Subject>,
    emits: Vec<Emit>,
    by_key: HashMap<(u64, u64), usize>,
    seqs: BTreeMap<u64, u64>,
    unsettled: Vec<usize>,
    /// Encodes that the engine must have done.
    pub encodes: u64,
    faults: Vec<String>,
}

/// The sender number of the emitter outside all cores.
pub const OUTSIDE: u64 = u64::MAX;

/// What a client may owe beyond its messages when it is cut: acknowledgements, pings, headers.
const SLACK_BYTES: usize = 2_048;

/// Bytes of a message around its text, at most.
const ENVELOPE_BYTES: usize = 64;

impl OracleRecord {
    /// An empty book for a machine of so many cores.
    pub fn new(cores: usize, backlog_bytes_max: usize) -> Self {
        Self {
            cores,
            backlog_bytes_max,
            tick: 0,
            subjects: BTreeMap::new(),
            emits: Vec::new(),
            by_key: HashMap::new(),
            seqs: BTreeMap::new(),
            unsettled: Vec::new(),
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
    pub fn emit(&mut self, sender: u64, to: To, skip: Option<u64>, is_volatile: bool, bytes: usize) -> u64 {
        let from = self.next_tick();
        let next = self.seqs.entry(sender).or_default();
        let seq = *next;
        *next += 1;
        let place = self.emits.len();
        let cores_left = (1 << self.cores) - 1;
        let emit = Emit { sender, seq, to, skip, is_volatile, bytes, from, settled: u64::MAX, cores_left };
        self.emits.push(emit);
        self.by_key.insert((sender, seq), place);
        self.unsettled.push(place);
        self.encodes += 1;
        seq
    }

    /// A core has ended a turn: it has collected all that was emitted before.
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
        let is_meant = self.meant(client, place);
        let subject = self.subject(client);
        let is_new = subject.got.insert(place);
        let last = subject.last.insert(sender, seq);
        let tick = self.tick;
        let emit = &self.emits[place];
        if !is_new {
            self.faults.push(format!("client {client} got {emit:?} twice"));
        } else if is_meant == Was::Never {
            self.faults.push(format!("client {client} got {emit:?}, not being meant (tick {tick})"));
        } else if let Some(last) = last.filter(|&last| last >= seq) {
            self.faults.push(format!("client {client} got {emit:?} after number {last} of the same sender"));
        }
    }

    /// The engine says that a client has left; there must have been a reason.
    pub fn disconnected(&mut self, client: u64, reason: &str) {
        let tick = self.next_tick();
        let owed = self.owed_bytes(client);
        let is_slow = owed + SLACK_BYTES >= self.backlog_bytes_max;
        let subject = self.subject(client);
        if !subject.is_online() {
            return self.fault(format!("client {client} was disconnected ({reason}) without being online"));
        }
        subject.leave_all(tick);
        let has = |excuse| subject.excuses.contains(&excuse);
        let is_excused = match reason {
            "client namespace disconnect" => has(Excuse::Left),
            "server namespace disconnect" => has(Excuse::Kicked),
            "transport close" => has(Excuse::Ended),
            "transport error" => has(Excuse::Ended),
            "slow reader" => is_slow,
            "ping timeout" => has(Excuse::Vanished),
            _ => false,
        };
        if !is_excused {
            let excuses = &subject.excuses;
            let text =
                format!("client {client}: `{reason}` without a reason; it did {excuses:?}, owes {owed} B");
            self.fault(text);
        }
    }

    /// A client has read all that will ever come: what it must have got, it has.
    pub fn complete(&mut self, client: u64) {
        for place in 0..self.emits.len() {
            let emit = &self.emits[place];
            let is_missing = !self.subjects.get(&client).is_some_and(|subject| subject.got.contains(&place));
            if is_missing && self.meant(client, place) == Was::Always {
                let text = format!("client {client} never got {emit:?}");
                self.fault(text);
            }
        }
    }

    /// Whoever got a later message of a sender got the earlier ones, however it ended.
    pub fn check_gaps(&mut self) {
        let clients: Vec<u64> = self.subjects.keys().copied().collect();
        for client in clients {
            for place in 0..self.emits.len() {
                let emit = &self.emits[place];
                let Some(subject) = self.subjects.get(&client) else { continue };
                let is_passed = subject.last.get(&emit.sender).is_some_and(|&last| last > emit.seq);
                if is_passed && !subject.got.contains(&place) && self.meant(client, place) == Was::Always {
                    let text = format!("client {client} got later messages than {emit:?}, but not that one");
                    self.fault(text);
                }
            }
        }
    }

    /// What a client may still have to get, in bytes.
    fn owed_bytes(&self, client: u64) -> usize {
        let Some(subject) = self.subjects.get(&client) else { return 0 };
        let owed = |&place: &usize| !subject.got.contains(&place) && self.meant(client, place) != Was::Never;
        (0..self.emits.len()).filter(owed).map(|place| self.emits[place].bytes + ENVELOPE_BYTES).sum()
    }

    /// Whether a message is for a client, in its rooms during the delivery.
    fn meant(&self, client: u64, place: usize) -> Was {
        let emit = &self.emits[place];
        let Some(subject) = self.subjects.get(&client).filter(|_| emit.skip != Some(client)) else {
            return Was::Never;
        };
        let during = Span { from: emit.from, until: emit.settled.min(self.tick) };
        let online = Was::of(&subject.online, during);
        let was_in = |room| subject.was_in(room, during);
        let meant = match emit.to {
            To::All => online,
            To::Room(room) => was_in(room),
            To::Either(a, b) => was_in(a).not().and(was_in(b).not()).not(),
            To::But(room, except) => was_in(room).and(was_in(except).not()),
            To::Client(only) if only == client => online,
            To::Client(_) => Was::Never,
        };
        if emit.is_volatile || emit.settled == u64::MAX { meant.at_most_partly() } else { meant }
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
        let mut record = OracleRecord::new(2, 1_000_000);
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
            record.emit(1, To::Room(0), Some(1), false, 10);
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
                record.emit(1, To::Room(0), Some(1), false, 10);
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
            record.emit(1, To::Room(0), None, false, 10);
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
        record.emit(1, To::Room(0), None, false, 10);
        record.received(2, 1, 0);
        assert!(record.first_fault().is_some());
    }

    #[test]
    fn a_client_is_cut_for_a_reason_only() {
        let mut record = book();
        record.subject(1).excuses.insert(Excuse::Ended);
        record.disconnected(1, "transport close");
        assert_eq!(record.first_fault(), None);
        record.disconnected(2, "ping timeout");
        assert!(record.first_fault().is_some_and(|fault| fault.contains("ping timeout")));
    }

    #[test]
    fn a_gap_is_a_fault_even_of_a_client_that_was_cut() {
        let mut record = book();
        for _ in 0..2 {
            record.emit(1, To::Room(0), None, false, 10);
        }
        settle(&mut record);
        record.received(2, 1, 1);
        record.check_gaps();
        assert!(record.first_fault().is_some_and(|fault| fault.contains("but not that one")));
    }
}
