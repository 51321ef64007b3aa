//! A model's long-polling: a GET and a POST at a time, each on any connection, and a WebSocket that may take over.
//!
//! Not the official client: it is slower, lands on every core, and changes its mind about upgrades.

use socketville_proto::eio::{self, PayloadItem, SEPARATOR};

use crate::frames::Frame;
use crate::requests::{self, Reader, Response};
use crate::script::Script;
use crate::subject::Excuse;
use crate::websocket::{Heard, WebSocket};
use crate::wire::{Side, WireId};
use crate::world::World;

/// The state of a client that polls.
#[derive(Debug, Default)]
pub struct Polling {
    get: Option<Exchange>,
    post: Option<Exchange>,
    idle: Vec<WireId>,
    probe: Option<Probe>,
    is_closing: bool,
}

/// A request under way.
#[derive(Debug)]
struct Exchange {
    wire: WireId,
    request: Vec<u8>,
    reader: Reader,
}

/// An upgrade under way.
#[derive(Debug)]
struct Probe {
    socket: WebSocket,
    since_ms: u64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// The handshake is under way.
    Opening,
    /// `2probe` is under way.
    Asked,
    /// `3probe` came: no new poll, and `5` once nothing is under way.
    Pausing,
    /// The client has forgotten about it.
    Silent,
}

/// How a request ended.
enum Ended {
    Answered(Response),
    /// Nobody read it: it can be made again.
    Unread,
    /// A driver refused the connection on its way to another core.
    Refused,
    Unanswered,
    Rubbish(String),
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// It goes on.
    On,
    /// The session goes on over this.
    Upgraded(WebSocket),
    /// The session is over for this client.
    Over,
}

/// An upgrade older than this is given up rather than ended: the engine allows 10 s.
const PROBE_MS_MAX: u64 = 8_000;

impl Polling {
    /// Opens a session.
    pub fn open(world: &mut World) -> Self {
        let mut polling = Self::default();
        polling.get = Some(polling.begin(world, requests::get(None)));
        polling
    }

    /// Whether it waits for the engine to speak first.
    pub fn is_content(&self) -> bool {
        let is_probing = self.probe.as_ref().is_some_and(|probe| probe.stage != Stage::Silent);
        self.get.is_some() && self.post.is_none() && !is_probing && !self.is_closing
    }

    /// Reads what came, says what there is to say.
    pub fn step(&mut self, world: &mut World, script: &mut Script, bytes_max: usize) -> Step {
        self.tend_idle(world);
        let is_over = self.step_get(world, script, bytes_max)
            || self.step_post(world, script, bytes_max)
            || (self.is_closing && self.get.is_none() && self.post.is_none() && script.outbox.is_empty());
        if is_over {
            self.end(world, Side::Closed);
            return Step::Over;
        }
        if self.step_probe(world, script, bytes_max)
            && let Some(probe) = self.probe.take()
        {
            self.end(world, Side::Closed);
            return Step::Upgraded(probe.socket);
        }
        self.ask(world, script);
        Step::On
    }

    /// No more polls: what is under way ends, then the session does.
    pub fn close(&mut self, world: &mut World, script: &mut Script) {
        self.is_closing = true;
        script.send("1");
        self.abandon_probe(world, Side::Closed);
    }

    /// Ends all connections.
    pub fn end(&mut self, world: &mut World, side: Side) {
        self.abandon_probe(world, side);
        for wire in self.wires() {
            world.end(wire, side);
        }
        (self.get, self.post) = (None, None);
        self.idle.clear();
    }

    /// Lets go of all connections without a word.
    pub fn forsake(&self, world: &mut World) {
        let probe = self.probe.iter().map(|probe| probe.socket.wire());
        self.wires().into_iter().chain(probe).for_each(|wire| world.forsake(wire));
    }

    /// Begins a POST that it does not end, and lets go of everything.
    pub fn hoard(&mut self, world: &mut World, script: &Script, bytes: usize) {
        if let (None, Some(sid)) = (&self.post, &script.sid) {
            self.post = Some(self.begin(world, requests::beginning_of_post(sid, bytes)));
        }
        self.forsake(world);
    }

