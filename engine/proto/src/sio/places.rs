//! Where a text has placeholders, for whoever writes arguments that came with attachments into a packet that has others. It is not the check of what
//! comes, which is [`super::attachments`]'s.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::json::{self, Kind, Visitor};

/// One object with `"_placeholder":true`; of keys that come twice the last counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// The attachment that it names; `None` if its `num` is no plain integer.
    num: Option<usize>,
    /// Where its `num` stands.
    span: (usize, usize),
}

/// Collects the places of a text.
#[derive(Default)]
struct Places {
    found: Vec<Place>,
    open: SmallVec<[Frame; 8]>,
}

/// An open array or object.
#[derive(Default)]
struct Frame {
    key: Key,
    is_marked: bool,
    num: Option<(Option<usize>, (usize, usize))>,
}

/// What is known of the key before a value.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Key {
    Placeholder,
    Num,
    #[default]
    Other,
}

impl Frame {
    fn note(&mut self, start: usize, raw: &str) {
        match std::mem::take(&mut self.key) {
            Key::Placeholder => self.is_marked = raw == "true",
            Key::Num => self.num = Some((index(raw), (start, start + raw.len()))),
            Key::Other => {}
        }
    }
}

/// A plain integer: no sign, no fraction, no exponent.
fn index(raw: &str) -> Option<usize> {
    raw.bytes().all(|byte| byte.is_ascii_digit()).then(|| raw.parse().ok()).flatten()
}

impl Visitor for Places {
    fn key(&mut self, _start: usize, raw: &str) {
        let Some(frame) = self.open.last_mut() else { return };
        frame.key = match json::unescape_or_replace(raw).as_deref() {
            Some("_placeholder") => Key::Placeholder,
            Some("num") => Key::Num,
            _ => Key::Other,
        };
    }

    fn scalar(&mut self, _depth: u32, start: usize, raw: &str) {
        if let Some(frame) = self.open.last_mut() {
            frame.note(start, raw);
        }
    }

    fn open(&mut self, _kind: Kind, _depth: u32, start: usize) {
        if let Some(frame) = self.open.last_mut() {
            frame.note(start, "");
        }
        self.open.push(Frame::default());
    }

    fn close(&mut self, _depth: u32, _end: usize) {
        let Some(frame) = self.open.pop().filter(|frame| frame.is_marked) else { return };
        let (num, span) = frame.num.unwrap_or_default();
        self.found.push(Place { num, span });
    }
}

fn places(text: &str) -> Result<Vec<Place>, json::Error> {
    let mut places = Places::default();
    json::scan_with(text, &mut places)?;
    Ok(places.found)
}

/// A value that came with `count` attachments, for a packet in which they are those from `first` on. Objects that name no attachment, though they look as if,
/// stay as they are.
///
/// # Errors
/// If the text is no JSON value.
pub fn renumber(text: &str, count: usize, first: usize) -> Result<Cow<'_, str>, json::Error> {
    if first == 0 || count == 0 {
        return Ok(Cow::Borrowed(text));
    }
    rewrite(text, count, |num| num + first).map(Cow::Owned)
}

/// One of several values that came with `count` attachments, as if it had come alone; and the numbers of the attachments that are its own, each once, in
/// the order in which the value names them first.
///
/// # Errors
/// If the text is no JSON value.
pub fn pick(text: &str, count: usize) -> Result<(String, Vec<usize>), json::Error> {
    if count == 0 {
        return Ok((text.to_owned(), Vec::new()));
    }
    let mut own = Vec::new();
    let mut numbers = vec![None; count];
    let text = rewrite(text, count, |num| {
        numbers.get_mut(num).map_or(num, |known| {
            *known.get_or_insert_with(|| {
                own.push(num);
                own.len() - 1
            })
        })
    })?;
    Ok((text, own))
}

/// The text with other numbers in its places, asked for in their order.
fn rewrite(
    text: &str,
    count: usize,
    mut renumber: impl FnMut(usize) -> usize,
) -> Result<String, json::Error> {
    let mut places = places(text)?;
    places.sort_unstable_by_key(|place| place.span.0);
    let (mut rewritten, mut at) = (String::with_capacity(text.len() + 2 * places.len()), 0);
    for Place { num, span: (start, end) } in places {
        let Some(num) = num.filter(|&num| num < count) else { continue };
        rewritten.push_str(text.get(at..start).unwrap_or_default());
        rewritten.push_str(&renumber(num).to_string());
        at = end;
    }
    rewritten.push_str(text.get(at..).unwrap_or_default());
    Ok(rewritten)
}

/// Whether each object of a text that receivers will take for an attachment's place names one of these numbers. Others come from values that a
/// peer made, and would close the receivers' connections.
///
/// # Errors
/// If the text is no JSON value.
pub fn are_places_own(text: &str, numbers: &std::ops::Range<usize>) -> Result<bool, json::Error> {
    Ok(places(text)?.iter().all(|place| place.num.is_some_and(|num| numbers.contains(&num))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_renumbered_wherever_they_are() {
        let text = r#"[{"_placeholder":true,"num":0},{"num":1 ,"a":[{"num":1,"_placeholder":true}],"_placeholder":1}]"#;
        let expected = r#"[{"_placeholder":true,"num":10},{"num":1 ,"a":[{"num":11,"_placeholder":true}],"_placeholder":1}]"#;
        assert_eq!(renumber(text, 2, 10).unwrap(), expected);
        assert!(matches!(renumber(text, 2, 0), Ok(Cow::Borrowed(_))));
        let none = r#"[{"_placeholder":true,"num":2},{"_placeholder":true,"num":"0"},{"_placeholder":true,"num":0.0}]"#;
        assert_eq!(renumber(none, 2, 5).unwrap(), none);
        let twice = r#"{"_placeholder":true,"num":1,"\u006eum":0}"#;
        assert_eq!(renumber(twice, 2, 5).unwrap(), r#"{"_placeholder":true,"num":1,"\u006eum":5}"#);
    }

    #[test]
    fn one_value_takes_its_own_attachments_along() {
        let text =
            r#"[{"_placeholder":true,"num":3},{"num":1,"_placeholder":true},{"_placeholder":true,"num":4}]"#;
        let (alone, own) = pick(text, 4).unwrap();
        let expected =
            r#"[{"_placeholder":true,"num":0},{"num":1,"_placeholder":true},{"_placeholder":true,"num":4}]"#;
        assert_eq!((alone.as_str(), own), (expected, vec![3, 1]));
    }

    #[test]
    fn a_place_that_is_none_of_ours_is_found() {
        let place = |num: &str| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
        for (all, expected) in [
            (vec!["0", "1"], true),
            (vec!["0", "0"], true),
            (vec!["0", "2"], false),
            (vec!["\"x\""], false),
            (vec!["0.0"], false),
        ] {
            let text = format!("[{}]", all.iter().map(|num| place(num)).collect::<Vec<_>>().join(","));
            assert_eq!(are_places_own(&text, &(0..2)), Ok(expected), "{text}");
        }
        assert_eq!(are_places_own(r#"{"_placeholder":true}"#, &(0..2)), Ok(false));
    }
}
