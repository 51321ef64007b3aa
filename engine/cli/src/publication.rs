//! What backends post: one publication or an array of them, checked before anything is published.
//!
//! Not the door (that is `publish`) and not the broadcast. The arguments of an event are checked to be JSON and are then passed on as
//! they were written, so that the order of members and the digits of numbers arrive as the backend meant them.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A body that is in order.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    /// One publication.
    One(Publication<'a>),
    /// An array of them, perhaps empty.
    Many(Vec<Publication<'a>>),
}

/// One event for some sockets of a namespace.
#[derive(Debug)]
pub(crate) struct Publication<'a> {
    /// With its slash; served here.
    pub(crate) namespace: String,
    /// The union of these rooms; everybody if there are none named. An empty list is nobody.
    pub(crate) rooms: Option<Vec<String>>,
    /// But nobody in these.
    pub(crate) except: Vec<String>,
    /// The event's name.
    pub(crate) event: String,
    /// Its arguments as JSON.
    pub(crate) args: Vec<&'a RawValue>,
}

/// What is wrong with a body, and where.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    /// What was expected and what was found.
    message: String,
    /// The way from the body's root, as in `[2].rooms[0]`; absent for the body as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// Counted from 1, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

impl<'a> Body<'a> {
    /// Reads and checks a whole body.
    ///
    /// # Errors
    /// The first [`Fault`].
    pub(crate) fn read(bytes: &'a [u8], namespaces: &[String]) -> Result<Self, Fault> {
        if bytes.trim_ascii_start().first() != Some(&b'[') {
            return parse::<Fields<'a>>(bytes)?.check(namespaces, "").map(Self::One);
        }
        let many: Vec<Fields<'a>> = parse(bytes)?;
        if many.len() > PUBLICATIONS_MAX {
            let message = format!("expected at most {PUBLICATIONS_MAX} publications, found {}", many.len());
            return Err(Fault::new(message, String::new()));
        }
        let check = |(index, fields): (usize, Fields<'a>)| fields.check(namespaces, &format!("[{index}]."));
        many.into_iter().enumerate().map(check).collect::<Result<_, _>>().map(Self::Many)
    }
}

impl Fault {
    fn new(message: String, path: String) -> Self {
        Self { message, path: Some(path).filter(|path| !path.is_empty()), line: None, column: None }
    }

    fn of_json(error: &serde_json::Error, path: String) -> Self {
        let (line, column) = (error.line(), error.column());
        let message = error.to_string();
        let message = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
        let message = match error.classify() {
            serde_json::error::Category::Data => message.to_owned(),
            _ => format!("not JSON: {message}"),
        };
        Self { line: Some(line), column: Some(column), ..Self::new(message, path) }
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Fault> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        // A `?` at the end is a member whose name was not read; the root alone is a dot.
        let path = error.path().to_string();
        Fault::of_json(error.inner(), path.trim_end_matches('?').trim_end_matches('.').to_owned())
    })?;
    json.end().map_err(|error| Fault::of_json(&error, String::new()))?;
    Ok(value)
}

/// A publication as it is written, not yet checked beyond its types.
struct Fields<'a>(Written<'a>);

/// A word too many is refused: who writes `room` for `rooms` must not speak to everybody.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    #[serde(default = "root")]
    namespace: String,
    #[serde(default, deserialize_with = "some")]
    rooms: Option<Rooms>,
    #[serde(default, deserialize_with = "some")]
    except: Option<Rooms>,
    event: String,
    #[serde(default, borrow)]
    args: Vec<&'a RawValue>,
}

/// A room's name, or several.
struct Rooms(Vec<String>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Written<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with an event, or an array of them")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Written::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Object).map(Fields)
    }
}

impl<'de> Deserialize<'de> for Rooms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Vec<String>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a room's name or a list of names")
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(vec![name.to_owned()])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, names: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(names))
            }
        }
        deserializer.deserialize_any(Names).map(Rooms)
    }
}

fn root() -> String {
    String::from("/")
}

/// A member that is there is not null: a variable that a backend forgot to set must not mean everybody.
fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<'a> Fields<'a> {
    /// The checks that types do not make. `prefix` is the way to this publication.
    fn check(self, namespaces: &[String], prefix: &str) -> Result<Publication<'a>, Fault> {
        let Written { namespace, rooms, except, event, args } = self.0;
        let fault = |message: String, path: String| Err(Fault::new(message, format!("{prefix}{path}")));
        let namespace = if namespace.starts_with('/') { namespace } else { format!("/{namespace}") };
        if !namespaces.contains(&namespace) {
            let known = namespaces.join(", ");
            return fault(
                format!("expected one of the namespaces {known}, found {namespace:?}"),
                "namespace".into(),
            );
        }
        if event.is_empty() || socketville::is_reserved_event(&event) {
            return fault(
                format!("expected an event's name that is not reserved, found {event:?}"),
                "event".into(),
            );
        }
        for (list, rooms) in [("rooms", &rooms), ("except", &except)] {
            let names = rooms.iter().flat_map(|rooms| &rooms.0);
            if let Some(index) = names.into_iter().position(String::is_empty) {
                return fault("expected a room's name, found \"\"".into(), format!("{list}[{index}]"));
            }
        }
        if let Some(index) = args.iter().position(|arg| depth(arg.get()) > DEPTH_MAX) {
            return fault(
                format!("expected at most {DEPTH_MAX} levels of nesting"),
                format!("args[{index}]"),
            );
        }
        let except = except.map(|rooms| rooms.0).unwrap_or_default();
        Ok(Publication { namespace, rooms: rooms.map(|rooms| rooms.0), except, event, args })
    }
}

/// Levels of arrays and objects in a valid JSON text.
fn depth(json: &str) -> usize {
    let (mut level, mut deepest, mut bytes) = (0_usize, 0, json.bytes());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' => {
                level += 1;
                deepest = deepest.max(level);
            }
            b']' | b'}' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

/// Publications in one request. Each asks every core how many it was for, so this many are as many letters in each mailbox, a small
/// part of its room; and 1000 frames fill one send better than a larger number would.
const PUBLICATIONS_MAX: usize = 1000;

/// Levels of nesting in an argument: below the 128 at which this engine stops reading packets, with room for the packet's own.
const DEPTH_MAX: usize = 120;

#[cfg(test)]
#[path = "publication_tests.rs"]
mod tests;
