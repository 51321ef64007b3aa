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
pub(super) fn read(bytes: &[u8], binary: Binary, depth_max: u8) -> Result<Payload, Error> {
    let mut scribe = Scribe {
        reader: Reader::new(bytes),
        json: Vec::with_capacity(bytes.len()),
        payload: Payload::default(),
        frames: SmallVec::new(),
        element: 0,
        suspects: Vec::new(),
        binary,
        depth_max: u32::from(depth_max).min(limits::JSON_DEPTH_MAX) as usize,
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
    depth_max: usize,
}

/// An open array or map.
struct Frame {
    /// Elements, or keys, that have not come yet.
    left: u32,
    is_map: bool,
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
        if self.frames.len() >= self.depth_max {
            return Err(Fault::Depth.into());
        }
        self.note(Head::Nil, self.json.len());
        self.json.push(if is_map { b'{' } else { b'[' });
        self.frames.push(Frame { left: count, is_map, key: Key::Other, is_marked: false, num: None });
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

    /// As the clients' language writes numbers: no fraction if there is none. What JSON has no word for is null with a mark, or a number that no float
    /// reaches.
    fn float(&mut self, number: f64) {
        const UNSIGNED_END: f64 = 18_446_744_073_709_551_616.0; // 2^64
        const SIGNED_MIN: f64 = -9_223_372_036_854_775_808.0; // -2^63
        if number.is_nan() {
            self.marked_null(json::NAN_MARK);
        } else if number.is_infinite() {
            self.json.extend_from_slice(if number > 0.0 { b"1e999" } else { b"-1e999" });
        } else if number.fract() == 0.0 && (SIGNED_MIN..0.0).contains(&number) {
            self.signed(number as i64);
        } else if number.fract() == 0.0 && (0.0..UNSIGNED_END).contains(&number) {
            self.unsigned(number as u64);
        } else {
            let written = write!(self.json, "{number:?}"); // not Display, which writes 1e300 in 301 digits
            debug_assert!(written.is_ok(), "memory takes everything");
        }
    }

    /// A null to all who read JSON, and what it stands for to the writer.
    fn marked_null(&mut self, mark: &str) {
        self.json.extend_from_slice(b"null");
        self.json.extend_from_slice(mark.as_bytes());
    }

    /// Whether so many levels more are within the limit.
    fn check_depth(&self, levels: usize) -> Result<(), Error> {
        let is_within = self.frames.len() + levels <= self.depth_max;
        is_within.then_some(()).ok_or_else(|| Fault::Depth.into())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.check_depth(1)?; // a placeholder or a list
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
            (0, [_], true) => self.marked_null(json::UNDEFINED_MARK),
            (0, data, false) => return self.bytes(data),
            (0, data @ [_, _, _, _, _, _, _, _], true) => {
                self.date(i128::from(big_endian(data) as i64));
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
                self.check_depth(2)?;
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
        self.date(all.div_euclid(1_000_000));
    }

    /// A text whose first digit or sign is escaped: no writer of JSON does that, so the writer knows it for a date.
    fn date(&mut self, ms: i128) {
        let start = self.json.len();
        write_date(&mut self.json, ms);
        if let Some([b'"', first, ..]) = self.json.get(start..) {
            let escape = format!("\\u{first:04x}");
            self.json.splice(start + 1..start + 2, escape.bytes());
        }
    }

    fn finish(mut self) -> Result<Payload, Error> {
        let count = self.payload.attachments.len() as u64;
        self.suspects.retain(|suspect| suspect.num < count);
        if !self.suspects.is_empty() {
            self.clear_suspects()?;
        }
        let json = String::from_utf8(self.json).map_err(|_| Fault::Text)?;
        Ok(Payload { json, ..self.payload })
    }

    /// A map of the peer's own that says `_placeholder` must not be taken for the place of an attachment: its `num` is written with a
    /// fraction of zero. That is the same number to everyone, but not the index of anything.
    fn clear_suspects(&mut self) -> Result<(), Error> {
        self.suspects.sort_unstable_by_key(|suspect| suspect.end);
        for span in &mut self.payload.spans {
            for at in [&mut span.0, &mut span.1] {
                let before = self.suspects.partition_point(|suspect| suspect.end <= *at as usize);
                let moved = *at as usize + 2 * before;
                *at = u32::try_from(moved).map_err(|_| json::Error::Bytes(moved))?;
            }
        }
        let mut cleared = Vec::with_capacity(self.json.len() + 2 * self.suspects.len());
        let mut at = 0;
        for suspect in &self.suspects {
            cleared.extend_from_slice(&self.json[at..suspect.end]);
            cleared.extend_from_slice(b".0");
            at = suspect.end;
        }
        cleared.extend_from_slice(&self.json[at..]);
        self.json = cleared;
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| Fault::Text)
}
