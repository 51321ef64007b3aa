//! Rooms of the asking socket, and broadcasts to rooms.

use serde::Deserialize;
use socketville::{Ack, Arguments, Broadcast, Namespace, Socket};

/// One name or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// Whom `relay` is for. `compress` and `local` change nothing here: nothing is compressed, and there is one server.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Options {
    from: Option<String>,
    to: Option<Vec<String>>,
    except: Option<Vec<String>>,
    volatile: bool,
}

/// Adds the events.
pub fn serve(namespace: Namespace<'_>) -> Namespace<'_> {
    namespace
        .on("join", |socket: Socket, names: Names, ack: Ack| {
            for name in names.list() {
                let _ = socket.join(name);
            }
            answer_rooms(&socket, ack);
        })
        .on("leave", |socket: Socket, name: String, ack: Ack| {
            socket.leave(name);
            answer_rooms(&socket, ack);
        })
        .on("rooms", |socket: Socket, ack: Ack| answer_rooms(&socket, ack))
        .on("relay", |socket: Socket, options: Options, event: String, words: Arguments, ack: Ack| {
            if ack.is_wanted() {
                select(&socket, &options).emit(&event, words);
                ack.send(true);
            }
        })
}

fn select<'a>(socket: &'a Socket, options: &'a Options) -> Broadcast<'a> {
    let mut target = match options.from.as_deref() {
        Some("io") => socket.nsp(),
        _ => socket.broadcast(),
    };
    if let Some(rooms) = options.to.as_deref().filter(|rooms| !rooms.is_empty()) {
        target = target.to(rooms);
    }
    if let Some(rooms) = options.except.as_deref() {
        target = target.except(rooms);
    }
    if options.volatile { target.volatile() } else { target }
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
    fn list(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Several(names) => names,
        }
    }
}
