//! From MessagePack to JSON text, in one pass: binary becomes placeholders and attachments. It is not a packet.
//!
//! No recursion: one small frame for each open array or map. What a value costs in text is at most six times its bytes (a control
//! character), or a placeholder, and of those there are few.

use std::io::Write;

use smallvec::SmallVec;

use super::date::write_date;
use super::head::{Head, Reader};
use super::{Error as Fault, Payload};
use crate::encode::Decimal;
use crate::limits;
use crate::sio::Error;
use crate::sio::json;

/// What binary becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    /// A placeholder, and an attachment.
    Attached,
    /// An array of numbers, as JSON has no attachments there.
    Numbers,
}

/// Reads one value that has no more bytes behind it.
pub(super) fn read(bytes: &[u8], binary: Binary) -> Result<Payload, Error> {
    let mut scribe = Scribe {
        reader: Reader::new(bytes),
        json: Vec::with_capacity(bytes.len()),
        payload: Payload::default(),
        frames: SmallVec::new(),
        element: 0,
        suspects: Vec::new(),
        binary,
    };
    scribe.value()?;
    while scribe.close_finished()? {
        scribe.key()?;
        scribe.value()?;
    }
    scribe.finish()
}

struct Scribe<'a> {
    reader: Reader<'a>,
    json: Vec<u8>,
    /// All but the text.
    payload: Payload,
    frames: SmallVec<[Frame; 8]>,
    /// Where the element of the outermost array that is open now began.
    element: usize,
    suspects: Vec<Suspect>,
    binary: Binary,
}

/// An open array or map.
struct Frame {
    /// Elements, or keys, that have not come yet.
    left: u32,
    is_map: bool,
    /// Where the last key's member began, its comma included.
    member: usize,
    key: Key,
    /// Whether its last `_placeholder` was true.
    is_marked: bool,
    /// Its last `num`, if that was the number of an attachment.
    num: Option<Suspect>,
}

/// What is known of the key before a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Placeholder,
    Num,
    Other,
}

/// A map of the peer's own that looks like a placeholder.
#[derive(Clone, Copy)]
struct Suspect {
    num: u64,
    /// Where its `num` ends in the text.
    end: usize,
}

