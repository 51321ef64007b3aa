//! The frames we send: unmasked, final, without extensions (RFC 6455 section 5.2).
//!
//! Not the payloads: the encoder of packets writes those behind the header. Also the way back, for the bytes
//! that we wrote ourselves and that polling must carry without their headers.

use super::Opcode;
use super::deflate::RSV1;
use crate::limits;

/// Bytes of the header of a frame with a payload of this many bytes: 2, 4 or 10.
pub const fn header_len(payload_len: usize) -> usize {
    match payload_len {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

/// Appends the header of a final, unmasked frame.
#[inline(always)] // most callers know the opcode, and have looked at the length
pub fn write_header(out: &mut Vec<u8>, opcode: Opcode, payload_len: usize) {
    let first = 0x80 | opcode as u8;
    match payload_len {
        0..=125 => out.extend_from_slice(&[first, payload_len as u8]),
        126..=0xffff => {
            let [a, b] = (payload_len as u16).to_be_bytes();
            out.extend_from_slice(&[first, 126, a, b]);
        }
        _ => {
            out.extend_from_slice(&[first, 127]);
            out.extend_from_slice(&(payload_len as u64).to_be_bytes());
        }
    }
}

/// Writes the header of a final, unmasked frame into room of [`header_len`] bytes that was left for it.
#[inline]
pub(crate) fn set_header(room: &mut [u8], opcode: Opcode, payload_len: usize) {
    room[0] = 0x80 | opcode as u8;
    match payload_len {
        0..=125 => room[1] = payload_len as u8,
        126..=0xffff => {
            room[1] = 126;
            room[2..4].copy_from_slice(&(payload_len as u16).to_be_bytes());
        }
        _ => {
            room[1] = 127;
            room[2..10].copy_from_slice(&(payload_len as u64).to_be_bytes());
        }
    }
}

/// Appends a close frame. Without a code it has no payload, and no reason either (RFC 6455 section 5.5.1).
///
/// A reason that does not fit a control frame is cut at a character boundary.
pub fn write_close(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let Some(code) = code else {
        return write_header(out, Opcode::Close, 0);
    };
    let reason = cut(reason, limits::CLOSE_REASON_BYTES_MAX);
    write_header(out, Opcode::Close, 2 + reason.len());
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// As many whole characters from the front of `text` as `max` bytes hold.
fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// Walks frames that [`write_header`] began, in order: their opcodes and payloads.
///
/// For our own bytes only. It ends at the first byte that we cannot have written.
pub fn server_frames(bytes: &[u8]) -> ServerFrames<'_> {
    ServerFrames { rest: bytes }
}

/// The frames of [`server_frames`].
#[derive(Debug, Clone)]
pub struct ServerFrames<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for ServerFrames<'a> {
    type Item = (Opcode, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let split = split_frame(self.rest);
        debug_assert!(split.is_some(), "bytes that are not ours");
        let (opcode, payload, rest) = split?;
        self.rest = rest;
        Some((opcode, payload))
    }
}

/// The first of our frames, and what follows it.
pub(super) fn split_frame(bytes: &[u8]) -> Option<(Opcode, &[u8], &[u8])> {
    let opcode = Opcode::parse(bytes.first()? & 0x7f).filter(|_| bytes[0] & 0x80 != 0)?;
    let (len, rest) = split_len(bytes)?;
    let (payload, rest) = rest.split_at_checked(len)?;
    Some((opcode, payload, rest))
}

/// Bytes of the frame of ours that these begin with, its header included; the payload need not be there. `None` for bytes that cannot
/// begin one of our frames, compressed or not, and where the header is incomplete.
pub fn server_frame_len(bytes: &[u8]) -> Option<usize> {
    const FINAL: u8 = 0x80;
    let first = *bytes.first()?;
    Opcode::parse(first & !(FINAL | RSV1)).filter(|_| first & FINAL != 0)?;
    let (len, rest) = split_len(bytes)?;
    (bytes.len() - rest.len()).checked_add(len)
}

/// The payload's length behind an unmasked frame's first byte, and what follows the header.
fn split_len(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&[_, second], rest) = bytes.split_first_chunk()?;
    let (len, rest) = match second {
        0..=125 => (u64::from(second), rest),
        126 => rest.split_first_chunk().map(|(len, rest)| (u64::from(u16::from_be_bytes(*len)), rest))?,
        127 => rest.split_first_chunk().map(|(len, rest)| (u64::from_be_bytes(*len), rest))?,
        _ => return None,
    };
    Some((usize::try_from(len).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 section 5.2: the shortest form, at every boundary.
    #[test]
    fn headers_have_the_announced_length_and_are_read_back() {
        for len in [0, 1, 125, 126, 127, 0xffff, 0x1_0000] {
            let mut out = Vec::new();
            write_header(&mut out, Opcode::Binary, len);
            assert_eq!(out.len(), header_len(len), "{len}");
            out.resize(out.len() + len, 7);
            write_close(&mut out, None, "unsaid");
            let frames: Vec<_> = server_frames(&out).collect();
            assert_eq!(frames, [(Opcode::Binary, &vec![7; len][..]), (Opcode::Close, &[][..])]);
        }
    }

    #[test]
    fn a_frame_tells_its_length_before_its_payload_is_there() {
        for (bytes, len) in [
            (&b"\x81\x02"[..], Some(4)),
            (b"\xc2\x7e\x01\x00", Some(4 + 256)),
            (b"\x82\x7f\0\0\0\0\0\x01\0\0", Some(10 + (1 << 16))),
            (b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\x81", None),
            (b"\x81\x7e\x01", None),
            (b"\x81\x81", None),
            (b"HTTP/1.1", None),
            (b"", None),
        ] {
            assert_eq!(server_frame_len(bytes), len, "{bytes:?}");
        }
    }

    /// RFC 6455 section 5.5: a close frame is a control frame, 125 bytes at most.
    #[test]
    fn a_reason_is_cut_between_characters() {
        let mut out = Vec::new();
        write_close(&mut out, Some(1001), &"é".repeat(100));
        let (opcode, payload) = server_frames(&out).next().expect("a frame");
        assert_eq!((opcode, payload.len()), (Opcode::Close, 124));
        assert_eq!(payload, [&1001u16.to_be_bytes(), "é".repeat(61).as_bytes()].concat());
    }

    #[test]
    fn a_close_without_a_code_is_two_bytes() {
        let mut out = Vec::new();
        write_close(&mut out, None, "");
        assert_eq!(out, [0x88, 0]);
    }
}
