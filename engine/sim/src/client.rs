//! A model client: a transport, a voice, and a habit of leaving.
//!
//! Not a user of the engine's code: it speaks the protocols itself, over the world's connections. One client is one session; who
//! comes again is another client.

use socketville_proto::eio;
use socketville_proto::ws::CloseCode;

use crate::app::Book;
use crate::frames::Frame;
use crate::kind::Kind;
use crate::polling::{Polling, Step};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::script::{Outgoing, Script};
use crate::subject::Excuse;
use crate::websocket::{Heard, WebSocket};
use crate::wire::Side;
use crate::world::World;

/// One client, from its first connection to its end.
#[derive(Debug)]
pub struct Client {
    script: Script,
    link: Link,
    character: Character,
    stalled_rounds: u32,
    has_upgraded: bool,
    /// Whether anything came over the WebSocket that it is at.
    has_heard: bool,
    has_closed: bool,
    babbles: bool,
    was_told: bool,
}

#[derive(Debug)]
enum Link {
    WebSocket(WebSocket),
    Polling(Polling),
    Gone,
}

/// How a client ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Departure {
    /// It stays to the end of the run.
    None,
    /// It resets its connections.
    Reset,
    /// It finishes its connection without a word.
    Finish,
    /// It closes its session in good order.
    Close,
    /// It leaves the namespace, then closes.
    Leave,
    /// It asks the engine to end it.
    Kick,
    /// It writes what is no WebSocket, and goes on with that until it has read the end.
    Babble,
    /// It is never heard of again, and closes nothing.
    Vanish,
    /// The same, in the middle of a long message.
    Hoard,
}

/// What a seed makes of a client.
#[derive(Clone, Debug)]
struct Character {
    upgrades: bool,
    is_slow: bool,
    stalls: bool,
    departure: Departure,
    /// Rounds until an abrupt departure, whatever is under way.
    fuse: u32,
    actions_left: u32,
}

/// Bytes of a message that are sent before its client vanishes.
const HOARD_BYTES: (usize, usize) = (10_000, 450_000);

impl Client {
    /// A client connects.
    pub fn new(world: &mut World, book: &Book, number: u64) -> Self {
        book.open().subject(number);
        let starts_with_websocket = world.random.percent(45);
        let link = if starts_with_websocket {
            Link::WebSocket(WebSocket::open(world, None))
        } else {
            Link::Polling(Polling::open(world))
        };
        Self {
            script: Script::new(number, book.clone(), &world.scenario, &mut world.random),
            link,
            character: Character::of(&world.scenario, &mut world.random),
            stalled_rounds: 0,
            has_upgraded: false,
            has_heard: false,
            has_closed: false,
            babbles: false,
            was_told: false,
        }
    }

    /// Whether it is over for the model.
    pub const fn is_gone(&self) -> bool {
        matches!(self.link, Link::Gone)
    }

    /// Its number, if it is in the namespace and means to stay.
    pub fn is_settled(&self) -> Option<u64> {
        let stays = !self.is_gone() && self.script.is_connected && !self.has_closed;
        stays.then_some(self.script.client)
    }

    /// Its number.
    pub const fn number(&self) -> u64 {
        self.script.client
    }

    /// Whether the engine had no room for it.
    pub const fn was_refused(&self) -> bool {
        self.script.was_refused
    }

    /// Whether it was at a WebSocket that ended without a close frame.
    pub const fn misses_close(&self) -> bool {
        self.has_heard && !self.was_told
    }

    /// When the kernel took bytes for it last, if it is at a WebSocket for certain.
    pub fn taken_ms(&self, world: &World) -> Option<u64> {
        match &self.link {
            Link::WebSocket(socket) if self.has_heard => Some(world.wire(socket.wire()).taken_ms),
            _ => None,
        }
    }

    /// Events that it has sent.
    pub const fn events(&self) -> u64 {
        self.script.events()
    }

    /// Whether nothing happens until the engine speaks.
    pub fn is_quiet(&self) -> bool {
        let is_content = self.stalled_rounds == 0 && !self.has_closed && self.script.is_content();
        match &self.link {
            Link::Gone => true,
            Link::WebSocket(_) => is_content,
            Link::Polling(polling) => is_content && polling.is_content(),
        }
    }

    /// What it waits for, for a run that does not come to rest.
    pub fn describe(&self) -> String {
        format!("{self:?}")
    }

    /// One round: reads, perhaps does something of its own accord, writes.
    pub fn step(&mut self, world: &mut World, is_active: bool) {
        if self.is_gone() || self.is_stalled(world, is_active) {
            return;
        }
        self.listen(world);
        if is_active && !self.has_closed {
            self.live(world);
        }
        self.talk(world);
    }

