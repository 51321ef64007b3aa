//! JSON as the wire needs it: is a text one strict value (RFC 8259), and where are an array's elements. It is not a
//! parser: it builds no values, compares no keys and does not check that escapes make Unicode text.
//!
//! One pass, no recursion, no allocation but for an array of more than six elements. Per byte: a string's inside
//! costs an eighth of a step, everything else one. A nesting level costs one bit.

mod flat;
mod scanner;
mod tape;
mod text;

use std::fmt;

use super::args::{Spans, Texts};
use crate::limits;

pub(super) use scanner::Visitor;
pub use tape::{Part, Tape};
pub use text::{is_plain, unescape, unescape_or_replace, write_string};
pub(super) use text::{plain_end, unescape_lossy};

/// What sort of value a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, of any size.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The kind in a message for people.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "a boolean",
            Kind::Number => "a number",
            Kind::String => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
        }
    }
}

/// Space behind a null that stands for NaN: the text is JSON to all who read it, and MessagePack gets its value back. No writer of JSON writes it.
pub const NAN_MARK: &str = "\r\t";

/// The same for `undefined`, which is null in an array and no member in an object.
pub const UNDEFINED_MARK: &str = "\t\r";

/// Why a text is no JSON value, or not the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The grammar of RFC 8259 is broken.
    Syntax {
        /// Offset of the byte that does not fit.
        at: usize,
        /// What may stand there.
        expected: &'static str,
        /// What stands there; `None` at the text's end.
        found: Option<u8>,
    },
    /// Expected fewer levels of nesting, at most [`limits::JSON_DEPTH_MAX`], found another at this offset.
    Depth(usize),
    /// Expected an array, found another kind of value.
    NotArray(Kind),
    /// Expected at most [`limits::ARGUMENTS_MAX`] elements, found this many.
    Elements(usize),
    /// Expected a text that 32-bit offsets can describe, found one of this many bytes.
    Bytes(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::Syntax { at, expected, found: Some(byte) } => {
                write!(f, "expected {expected} at byte {at}, found {:?}", char::from(byte))
            }
            Error::Syntax { at, expected, found: None } => {
                write!(f, "expected {expected} at byte {at}, found the end")
            }
            Error::Depth(at) => {
                write!(f, "expected fewer levels of nesting, found another at byte {at}")
            }
            Error::NotArray(found) => write!(f, "expected an array, found {}", found.name()),
            Error::Elements(found) => {
                write!(f, "expected at most {} elements, found {found}", limits::ARGUMENTS_MAX)
            }
            Error::Bytes(found) => write!(f, "expected at most {} bytes, found {found}", u32::MAX),
        }
    }
}

impl std::error::Error for Error {}

/// Checks that a text is one JSON value, space around it allowed, and says of what kind.
///
/// # Errors
/// [`Error::Syntax`] and [`Error::Depth`].
pub fn validate(text: &str) -> Result<Kind, Error> {
    scanner::scan(text, &mut ())
}

/// [`validate`], with so many levels at most.
pub(super) fn validate_within(text: &str, depth_max: u32) -> Result<Kind, Error> {
    scanner::scan_within(text, depth_max, &mut ())
}

/// [`validate`] with somebody watching the same pass.
pub(super) fn scan_with(text: &str, visitor: &mut impl Visitor) -> Result<Kind, Error> {
    scanner::scan(text, visitor)
}

/// Checks that a text is one JSON array and finds its elements.
///
/// # Errors
/// Any [`Error`].
pub fn scan_array(text: &str) -> Result<Spans, Error> {
    scan_args(text, limits::JSON_DEPTH_MAX).map(|(spans, _)| spans)
}

/// [`scan_array`], and what it saw of the texts.
pub(super) fn scan_args(text: &str, depth_max: u32) -> Result<(Spans, Texts), Error> {
    match flat::scan(text) {
        Some(spans) => Ok((spans, Texts::Plain)),
        None => scan_array_with(text, depth_max, &mut ()).map(|spans| (spans, Texts::Any)),
    }
}

/// [`scan_array`] with somebody watching the same pass.
pub(super) fn scan_array_with(
    text: &str,
    depth_max: u32,
    visitor: &mut impl Visitor,
) -> Result<Spans, Error> {
    if u32::try_from(text.len()).is_err() {
        return Err(Error::Bytes(text.len()));
    }
    let mut elements = Elements::default();
    let kind = scanner::scan_within(text, depth_max, &mut (&mut elements, visitor))?;
    if kind != Kind::Array {
        return Err(Error::NotArray(kind));
    }
    if elements.count > limits::ARGUMENTS_MAX {
        return Err(Error::Elements(elements.count));
    }
    Ok(elements.spans)
}

