//! One incoming argument, read as the type that a handler asks for.
//! It is deliberately not a validator: the packet decoder has checked the JSON of the whole packet (syntax, depth) before anything comes here.
//!
//! Most arguments are short texts and numbers; those are read in place by [`Plain`]. Everything else is parsed by simd-json in a
//! copy that the thread keeps (the parser works in place). Two of its habits are corrected here, each with a test:
//!
//! - it does not notice array elements that a fixed-length type leaves unread, and goes on reading at the wrong place, so that an element
//!   could pass for a member of the object around it. Elements left unread always leave the parser short of its end:
//!   whoever does not end at the end is refused.
//! - a lone `\ud83d` (legal for `JSON.parse`, not a Unicode text) became a NUL. Text of Rust cannot hold it: it is refused with a clear word.

use std::cell::Cell;
use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeOwned, Deserializer, Expected, IgnoredAny, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use simd_json::{Buffers, ErrorType};

use socketville_proto::sio::json;

use crate::binary::{Attachments, with_attachments_in};

/// Characters of an argument that an error quotes: enough to recognise it in a log, too few to fill one.
const FOUND_CHARS_MAX: usize = 80;

/// Bytes of an argument up to which the parser's memory is kept for the next one: a rare large argument is not paid for ever.
const SCRATCH_BYTES_MAX: usize = 64 * 1024;

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
/// [`ArgumentError`] if it is not a `T`, names an attachment that is not there, or holds a lone surrogate.
pub(crate) fn read_argument<T: DeserializeOwned>(
    raw: &str,
    index: usize,
    attachments: &Attachments,
) -> Result<T, ArgumentError> {
    let read = match Plain::scan(raw) {
        Some(plain) => T::deserialize(plain),
        None => with_attachments_in(attachments, || read_document(raw)),
    };
    read.map_err(|mismatch| ArgumentError { index, expected: mismatch.expected, found: quote(raw) })
}

/// Reads an argument that the peer did not send, as `null`: an `Option` becomes `None`.
///
/// # Errors
/// [`ArgumentError`] if `T` does not accept `null`.
pub(crate) fn read_missing<T: DeserializeOwned>(index: usize) -> Result<T, ArgumentError> {
    T::deserialize(Plain::Null).map_err(|mismatch| ArgumentError {
        index,
        expected: mismatch.expected,
        found: "nothing".to_owned(),
    })
}

/// What was expected at the place where reading stopped.
#[derive(Debug)]
struct Mismatch {
    expected: String,
}

impl Mismatch {
    fn new(expected: impl Into<String>) -> Self {
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

impl From<simd_json::Error> for Mismatch {
    fn from(error: simd_json::Error) -> Self {
        match error.error() {
            ErrorType::Serde(message) => Self::from_message(message),
            ErrorType::ExpectedString => Self::new("a string"),
            ErrorType::ExpectedBoolean => Self::new("a boolean"),
            ErrorType::ExpectedArray => Self::new("an array"),
            ErrorType::ExpectedMap => Self::new("an object"),
            ErrorType::ExpectedEnum => Self::new("a string or an object with one member"),
            ErrorType::ExpectedNull => Self::new("null"),
            ErrorType::ExpectedFloat => Self::new("a number"),
            ErrorType::ExpectedSigned => Self::new("an integer within its range"),
            ErrorType::ExpectedUnsigned => Self::new("an unsigned integer within its range"),
            ErrorType::InvalidNumber => Self::new("a number within its range"),
            _ => Self::new("a JSON value"),
        }
    }
}

/// A value that needs no parser.
#[derive(Clone, Copy)]
enum Plain<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Text(&'a str),
}

impl<'a> Plain<'a> {
    /// `None` for everything that is not plain, also for what is no JSON at all.
    fn scan(raw: &'a str) -> Option<Self> {
        match raw.as_bytes().first()? {
            b'"' => Self::scan_text(raw),
            b'0'..=b'9' => Self::digits(raw).map(Self::Unsigned),
            b'-' => {
                let value = i64::try_from(Self::digits(raw.get(1..)?)?).ok()?;
                // -0 is a float in JavaScript: its sign would be lost.
                (value != 0).then_some(Self::Signed(-value))
            }
            b't' => (raw == "true").then_some(Self::Bool(true)),
            b'f' => (raw == "false").then_some(Self::Bool(false)),
            b'n' => (raw == "null").then_some(Self::Null),
            _ => None,
        }
    }

    /// Text without escapes is itself.
    fn scan_text(raw: &'a str) -> Option<Self> {
        let text = raw.strip_prefix('"')?.strip_suffix('"')?;
        json::is_plain(text).then_some(Self::Text(text))
    }

    /// An integer of at most 18 digits, which no 64-bit type can overflow.
    fn digits(raw: &str) -> Option<u64> {
        let is_plain = (1..=18).contains(&raw.len()) && (raw == "0" || !raw.starts_with('0'));
        if !is_plain {
            return None;
        }
        raw.bytes()
            .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
    }

    fn unexpected(self) -> Unexpected<'a> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(value),
            Self::Unsigned(value) => Unexpected::Unsigned(value),
            Self::Signed(value) => Unexpected::Signed(value),
            Self::Text(value) => Unexpected::Str(value),
        }
    }
}

