//! The application under simulation, written against the public API as a user would, and a book that its handlers write into.
//!
//! Not a test of the API's surface: a few events that reach every way out of the engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socketville::{Ack, Binary, Builder, Server, Socket};

use crate::acts;
use crate::kind::Kind;
use crate::oracle::{OracleRecord, To, What};
use crate::scenario::Scenario;

/// The book, shared by handlers and models. One thread; the lock is for the handlers' bounds.
#[derive(Clone)]
pub struct Book(Arc<Mutex<OracleRecord>>);

/// Time between pings, as in the reference.
pub const PING_INTERVAL_MS: u64 = 25_000;
/// Time that a pong may take, as in the reference.
pub const PING_TIMEOUT_MS: u64 = 20_000;
/// Time that a client has to answer a quiz.
pub const QUIZ_MS: u64 = 15_000;

impl Book {
    /// An empty book.
    pub fn new(scenario: &Scenario) -> Self {
        Self(Arc::new(Mutex::new(OracleRecord::new(scenario.cores))))
    }

    /// The book, to read and write; not over a call into the engine.
    pub fn open(&self) -> MutexGuard<'_, OracleRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Book")
    }
}

/// A room's name.
pub fn room_name(room: u8) -> String {
    format!("room-{room}")
}

/// The application.
pub fn app(scenario: &Scenario, book: &Book) -> Builder {
    let io = Server::builder();
    io.ping_interval(Duration::from_millis(PING_INTERVAL_MS))
        .ping_timeout(Duration::from_millis(PING_TIMEOUT_MS))
        .backlog_max(scenario.backlog_bytes_max)
        .backlog_burst_max(scenario.burst_bytes_max)
        .drain_window(Duration::from_millis(scenario.drain_ms));
    if let Some(bytes) = scenario.memory_bytes_max {
        io.memory_max(bytes);
    }
    io.of("/").flush_interval(Duration::from_millis(scenario.flush_interval_ms));
    presence(&io, book);
    rooms(&io, book);
    speech(&io, book);
    floods(&io, book);
    questions(&io, book);
    if scenario.kind == Kind::Acts {
        acts::everywhere(&io, book);
    }
    io
}

fn presence(io: &Builder, book: &Book) {
    let (arrivals, departures, kicks) = (book.clone(), book.clone(), book.clone());
    io.on_connect(move |socket: Socket, auth: BTreeMap<String, u64>| {
        let client = auth.get("client").copied().unwrap_or(u64::MAX);
        socket.set_data(client);
        arrivals.open().connected(client);
    });
    io.of("/").on_disconnecting(move |socket: Socket, reason: String| {
        departures.open().disconnected(client_of(&socket), &reason);
    });
    io.on("kick", move |socket: Socket, n: u64, all: bool| {
        kicks.open().heard(client_of(&socket), n);
        if all { socket.disconnect_all() } else { socket.disconnect() }
    });
}

fn rooms(io: &Builder, book: &Book) {
    let (joins, leaves) = (book.clone(), book.clone());
    io.on("join", move |socket: Socket, n: u64, room: u8, ack: Ack| {
        let client = client_of(&socket);
        joins.open().heard(client, n);
        match socket.join(room_name(room)) {
            Ok(()) => joins.open().joined(client, room),
            Err(error) if socket.is_connected() => {
                joins.open().fault(format!("client {client} cannot join: {error}"));
            }
            Err(_) => {}
        }
        joins.open().encodes += 1;
        ack.send(n);
    });
    io.on("leave", move |socket: Socket, n: u64, room: u8, ack: Ack| {
        leaves.open().heard(client_of(&socket), n);
        socket.leave(room_name(room));
        leaves.open().left(client_of(&socket), room);
        leaves.open().encodes += 1;
        ack.send(n);
    });
}

/// How a client wants to be heard; the `say` event's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// To a room, without the speaking client.
    Others = 0,
    /// To a room, the speaking client included if it is there.
    Room = 1,
    /// To everyone.
    All = 2,
    /// To two rooms.
    Either = 3,
    /// To a room without those in another.
    But = 4,
    /// To a room, if transports are free.
    Volatile = 5,
    /// To a room, with an attachment.
    Binary = 6,
}

impl Manner {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Others, Self::Room, Self::All, Self::Either, Self::But, Self::Volatile, Self::Binary];
}

fn speech(io: &Builder, book: &Book) {
    let (said, carried, attached) = (book.clone(), book.clone(), book.clone());
    io.on("say", move |socket: Socket, n: u64, manner: usize, rooms: (u8, u8), size: usize| {
        said.open().heard(client_of(&socket), n);
        pass_on(&socket, &said, manner, rooms, size);
    });
    io.on("carry", move |socket: Socket, n: u64, manner: usize, rooms: (u8, u8), text: String| {
        carried.open().came(client_of(&socket), n, text.as_bytes());
        pass_on(&socket, &carried, manner, rooms, text.len());
    });
    io.on("attach", move |socket: Socket, n: u64, manner: usize, rooms: (u8, u8), bytes: Binary| {
        attached.open().came(client_of(&socket), n, &bytes);
        pass_on(&socket, &attached, manner, rooms, bytes.len());
    });
}