    /// Tries to move to a WebSocket.
    pub fn try_upgrade(&mut self, world: &mut World, script: &Script) {
        if let (None, false, Some(sid)) = (&self.probe, self.is_closing, &script.sid) {
            let socket = WebSocket::open(world, Some(sid));
            self.probe = Some(Probe { socket, since_ms: world.now_ms, stage: Stage::Opening });
        }
    }

    fn wires(&self) -> Vec<WireId> {
        let exchanges = [&self.get, &self.post].into_iter().flatten().map(|exchange| exchange.wire);
        exchanges.chain(self.idle.iter().copied()).collect()
    }

    fn begin(&mut self, world: &mut World, request: Vec<u8>) -> Exchange {
        let wire = match self.idle.pop() {
            Some(wire) if world.random.percent(75) => wire,
            Some(wire) => {
                self.idle.push(wire);
                world.connect()
            }
            None => world.connect(),
        };
        world.write(wire, &request);
        Exchange { wire, request, reader: Reader::default() }
    }

    /// Connections that are kept: the engine closes them after a while, the client now and then.
    fn tend_idle(&mut self, world: &mut World) {
        self.idle.retain(|&wire| {
            let is_kept = !world.read(wire, 0).is_end && !world.random.once_in(100);
            if !is_kept {
                world.end(wire, Side::Closed);
            }
            is_kept
        });
    }

    /// True if the session is over.
    fn step_get(&mut self, world: &mut World, script: &mut Script, bytes_max: usize) -> bool {
        let Some(mut exchange) = self.get.take() else { return false };
        let Some(ended) = exchange.read(world, bytes_max) else {
            self.get = Some(exchange);
            return false;
        };
        if let (Ended::Answered(response), None) = (&ended, &script.sid)
            && response.status == 503
            && !world.scenario.refuses_moves
        {
            script.be_refused("no session was opened for it");
            world.end(exchange.wire, Side::Closed);
            return true;
        }
        let response = match self.settle(world, script, exchange, ended) {
            Ok(response) => response,
            Err(again) => {
                self.get = again;
                return self.get.is_none();
            }
        };
        hear_payload(world.now_ms, script, &response.body);
        script.is_over
    }

    /// True if the session is over.
    fn step_post(&mut self, world: &mut World, script: &mut Script, bytes_max: usize) -> bool {
        let Some(mut exchange) = self.post.take() else { return false };
        let Some(ended) = exchange.read(world, bytes_max) else {
            self.post = Some(exchange);
            return false;
        };
        match self.settle(world, script, exchange, ended) {
            Ok(response) if response.body != b"ok" => script.fault("a POST was not answered with ok"),
            Ok(_) => {}
            Err(again) => {
                self.post = again;
                return self.post.is_none();
            }
        }
        false
    }

    /// The response, or the request made again, or `None` if the session is over.
    fn settle(
        &mut self,
        world: &mut World,
        script: &Script,
        exchange: Exchange,
        ended: Ended,
    ) -> Result<Response, Option<Exchange>> {
        match ended {
            Ended::Answered(response) if response.status == 200 => {
                if response.is_last {
                    world.end(exchange.wire, Side::Closed);
                } else {
                    self.idle.push(exchange.wire);
                }
                return Ok(response);
            }
            Ended::Answered(response) if response.status == 503 && world.scenario.refuses_moves => {
                world.end(exchange.wire, Side::Closed);
                return Err(Some(self.begin(world, exchange.request)));
            }
            Ended::Unread => {
                world.end(exchange.wire, Side::Closed);
                return Err(Some(self.begin(world, exchange.request)));
            }
            Ended::Answered(response) if self.is_closing && response.status == 400 => {}
            Ended::Answered(response) => script.lose(&format!("a request was refused: {response:?}")),
            Ended::Refused => [Excuse::Vanished, Excuse::Ended].into_iter().for_each(|e| script.excuse(e)),
            Ended::Unanswered => script.lose("a request was not answered"),
            Ended::Rubbish(rubbish) => script.fault(&rubbish),
        }
        world.end(exchange.wire, Side::Closed);
        Err(None)
    }

