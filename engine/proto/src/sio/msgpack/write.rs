//! A packet of the server's as one binary frame, written from the JSON text that the other parser would send. It checks nothing: the text
//! was written by a serializer, or checked when it came.
//!
//! One pass over the text. MessagePack wants to know how many elements follow before the first, and a frame how long it is; so a header's room is
//! guessed, and where the guess was wrong, what came after is moved by a few bytes: an array or map of more than 15 members, a string with
//! escapes. Each number and each string has the shortest form, as the official encoder writes it. That encoder loses integers beyond 64
//! bits; here they are floats, which is what clients read from JSON.

use smallvec::SmallVec;

use super::date::read_date;
use crate::encode::{Kind, Packet};
use crate::sio::json;
use crate::ws;

/// Appends a packet's frame, and says that it is one.
pub fn write<A: AsRef<[u8]>>(out: &mut Vec<u8>, packet: &Packet<'_, A>) -> usize {
    let binary: usize = packet.attachments.iter().map(|attachment| attachment.as_ref().len()).sum();
    let guess = ws::header_len(MEMBERS_BYTES + packet.nsp.len() + packet.payload.len() + binary);
    out.reserve(guess + MEMBERS_BYTES + packet.nsp.len() + packet.payload.len() + binary);
    let start = out.len();
    out.resize(start + guess, 0);
    write_packet(out, packet);
    let length = out.len() - start - guess;
    move_tail(out, start, guess, ws::header_len(length));
    ws::set_header(&mut out[start..], ws::Opcode::Binary, length);
    1
}

/// The names of the members and an id.
const MEMBERS_BYTES: usize = 30;

fn write_packet<A: AsRef<[u8]>>(out: &mut Vec<u8>, packet: &Packet<'_, A>) {
    let has_data = !packet.payload.is_empty();
    out.push(0x82 + u8::from(has_data) + u8::from(packet.id.is_some()));
    write_str(out, b"type");
    out.push(match packet.kind {
        Kind::Connect => 0,
        Kind::Disconnect => 1,
        Kind::Event => 2,
        Kind::Ack => 3,
        Kind::ConnectError => 4,
    });
    if has_data {
        write_str(out, b"data");
        write_json(out, packet.payload, packet.attachments);
    }
    write_str(out, b"nsp");
    write_str(out, packet.nsp.as_bytes());
    if let Some(id) = packet.id {
        write_str(out, b"id");
        write_unsigned(out, id);
    }
}

/// Writes one JSON value.
fn write_json<A: AsRef<[u8]>>(out: &mut Vec<u8>, text: &[u8], attachments: &[A]) {
    let mut writer = Writer { out, text, at: 0, frames: SmallVec::new(), attachments };
    while let Some(&byte) = text.get(writer.at) {
        match byte {
            b'{' | b'[' => writer.open(byte == b'{'),
            b'}' | b']' => writer.close(),
            b'"' => writer.string(),
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => writer.at += 1,
            _ => writer.scalar(),
        }
    }
    while !writer.frames.is_empty() {
        writer.close(); // only of what is no JSON is anything left open
    }
}

struct Writer<'a, A> {
    out: &'a mut Vec<u8>,
    text: &'a [u8],
    at: usize,
    frames: SmallVec<[Frame; 8]>,
    attachments: &'a [A],
}

/// An open array or object.
struct Frame {
    /// Where its header is.
    start: usize,
    /// Elements so far; keys and values in an object.
    count: usize,
    is_object: bool,
    key: Key,
    /// Whether its last `_placeholder` is true.
    is_marked: bool,
    /// Its last `num`, if that is the number of an attachment.
    num: Option<usize>,
}

/// What is known of the key before a value; only if there are attachments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Placeholder,
    Num,
    Other,
}

