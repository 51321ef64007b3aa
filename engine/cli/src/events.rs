//! What clients may say: `join`, `leave` and, in the demo, `say`. Every refusal is told in the acknowledgement.
//!
//! Not what backends say: that goes through the publish API, whatever is allowed here.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use socketville::{Ack, ArgumentError, EventContext, FromEvent, Namespace, Socket};

/// Whether clients may speak to rooms that they are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    /// Anybody in a room speaks to it.
    Free,
    /// Only backends speak.
    Backends,
}

/// Adds the handlers to a namespace.
pub(crate) fn serve(namespace: Namespace<'_>, speech: Speech) {
    namespace
        .on("join", |socket: Socket, room: Checked<String>, ack: Ack| {
            let joined = room.name().and_then(|room| {
                socket.join(&room).map_err(|error| error.to_string())?;
                Ok(room)
            });
            answer_membership(joined, ack);
        })
        .on("leave", |socket: Socket, room: Checked<String>, ack: Ack| {
            answer_membership(room.name().inspect(|room| socket.leave(room)), ack);
        })
        .on("say", move |socket: Socket, words: Checked<Words>, ack: Ack| {
            match say(&socket, words, speech) {
                Ok(()) => ack.send(Done { ok: true }),
                Err(error) => ack.send(Refusal { ok: false, error }),
            }
        });
}

/// An argument of a client, or what is wrong with it: so that the handler can say it.
struct Checked<T>(Result<T, ArgumentError>);

impl<T: DeserializeOwned> FromEvent for Checked<T> {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ArgumentError> {
        Ok(Self(event.next_argument()))
    }
}

impl Checked<String> {
    fn name(self) -> Result<String, String> {
        let name = self.0.map_err(|error| error.to_string())?;
        if name.is_empty() {
            return Err("argument 1: expected a room's name, found \"\"".into());
        }
        if looks_like_an_id(&name) {
            return Err(format!("{name:?} is reserved: a name like this is the room of one socket alone"));
        }
        Ok(name)
    }
}

/// Whoever were in a room of this name would hear what is sent to that socket.
fn looks_like_an_id(name: &str) -> bool {
    let id = bare_id(name);
    id.len() == ID_CHARS && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// An id without the namespace that clients 2.x have before it.
fn bare_id(id: &str) -> &str {
    id.rsplit_once('#').filter(|(nsp, _)| nsp.starts_with('/')).map_or(id, |(_, id)| id)
}

/// What `say` carries.
#[derive(Deserialize)]
#[serde(expecting = "an object {room, text} of two strings")]
struct Words {
    room: String,
    text: String,
}

/// What a room hears.
#[derive(Serialize)]
struct Said<'a> {
    room: &'a str,
    from: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct Done {
    ok: bool,
}

#[derive(Serialize)]
struct Membership {
    ok: bool,
    room: String,
}

#[derive(Serialize)]
struct Refusal {
    ok: bool,
    error: String,
}

/// The answer is known on this core: a client that joins and joins does not cost the others.
fn answer_membership(room: Result<String, String>, ack: Ack) {
    match room {
        Ok(room) => ack.send(Membership { ok: true, room }),
        Err(error) => ack.send(Refusal { ok: false, error }),
    }
}

fn say(socket: &Socket, words: Checked<Words>, speech: Speech) -> Result<(), String> {
    if speech == Speech::Backends {
        return Err("clients do not speak on this server: backends do, through POST /api/publish".into());
    }
    let Words { room, text } = words.0.map_err(|error| error.to_string())?;
    if !socket.is_in(&room) {
        return Err(format!("you are not in {room:?}: join it first"));
    }
    match text.chars().count() {
        0 => return Err("expected a text, found an empty one".into()),
        1..=TEXT_CHARS_MAX => {}
        found => {
            return Err(format!("expected a text of at most {TEXT_CHARS_MAX} characters, found {found}"));
        }
    }
    let from = bare_id(socket.id()).get(..FROM_CHARS).unwrap_or_default();
    socket.nsp().to(&room).emit("said", Said { room: &room, from, text: &text });
    Ok(())
}

/// Characters of what one says at a time: a few sentences. Every member of the room gets them.
const TEXT_CHARS_MAX: usize = 500;

/// Characters of a socket's id, all of them URL-safe.
const ID_CHARS: usize = 20;

/// Characters of a speaker's id that others see: enough to tell people apart, too few to address them.
const FROM_CHARS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_both_revisions_are_no_rooms_of_clients() {
        let id = "AbcdefghijklmnopqR-_";
        assert!(looks_like_an_id(id) && looks_like_an_id(&format!("/harbour#{id}")));
        for room in ["lobby", "", "#", "/harbour#", &format!("harbour#{id}"), &format!("/harbour#{id}x")] {
            assert!(!looks_like_an_id(room), "{room}");
        }
        assert_eq!((bare_id(id), bare_id(&format!("/harbour#{id}"))), (id, id));
    }
}
