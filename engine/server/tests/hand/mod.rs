//! A server that is turned by hand: the real cores and turns over a kernel of queues, and time is a number.
//! Not a mock of the engine: only the driver is one. Clients are wires with bytes on them.

#![allow(dead_code, reason = "each test file uses its part")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use socketville::machine::Machine;
use socketville::{Builder, Emitter};
use socketville_proto::ws;
use socketville_sys::{Counters, Driver, End, Outgoing, Ready, Received, Token, Unsent, Waker};

/// Cores that are turned by hand, and their clients.
pub(crate) struct Hand {
    pub(crate) machine: Machine<Queues>,
    pub(crate) now_ms: u64,
    kernels: Vec<Kernel>,
}

/// A client: which core it is at, and its place there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wire {
    pub(crate) core: usize,
    index: usize,
}

type Kernel = Rc<RefCell<State>>;

/// One core's connections.
#[derive(Default)]
struct State {
    wires: Vec<Pipe>,
    is_accepted: usize,
}

#[derive(Default)]
struct Pipe {
    to_server: VecDeque<Vec<u8>>,
    has_finished: bool,
    is_broken: bool,
    from_server: Vec<u8>,
    is_closed: bool,
    is_reported: bool,
    told_end: Option<End>,
    /// It was received, as an end is once.
    end_was_given: bool,
}

/// The driver of one core.
pub(crate) struct Queues {
    state: Kernel,
    waker: Waker,
    counters: Counters,
}

impl Hand {
    /// So many cores, at a time of 1000 s.
    pub(crate) fn new(builder: Builder, cores: usize) -> Self {
        let kernels: Vec<Kernel> = (0..cores).map(|_| Kernel::default()).collect();
        let driver = |state: &Kernel| Queues {
            state: Rc::clone(state),
            waker: Waker::new().expect("an event descriptor"),
            counters: Counters::default(),
        };
        let machine = Machine::new(builder, kernels.iter().map(driver).collect(), 7);
        let mut hand = Self { machine, now_ms: 1_000_000, kernels };
        hand.settle();
        hand
    }

    pub(crate) fn emitter(&self) -> Emitter {
        self.machine.emitter()
    }

    /// One turn of a core, now.
    pub(crate) fn turn(&mut self, core: usize) -> bool {
        self.machine.turn(core, self.now_ms).expect("queues do not fail")
    }

    /// Turns all cores until none has anything to do at this time.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            (0..self.kernels.len()).for_each(|core| _ = self.turn(core));
            if (0..self.kernels.len()).all(|core| self.is_idle(core)) {
                return;
            }
        }
        panic!("no rest after 10 000 turns");
    }

    fn is_idle(&self, core: usize) -> bool {
        let sleeps = self.machine.timeout(core, self.now_ms).is_none_or(|timeout| timeout > Duration::ZERO);
        sleeps && !self.kernels[core].borrow().has_news()
    }

    /// Time passes as it does for a loop that sleeps: each core turns when it is due, and at the end.
    pub(crate) fn pass_ms(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while let Some(next_ms) = self.next_ms().filter(|&next_ms| next_ms <= until_ms) {
            self.now_ms = next_ms;
            self.settle();
        }
        self.now_ms = until_ms;
        self.settle();
    }

    fn next_ms(&self) -> Option<u64> {
        let timeouts = (0..self.kernels.len()).filter_map(|core| self.machine.timeout(core, self.now_ms));
        timeouts.min().map(|timeout| self.now_ms + timeout.as_millis() as u64)
    }

    /// A client that has joined `/` over a WebSocket.
    pub(crate) fn join(&mut self, core: usize) -> Wire {
        let wire = self.open(core);
        self.say(wire, "40");
        self.settle();
        self.texts(wire);
        wire
    }

    /// A WebSocket of Engine.IO that has joined nothing.
    pub(crate) fn open(&mut self, core: usize) -> Wire {
        let wire = self.connect(core);
        self.send(
            wire,
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        self.settle();
        let head = self.bytes(wire);
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        wire
    }

    /// A connection on which nothing has been said.
    pub(crate) fn connect(&mut self, core: usize) -> Wire {
        let mut kernel = self.kernels[core].borrow_mut();
        kernel.wires.push(Pipe::default());
        Wire { core, index: kernel.wires.len() - 1 }
    }

    /// Bytes are on their way; they are received in the next turn.
    pub(crate) fn send(&mut self, wire: Wire, bytes: &[u8]) {
        self.pipe(wire, |pipe| pipe.to_server.push_back(bytes.to_vec()));
    }

    /// Text messages are on their way, all in one segment.
    pub(crate) fn say_all<'a>(&mut self, wire: Wire, texts: impl IntoIterator<Item = &'a str>) {
        let mut bytes = Vec::new();
        for text in texts {
            let start = bytes.len();
            ws::write_header(&mut bytes, ws::Opcode::Text, text.len());
            bytes[start + 1] |= 0x80;
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(text.as_bytes());
        }
        self.send(wire, &bytes);
    }

    /// A text message is on its way.
    pub(crate) fn say(&mut self, wire: Wire, text: &str) {
        self.say_all(wire, [text]);
    }

    /// The client sends nothing more.
    pub(crate) fn finish(&mut self, wire: Wire) {
        self.pipe(wire, |pipe| pipe.has_finished = true);
    }

    /// The client is gone without an end: a reset.
    pub(crate) fn break_off(&mut self, wire: Wire) {
        self.pipe(wire, |pipe| pipe.is_broken = true);
    }

    /// The bytes that have come since the last call.
    pub(crate) fn bytes(&self, wire: Wire) -> Vec<u8> {
        self.pipe(wire, |pipe| std::mem::take(&mut pipe.from_server))
    }

    /// The text messages that have come since the last call; `close` for the end of a WebSocket.
    pub(crate) fn texts(&self, wire: Wire) -> Vec<String> {
        let bytes = self.bytes(wire);
        let words = |(opcode, payload): (ws::Opcode, &[u8])| match opcode {
            ws::Opcode::Close => "close".into(),
            _ => String::from_utf8_lossy(payload).into_owned(),
        };
        ws::server_frames(&bytes).map(words).collect()
    }

    /// What came since the last call of a client that the server has not cut.
    pub(crate) fn is_open(&self, wire: Wire) -> bool {
        self.pipe(wire, |pipe| !pipe.is_closed)
    }

    /// Segments that the server has not received.
    pub(crate) fn unread(&self, wire: Wire) -> usize {
        self.pipe(wire, |pipe| pipe.to_server.len())
    }

    fn pipe<R>(&self, wire: Wire, change: impl FnOnce(&mut Pipe) -> R) -> R {
        change(&mut self.kernels[wire.core].borrow_mut().wires[wire.index])
    }
}

