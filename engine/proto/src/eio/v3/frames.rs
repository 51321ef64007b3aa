//! WebSocket frames of Engine.IO 3, made of those of Engine.IO 4. It does not compress, and does not touch text frames,
//! which are the same.

use super::super::packet::Error;
use super::super::payload::append_base64;
use super::MESSAGE;
use super::text::BASE64_PREFIX;
use crate::ws;

/// What a binary frame of a client carries.
///
/// # Errors
/// [`Error::Empty`], and [`Error::BinaryType`] for any type but that of a message.
pub fn message(frame: &[u8]) -> Result<&[u8], Error> {
    match frame.split_first() {
        Some((&MESSAGE, message)) => Ok(message),
        Some((&found, _)) => Err(Error::BinaryType(found)),
        None => Err(Error::Empty),
    }
}

/// Whether any of these frames is binary: if not, they are the same in both revisions.
pub fn has_binary(frames: &[u8]) -> bool {
    ws::server_frames(frames).any(|(opcode, _)| opcode == ws::Opcode::Binary)
}

/// Appends frames that we wrote ourselves, each binary one with its type before its bytes.
pub fn write_frames(out: &mut Vec<u8>, frames: &[u8]) {
    for (opcode, bytes) in ws::server_frames(frames) {
        let prefix: &[u8] = if opcode == ws::Opcode::Binary { &[MESSAGE] } else { &[] };
        ws::write_header(out, opcode, prefix.len() + bytes.len());
        out.extend_from_slice(prefix);
        out.extend_from_slice(bytes);
    }
}

/// Appends frames that we wrote ourselves for a client that said it cannot take binary: text frames with base64 in the
/// place of binary ones.
pub fn write_base64_frames(out: &mut Vec<u8>, frames: &[u8]) {
    for (opcode, bytes) in ws::server_frames(frames) {
        if opcode == ws::Opcode::Binary {
            ws::write_header(out, ws::Opcode::Text, BASE64_PREFIX.len() + bytes.len().div_ceil(3) * 4);
            append_base64(out, BASE64_PREFIX, bytes);
        } else {
            ws::write_header(out, opcode, bytes.len());
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: &[u8] = b"\x81\x024x\x82\x03\x01\x02\x03";

    #[test]
    fn only_binary_frames_differ() {
        let (mut typed, mut base64) = (Vec::new(), Vec::new());
        write_frames(&mut typed, FRAMES);
        write_base64_frames(&mut base64, FRAMES);
        assert_eq!(typed, b"\x81\x024x\x82\x04\x04\x01\x02\x03");
        assert_eq!(base64, b"\x81\x024x\x81\x06b4AQID");
        assert!(has_binary(FRAMES) && !has_binary(&FRAMES[..4]));
    }

    #[test]
    fn only_messages_are_binary() {
        assert_eq!(message(&[4, 1, 2]), Ok(&[1, 2][..]));
        assert_eq!(message(&[4]), Ok(&[][..]));
        assert_eq!(message(&[2]), Err(Error::BinaryType(2)));
        assert_eq!(message(&[]), Err(Error::Empty));
    }
}