    /// True if the WebSocket takes over.
    fn step_probe(&mut self, world: &mut World, script: &Script, bytes_max: usize) -> bool {
        let is_free = self.get.is_none() && self.post.is_none();
        let Some(probe) = &mut self.probe else { return false };
        for heard in probe.socket.read(world, bytes_max) {
            match heard {
                Heard::Opened if world.random.percent(10) => probe.stage = Stage::Silent,
                Heard::Opened => {
                    probe.socket.write(world, "2probe");
                    probe.stage = Stage::Asked;
                }
                Heard::Frame(Frame::Text(text)) if text == "3probe" && probe.stage == Stage::Asked => {
                    probe.stage = Stage::Pausing;
                }
                Heard::End | Heard::Refused(_) | Heard::Frame(Frame::Close(_)) => {
                    self.abandon_probe(world, Side::Closed);
                    return false;
                }
                Heard::Frame(Frame::Pong) => {}
                other => script.fault(&format!("a probe got {other:?}")),
            }
        }
        let is_old = probe.since_ms + PROBE_MS_MAX < world.now_ms && probe.stage != Stage::Silent;
        if is_old || world.random.once_in(300) {
            let side = world.random.pick(&[Side::Closed, Side::Reset]);
            self.abandon_probe(world, side);
            return false;
        }
        let is_ready = probe.stage == Stage::Pausing && is_free;
        if is_ready {
            probe.socket.write(world, "5");
        }
        is_ready
    }

    fn abandon_probe(&mut self, world: &mut World, side: Side) {
        if let Some(probe) = self.probe.take() {
            probe.socket.end(world, side);
        }
    }

    fn ask(&mut self, world: &mut World, script: &mut Script) {
        let Some(sid) = script.sid.clone() else { return };
        let is_pausing = self.probe.as_ref().is_some_and(|probe| probe.stage == Stage::Pausing);
        if self.get.is_none() && !is_pausing && !self.is_closing && world.random.percent(60) {
            self.get = Some(self.begin(world, requests::get(Some(&sid))));
        }
        if self.post.is_none() && !is_pausing && !script.outbox.is_empty() {
            let body = take_payload(script);
            let request = requests::post(&mut world.random, &sid, &body);
            self.post = Some(self.begin(world, request));
        }
    }
}

impl Exchange {
    fn read(&mut self, world: &mut World, bytes_max: usize) -> Option<Ended> {
        let reading = world.read(self.wire, bytes_max);
        self.reader.push(&reading.bytes);
        let wire = world.wire(self.wire);
        match self.reader.take() {
            Ok(Some(response)) => Some(Ended::Answered(response)),
            Err(rubbish) => Some(Ended::Rubbish(rubbish)),
            Ok(None) if !reading.is_end => None,
            Ok(None) if wire.was_refused => Some(Ended::Refused),
            Ok(None) if wire.unread_bytes >= self.request.len() => Some(Ended::Unread),
            Ok(None) => Some(Ended::Unanswered),
        }
    }
}

/// As many packets as a body may have, one at least.
fn take_payload(script: &mut Script) -> String {
    let mut body = String::new();
    while let Some(packet) = script.outbox.first() {
        let item = packet.to_item();
        if !body.is_empty() && body.len() + item.len() >= requests::BODY_BYTES_MAX {
            break;
        }
        if !body.is_empty() {
            body.push(char::from(SEPARATOR));
        }
        body.push_str(&item);
        script.outbox.remove(0);
    }
    body
}

/// Packets in the order in which they stand, item by item: a client has no limit on their number.
fn hear_payload(now_ms: u64, script: &mut Script, body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else { return script.fault("got a payload that is not UTF-8") };
    for item in text.split(char::from(SEPARATOR)).flat_map(eio::payload) {
        match item {
            Ok(PayloadItem::Packet(packet)) => script.hear(now_ms, packet),
            Ok(PayloadItem::Binary(bytes)) => script.hear_binary(&bytes),
            Err(error) => script.fault(&format!("got a payload that cannot be read: {error:?}")),
        }
    }
}