impl<A: AsRef<[u8]>> Writer<'_, A> {
    fn open(&mut self, is_object: bool) {
        self.count(b"");
        let start = self.out.len();
        self.out.push(0);
        self.at += 1;
        let key = Key::Other;
        self.frames.push(Frame { start, count: 0, is_object, key, is_marked: false, num: None });
    }

    fn close(&mut self) {
        self.at += 1;
        let Some(frame) = self.frames.pop() else { return };
        if frame.is_marked
            && let Some(bytes) = frame.num.and_then(|num| self.attachments.get(num))
        {
            self.out.truncate(frame.start);
            return write_bin(self.out, bytes.as_ref());
        }
        let (count, forms) = if frame.is_object { (frame.count / 2, &MAP) } else { (frame.count, &ARRAY) };
        move_tail(self.out, frame.start, 1, forms.header_len(count));
        forms.set(&mut self.out[frame.start..], count);
    }

    fn string(&mut self) {
        let raw = &self.text[self.at..string_end(self.text, self.at)];
        self.at += raw.len();
        let is_key = self.frames.last().is_some_and(|frame| frame.is_object && frame.count % 2 == 0);
        let start = self.out.len();
        match marked_date(raw).filter(|_| !is_key) {
            Some(ms) => {
                self.out.extend_from_slice(&[0xd7, 0]);
                self.out.extend_from_slice(&ms.to_be_bytes());
            }
            None => write_string(self.out, raw),
        }
        if !is_key {
            return self.count(raw);
        }
        let Some(frame) = self.frames.last_mut() else { return };
        frame.count += 1;
        if !self.attachments.is_empty() {
            frame.key = match &self.out[start..] {
                b"\xac_placeholder" => Key::Placeholder,
                b"\xa3num" => Key::Num,
                _ => Key::Other,
            };
        }
    }

    fn scalar(&mut self) {
        let rest = &self.text[self.at..];
        let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
        let raw = &rest[..rest.iter().position(is_end).unwrap_or(rest.len())];
        self.at += raw.len();
        let after = &self.text[self.at..];
        match raw {
            b"null" if after.starts_with(json::NAN_MARK.as_bytes()) => {
                write_sized(self.out, 0xcb, &f64::NAN.to_be_bytes());
            }
            b"null" if after.starts_with(json::UNDEFINED_MARK.as_bytes()) => {
                self.out.extend_from_slice(&[0xd4, 0, 0]);
            }
            b"null" => self.out.push(0xc0),
            b"false" => self.out.push(0xc2),
            b"true" => self.out.push(0xc3),
            _ => write_number(self.out, raw),
        }
        self.count(raw);
    }

    /// Counts a value, and keeps in mind what it says about placeholders.
    fn count(&mut self, raw: &[u8]) {
        let Some(frame) = self.frames.last_mut() else { return };
        frame.count += 1;
        match frame.key {
            Key::Placeholder => frame.is_marked = raw == b"true",
            Key::Num => frame.num = index(raw),
            Key::Other => {}
        }
        frame.key = Key::Other;
    }
}

/// A plain integer: no sign, no fraction, no exponent.
fn index(raw: &[u8]) -> Option<usize> {
    let is_plain = !raw.is_empty() && raw.iter().all(u8::is_ascii_digit);
    str::from_utf8(raw).ok().filter(|_| is_plain)?.parse().ok()
}

/// The end of the string literal that begins at `at`.
fn string_end(text: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    loop {
        end = json::plain_end(text, end);
        match text.get(end) {
            Some(b'"') => return end + 1,
            Some(b'\\') => end = (end + 2).min(text.len()),
            Some(_) => end += 1,
            None => return text.len(),
        }
    }
}

/// The moment that a string literal stands for whose first digit or sign is escaped, as the reader writes dates.
fn marked_date(raw: &[u8]) -> Option<i64> {
    let inside = raw.strip_prefix(b"\"\\u00")?.strip_suffix(b"\"")?;
    let mut text = Vec::new();
    json::unescape_lossy(&mut text, raw.get(1..raw.len() - 1)?);
    (text.len() + 5 == inside.len() + 4).then_some(())?; // nothing else is escaped
    i64::try_from(read_date(&text)?).ok()
}

/// Writes a string literal with its quotes.
fn write_string(out: &mut Vec<u8>, raw: &[u8]) {
    let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if json::plain_end(inside, 0) == inside.len() {
        return write_str(out, inside);
    }
    let (start, guess) = (out.len(), STR.header_len(inside.len()));
    out.resize(start + guess, 0);
    json::unescape_lossy(out, inside);
    let len = out.len() - start - guess;
    move_tail(out, start, guess, STR.header_len(len));
    STR.set(&mut out[start..], len);
}