impl State {
    fn has_news(&self) -> bool {
        self.is_accepted < self.wires.len() || self.wires.iter().any(Pipe::has_news)
    }
}

impl Pipe {
    /// Whether there is something to report, which is done once until it is received, and once more for an end.
    fn has_news(&self) -> bool {
        let is_readable = !self.is_reported && (!self.to_server.is_empty() || self.end().is_some());
        !self.is_closed && !self.end_was_given && (is_readable || self.end() != self.told_end)
    }

    fn end(&self) -> Option<End> {
        match self.is_broken {
            true => Some(End::Broken),
            false => self.has_finished.then_some(End::Finished),
        }
    }
}

fn token(index: usize) -> Token {
    Token { index: index as u32, generation: 1 }
}

/// The kernel's word for a peer that has reset.
const ECONNRESET: i32 = 104;

const fn received_end<'a>(end: End) -> Received<'a> {
    match end {
        End::Finished => Received::Eof,
        End::Broken => Received::Failed(ECONNRESET),
    }
}

impl Driver for Queues {
    type Passed = ();

    fn wait(&mut self, _timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let fresh = state.is_accepted..state.wires.len();
        state.is_accepted = fresh.end;
        ready.extend(fresh.map(|index| Ready::Accepted(token(index))));
        for (index, pipe) in state.wires.iter_mut().enumerate().filter(|(_, pipe)| pipe.has_news()) {
            pipe.is_reported = true;
            pipe.told_end = pipe.end();
            ready.push(Ready::Readable(token(index)));
        }
        Ok(())
    }

    fn receive(&mut self, tokens: &[Token], sink: &mut dyn FnMut(Token, Received<'_>)) {
        for &token in tokens {
            let (segment, end) = {
                let pipe = &mut self.state.borrow_mut().wires[token.index as usize];
                pipe.is_reported = false;
                pipe.end_was_given |= pipe.to_server.is_empty() && pipe.end().is_some();
                (if pipe.is_closed { None } else { pipe.to_server.pop_front() }, pipe.end())
            };
            match segment {
                Some(mut bytes) => sink(token, Received::Bytes(&mut bytes)),
                None => sink(token, end.map_or(Received::Empty, received_end)),
            }
        }
    }

    fn send(&mut self, batch: &[Outgoing<'_>], _unsent: &mut Vec<Unsent>) {
        let mut state = self.state.borrow_mut();
        for outgoing in batch {
            state.wires[outgoing.token.index as usize].from_server.extend_from_slice(outgoing.bytes);
        }
    }

    fn watch_writable(&mut self, _token: Token) {}

    fn end_of(&self, token: Token) -> Option<End> {
        self.state.borrow().wires[token.index as usize].told_end
    }

    fn shutdown(&mut self, _token: Token) {}

    fn close(&mut self, token: Token) {
        self.state.borrow_mut().wires[token.index as usize].is_closed = true;
    }

    fn pass(&mut self, _token: Token) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn adopt(&mut self, (): ()) -> io::Result<Token> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}
