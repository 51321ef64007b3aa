//! The binary payload of Engine.IO 3, for clients whose requests take bytes. It is not used for payloads of text alone,
//! which every client reads.

use super::super::items::{Items, Taken};
use super::super::packet::Error;
use super::super::payload::PayloadItem;
use super::frames::message;
use super::{MESSAGE, item};
use crate::{limits, ws};

/// Reads a payload, packet by packet; the caller may stop at any of them. It ends after its first error.
///
/// # Errors
/// As [`super::payload`], and [`Error::NotText`] for a text packet that is no UTF-8. Where the reference takes a length
/// beyond the body for the body's, this is strict.
pub fn binary_payload(body: &[u8]) -> Items<'_, [u8]> {
    Items::new(body, take)
}

fn take(rest: &[u8]) -> Taken<'_, [u8]> {
    match split(rest) {
        Some((kind, packet, tail)) => (read(kind, packet), Some(tail).filter(|tail| !tail.is_empty())),
        None => (Err(Error::Framing), None),
    }
}

/// Appends frames that we wrote ourselves as a payload, control frames not at all.
pub fn write_binary_payload(out: &mut Vec<u8>, frames: &[u8]) {
    for (opcode, bytes) in ws::server_frames(frames) {
        match opcode {
            ws::Opcode::Text => {
                write_head(out, Kind::Text, bytes.len());
                out.extend_from_slice(bytes);
            }
            ws::Opcode::Binary => {
                write_head(out, Kind::Binary, 1 + bytes.len());
                out.push(MESSAGE);
                out.extend_from_slice(bytes);
            }
            _ => {}
        }
    }
}

/// What a packet is, by the byte before its length.
#[derive(Clone, Copy)]
enum Kind {
    Text = 0,
    Binary = 1,
}

/// What ends the digits of a length.
const LENGTH_END: u8 = 255;

fn write_head(out: &mut Vec<u8>, kind: Kind, length: usize) {
    out.push(kind as u8);
    out.extend(length.to_string().bytes().map(|digit| digit - b'0'));
    out.push(LENGTH_END);
}

/// The packet behind the head at the front, and what follows it.
fn split(rest: &[u8]) -> Option<(Kind, &[u8], &[u8])> {
    let (&kind, rest) = rest.split_first()?;
    let kind = match kind {
        0 => Kind::Text,
        1 => Kind::Binary,
        _ => return None,
    };
    let count = rest.iter().take(limits::PAYLOAD_LENGTH_DIGITS_MAX).take_while(|&&digit| digit <= 9).count();
    let (digits, rest) = rest.split_at(count);
    if digits.is_empty() || count > 1 && digits[0] == 0 {
        return None;
    }
    let length = digits.iter().fold(0, |length, &digit| length * 10 + usize::from(digit));
    let (packet, tail) = rest.strip_prefix(&[LENGTH_END])?.split_at_checked(length)?;
    Some((kind, packet, tail))
}

fn read(kind: Kind, packet: &[u8]) -> Result<PayloadItem<'_>, Error> {
    match kind {
        Kind::Text => item(std::str::from_utf8(packet).map_err(|_| Error::NotText)?),
        Kind::Binary => message(packet).map(|bytes| PayloadItem::Binary(bytes.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Packet;
    use super::*;

    /// Engine.IO protocol v3, "Payload", with the suite's example.
    #[test]
    fn the_example_of_the_suite_is_read_and_written() {
        let body = [0, 6, 255, b'4', b'h', b'e', b'l', b'l', b'o', 1, 5, 255, 4, 1, 2, 3, 4];
        let items: Vec<_> = binary_payload(&body).collect();
        let hello = PayloadItem::Packet(Packet::Message("hello"));
        assert_eq!(items, [Ok(hello), Ok(PayloadItem::Binary(vec![1, 2, 3, 4]))]);
        let mut written = Vec::new();
        write_binary_payload(&mut written, b"\x81\x064hello\x82\x04\x01\x02\x03\x04");
        assert_eq!(written, body);
    }

    /// Digits without end are not read without end (CVE-2020-36048).
    #[test]
    fn a_length_has_few_digits() {
        let body = [vec![0], vec![1; limits::PAYLOAD_LENGTH_DIGITS_MAX + 1], vec![255]].concat();
        assert_eq!(binary_payload(&body).collect::<Vec<_>>(), [Err(Error::Framing)]);
    }
}
