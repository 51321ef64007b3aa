//! The script of a model client: what it says and hears at the level of Socket.IO, whatever carries it.
//!
//! Not a transport: packets go in and out as Engine.IO texts. It answers pings, waits for its acknowledgements, and writes what it hears into the book.

use std::collections::BTreeMap;

use socketville_proto::{eio, sio};

use crate::acts::Deed;
use crate::app::{self, Book, Manner, QUIZ_MS};
use crate::kind::Kind;
use crate::random::Random;
use crate::requests::base64;
use crate::scenario::{Large, Scenario};
use crate::subject::Excuse;

/// The script of one client.
#[derive(Debug)]
pub struct Script {
    /// The client's number.
    pub client: u64,
    /// The session's id, once it is known.
    pub sid: Option<String>,
    /// Whether the namespace was joined.
    pub is_connected: bool,
    /// Whether the engine said that this is the end.
    pub is_over: bool,
    /// Packets that wait for their transport.
    pub outbox: Vec<Outgoing>,
    /// Whether the engine has not let it in.
    pub was_refused: bool,
    may_be_refused: bool,
    deed: Option<Deed>,
    acks: BTreeMap<u64, Owed>,
    events: u64,
    pending: Option<Message>,
    book: Book,
}

/// A packet of the client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// An Engine.IO packet.
    Text(String),
    /// An attachment.
    Binary(Vec<u8>),
}

/// An acknowledgement that the engine owes.
#[derive(Debug)]
struct Owed {
    since_ms: u64,
    may_fail: bool,
}

/// A message's name and number.
#[derive(Debug, Clone, Copy)]
struct Message {
    sender: u64,
    seq: u64,
}

/// Bytes of an attachment, which must fit a body as base64.
const ATTACHMENT_BYTES_MAX: usize = 700_000;

impl Script {
    /// A client that has said nothing yet.
    pub fn new(client: u64, book: Book, scenario: &Scenario, random: &mut Random) -> Self {
        let has_deed = scenario.kind == Kind::Acts && random.percent(60);
        let deed = has_deed.then(|| Deed::any(random, scenario.rooms));
        let may_be_refused = scenario.memory_bytes_max.is_some() || deed.is_some_and(Deed::refuses);
        Self {
            client,
            sid: None,
            is_connected: false,
            is_over: false,
            outbox: Vec::new(),
            was_refused: false,
            may_be_refused,
            deed,
            acks: BTreeMap::new(),
            events: 0,
            pending: None,
            book,
        }
    }

    /// The book it writes into.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Whether it waits for nothing and has nothing to say.
    pub fn is_content(&self) -> bool {
        self.is_connected && self.acks.is_empty() && self.outbox.is_empty()
    }

    /// Events sent so far.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Something that must not be.
    pub fn fault(&self, fault: &str) {
        self.book.open().fault(format!("client {}: {fault}", self.client));
    }

    /// It does something that entitles the engine to end its session.
    pub fn excuse(&self, excuse: Excuse) {
        self.book.open().subject(self.client).excuses.insert(excuse);
    }

    /// The transport has ended: legal if the engine has told the application, or the model has a reason.
    pub fn lose(&self, how: &str) {
        let mut book = self.book.open();
        let is_stopping = book.is_stopping;
        let subject = book.subject(self.client);
        let is_known = subject.was_online() && !subject.is_online();
        if !is_known && !subject.is_excused() && !is_stopping {
            book.fault(format!("client {}: {how}, and its socket is still there", self.client));
        }
    }

    /// The engine does not open a session for it: legal if it may have no room, or ends.
    pub fn be_refused(&mut self, how: &str) {
        if !self.may_be_refused && !self.book.open().is_stopping {
            self.fault(how);
        }
        self.was_refused = true;
        self.is_over = true;
    }

    /// A packet of the engine.
    pub fn hear(&mut self, now_ms: u64, packet: eio::Packet<'_>) {
        match packet {
            eio::Packet::Open(handshake) => self.open(handshake),
            eio::Packet::Ping("") => self.send("3"),
            eio::Packet::Message(text) => self.hear_message(now_ms, text),
            eio::Packet::Close => self.is_over = true,
            eio::Packet::Noop => {}
            other => self.fault(&format!("got {other:?}")),
        }
    }

    /// A binary message: the attachment of the packet before it.
    pub fn hear_binary(&mut self, bytes: &[u8]) {
        match self.pending.take() {
            None => self.fault("got an attachment without its packet"),
            Some(message) => self.receive(message, bytes),
        }
    }