    /// Leaves in this way, now.
    pub fn depart(&mut self, world: &mut World, departure: Departure) {
        self.character.actions_left = 0;
        match departure {
            Departure::None => {}
            Departure::Reset => self.break_off(world, Side::Reset),
            Departure::Finish => self.finish(world),
            Departure::Close => self.close(world),
            Departure::Leave => {
                self.script.excuse(Excuse::Left);
                self.script.send("41");
                self.close(world);
            }
            Departure::Kick => self.script.ask_for_the_end(&mut world.random),
            Departure::Babble => self.babble(world),
            Departure::Vanish => self.vanish(world),
            Departure::Hoard => self.hoard(world),
        }
    }

    fn is_stalled(&mut self, world: &mut World, is_active: bool) -> bool {
        if is_active && self.stalled_rounds == 0 && self.character.stalls && world.random.once_in(60) {
            self.stalled_rounds = world.random.between(10, 200) as u32;
        }
        let is_stalled = self.stalled_rounds > 0;
        self.stalled_rounds = self.stalled_rounds.saturating_sub(1);
        is_stalled
    }

    fn live(&mut self, world: &mut World) {
        let is_abrupt = !matches!(
            self.character.departure,
            Departure::None | Departure::Close | Departure::Leave | Departure::Kick | Departure::Babble
        );
        self.character.fuse = self.character.fuse.saturating_sub(1);
        if is_abrupt && self.character.fuse == 0 {
            return self.depart(world, self.character.departure);
        }
        if !self.script.is_connected || self.is_gone() || !world.random.percent(world.scenario.action_percent)
        {
            return;
        }
        if let Link::Polling(polling) = &mut self.link
            && self.character.upgrades
            && world.random.percent(25)
        {
            polling.try_upgrade(world, &self.script);
        }
        if self.character.actions_left > 0 {
            self.character.actions_left -= 1;
            let (scenario, now_ms) = (world.scenario.clone(), world.now_ms);
            self.script.act(&mut world.random, &scenario, now_ms);
            if self.character.actions_left == 0 && !is_abrupt {
                self.depart(world, self.character.departure);
            }
        }
    }

    fn listen(&mut self, world: &mut World) {
        let bytes_max = if self.character.is_slow {
            world.random.between(1, world.scenario.sip_bytes_max)
        } else {
            usize::MAX
        };
        match &mut self.link {
            Link::Gone => {}
            Link::WebSocket(socket) => {
                let heard = socket.read(world, bytes_max);
                self.hear(world, heard);
            }
            Link::Polling(polling) => match polling.step(world, &mut self.script, bytes_max) {
                Step::On => {}
                Step::Upgraded(socket) => {
                    self.link = Link::WebSocket(socket);
                    self.has_upgraded = true;
                }
                Step::Over => self.be_over(),
            },
        }
        if self.script.is_over && !self.is_gone() {
            self.break_off(world, Side::Closed);
            self.be_over();
        }
    }

    fn hear(&mut self, world: &mut World, heard: Vec<Heard>) {
        for heard in heard {
            match heard {
                Heard::Opened | Heard::Frame(Frame::Pong) => {}
                Heard::Frame(Frame::Text(text)) => {
                    self.has_heard = true;
                    match eio::decode(&text) {
                        Ok(packet) => self.script.hear(world.now_ms, packet),
                        Err(error) => self.script.fault(&format!("got {text:.80?}: {error:?}")),
                    }
                }
                Heard::Frame(Frame::Binary(bytes)) => self.script.hear_binary(&bytes),
                // A client that is cut is told so as well, and has not all that it must have.
                Heard::Frame(Frame::Close(code)) => {
                    let cuts = [CloseCode::Policy, CloseCode::TryAgainLater].map(|code| Some(code.code()));
                    self.was_told = !cuts.contains(&code);
                }
                Heard::Refused(503) => self.script.be_refused("no session was opened for it"),
                Heard::Refused(status) => self.script.fault(&format!("its WebSocket was refused: {status}")),
                Heard::Rubbish(rubbish) => self.script.fault(&format!("got {rubbish}")),
                Heard::End => self.end(world),
            }
        }
    }

    /// The engine has closed the connection.
    fn end(&mut self, world: &mut World) {
        if !self.script.is_over {
            self.script.lose("its WebSocket ended");
        }
        if let Link::WebSocket(socket) = &self.link {
            socket.end(world, Side::Closed);
        }
        self.be_over();
    }

