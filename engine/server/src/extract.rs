//! One incoming argument, read as the type that a handler asks for.
//! It is deliberately not a validator: the packet decoder has checked the JSON of the whole packet (syntax, depth) before anything comes here.
//!
//! Most arguments are short texts and numbers; those are read in place as a [`Scalar`]. Everything else is read along its parts, as a [`Document`].

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeOwned, Expected, Unexpected};

use socketville_proto::sio::json::Tape;

use crate::binary::Attachments;
use crate::document::Document;
use crate::scalar::Scalar;

/// Characters of an argument that an error quotes: enough to recognise it in a log, too few to fill one.
const FOUND_CHARS_MAX: usize = 80;

/// Bytes of parts up to which their memory is kept for the next argument: a rare large argument is not paid for ever.
const TAPE_BYTES_MAX: usize = 64 * 1024;

/// An argument that is not what the handler asked for. The event is dropped; the socket stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentError {
    /// Which argument, counted from 1 (its place in the packet's array, where 0 is the event's name).
    pub index: usize,
    /// What the handler's type accepts, as in `a string`.
    pub expected: String,
    /// What came instead: the start of its JSON, at most 80 characters, or `nothing`.
    pub found: String,
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "argument {}: expected {}, found {}", self.index, self.expected, self.found)
    }
}

impl std::error::Error for ArgumentError {}

/// Reads one argument. `raw` is its JSON, `index` its place counted from 1.
///
/// # Errors
/// [`ArgumentError`] if it is not a `T`.
pub(crate) fn read_argument<T: DeserializeOwned>(
    raw: &str,
    index: usize,
    attachments: &Attachments,
) -> Result<T, ArgumentError> {
    let read = match Scalar::plain(raw) {
        Some(plain) => T::deserialize(plain),
        None => read_document(raw, attachments),
    };
    read.map_err(|mismatch| ArgumentError { index, expected: mismatch.expected, found: quote(raw) })
}

/// Reads a text of a client's that is no argument, such as `auth`, as arguments are read.
///
/// # Errors
/// [`ArgumentError`] if it is not a `T`.
pub(crate) fn read_text<T: DeserializeOwned>(raw: &str) -> Result<T, ArgumentError> {
    read_argument(raw, 1, &Attachments::default())
}

/// Reads an argument that the peer did not send, as `null`: an `Option` becomes `None`.
///
/// # Errors
/// [`ArgumentError`] if `T` does not accept `null`.
pub(crate) fn read_missing<T: DeserializeOwned>(index: usize) -> Result<T, ArgumentError> {
    T::deserialize(Scalar::Null).map_err(|mismatch| ArgumentError {
        index,
        expected: mismatch.expected,
        found: "nothing".to_owned(),
    })
}

/// What was expected at the place where reading stopped.
#[derive(Debug)]
pub(crate) struct Mismatch {
    expected: String,
}

impl Mismatch {
    pub(crate) fn new(expected: impl Into<String>) -> Self {
        Self { expected: expected.into() }
    }

    /// From the sentences that serde makes: `invalid type: map, expected a string`, `missing field ..`, a custom one.
    fn from_message(message: &str) -> Self {
        if let Some((_, expected)) = message.split_once(", expected ") {
            return Self::new(expected);
        }
        match message.strip_prefix("missing field ") {
            Some(field) => Self::new(format!("a field {field}")),
            None => Self::new(format!("another value ({message})")),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::from_message(&message.to_string())
    }

    fn invalid_type(_found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(expected.to_string())
    }

    fn invalid_value(_found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(expected.to_string())
    }
}

thread_local! {
    /// The memory of parts. Taken while an argument is read: a nested read makes its own.
    static TAPE: Cell<Option<Tape>> = const { Cell::new(None) };
}

fn read_document<T: DeserializeOwned>(raw: &str, attachments: &Attachments) -> Result<T, Mismatch> {
    let mut tape = TAPE.take().unwrap_or_default();
    let read = match tape.read(raw) {
        Ok(()) => T::deserialize(Document::new(raw, &tape, attachments).value()),
        Err(_) => Err(Mismatch::new("a JSON value")),
    };
    if tape.capacity_bytes() <= TAPE_BYTES_MAX {
        TAPE.set(Some(tape));
    }
    read
}

/// The start of an argument, for an error.
fn quote(raw: &str) -> String {
    if raw.chars().nth(FOUND_CHARS_MAX).is_none() {
        return raw.to_owned();
    }
    raw.chars().take(FOUND_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
