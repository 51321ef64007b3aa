//! The client's side of a WebSocket: it masks what it writes, and reads unmasked frames.
//!
//! Not the engine's codec, so that a fault there cannot hide itself. RFC 6455, sections 5.2 to 5.5.

use crate::random::Random;

/// What a client finds in the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// The end, with its code.
    Close(Option<u16>),
    /// An answer to a ping.
    Pong,
}

/// Reads frames from bytes that come in any pieces.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
}

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const MASKED: u8 = 0x80;

impl Reader {
    /// A reader of a stream that began with these bytes.
    pub const fn of(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// More bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// What a server must not send, in words.
    pub fn take(&mut self) -> Result<Option<Frame>, String> {
        let &[first, second, ..] = self.bytes.as_slice() else { return Ok(None) };
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(length_bytes) = self.bytes.get(2..2 + extended) else { return Ok(None) };
        let length = match extended {
            0 => u64::from(second & 0x7f),
            _ => length_bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
        } as usize;
        if second & MASKED != 0 || first & FIN == 0 || first & 0x70 != 0 {
            return Err(format!("a frame that begins with {first:#x} {second:#x}"));
        }
        let end = 2 + extended + length;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let payload = self.bytes[2 + extended..end].to_vec();
        self.bytes.drain(..end);
        frame(first & 0x0f, payload).map(Some)
    }

    /// Whether no frame has begun that has not ended.
    pub fn is_between_frames(&self) -> bool {
        self.bytes.is_empty()
    }
}

fn frame(opcode: u8, payload: Vec<u8>) -> Result<Frame, String> {
    match opcode {
        1 => String::from_utf8(payload).map(Frame::Text).map_err(|_| "text that is not UTF-8".into()),
        2 => Ok(Frame::Binary(payload)),
        8 => Ok(Frame::Close(payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]])))),
        10 => Ok(Frame::Pong),
        other => Err(format!("a frame with opcode {other}")),
    }
}

/// Whether the last frame of what a server sent is a close frame, with a code or without. Its beginning may be missing.
pub fn ends_with_close(sent: &[u8]) -> bool {
    matches!(sent, [.., first, 0] | [.., first, 2, _, _] if *first == FIN | CLOSE)
}

/// What is no WebSocket: a reserved opcode, and bytes behind it.
pub fn write_rubbish(random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![FIN | 3, MASKED];
    bytes.resize(2 + random.between(4, 400), 0xff);
    bytes
}

/// A text message, now and then in fragments with a ping between them.
pub fn write_text(random: &mut Random, text: &str) -> Vec<u8> {
    write_message(random, TEXT, text.as_bytes())
}

/// A binary message, in fragments as often.
pub fn write_binary(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    write_message(random, BINARY, bytes)
}

/// The beginning of a text message: so many bytes of one that is longer.
pub fn write_beginning(random: &mut Random, bytes: usize) -> Vec<u8> {
    let mut out = masked(random, FIN | TEXT, &vec![b'4'; bytes * 2]);
    out.truncate(bytes);
    out
}

fn write_message(random: &mut Random, opcode: u8, bytes: &[u8]) -> Vec<u8> {
    if bytes.len() < 2 || !random.percent(6) {
        return masked(random, FIN | opcode, bytes);
    }
    let (head, tail) = bytes.split_at(random.between(1, bytes.len() - 1));
    let mut out = masked(random, opcode, head);
    if random.percent(30) {
        out.extend(masked(random, FIN | PING, b"sim"));
    }
    out.extend(masked(random, FIN | CONTINUATION, tail));
    out
}

/// The end in good order.
pub fn write_close(random: &mut Random) -> Vec<u8> {
    masked(random, FIN | CLOSE, &1000_u16.to_be_bytes())
}

pub(crate) fn masked(random: &mut Random, first: u8, payload: &[u8]) -> Vec<u8> {
    let key = (random.number() as u32).to_be_bytes();
    let mut out = match payload.len() {
        0..=125 => vec![first, MASKED | payload.len() as u8],
        126..=0xffff => {
            let [a, b] = (payload.len() as u16).to_be_bytes();
            vec![first, MASKED | 126, a, b]
        }
        _ => [&[first, MASKED | 127][..], &(payload.len() as u64).to_be_bytes()].concat(),
    };
    out.extend(key);
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

#[cfg(test)]
mod tests {
    use socketville_proto::ws;

    use super::*;

    #[test]
    fn the_engine_reads_what_the_client_writes() {
        let mut random = Random::new(1);
        for length in [0, 1, 125, 126, 70_000] {
            let text = "x".repeat(length);
            let mut bytes = masked(&mut random, FIN | TEXT, text.as_bytes());
            let mut decoder = ws::Decoder::new();
            let (_, message) = decoder.decode(&mut bytes, 100_000).expect("a frame");
            assert_eq!(message, Some(ws::Message::Text(&text)));
        }
    }

    #[test]
    fn frames_come_in_any_pieces() {
        let mut bytes = Vec::new();
        for length in [3, 200, 70_000] {
            ws::write_header(&mut bytes, ws::Opcode::Text, length);
            bytes.extend(vec![b'y'; length]);
        }
        ws::write_close(&mut bytes, Some(1000), "");
        let (mut reader, mut frames) = (Reader::default(), Vec::new());
        for piece in bytes.chunks(7) {
            reader.push(piece);
            while let Some(frame) = reader.take().expect("good frames") {
                frames.push(frame);
            }
        }
        let lengths: Vec<_> =
            frames.iter().map(|frame| if let Frame::Text(text) = frame { text.len() } else { 0 }).collect();
        assert_eq!(lengths, [3, 200, 70_000, 0]);
        assert_eq!(frames.last(), Some(&Frame::Close(Some(1000))));
        assert!(reader.is_between_frames());
    }

    #[test]
    fn a_masked_frame_is_no_servers() {
        let mut reader = Reader::of(vec![0x81, 0x81, 0, 0, 0, 0, 0]);
        assert!(reader.take().is_err());
    }
}
