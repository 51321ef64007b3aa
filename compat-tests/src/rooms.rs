//! Rooms of the asking socket, and broadcasts to rooms.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use socketville::{Ack, Argument, Arguments, Broadcast, BroadcastAckError, Namespace, Socket};

use crate::wanted::Wanted;

/// One name or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// The parent of the dynamic namespaces, by its pattern.
pub const PARENT: &str = "^/dyn-[0-9]+$";

/// Whom `relay` is for, and how.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Options {
    from: Option<String>,
    #[serde(flatten)]
    rooms: Selection,
    volatile: bool,
    local: bool,
    compress: Option<bool>,
    timeout: Option<u64>,
}

/// Rooms as lists; a list that is not there or empty selects nothing.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Selection {
    to: Option<Vec<String>>,
    except: Option<Vec<String>>,
}

/// What became of a broadcast that wanted answers.
#[derive(Serialize)]
pub struct Gathered<T> {
    #[serde(rename = "timedOut")]
    timed_out: bool,
    responses: Vec<T>,
}

impl<T> Gathered<T> {
    /// The answers, be they all or not.
    pub fn new(gathered: Result<Vec<T>, BroadcastAckError<T>>) -> Self {
        let timed_out = gathered.is_err();
        let responses = gathered.unwrap_or_else(BroadcastAckError::into_responses);
        Self { timed_out, responses }
    }
}

/// Adds the events.
pub fn serve(namespace: Namespace<'_>) -> Namespace<'_> {
    namespace
        .on("join", |socket: Socket, names: Names, Wanted(ack): Wanted| {
            for name in names.list() {
                let _ = socket.join(name);
            }
            answer_rooms(&socket, ack);
        })
        .on("leave", |socket: Socket, name: String, Wanted(ack): Wanted| {
            socket.leave(name);
            answer_rooms(&socket, ack);
        })
        .on("rooms", |socket: Socket, Wanted(ack): Wanted| answer_rooms(&socket, ack))
        .on("relay", relay)
        .on("relay-to-children", |socket: Socket, event: String, words: Arguments, Wanted(ack): Wanted| {
            socket.emitter().emit_to_children(PARENT, &event, words);
            ack.send(true);
        })
}

async fn relay(socket: Socket, options: Options, event: String, words: Arguments, Wanted(ack): Wanted) {
    let target = select(&socket, &options);
    match options.timeout {
        Some(ms) => {
            let timeout = Duration::from_millis(ms);
            ack.send(Gathered::new(target.emit_with_ack::<Argument>(&event, words, timeout).await));
        }
        None => {
            target.emit(&event, words);
            ack.send(true);
        }
    }
}

fn select<'a>(socket: &'a Socket, options: &'a Options) -> Broadcast<'a> {
    let target = match options.from.as_deref() {
        Some("io") => socket.nsp(),
        _ => socket.broadcast(),
    };
    let target = options.rooms.of(target).compress(options.compress.unwrap_or(true));
    let target = if options.local { target.local() } else { target };
    if options.volatile { target.volatile() } else { target }
}

impl Selection {
    /// The selected part of a broadcast.
    pub fn of<'a>(&'a self, mut target: Broadcast<'a>) -> Broadcast<'a> {
        if let Some(rooms) = self.to.as_deref().filter(|rooms| !rooms.is_empty()) {
            target = target.to(rooms);
        }
        match self.except.as_deref() {
            Some(rooms) => target.except(rooms),
            None => target,
        }
    }
}

fn answer_rooms(socket: &Socket, ack: Ack) {
    ack.send(sorted_rooms(socket));
}

/// The rooms of a socket, sorted.
pub fn sorted_rooms(socket: &Socket) -> Vec<String> {
    let mut rooms = socket.rooms();
    rooms.sort();
    rooms
}

impl Names {
    /// All of them.
    pub fn list(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Several(names) => names,
        }
    }
}
