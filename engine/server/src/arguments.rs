//! Arguments that a handler does not read: kept as they came, looked at one by one, or relayed.
//!
//! Not values: the text of each argument stays the JSON it was, binary attachments included.

use serde::de::DeserializeOwned;
use serde::ser::{Error, Serialize, SerializeStruct, SerializeTuple, Serializer};

use crate::binary::{Attachments, collect};
use crate::extract::{ArgumentError, read_argument, read_missing};
use crate::handler::{EventContext, FromEvent};

/// All arguments of an event that no parameter before it took, or all of an answer.
///
/// Emitting them spreads them again, with their attachments:
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

/// Writes arguments as they are, each from where its text lies, with the attachments they came with.
pub(crate) fn relay<'a, S: Serializer>(
    raw: impl Iterator<Item = &'a str>,
    attachments: &Attachments,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    for (number, bytes) in attachments.iter().enumerate() {
        // The placeholders' numbers stand in the text; they fit if these are the packet's first attachments.
        if collect(bytes).is_some_and(|place| place != number) {
            return Err(S::Error::custom("relayed arguments with binary come before other binary"));
        }
    }
    let mut tuple = serializer.serialize_tuple(raw.size_hint().0)?;
    for raw in raw {
        tuple.serialize_element(&Checked(raw))?;
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
