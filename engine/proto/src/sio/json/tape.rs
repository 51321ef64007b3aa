//! The parts of a JSON text in the order in which they come, with the way past each: what a reader of values walks along. It is not the
//! values, which stay the text that they are.
//!
//! One pass, 16 bytes a part; an object's keys are parts too, each before its value. Whoever reads an object may pass over a member in one step,
//! however large it is, so that looking for the last of two equal keys costs the keys and not the values.

use smallvec::SmallVec;

use super::scanner::{self, Visitor};
use super::{Error, Kind};

/// The parts of one text. Its memory serves the next text.
#[derive(Debug, Default)]
pub struct Tape {
    parts: Vec<Part>,
}

/// A value or a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is; a key is a string.
    pub kind: Kind,
    /// Where it begins, in bytes of the text.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// The place of the part after it and all that is in it.
    pub next: u32,
}

const _: () = assert!(size_of::<Part>() == 16);

impl Tape {
    /// Reads a text of one value, space around it allowed. What was there before is forgotten.
    ///
    /// # Errors
    /// [`Error::Syntax`], [`Error::Depth`] and [`Error::Bytes`]; the tape is empty then.
    pub fn read(&mut self, text: &str) -> Result<(), Error> {
        self.parts.clear();
        if u32::try_from(text.len()).is_err() {
            return Err(Error::Bytes(text.len()));
        }
        let mut builder = Builder { parts: &mut self.parts, open: SmallVec::new() };
        let read = scanner::scan(text, &mut builder);
        if read.is_err() {
            self.parts.clear();
        }
        read.map(drop)
    }

    /// All parts; the first is the whole value.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Bytes of memory that it keeps.
    pub fn capacity_bytes(&self) -> usize {
        self.parts.capacity() * size_of::<Part>()
    }
}

/// Offsets fit, for the text's length was checked.
struct Builder<'t> {
    parts: &'t mut Vec<Part>,
    /// Where the open arrays and objects are.
    open: SmallVec<[u32; 16]>,
}

impl Builder<'_> {
    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        let next = self.parts.len() as u32 + 1;
        self.parts.push(Part { kind, start: start as u32, end: end as u32, next });
    }
}

impl Visitor for Builder<'_> {
    fn key(&mut self, start: usize, raw: &str) {
        self.push(Kind::String, start, start + raw.len());
    }

    fn scalar(&mut self, _depth: u32, start: usize, raw: &str) {
        let kind = match raw.as_bytes().first() {
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        };
        self.push(kind, start, start + raw.len());
    }

    fn open(&mut self, kind: Kind, _depth: u32, start: usize) {
        self.open.push(self.parts.len() as u32);
        self.push(kind, start, start);
    }

    fn close(&mut self, _depth: u32, end: usize) {
        let next = self.parts.len() as u32;
        if let Some(part) = self.open.pop().and_then(|at| self.parts.get_mut(at as usize)) {
            (part.end, part.next) = (end as u32, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_order_and_know_the_way_past() {
        let text = r#" {"a":[1,{"b":null}],"c" : true} "#;
        let mut tape = Tape::default();
        tape.read(text).unwrap();
        let parts: Vec<_> =
            tape.parts().iter().map(|p| (&text[p.start as usize..p.end as usize], p.next)).collect();
        let expected = [
            (text.trim(), 9),
            (r#""a""#, 2),
            (r#"[1,{"b":null}]"#, 7),
            ("1", 4),
            (r#"{"b":null}"#, 7),
            (r#""b""#, 6),
            ("null", 7),
            (r#""c""#, 8),
            ("true", 9),
        ];
        assert_eq!(parts, expected);
        assert!(tape.read("[1").is_err() && tape.parts().is_empty());
    }
}