    fn open(&mut self, handshake: &str) {
        let sid = handshake.split_once(r#""sid":""#).and_then(|(_, rest)| rest.split_once('"'));
        self.sid = sid.map(|(sid, _)| sid.to_owned());
        let deed = self.deed.map_or_else(String::new, |deed| format!(",{}", deed.auth()));
        self.send(format!(r#"40{{"client":{}{deed}}}"#, self.client));
    }

    fn hear_message(&mut self, now_ms: u64, text: &str) {
        if self.pending.is_some() {
            self.fault("got a packet in the place of an attachment");
        }
        match sio::decode(text) {
            Ok(sio::Packet::Connect { .. }) if !self.is_connected => self.is_connected = true,
            Err(sio::Error::ConnectError) if !self.is_connected => {
                self.be_refused("its CONNECT was refused");
            }
            Ok(sio::Packet::Disconnect { .. }) => self.is_over = true,
            Ok(sio::Packet::Event { id, attachments, args, .. }) => self.hear_event(id, attachments, &args),
            Ok(sio::Packet::Ack { id: Some(id), args, .. }) => self.hear_ack(now_ms, id, &args),
            other => self.fault(&format!("got {other:?}")),
        }
    }

    fn hear_event(&mut self, id: Option<u64>, attachments: u8, args: &sio::Args<'_>) {
        let number = |at| args.raw(at).and_then(|raw| raw.parse::<u64>().ok()).unwrap_or(u64::MAX);
        let message = Message { sender: number(1), seq: number(2) };
        match (args.event_name().as_deref(), id, attachments) {
            (Some("said"), None, 0) => {
                let raw = args.raw(3).unwrap_or_default();
                self.receive(message, raw.trim_matches('"').as_bytes());
            }
            (Some("data"), None, 1) => self.pending = Some(message),
            (Some("quiz"), Some(id), 0) => self.send(format!("43{id}[{}]", number(1))),
            (name, ..) => self.fault(&format!("got an event {name:?}")),
        }
    }

    fn receive(&self, message: Message, bytes: &[u8]) {
        if !app::is_text(message.seq, bytes) {
            self.fault(&format!("got {message:?} with wrong bytes"));
        }
        self.book.open().received(self.client, message.sender, message.seq);
    }

    fn hear_ack(&mut self, now_ms: u64, id: u64, args: &sio::Args<'_>) {
        let Some(owed) = self.acks.remove(&id) else {
            return self.fault(&format!("got an acknowledgement {id} that it does not wait for"));
        };
        let is_late = owed.may_fail && now_ms >= owed.since_ms + QUIZ_MS;
        let answer = args.raw(0).and_then(|raw| raw.parse::<i64>().ok());
        if answer != Some(id as i64) && !(is_late && answer == Some(-1)) {
            self.fault(&format!("got {answer:?} as acknowledgement {id}"));
        }
    }

    /// Says something: joins, leaves, speaks or asks.
    pub fn act(&mut self, random: &mut Random, scenario: &Scenario, now_ms: u64) {
        let room = random.below(usize::from(scenario.rooms)) as u8;
        match (random.below(100), scenario.kind) {
            (0..=24, _) => self.request(now_ms, "join", room),
            (25..=34, _) => self.request(now_ms, "leave", room),
            (35..=44, _) => self.ask(now_ms),
            (45..=54, Kind::Spills) => {
                let (number, size) = (random.between(20, 60), random.between(10_000, 40_000));
                self.flood(room, number, size);
            }
            (45..=54, Kind::SlowReaders) => {
                let (number, size) = (random.between(5, 40), random.between(100, 5_000));
                self.flood(room, number, size);
            }
            (45..=59, Kind::Acts) => {
                let n = self.next_event();
                self.send(format!(r#"42["act",{n}]"#));
            }
            (45..=59, Kind::LargeMessages) => match scenario.large {
                Some(large) => self.carry(random, scenario, large),
                None => self.say(random, scenario, room),
            },
            _ => self.say(random, scenario, room),
        }
    }

    /// Asks to be disconnected.
    pub fn ask_for_the_end(&mut self, random: &mut Random) {
        self.excuse(Excuse::Kicked);
        let n = self.next_event();
        self.send(format!(r#"42["kick",{n},{}]"#, random.percent(50)));
    }

    /// A packet for its transport.
    pub fn send(&mut self, packet: impl Into<String>) {
        self.outbox.push(Outgoing::Text(packet.into()));
    }

    fn request(&mut self, now_ms: u64, event: &str, room: u8) {
        let n = self.next_event();
        self.acks.insert(n, Owed { since_ms: now_ms, may_fail: false });
        self.send(format!(r#"42{n}["{event}",{n},{room}]"#));
    }

    fn ask(&mut self, now_ms: u64) {
        let n = self.next_event();
        self.acks.insert(n, Owed { since_ms: now_ms, may_fail: true });
        self.send(format!(r#"42{n}["ask",{n}]"#));
    }

    fn say(&mut self, random: &mut Random, scenario: &Scenario, room: u8) {
        let n = self.next_event();
        let manner = random.pick(&Manner::ALL) as usize;
        let other = random.below(usize::from(scenario.rooms));
        let size = match scenario.large {
            Some(large) if random.once_in(large.once_in) => large.bytes(random),
            _ => random.below(scenario.text_bytes_max),
        };
        self.send(format!(r#"42["say",{n},{manner},[{room},{other}],{size}]"#));
    }

    /// Sends the text or the bytes itself.
    fn carry(&mut self, random: &mut Random, scenario: &Scenario, large: Large) {
        let n = self.next_event();
        let manner = random.pick(&Manner::ALL) as usize;
        let rooms = usize::from(scenario.rooms);
        let rooms = format!("[{},{}]", random.below(rooms), random.below(rooms));
        let size = large.bytes(random);
        if random.percent(50) {
            let text = app::text(n, size);
            return self.send(format!(r#"42["carry",{n},{manner},{rooms},"{text}"]"#));
        }
        let bytes = app::text(n, size.min(ATTACHMENT_BYTES_MAX)).into_bytes();
        self.send(format!(r#"451-["attach",{n},{manner},{rooms},{{"_placeholder":true,"num":0}}]"#));
        self.outbox.push(Outgoing::Binary(bytes));
    }

    fn flood(&mut self, room: u8, number: usize, size: usize) {
        let n = self.next_event();
        self.send(format!(r#"42["flood",{n},{room},{number},{size}]"#));
    }

    const fn next_event(&mut self) -> u64 {
        self.events += 1;
        self.events - 1
    }
}

impl Outgoing {
    /// As a payload has it.
    pub fn to_item(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Binary(bytes) => format!("b{}", base64(bytes)),
        }
    }
}