    /// Nothing will come any more. Who was told so in good order has all that it must have.
    fn be_over(&mut self) {
        self.link = Link::Gone;
        let mut book = self.script.book().open();
        let subject = book.subject(self.script.client);
        let is_kicked = self.script.is_over && subject.excuses.contains(&Excuse::Kicked);
        if self.was_told && self.has_closed || is_kicked {
            book.complete(self.script.client);
        }
    }

    /// Nothing after a close frame (RFC 6455 section 5.5.1).
    fn talk(&mut self, world: &mut World) {
        if self.has_closed {
            return self.go_on_babbling(world);
        }
        let Link::WebSocket(socket) = &self.link else { return };
        for packet in self.script.outbox.drain(..) {
            match packet {
                Outgoing::Text(text) => socket.write(world, &text),
                Outgoing::Binary(bytes) => socket.write_binary(world, &bytes),
            }
        }
    }

    fn close(&mut self, world: &mut World) {
        self.script.excuse(Excuse::Ended);
        self.talk(world);
        self.has_closed = true;
        match &mut self.link {
            Link::Gone => {}
            Link::WebSocket(socket) => socket.write_close(world),
            Link::Polling(polling) => polling.close(world, &mut self.script),
        }
    }

    fn finish(&mut self, world: &mut World) {
        match &self.link {
            Link::WebSocket(socket) => {
                self.script.excuse(Excuse::Ended);
                self.has_closed = true;
                socket.end(world, Side::Finished);
            }
            Link::Polling(_) | Link::Gone => self.break_off(world, Side::Closed),
        }
    }

    /// Whoever errs is told what was wrong, however much it goes on about it (RFC 6455 section 7.1.7).
    fn babble(&mut self, world: &mut World) {
        match &self.link {
            Link::WebSocket(_) => {
                self.script.excuse(Excuse::Ended);
                self.talk(world);
                (self.has_closed, self.babbles) = (true, true);
                self.go_on_babbling(world);
            }
            Link::Polling(_) | Link::Gone => self.break_off(world, Side::Closed),
        }
    }

    fn go_on_babbling(&self, world: &mut World) {
        if let (true, Link::WebSocket(socket)) = (self.babbles, &self.link) {
            socket.write_rubbish(world);
        }
    }

    /// A client that polls has no connection between two polls: then its end is only seen when no pong comes.
    fn break_off(&mut self, world: &mut World, side: Side) {
        self.script.excuse(Excuse::Ended);
        match &mut self.link {
            Link::Gone => {}
            Link::WebSocket(socket) => {
                if self.has_upgraded {
                    // The reset may overtake the `5`; then the engine still waits for polls.
                    self.script.excuse(Excuse::Vanished);
                }
                socket.end(world, side);
            }
            Link::Polling(polling) => {
                self.script.excuse(Excuse::Vanished);
                polling.end(world, side);
            }
        }
        self.link = Link::Gone;
    }

    fn hoard(&mut self, world: &mut World) {
        self.script.excuse(Excuse::Hoarded);
        let bytes = world.random.between(HOARD_BYTES.0, HOARD_BYTES.1);
        self.talk(world);
        match &mut self.link {
            Link::Gone => {}
            Link::WebSocket(socket) => socket.write_beginning(world, bytes),
            Link::Polling(polling) => polling.hoard(world, &self.script, bytes),
        }
        self.vanish(world);
    }

    fn vanish(&mut self, world: &mut World) {
        self.script.excuse(Excuse::Vanished);
        match &self.link {
            Link::Gone => {}
            Link::WebSocket(socket) => world.forsake(socket.wire()),
            Link::Polling(polling) => polling.forsake(world),
        }
        self.link = Link::Gone;
    }
}

impl Departure {
    /// Any way to end.
    pub fn any(random: &mut Random) -> Self {
        random.pick(&[
            Self::Reset,
            Self::Finish,
            Self::Close,
            Self::Leave,
            Self::Kick,
            Self::Babble,
            Self::Vanish,
        ])
    }
}

impl Character {
    fn of(scenario: &Scenario, random: &mut Random) -> Self {
        let stays = random.percent(40);
        let hoards = scenario.kind == Kind::HardMark && random.percent(30);
        let departure = match (hoards, stays) {
            (true, _) => Departure::Hoard,
            (false, true) => Departure::None,
            (false, false) => Departure::any(random),
        };
        Self {
            upgrades: random.percent(60),
            is_slow: random.percent(scenario.slow_percent),
            stalls: random.percent(scenario.stall_percent),
            departure,
            fuse: random.between(1, 250) as u32,
            actions_left: random.between(3, 40) as u32,
        }
    }
}
