//! The pass over a JSON text. It keeps one bit per open array or object and tells a visitor what it passes; it keeps
//! no positions and no values itself.
//!
//! ```text
//!            +-------- comma (and key) --------+
//!            v                                 |
//! start -> value -- scalar or empty --> after value -- depth 0 --> end
//!          ^   |                          ^    |
//!          +---+ open (and key)           +----+ close
//! ```

use super::text::plain_end;
use super::{Error, Kind};
use crate::limits;

/// Sees the parts of a text in the order in which they come. `depth` is the number of arrays and objects around the
/// value. What it saw of a text that turns out to be no JSON is worthless.
pub(in crate::sio) trait Visitor {
    /// A key of the innermost object, with its quotes and escapes.
    fn key(&mut self, _start: usize, _raw: &str) {}
    /// A string, number, boolean or null that begins at `start`.
    fn scalar(&mut self, _depth: u32, _start: usize, _raw: &str) {}
    /// An array or object begins at `start`.
    fn open(&mut self, _kind: Kind, _depth: u32, _start: usize) {}
    /// The array or object that was opened last ends before `end`.
    fn close(&mut self, _depth: u32, _end: usize) {}
}

/// Nobody watches.
impl Visitor for () {}

/// Two watch.
impl<A: Visitor, B: Visitor> Visitor for (&mut A, &mut B) {
    fn key(&mut self, start: usize, raw: &str) {
        self.0.key(start, raw);
        self.1.key(start, raw);
    }

    fn scalar(&mut self, depth: u32, start: usize, raw: &str) {
        self.0.scalar(depth, start, raw);
        self.1.scalar(depth, start, raw);
    }

    fn open(&mut self, kind: Kind, depth: u32, start: usize) {
        self.0.open(kind, depth, start);
        self.1.open(kind, depth, start);
    }

    fn close(&mut self, depth: u32, end: usize) {
        self.0.close(depth, end);
        self.1.close(depth, end);
    }
}

/// Passes over one value and the space around it.
pub(super) fn scan(text: &str, visitor: &mut impl Visitor) -> Result<Kind, Error> {
    scan_within(text, limits::JSON_DEPTH_MAX, visitor)
}

/// [`scan`], with so many levels at most; more than [`limits::JSON_DEPTH_MAX`] are that.
pub(super) fn scan_within(text: &str, depth_max: u32, visitor: &mut impl Visitor) -> Result<Kind, Error> {
    let depth_max = depth_max.min(limits::JSON_DEPTH_MAX);
    let mut scanner =
        Scanner { text, bytes: text.as_bytes(), at: 0, depth: 0, depth_max, objects: 0, visitor };
    scanner.skip_space();
    let kind = scanner.kind()?;
    loop {
        let is_whole = scanner.value()?;
        if is_whole && !scanner.after_value()? {
            break;
        }
    }
    if scanner.at < text.len() { Err(scanner.expected("the end")) } else { Ok(kind) }
}

struct Scanner<'a, V> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    depth_max: u32,
    /// One bit per open array or object, the innermost lowest; set for an object.
    objects: u128,
    visitor: &'a mut V,
}

const _: () = assert!(limits::JSON_DEPTH_MAX <= u128::BITS, "one bit of `objects` per level");

impl<'a, V: Visitor> Scanner<'a, V> {
    /// Takes a scalar or an empty array or object whole (`true`), or the beginning of another one, up to its first
    /// value (`false`).
    fn value(&mut self) -> Result<bool, Error> {
        let start = self.at;
        match self.kind()? {
            Kind::Object => return self.open(true),
            Kind::Array => return self.open(false),
            Kind::String => self.string()?,
            Kind::Number => self.number()?,
            Kind::Null => self.word("null")?,
            Kind::Bool if self.peek() == Some(b't') => self.word("true")?,
            Kind::Bool => self.word("false")?,
        }
        self.visitor.scalar(self.depth, start, self.since(start));
        Ok(true)
    }

