//! The text payload of Engine.IO 3: each packet behind its length in UTF-16 code units. It is not the HTTP body's
//! limit, and not the form for clients that take bytes.

use super::super::items::{Items, Taken};
use super::super::packet::{Error, decode};
use super::super::payload::{PayloadItem, append_base64};
use crate::{limits, ws};

/// Reads a payload, packet by packet; the caller may stop at any of them. It ends after its first error.
///
/// # Errors
/// Those of [`item`], and [`Error::Framing`]. A body without a packet is an error, as in the reference.
pub fn payload(body: &str) -> Items<'_, str> {
    Items::new(body, take)
}

fn take(rest: &str) -> Taken<'_, str> {
    match split(rest) {
        Some((packet, tail)) => (item(packet), Some(tail).filter(|tail| !tail.is_empty())),
        None => (Err(Error::Framing), None),
    }
}

/// Reads one packet, in a payload or in a text frame: binary messages may come as `b4` and base64.
///
/// # Errors
/// Those of [`decode`], [`Error::Base64`], and [`Error::Type`] for a `b` that no message follows.
pub fn item(text: &str) -> Result<PayloadItem<'_>, Error> {
    match text.strip_prefix('b') {
        Some(rest) => match rest.strip_prefix('4') {
            Some(base64) => PayloadItem::from_base64(base64),
            None => Err(Error::Type('b')),
        },
        None => decode(text).map(PayloadItem::Packet),
    }
}

/// Appends frames that we wrote ourselves as a payload: text frames as they are, binary frames as `b4` and base64,
/// control frames not at all.
pub fn write_payload(out: &mut Vec<u8>, frames: &[u8]) {
    for (opcode, bytes) in ws::server_frames(frames) {
        match opcode {
            ws::Opcode::Text => {
                write_length(out, utf16_len(bytes));
                out.extend_from_slice(bytes);
            }
            ws::Opcode::Binary => {
                write_length(out, BASE64_PREFIX.len() + bytes.len().div_ceil(3) * 4);
                append_base64(out, BASE64_PREFIX, bytes);
            }
            _ => {}
        }
    }
}

/// What base64 of a binary message stands behind.
pub(super) const BASE64_PREFIX: &[u8] = b"b4";

fn write_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b':');
}

/// The packet behind the length at the front, and what follows it.
fn split(rest: &str) -> Option<(&str, &str)> {
    let count = rest.bytes().take(limits::PAYLOAD_LENGTH_DIGITS_MAX).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = rest.split_at(count);
    if count > 1 && digits.starts_with('0') {
        return None;
    }
    split_units(rest.strip_prefix(':')?, digits.parse().ok()?)
}

/// Splits a text after so many UTF-16 code units: characters outside the basic plane count twice.
fn split_units(text: &str, units: usize) -> Option<(&str, &str)> {
    if text.as_bytes().get(..units)?.is_ascii() {
        return Some(text.split_at(units));
    }
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return Some(text.split_at(at));
        }
        left = left.checked_sub(character.len_utf16())?;
    }
    (left == 0).then_some((text, ""))
}

/// UTF-16 code units of UTF-8 text: one a character, two for those of four bytes.
fn utf16_len(text: &[u8]) -> usize {
    let units = |&byte: &u8| usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0);
    text.iter().map(units).sum()
}

#[cfg(test)]
mod tests {
    use super::super::super::Packet;
    use super::*;

    #[test]
    fn lengths_are_utf16_units() {
        for text in ["", "hello", "é€", "😀", "a😀é", "\u{ffff}\u{10000}"] {
            assert_eq!(utf16_len(text.as_bytes()), text.encode_utf16().count(), "{text}");
        }
        let body = "3:4😀2:4é";
        let messages = ["😀", "é"].map(|text| Ok(PayloadItem::Packet(Packet::Message(text))));
        assert_eq!(payload(body).collect::<Vec<_>>(), messages);
    }

    /// A length that ends within a surrogate pair ends within a character.
    #[test]
    fn a_length_does_not_divide_a_character() {
        assert_eq!(payload("2:4😀").collect::<Vec<_>>(), [Err(Error::Framing)]);
    }

    /// CVE-2020-36048: many small packets are linear work.
    #[test]
    fn the_number_of_packets_is_the_clients_affair() {
        let body = "1:3".repeat(100_000);
        assert_eq!(payload(&body).filter(Result::is_ok).count(), 100_000);
    }
}