fn write_number(out: &mut Vec<u8>, raw: &[u8]) {
    let text = str::from_utf8(raw).unwrap_or_default();
    if let Ok(number) = text.parse() {
        return write_unsigned(out, number);
    }
    if let Ok(number) = text.parse() {
        return write_signed(out, number);
    }
    let number: f64 = text.parse().unwrap_or(f64::NAN);
    const UNSIGNED_END: f64 = 18_446_744_073_709_551_616.0; // 2^64
    const SIGNED_MIN: f64 = -9_223_372_036_854_775_808.0; // -2^63
    if number.fract() == 0.0 && (0.0..UNSIGNED_END).contains(&number) {
        write_unsigned(out, number as u64);
    } else if number.fract() == 0.0 && (SIGNED_MIN..0.0).contains(&number) {
        write_signed(out, number as i64);
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn write_unsigned(out: &mut Vec<u8>, number: u64) {
    let bytes = number.to_be_bytes();
    match number {
        0..0x80 => out.push(bytes[7]),
        0x80..0x100 => write_sized(out, 0xcc, &bytes[7..]),
        0x100..0x1_0000 => write_sized(out, 0xcd, &bytes[6..]),
        0x1_0000..0x1_0000_0000 => write_sized(out, 0xce, &bytes[4..]),
        _ => write_sized(out, 0xcf, &bytes),
    }
}

fn write_signed(out: &mut Vec<u8>, number: i64) {
    let bytes = number.to_be_bytes();
    match number {
        0.. => write_unsigned(out, number as u64),
        -0x20..0 => out.push(bytes[7]),
        -0x80..-0x20 => write_sized(out, 0xd0, &bytes[7..]),
        -0x8000..-0x80 => write_sized(out, 0xd1, &bytes[6..]),
        -0x8000_0000..-0x8000 => write_sized(out, 0xd2, &bytes[4..]),
        _ => write_sized(out, 0xd3, &bytes),
    }
}

fn write_sized(out: &mut Vec<u8>, first: u8, bytes: &[u8]) {
    out.push(first);
    out.extend_from_slice(bytes);
}

fn write_str(out: &mut Vec<u8>, text: &[u8]) {
    write_headed(out, &STR, text);
}

fn write_bin(out: &mut Vec<u8>, bytes: &[u8]) {
    write_headed(out, &BIN, bytes);
}

fn write_headed(out: &mut Vec<u8>, forms: &Forms, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + forms.header_len(bytes.len()), 0);
    forms.set(&mut out[start..], bytes.len());
    out.extend_from_slice(bytes);
}

/// The forms of a header, for sizes from small to large; `None` is a form that does not exist.
struct Forms {
    /// The first byte with the size in it, and one more than the largest such size.
    fixed: Option<(u8, usize)>,
    /// The first byte before 8, 16 and 32 bits of size.
    sized: [Option<u8>; 3],
}

const STR: Forms = Forms { fixed: Some((0xa0, 32)), sized: [Some(0xd9), Some(0xda), Some(0xdb)] };
const BIN: Forms = Forms { fixed: None, sized: [Some(0xc4), Some(0xc5), Some(0xc6)] };
const ARRAY: Forms = Forms { fixed: Some((0x90, 16)), sized: [None, Some(0xdc), Some(0xdd)] };
const MAP: Forms = Forms { fixed: Some((0x80, 16)), sized: [None, Some(0xde), Some(0xdf)] };

impl Forms {
    /// The first byte for a size, and how many bytes of size follow it.
    fn form(&self, size: usize) -> (u8, usize) {
        match (self.fixed, self.sized) {
            (Some((first, end)), _) if size < end => (first | size as u8, 0),
            (_, [Some(first), _, _]) if size < 0x100 => (first, 1),
            (_, [_, Some(first), _]) if size < 0x1_0000 => (first, 2),
            (_, [_, _, first]) => (first.unwrap_or(0xc1), 4),
        }
    }

    fn header_len(&self, size: usize) -> usize {
        1 + self.form(size).1
    }

    /// Writes the header into room that was made for it. A packet is far below 4 GiB, as the arena is.
    fn set(&self, room: &mut [u8], size: usize) {
        let (first, width) = self.form(size);
        room[0] = first;
        room[1..=width].copy_from_slice(&(size as u32).to_be_bytes()[4 - width..]);
    }
}

/// Makes a header's room at `start`, guessed as `guess` bytes, `right` bytes: what follows it moves.
fn move_tail(out: &mut Vec<u8>, start: usize, guess: usize, right: usize) {
    let end = out.len();
    if guess < right {
        out.resize(end + right - guess, 0);
        out.copy_within(start + guess..end, start + right);
    } else if guess > right {
        out.copy_within(start + guess.., start + right);
        out.truncate(end - (guess - right));
    }
}
