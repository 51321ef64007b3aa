//! A question and its answer through the whole engine: a turn of the real loop, with the handlers of an application, on a driver
//! that has no kernel. Not a measurement of time, and not a check of every answer: the first ones are compared whole, all others by
//! their length.

use std::io;
use std::time::Duration;

use anyhow::{Result, ensure};
use socketville::machine::Machine;
use socketville::{Ack, Builder, Packet, Server, Socket};
use socketville_sys::{Counters, Driver, End, Outgoing, Ready, Received, Token, Unsent, Waker};

use super::{NOW_MS, PAYLOAD_BYTES, UPGRADE};
use crate::wire;

/// Questions of a connection in one read, as the chapter `echo` has them under way.
const QUESTIONS: u32 = 8;
/// Connections that are readable in one turn: enough that a turn's own cost is shared as it is under load.
const CONNS_PER_TURN: usize = 16;
/// The first question's id: of four digits, as most are.
const FIRST_ID: u32 = 1000;

/// The handler of the measured app: the arguments go back from where they lie.
pub fn answer(_socket: &Socket, packet: &mut Packet<'_>) {
    packet.take_ack().send(packet.arguments());
}

/// A server whose `echo` answers by relaying.
pub(super) fn relaying() -> Builder {
    let io = Server::builder();
    io.of("/").on_packet("echo", answer);
    io
}

/// A server whose `echo` reads what it answers, as most handlers are written.
pub(super) fn reading() -> Builder {
    let io = Server::builder();
    io.on("echo", |text: String, ack: Ack| ack.send(&text));
    io
}

/// So many questions, a read of eight at a time; how many were answered.
pub(super) fn walk(io: Builder, sockets: u32, count: u32) -> Result<u64> {
    ensure!(count.is_multiple_of(QUESTIONS), "{QUESTIONS} questions come together");
    let mut machine = Machine::new(io, vec![Sink::new()?], 1);
    let conns: Vec<_> = (0..sockets).map(|index| Token { index, generation: 1 }).collect();
    let ready = conns.iter().map(|&token| Ready::Accepted(token)).collect();
    machine.driver_mut(0).arrive(ready, &[]);
    machine.turn(0, NOW_MS)?;
    let mut join = Vec::new();
    wire::write_masked(wire::TEXT, b"40", &mut join);
    // A turn takes a budget of newcomers.
    for (bytes, conns) in
        [UPGRADE, &join].into_iter().flat_map(|b| conns.chunks(CONNS_PER_TURN).map(move |c| (b, c)))
    {
        machine.driver_mut(0).arrive(conns.iter().map(|&token| Ready::Readable(token)).collect(), bytes);
        machine.turn(0, NOW_MS)?;
    }
    ask(&mut machine, &conns, count / QUESTIONS)
}

fn ask(machine: &mut Machine<Sink>, conns: &[Token], mut reads: u32) -> Result<u64> {
    let questions = questions();
    machine.driver_mut(0).expected = answers();
    while reads > 0 {
        for conns in conns.chunks(CONNS_PER_TURN) {
            let conns = &conns[..conns.len().min(reads as usize)];
            reads -= conns.len() as u32;
            machine
                .driver_mut(0)
                .arrive(conns.iter().map(|&token| Ready::Readable(token)).collect(), &questions);
            machine.turn(0, NOW_MS)?;
        }
    }
    let sink = machine.driver_mut(0);
    ensure!(sink.faults == 0, "{} sends were not the answers", sink.faults);
    Ok(sink.answered * u64::from(QUESTIONS))
}

fn questions() -> Vec<u8> {
    let (mut frames, text) = (Vec::new(), "x".repeat(PAYLOAD_BYTES));
    for id in FIRST_ID..FIRST_ID + QUESTIONS {
        wire::write_masked(wire::TEXT, format!(r#"42{id}["echo","{text}"]"#).as_bytes(), &mut frames);
    }
    frames
}

fn answers() -> Vec<u8> {
    let (mut frames, text) = (Vec::new(), "x".repeat(PAYLOAD_BYTES));
    for id in FIRST_ID..FIRST_ID + QUESTIONS {
        let answer = format!(r#"43{id}["{text}"]"#);
        // RFC 6455 section 5.2: the length in two bytes, for it is above 125.
        frames.extend_from_slice(&[0x81, 126, 0, answer.len() as u8]);
        frames.extend_from_slice(answer.as_bytes());
    }
    frames
}

/// A driver whose connections say what they are told to, and that takes everything.
struct Sink {
    waker: Waker,
    counters: Counters,
    ready: Vec<Ready>,
    says: Vec<u8>,
    received: Vec<u8>,
    /// What each send is to be, once there are questions.
    expected: Vec<u8>,
    answered: u64,
    faults: u64,
}

/// Sends that are compared whole; so few that they do not count.
const COMPARED: u64 = 32;

impl Sink {
    fn new() -> Result<Sink> {
        Ok(Sink {
            waker: Waker::new()?,
            counters: Counters::default(),
            ready: Vec::new(),
            says: Vec::new(),
            received: Vec::new(),
            expected: Vec::new(),
            answered: 0,
            faults: 0,
        })
    }

    fn arrive(&mut self, ready: Vec<Ready>, says: &[u8]) {
        self.ready = ready;
        self.says.clear();
        self.says.extend_from_slice(says);
    }
}

impl Driver for Sink {
    type Passed = Token;

    fn wait(&mut self, _timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.append(&mut self.ready);
        Ok(())
    }

    fn receive(&mut self, tokens: &[Token], sink: &mut dyn FnMut(Token, Received<'_>)) {
        for &token in tokens {
            self.received.clear();
            self.received.extend_from_slice(&self.says);
            sink(token, Received::Bytes(&mut self.received));
        }
    }

    fn send(&mut self, batch: &[Outgoing<'_>], _unsent: &mut Vec<Unsent>) {
        if self.expected.is_empty() {
            return;
        }
        for outgoing in batch {
            let bytes = std::hint::black_box(outgoing.bytes);
            let is_right = match self.answered < COMPARED {
                true => bytes == self.expected,
                false => bytes.len() == self.expected.len(),
            };
            self.faults += u64::from(!is_right);
            self.answered += 1;
        }
    }

    fn watch_writable(&mut self, _token: Token) {}

    fn end_of(&self, _token: Token) -> Option<End> {
        None
    }

    fn shutdown(&mut self, _token: Token) {}

    fn close(&mut self, _token: Token) {
        self.faults += 1;
    }

    fn pass(&mut self, token: Token) -> io::Result<Token> {
        Ok(token)
    }

    fn adopt(&mut self, passed: Token) -> io::Result<Token> {
        Ok(passed)
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}