/// Collects the spans of what lies directly in the outermost array.
#[derive(Default)]
struct Elements {
    spans: Spans,
    /// Where the element that is open now began.
    start: usize,
    /// All elements, also those past the limit, which are not collected.
    count: usize,
}

impl Elements {
    fn push(&mut self, start: usize, end: usize) {
        self.count += 1;
        if self.count <= limits::ARGUMENTS_MAX {
            self.spans.push((start as u32, end as u32)); // the text's length was checked to fit
        }
    }
}

impl Visitor for Elements {
    fn scalar(&mut self, depth: u32, start: usize, raw: &str) {
        if depth == 1 {
            self.push(start, start + raw.len());
        }
    }

    fn open(&mut self, _kind: Kind, depth: u32, start: usize) {
        if depth == 1 {
            self.start = start;
        }
    }

    fn close(&mut self, depth: u32, end: usize) {
        if depth == 1 {
            self.push(self.start, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8259 section 2 to 7.
    #[test]
    fn every_kind_of_value_is_one() {
        let kinds = [
            ("null", Kind::Null),
            (" true\t", Kind::Bool),
            ("false", Kind::Bool),
            ("-0.5e+10", Kind::Number),
            ("\"\\u00e9\"", Kind::String),
            ("[ ]", Kind::Array),
            ("\r\n{ }", Kind::Object),
            (r#"{"a":[1,{"b":null}],"c":""}"#, Kind::Object),
        ];
        for (text, kind) in kinds {
            assert_eq!(validate(text), Ok(kind), "{text}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let bad = [
            "",
            " ",
            "nul",
            "nulll",
            "True",
            "01",
            "-",
            "+1",
            "1.",
            ".5",
            "1e",
            "1e+",
            "0x1",
            "NaN",
            "Infinity",
            "'a'",
            "\"",
            "\"a",
            "\"\\",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u12\"",
            "\"\n\"",
            "\"\u{1f}\"",
            "[",
            "]",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1}",
            "{",
            "}",
            "{]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "{\"a\":1]",
            "{\"a\" 1}",
            "{,}",
            "1 1",
            "[]]",
            "{}x",
            "\u{feff}1",
            "\u{a0}1",
            "/**/1",
            "[1]//",
        ];
        for text in bad {
            assert!(validate(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_error_says_where_what_and_instead_of_what() {
        let error = validate("[1,\u{e9}]").unwrap_err();
        assert_eq!(error, Error::Syntax { at: 3, expected: "a value", found: Some(0xc3) });
        assert_eq!(validate("[1").unwrap_err().to_string(), "expected a comma or ] at byte 2, found the end");
        assert_eq!(scan_array("{}"), Err(Error::NotArray(Kind::Object)));
    }

    #[test]
    fn depth_is_limited_exactly() {
        let nested =
            |open: &str, close: &str, depth: usize| open.repeat(depth) + close.repeat(depth).as_str();
        let max = limits::JSON_DEPTH_MAX as usize;
        assert_eq!(validate(&nested("[", "]", max)), Ok(Kind::Array));
        assert_eq!(validate(&nested("[", "]", max + 1)), Err(Error::Depth(max)));
        assert!(validate(&format!("{}1{}", "{\"a\":".repeat(max), "}".repeat(max))).is_ok());
        assert!(validate(&format!("{}1{}", "{\"a\":".repeat(max + 1), "}".repeat(max + 1))).is_err());
        assert_eq!(validate(&"[".repeat(1_000_000)), Err(Error::Depth(max)));
        assert!(validate(&nested("[{\"a\":", "}]", max / 2)).is_err(), "an empty value where one is due");
        assert!(
            validate(&format!("[{}]", vec!["[[]]"; 200].join(","))).is_ok(),
            "depth is not the number of arrays"
        );
    }

    #[test]
    fn the_number_of_elements_is_limited_exactly() {
        let array = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(
            scan_array(&array(limits::ARGUMENTS_MAX)).map(|spans| spans.len()),
            Ok(limits::ARGUMENTS_MAX)
        );
        let more = limits::ARGUMENTS_MAX + 1;
        assert_eq!(scan_array(&array(more)), Err(Error::Elements(more)));
    }
}
