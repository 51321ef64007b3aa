//! Arguments that a handler does not read: kept as they came, looked at one by one, or relayed.
//!
//! Not values: the text of each argument stays the JSON it was, binary attachments included.

use serde::de::DeserializeOwned;
use serde::ser::{Error, Serialize, SerializeStruct, SerializeTuple, Serializer};

use socketville_proto::sio;

use crate::binary::{Attachments, collect};
use crate::extract::{ArgumentError, read_argument, read_missing};
use crate::handler::{EventContext, FromEvent};

/// All arguments of an event that no parameter before it took, or all of an answer.
///
/// Emitting them spreads them again, with their attachments, wherever they stand among others:
///
/// ```
/// use socketville::{Arguments, Server, Socket};
///
/// Server::builder().on("shout", |socket: Socket, words: Arguments| socket.broadcast().emit("shouted", words));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    raw: Vec<String>,
    attachments: Attachments,
    /// The place of the first, counted from 1.
    first: usize,
}

impl Arguments {
    pub(crate) fn new<'a>(raw: impl Iterator<Item = &'a str>, attachments: Attachments) -> Self {
        Self { raw: raw.map(str::to_owned).collect(), attachments, first: 1 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The JSON of one; binary is a placeholder object in it.
    pub fn raw(&self, index: usize) -> Option<&str> {
        self.raw.get(index).map(String::as_str)
    }

    /// Reads one, counted from 0; one that is not there reads as `null`.
    ///
    /// # Errors
    /// [`ArgumentError`] if it is not a `T`.
    pub fn read<T: DeserializeOwned>(&self, index: usize) -> Result<T, ArgumentError> {
        match self.raw(index) {
            Some(raw) => read_argument(raw, self.first + index, &self.attachments),
            None => read_missing(self.first + index),
        }
    }
}

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        relay(self.raw.iter().map(String::as_str), &self.attachments, serializer)
    }
}

/// One argument of an event that the handler does not read, or the first of an answer: kept as it came with its own attachments, and emitted again so.
///
/// A `serde_json::Value` in its place would hold bytes as lists of numbers:
///
/// ```
/// use std::time::Duration;
/// use socketville::{Ack, Argument, Server, Socket};
///
/// Server::builder().on("collect", async |socket: Socket, ack: Ack| {
///     let photos = socket.nsp().emit_with_ack::<Argument>("photo?", (), Duration::from_secs(5)).await;
///     ack.send(photos.unwrap_or_else(|error| error.into_responses()));
/// });
/// ```
#[derive(Debug, Clone, Default)]
pub struct Argument {
    raw: String,
    attachments: Attachments,
    index: usize,
}

impl Argument {
    fn new(raw: &str, index: usize, all: &Attachments) -> Self {
        let (raw, own) = sio::pick(raw, all.len()).unwrap_or_else(|_| (raw.to_owned(), Vec::new()));
        Self { raw, attachments: all.pick(&own), index }
    }

    /// Its JSON; binary is a placeholder object in it.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`ArgumentError`] if it is not a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ArgumentError> {
        read_argument(&self.raw, self.index, &self.attachments)
    }
}

impl Serialize for Argument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first = collect_all(&self.attachments);
        let raw = sio::renumber(&self.raw, self.attachments.len(), first).map_err(S::Error::custom)?;
        Checked(&raw).serialize(serializer)
    }
}

impl FromEvent for Argument {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ArgumentError> {
        let index = event.args.index();
        Ok(Self::new(event.args.next().unwrap_or("null"), index, event.attachments))
    }
}

impl FromAnswer for Argument {
    fn from_answer(answer: Arguments) -> Result<Self, ArgumentError> {
        Ok(Self::new(answer.raw(0).unwrap_or("null"), 1, &answer.attachments))
    }
}

/// Takes the attachments of what is relayed into the packet; the number of the first there.
fn collect_all(attachments: &Attachments) -> usize {
    let mut first = None;
    for bytes in attachments.iter() {
        first = first.or(collect(bytes));
    }
    first.unwrap_or_default()
}

/// Writes arguments as they are, each from where its text lies, with the attachments they came with.
pub(crate) fn relay<'a, S: Serializer>(
    raw: impl Iterator<Item = &'a str>,
    attachments: &Attachments,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    // The placeholders' numbers stand in the text; they fit as they are if these are the packet's first attachments.
    let first = collect_all(attachments);
    let mut tuple = serializer.serialize_tuple(raw.size_hint().0)?;
    for raw in raw {
        match first {
            0 => tuple.serialize_element(&Checked(raw))?,
            first => {
                let renumbered = sio::renumber(raw, attachments.len(), first).map_err(S::Error::custom)?;
                tuple.serialize_element(&Checked(&renumbered))?;
            }
        }
    }
    tuple.end()
}

/// JSON that was checked when it came, written as it is: what a `RawValue` of serde_json does, whose makers would parse it once more.
struct Checked<'a>(&'a str);

/// By this name serializers know that a text is JSON. The tests of relays would see it quoted if serde_json had another.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

impl Serialize for Checked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut raw = serializer.serialize_struct(RAW_VALUE, 1)?;
        raw.serialize_field(RAW_VALUE, self.0)?;
        raw.end()
    }
}

impl FromEvent for Arguments {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ArgumentError> {
        let first = event.args.index();
        Ok(Self { first, ..Self::new(&mut event.args, event.attachments.clone()) })
    }
}

/// What an answer can be read as: its first argument as a type that serde reads, or all [`Arguments`].
pub trait FromAnswer: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// [`ArgumentError`] if it is something else.
    fn from_answer(answer: Arguments) -> Result<Self, ArgumentError>;
}

impl<T: DeserializeOwned> FromAnswer for T {
    fn from_answer(answer: Arguments) -> Result<Self, ArgumentError> {
        answer.read(0)
    }
}

impl FromAnswer for Arguments {
    fn from_answer(answer: Arguments) -> Result<Self, ArgumentError> {
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_that_is_named_often_is_kept_once() {
        let all: Attachments = vec![vec![7; 1000], vec![8; 1000]].into();
        let raw = format!("[{}]", vec![r#"{"_placeholder":true,"num":1}"#; 200].join(","));
        let argument = Argument::new(&raw, 1, &all);
        assert_eq!(argument.attachments.to_vec(), [vec![8; 1000]]);
        let named = argument.raw().matches(r#""num":0"#).count();
        assert_eq!(named, 200);
    }
}
