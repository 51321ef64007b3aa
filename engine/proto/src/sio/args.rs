//! The arguments of an event or an acknowledgement, as checked text. It is not their values: reading them is the
//! affair of whoever asks for one.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{Error, json};
use crate::limits;

/// Where each element of an array begins and ends, in bytes of the array's text. Six elements need no heap: a name
/// and five arguments, more than almost any event has.
pub type Spans = SmallVec<[(u32, u32); SPANS_INLINE]>;

/// Elements that need no heap.
pub(super) const SPANS_INLINE: usize = 6;

/// A checked JSON array and the spans of its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args<'a> {
    json: &'a str,
    spans: Spans,
    texts: Texts,
}

/// What the scan has seen of an array's texts, so that a name is not looked at again each time somebody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    /// None has an escape.
    Plain,
    /// One may have.
    Any,
}

impl<'a> Args<'a> {
    /// Checks an array's text.
    ///
    /// # Errors
    /// [`Error::Json`] if the text is not one strict JSON array (RFC 8259) within the limits.
    #[inline]
    pub fn parse(json: &'a str) -> Result<Self, Error> {
        Self::parse_within(json, limits::JSON_DEPTH_MAX)
    }

    /// [`Args::parse`], with so many levels at most.
    #[inline]
    pub(super) fn parse_within(json: &'a str, depth_max: u32) -> Result<Self, Error> {
        let (spans, texts) = json::scan_args(json, depth_max)?;
        Ok(Self { json, spans, texts })
    }

    /// Arguments from a copy of a text and the spans that came with the original, without another scan. A span that
    /// does not fit the text reads as absent; nothing else is checked.
    pub const fn from_parts(json: &'a str, spans: Spans) -> Self {
        Self { json, spans, texts: Texts::Any }
    }

    /// The whole array.
    pub const fn json(&self) -> &'a str {
        self.json
    }

    /// Elements of the array; in an event its name is the first.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the array has no elements.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The text of element `i`, a JSON value without space around it.
    pub fn raw(&self, i: usize) -> Option<&'a str> {
        slice(self.json, *self.spans.get(i)?)
    }

    /// The texts of all elements.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.spans.iter().filter_map(|&span| slice(self.json, span))
    }

    /// The event's name, element 0: a string unescaped, half of a surrogate pair as U+FFFD, or a number as it is written. `None` for anything else.
    #[inline]
    pub fn event_name(&self) -> Option<Cow<'a, str>> {
        match (self.texts, self.spans.first()) {
            (Texts::Plain, Some(&(start, end)))
                if self.json.as_bytes().get(start as usize) == Some(&b'"') =>
            {
                self.json.get(start as usize + 1..(end as usize).wrapping_sub(1)).map(Cow::Borrowed)
            }
            _ => self.odd_event_name(),
        }
    }

    /// The name of an array that may have escapes, or that does not begin with a text.
    fn odd_event_name(&self) -> Option<Cow<'a, str>> {
        let raw = self.raw(0)?;
        match raw.as_bytes().first()? {
            b'"' => json::unescape_or_replace(raw),
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
            _ => None,
        }
    }

    /// Where each element is in [`Args::json`], in bytes.
    pub fn spans(&self) -> &[(u32, u32)] {
        &self.spans
    }

    /// The spans, to be kept beside an owned copy of the text for [`Args::from_parts`].
    pub fn into_spans(self) -> Spans {
        self.spans
    }
}

fn slice(json: &str, (start, end): (u32, u32)) -> Option<&str> {
    json.get(start as usize..end as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_without_the_space_around_them() {
        let args = Args::parse(" [ \"a,\\\"]\" , [1, [2]] ,{\"b\":[]} , -1.5e3, null ] ").unwrap();
        let expected = ["\"a,\\\"]\"", "[1, [2]]", "{\"b\":[]}", "-1.5e3", "null"];
        assert_eq!(args.iter().collect::<Vec<_>>(), expected);
        assert_eq!((args.len(), args.raw(3), args.raw(5)), (5, Some("-1.5e3"), None));
    }

    #[test]
    fn a_name_is_text_or_a_number() {
        let name = |json| Args::parse(json).unwrap().event_name().map(Cow::into_owned);
        assert_eq!(name(r#"["h\u00e9\n"]"#).as_deref(), Some("hé\n"));
        assert_eq!(name("[42]").as_deref(), Some("42"));
        for none in ["[]", "[null]", "[true]", "[[]]", "[{}]"] {
            assert_eq!(name(none), None, "{none}");
        }
    }

    #[test]
    fn spans_outlive_the_text_they_came_from() {
        let owned = String::from("[\"a\",1]");
        let spans = Args::parse(&owned).unwrap().into_spans();
        let copy = owned.clone();
        assert_eq!(Args::from_parts(&copy, spans.clone()).raw(1), Some("1"));
        assert_eq!(Args::from_parts("[é", spans).raw(1), None, "a foreign span is absent, not a panic");
    }
}
