//! The script of a model client: what it says and hears at the level of Socket.IO, whatever carries it.
//!
//! Not a transport: packets go in and out as Engine.IO texts. It answers pings, waits for its acknowledgements, and writes what it hears into the book.

use std::collections::BTreeMap;

use socketville_proto::{eio, sio};

use crate::app::{self, Book, Manner, QUIZ_MS};
use crate::random::Random;
use crate::scenario::Scenario;
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
    pub outbox: Vec<String>,
    acks: BTreeMap<u64, Owed>,
    events: u64,
    pending: Option<Message>,
    book: Book,
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

/// A message that is larger than most kernels' buffers here, and needs the long form of a frame's length.
const HUGE_BYTES: usize = 70_000;

impl Script {
    /// A client that has said nothing yet.
    pub const fn new(client: u64, book: Book) -> Self {
        Self {
            client,
            sid: None,
            is_connected: false,
            is_over: false,
            outbox: Vec::new(),
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
        let subject = book.subject(self.client);
        let is_known = subject.was_online() && !subject.is_online();
        if !is_known && subject.excuses.is_empty() {
            book.fault(format!("client {}: {how}, and its socket is still there", self.client));
        }
    }

    /// A packet of the engine.
    pub fn hear(&mut self, now_ms: u64, packet: eio::Packet<'_>) {
        match packet {
            eio::Packet::Open(handshake) => self.open(handshake),
            eio::Packet::Ping("") => self.outbox.push("3".into()),
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
        self.outbox.push(format!(r#"40{{"client":{}}}"#, self.client));
    }

    fn hear_message(&mut self, now_ms: u64, text: &str) {
        if self.pending.is_some() {
            self.fault("got a packet in the place of an attachment");
        }
        match sio::decode(text) {
            Ok(sio::Packet::Connect { .. }) if !self.is_connected => self.is_connected = true,
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
            (Some("quiz"), Some(id), 0) => self.outbox.push(format!("43{id}[{}]", number(1))),
            (name, ..) => self.fault(&format!("got an event {name:?}")),
        }
    }

    fn receive(&self, message: Message, bytes: &[u8]) {
        if app::text(message.seq, bytes.len()).as_bytes() != bytes {
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
        match random.below(100) {
            0..=24 => self.request(now_ms, "join", room),
            25..=34 => self.request(now_ms, "leave", room),
            35..=44 => self.ask(now_ms),
            _ => self.say(random, scenario, room),
        }
    }

    /// Asks to be disconnected.
    pub fn ask_for_the_end(&mut self, random: &mut Random) {
        self.excuse(Excuse::Kicked);
        let n = self.next_event();
        self.outbox.push(format!(r#"42["kick",{n},{}]"#, random.percent(50)));
    }

    fn request(&mut self, now_ms: u64, event: &str, room: u8) {
        let n = self.next_event();
        self.acks.insert(n, Owed { since_ms: now_ms, may_fail: false });
        self.outbox.push(format!(r#"42{n}["{event}",{n},{room}]"#));
    }

    fn ask(&mut self, now_ms: u64) {
        let n = self.next_event();
        self.acks.insert(n, Owed { since_ms: now_ms, may_fail: true });
        self.outbox.push(format!(r#"42{n}["ask",{n}]"#));
    }

    fn say(&mut self, random: &mut Random, scenario: &Scenario, room: u8) {
        let n = self.next_event();
        let manner = random.pick(&Manner::ALL) as usize;
        let other = random.below(usize::from(scenario.rooms));
        let size = if scenario.has_huge_texts && random.once_in(150) {
            HUGE_BYTES
        } else {
            random.below(scenario.text_bytes_max)
        };
        self.outbox.push(format!(r#"42["say",{n},{manner},[{room},{other}],{size}]"#));
    }

    const fn next_event(&mut self) -> u64 {
        self.events += 1;
        self.events - 1
    }
}