fn pass_on(socket: &Socket, book: &Book, manner: usize, rooms: (u8, u8), size: usize) {
    let Some(&manner) = Manner::ALL.get(manner) else { return };
    tell(socket, book, (size / 8).min(2_000));
    speak(socket, book, manner, rooms, size);
    tell(socket, book, 3);
}

/// To the client itself, around what it says to others: the order of calls is the order of arrival.
pub fn tell(socket: &Socket, book: &Book, size: usize) {
    let client = client_of(socket);
    let seq = book.open().emit(client, To::Client(client), None, What::Message, size);
    socket.emit("said", (client, seq, text(seq, size)));
}

fn speak(socket: &Socket, book: &Book, manner: Manner, (a, b): (u8, u8), size: usize) {
    let client = client_of(socket);
    let (first, second) = (room_name(a), room_name(b));
    let (to, skip, broadcast) = match manner {
        Manner::Others | Manner::Binary => (To::Room(a), Some(client), socket.to(&first)),
        Manner::Volatile => (To::Room(a), Some(client), socket.to(&first).volatile()),
        Manner::Room => (To::Room(a), None, socket.nsp().to(&first)),
        Manner::All => (To::All, None, socket.nsp()),
        Manner::Either => (To::Either(a, b), Some(client), socket.to(&first).to(&second)),
        Manner::But => (To::But(a, b), None, socket.nsp().to(&first).except(&second)),
    };
    let what = match manner {
        Manner::Volatile => What::Volatile,
        Manner::Binary => What::Binary,
        _ => What::Message,
    };
    let seq = book.open().emit(client, to, skip, what, size);
    // Some do not wait, though the namespace would let them.
    let broadcast = if seq.is_multiple_of(5) { broadcast.flush_within(Duration::ZERO) } else { broadcast };
    match manner {
        Manner::Binary => broadcast.emit("data", (client, seq, Binary(text(seq, size).into_bytes()))),
        _ => broadcast.emit("said", (client, seq, text(seq, size))),
    }
}

/// A handler that emits much without yielding: to itself, to a room, to all and to rooms where nobody is, several of each in a row.
fn floods(io: &Builder, book: &Book) {
    let book = book.clone();
    io.on("flood", move |socket: Socket, n: u64, room: u8, number: u64, size: usize| {
        book.open().heard(client_of(&socket), n);
        for at in 0..number {
            let manner = match (n + at / 3) % 8 {
                0 => Manner::Room,
                1 => Manner::All,
                2 => Manner::Binary,
                3 => {
                    tell(&socket, &book, size);
                    continue;
                }
                _ => Manner::Others,
            };
            let is_for_nobody = (n + at / 3) % 8 > 3;
            let rooms = if is_for_nobody { (EMPTY_ROOM, EMPTY_ROOM) } else { (room, room) };
            let size = if manner == Manner::All { size / 8 } else { size };
            speak(&socket, &book, manner, rooms, size);
        }
    });
}

/// A room that nobody joins.
const EMPTY_ROOM: u8 = u8::MAX;

/// A question to the engine that asks back first: acknowledgements both ways, a task, a timer.
fn questions(io: &Builder, book: &Book) {
    let book = book.clone();
    io.on("ask", move |socket: Socket, n: u64, ack: Ack| {
        book.open().heard(client_of(&socket), n);
        let book = book.clone();
        async move {
            book.open().encodes += u64::from(socket.is_connected());
            let answer = socket.emit_with_ack::<u64>("quiz", n, Duration::from_millis(QUIZ_MS)).await;
            book.open().encodes += u64::from(socket.is_connected());
            ack.send(answer.map_or(-1, |answer| answer as i64));
        }
    });
}

/// Text of a given length that its number decides, so that mixed-up bytes are seen.
pub fn text(seq: u64, size: usize) -> String {
    let round = round_of(seq);
    let mut text = String::with_capacity(size + round.len());
    while text.len() < size {
        text.push_str(&round);
    }
    text.truncate(size);
    text
}

/// Whether these bytes are the text of this number.
pub fn is_text(seq: u64, bytes: &[u8]) -> bool {
    let round = round_of(seq);
    bytes.chunks(round.len()).all(|chunk| chunk == &round.as_bytes()[..chunk.len()])
}

/// The alphabet from the number's letter on.
fn round_of(seq: u64) -> String {
    (0..26).map(|at| char::from(b'a' + ((seq * 7 + at) % 26) as u8)).collect()
}

/// The number of a socket's client.
pub fn client_of(socket: &Socket) -> u64 {
    socket.data::<u64>().map_or(u64::MAX, |client| *client)
}