impl<'de> Deserializer<'de> for Plain<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Signed(value) => visitor.visit_i64(value),
            Self::Text(value) => visitor.visit_borrowed_str(value),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Self::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self {
            Self::Text(variant) => visitor.visit_enum(BorrowedStrDeserializer::new(variant)),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The parser's memory: it writes into its input, so it gets a copy.
struct Scratch {
    text: Vec<u8>,
    buffers: Buffers,
}

thread_local! {
    /// Taken while an argument is read: a nested read makes its own.
    static SCRATCH: Cell<Option<Scratch>> = const { Cell::new(None) };
}

fn read_document<T: DeserializeOwned>(raw: &str) -> Result<T, Mismatch> {
    if has_lone_surrogate(raw) {
        return Err(Mismatch::new("text without lone surrogates"));
    }
    let scratch = SCRATCH.take();
    let mut scratch = scratch.unwrap_or_else(|| Scratch { text: Vec::new(), buffers: Buffers::default() });
    scratch.text.clear();
    scratch.text.extend_from_slice(raw.as_bytes());
    let read = read_whole(&mut scratch);
    if raw.len() <= SCRATCH_BYTES_MAX {
        SCRATCH.set(Some(scratch));
    }
    read
}

fn read_whole<T: DeserializeOwned>(scratch: &mut Scratch) -> Result<T, Mismatch> {
    let mut parsed =
        simd_json::Deserializer::from_slice_with_buffers(&mut scratch.text, &mut scratch.buffers)?;
    let value = T::deserialize(&mut parsed)?;
    if IgnoredAny::deserialize(&mut parsed).is_ok() {
        return Err(Mismatch::new("arrays with fewer elements"));
    }
    Ok(value)
}

/// Whether any text in `raw` escapes half of a surrogate pair. What is malformed otherwise is left to the parser.
fn has_lone_surrogate(raw: &str) -> bool {
    let mut rest = raw.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        rest = rest.get(at..).unwrap_or_default();
        let escape_len = match escaped_unit(rest) {
            None => 2,
            Some(0xDC00..=0xDFFF) => return true,
            Some(0xD800..=0xDBFF) => match escaped_unit(rest.get(6..).unwrap_or_default()) {
                Some(0xDC00..=0xDFFF) => 12,
                _ => return true,
            },
            Some(_) => 6,
        };
        rest = rest.get(escape_len..).unwrap_or_default();
    }
    false
}

/// The UTF-16 unit of a `\uXXXX` at the start of `bytes`.
fn escaped_unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit: u16, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
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