impl Scribe<'_> {
    /// Closes all that is complete; false if that was the outermost value.
    fn close_finished(&mut self) -> Result<bool, Error> {
        while let Some(frame) = self.frames.last().filter(|frame| frame.left == 0) {
            self.json.push(if frame.is_map { b'}' } else { b']' });
            self.suspects.extend(frame.num.filter(|_| frame.is_marked));
            self.frames.pop();
            self.end_element()?;
        }
        Ok(!self.frames.is_empty())
    }

    /// Takes what stands before the next value: the comma, and a key with its colon.
    fn key(&mut self) -> Result<(), Error> {
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        frame.left -= 1;
        frame.member = self.json.len();
        if !matches!(self.json.last(), Some(b'[' | b'{')) {
            self.json.push(b',');
        }
        if frame.is_map {
            let Head::Str(key) = self.reader.head()? else { return Err(Fault::Key.into()) };
            frame.key = match key {
                b"_placeholder" => Key::Placeholder,
                b"num" => Key::Num,
                _ => Key::Other,
            };
            json::write_string(&mut self.json, text(key)?);
            self.json.push(b':');
        }
        Ok(())
    }

    /// Takes a value that has nothing inside, or the beginning of another.
    fn value(&mut self) -> Result<(), Error> {
        let start = self.json.len();
        if self.frames.len() == 1 {
            self.element = start;
        }
        let head = self.reader.head()?;
        match head {
            Head::Array(count) => return self.open(count, false),
            Head::Map(count) => return self.open(count, true),
            Head::Nil => self.json.extend_from_slice(b"null"),
            Head::Bool(value) => self.json.extend_from_slice(if value { b"true" } else { b"false" }),
            Head::Unsigned(number) => self.unsigned(number),
            Head::Signed(number) => self.signed(number),
            Head::Float(number) => self.float(number),
            Head::Str(bytes) => json::write_string(&mut self.json, text(bytes)?),
            Head::Bin(bytes) => self.bytes(bytes)?,
            Head::Ext { kind, data, is_fixed } => self.extension(kind, data, is_fixed)?,
        }
        self.note(head, start);
        self.end_element()
    }

    fn open(&mut self, count: u32, is_map: bool) -> Result<(), Error> {
        if self.frames.len() >= limits::JSON_DEPTH_MAX as usize {
            return Err(Fault::Depth.into());
        }
        self.note(Head::Nil, self.json.len());
        self.json.push(if is_map { b'{' } else { b'[' });
        let (member, key) = (self.json.len(), Key::Other);
        self.frames.push(Frame { left: count, is_map, member, key, is_marked: false, num: None });
        Ok(())
    }

    /// Keeps in mind what a member of a map says about placeholders.
    fn note(&mut self, head: Head<'_>, start: usize) {
        let Some(frame) = self.frames.last_mut().filter(|frame| frame.is_map) else { return };
        match frame.key {
            Key::Placeholder => frame.is_marked = head == Head::Bool(true),
            Key::Num => {
                // As text, for a float without a fraction is written like an integer.
                let number = self.json.get(start..).and_then(|raw| str::from_utf8(raw).ok());
                let num = number.and_then(|raw| raw.parse().ok());
                frame.num = num.map(|num| Suspect { num, end: self.json.len() });
            }
            Key::Other => {}
        }
    }

    /// Notes where an element of the outermost array was.
    fn end_element(&mut self) -> Result<(), Error> {
        let is_element = self.frames.len() == 1 && !self.frames[0].is_map;
        if is_element {
            let offset = |at: usize| u32::try_from(at).map_err(|_| json::Error::Bytes(at));
            self.payload.spans.push((offset(self.element)?, offset(self.json.len())?));
        }
        Ok(())
    }

    fn unsigned(&mut self, number: u64) {
        self.json.extend_from_slice(Decimal::new(number).digits());
    }

    fn signed(&mut self, number: i64) {
        if number < 0 {
            self.json.push(b'-');
        }
        self.unsigned(number.unsigned_abs());
    }

    /// As the clients' language writes numbers: no fraction if there is none; null for what JSON has no word for.
    fn float(&mut self, number: f64) {
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0; // 2^53: above, not every integer is a float
        if !number.is_finite() {
            self.json.extend_from_slice(b"null");
        } else if number.fract() == 0.0 && number.abs() <= EXACT_MAX {
            self.signed(number as i64);
        } else {
            let written = write!(self.json, "{number:?}"); // not Display, which writes 1e300 in 301 digits
            debug_assert!(written.is_ok(), "memory takes everything");
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.binary == Binary::Numbers {
            self.json.push(b'[');
            for (i, byte) in bytes.iter().enumerate() {
                if i > 0 {
                    self.json.push(b',');
                }
                self.unsigned(u64::from(*byte));
            }
            self.json.push(b']');
            return Ok(());
        }
        let num = self.payload.attachments.len();
        if num >= limits::BINARIES_MAX {
            return Err(Fault::Binaries.into());
        }
        self.json.extend_from_slice(br#"{"_placeholder":true,"num":"#);
        self.unsigned(num as u64);
        self.json.push(b'}');
        self.payload.attachments.push(bytes.to_vec());
        Ok(())
    }

    /// What `JSON.stringify` makes of what the official decoder makes of an extension.
    fn extension(&mut self, kind: i8, data: &[u8], is_fixed: bool) -> Result<(), Error> {
        let big_endian =
            |bytes: &[u8]| bytes.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        match (kind, data, is_fixed) {
            (0, [_], true) => self.undefined(),
            (0, data, false) => return self.bytes(data),
            (0, data @ [_, _, _, _, _, _, _, _], true) => {
                write_date(&mut self.json, i128::from(big_endian(data) as i64));
            }
            (-1, data @ [_, _, _, _], true) => self.timestamp(i128::from(big_endian(data)), 0),
            (-1, data @ [_, _, _, _, _, _, _, _], true) => {
                let both = big_endian(data); // 30 bits of nanoseconds, 34 of seconds
                self.timestamp(i128::from(both & ((1 << 34) - 1)), both >> 34);
            }
            (-1, [nanos @ .., _, _, _, _, _, _, _, _], false) if nanos.len() == 4 => {
                let seconds = big_endian(&data[4..]) as i64;
                self.timestamp(i128::from(seconds), big_endian(nanos));
            }
            (-1, data, false) => return Err(Fault::Timestamp(data.len()).into()),
            (kind, data, _) => {
                self.json.push(b'[');
                self.signed(i64::from(kind));
                self.json.push(b',');
                self.bytes(data)?;
                self.json.push(b']');
            }
        }
        Ok(())
    }

    fn timestamp(&mut self, seconds: i128, nanos: u64) {
        let all = seconds * 1_000_000_000 + i128::from(nanos);
        write_date(&mut self.json, all / 1_000_000);
    }

    /// Null among elements, no member at all in a map.
    fn undefined(&mut self) {
        match self.frames.last() {
            Some(frame) if frame.is_map => self.json.truncate(frame.member),
            _ => self.json.extend_from_slice(b"null"),
        }
    }

    fn finish(mut self) -> Result<Payload, Error> {
        let count = self.payload.attachments.len() as u64;
        self.suspects.retain(|suspect| suspect.num < count);
        if !self.suspects.is_empty() {
            self.clear_suspects();
            let text = str::from_utf8(&self.json).map_err(|_| Fault::Text)?;
            self.payload.spans = json::scan_array(text)?;
        }
        let json = String::from_utf8(self.json).map_err(|_| Fault::Text)?;
        Ok(Payload { json, ..self.payload })
    }

    /// A map of the peer's own that says `_placeholder` must not be taken for the place of an attachment: its `num` is written with a
    /// fraction of zero. That is the same number to everyone, but not the index of anything.
    fn clear_suspects(&mut self) {
        self.suspects.sort_unstable_by_key(|suspect| suspect.end);
        let mut cleared = Vec::with_capacity(self.json.len() + 2 * self.suspects.len());
        let mut at = 0;
        for suspect in &self.suspects {
            cleared.extend_from_slice(&self.json[at..suspect.end]);
            cleared.extend_from_slice(b".0");
            at = suspect.end;
        }
        cleared.extend_from_slice(&self.json[at..]);
        self.json = cleared;
    }
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| Fault::Text)
}