    /// Takes what follows a value: closing brackets, and a comma with the key after it. `false` if the outermost
    /// value is closed.
    fn after_value(&mut self) -> Result<bool, Error> {
        loop {
            self.skip_space();
            if self.depth == 0 {
                return Ok(false);
            }
            match (self.peek(), self.is_in_object()) {
                (Some(b','), true) => {
                    self.at += 1;
                    self.skip_space();
                    self.key()?;
                    return Ok(true);
                }
                (Some(b','), false) => {
                    self.at += 1;
                    self.skip_space();
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => self.close(),
                (_, true) => return Err(self.expected("a comma or }")),
                (_, false) => return Err(self.expected("a comma or ]")),
            }
        }
    }

    fn open(&mut self, is_object: bool) -> Result<bool, Error> {
        if self.depth == self.depth_max {
            return Err(Error::Depth(self.at));
        }
        let kind = if is_object { Kind::Object } else { Kind::Array };
        self.visitor.open(kind, self.depth, self.at);
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(is_object);
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(if is_object { b'}' } else { b']' }) {
            self.close();
            return Ok(true);
        }
        if is_object {
            self.key()?;
        }
        Ok(false)
    }

    /// Takes a closing bracket that was seen to fit.
    fn close(&mut self) {
        debug_assert!(self.depth > 0, "only what was opened is closed");
        self.at += 1;
        self.depth -= 1;
        self.objects >>= 1;
        self.visitor.close(self.depth, self.at);
    }

    /// Takes a key, its colon and the space after it.
    fn key(&mut self) -> Result<(), Error> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a key"));
        }
        let start = self.at;
        self.string()?;
        self.visitor.key(start, self.since(start));
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.expected("a colon"));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn string(&mut self) -> Result<(), Error> {
        self.at += 1;
        loop {
            self.at = plain_end(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(self.expected("a quote or an escaped control character")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Error> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                (0..4).try_for_each(|_| self.one("a hexadecimal digit", |byte| byte.is_ascii_hexdigit()))
            }
            _ => Err(self.expected("an escape")),
        }
    }

    fn number(&mut self) -> Result<(), Error> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Takes one digit or more.
    fn digits(&mut self) -> Result<(), Error> {
        self.one("a digit", |byte| byte.is_ascii_digit())?;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn word(&mut self, word: &'static str) -> Result<(), Error> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.expected(word));
        }
        self.at += word.len();
        Ok(())
    }

    /// Takes one byte that passes a test.
    fn one(&mut self, expected: &'static str, passes: impl Fn(&u8) -> bool) -> Result<(), Error> {
        if !self.peek().as_ref().is_some_and(passes) {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// The kind of the value whose first byte is next.
    fn kind(&self) -> Result<Kind, Error> {
        match self.peek().and_then(|byte| KINDS[byte as usize]) {
            Some(kind) => Ok(kind),
            None => Err(self.expected("a value")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn is_in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    /// What was taken since `start`; both ends are next to ASCII bytes.
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    #[cold]
    fn expected(&self, expected: &'static str) -> Error {
        Error::Syntax { at: self.at, expected, found: self.peek() }
    }
}

/// What kind of value a byte begins.
const KINDS: [Option<Kind>; 256] = kinds();

const fn kinds() -> [Option<Kind>; 256] {
    let mut kinds = [None; 256];
    kinds[b'n' as usize] = Some(Kind::Null);
    kinds[b't' as usize] = Some(Kind::Bool);
    kinds[b'f' as usize] = Some(Kind::Bool);
    kinds[b'"' as usize] = Some(Kind::String);
    kinds[b'[' as usize] = Some(Kind::Array);
    kinds[b'{' as usize] = Some(Kind::Object);
    kinds[b'-' as usize] = Some(Kind::Number);
    let mut digit = b'0';
    while digit <= b'9' {
        kinds[digit as usize] = Some(Kind::Number);
        digit += 1;
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down what it sees.
    #[derive(Default)]
    struct Log(String);

    impl Visitor for Log {
        fn key(&mut self, _start: usize, raw: &str) {
            self.0 += &format!("key {raw}; ");
        }
        fn scalar(&mut self, depth: u32, start: usize, raw: &str) {
            self.0 += &format!("{depth} scalar {start} {raw}; ");
        }
        fn open(&mut self, _kind: Kind, depth: u32, start: usize) {
            self.0 += &format!("{depth} open {start}; ");
        }
        fn close(&mut self, depth: u32, end: usize) {
            self.0 += &format!("{depth} close {end}; ");
        }
    }

    #[test]
    fn a_visitor_sees_each_part_once_and_in_order() {
        let mut log = Log::default();
        assert_eq!(scan(r#" [{"a" : [] , "b":-1}, "é\"" ]"#, &mut log), Ok(Kind::Array));
        let expected = concat!(
            "0 open 1; 1 open 2; key \"a\"; 2 open 9; 2 close 11; key \"b\"; 2 scalar 18 -1; 1 close 21; ",
            "1 scalar 23 \"é\\\"\"; 0 close 31; "
        );
        assert_eq!(log.0, expected);
    }

    #[test]
    fn two_visitors_see_the_same() {
        let (mut a, mut b) = (Log::default(), Log::default());
        scan("[1,{\"a\":null}]", &mut (&mut a, &mut b)).unwrap();
        assert!(!a.0.is_empty());
        assert_eq!(a.0, b.0);
    }
}
