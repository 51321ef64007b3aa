//! The decoder of what a client sends: frames in, whole messages out.
//!
//! Not a reader and not a queue: it takes bytes from the front of the caller's buffer and stops at each
//! message. Cost, for a frame that lies whole in the buffer, which is nearly every one: a header of 6 to 14
//! bytes, one pass to unmask, one to validate text; no copy, no allocation. A message whose bytes come in
//! several reads or fragments is collected behind one pointer, which is all that an idle connection holds.
//!
//! ```text
//!            header whole, payload whole, no fragments
//! input ----------------------------------------------------> message borrowed from input
//!   |  header cut off: kept    payload cut off: unmasked and kept      last byte of last fragment
//!   `-> Partial.header -----> Partial.frame ---> Partial.message ------> message borrowed from the decoder
//! ```

use super::deflate::{Inflater, RSV1};
use super::frame::{Frame, Packing, Start};
use super::partial::Partial;
use super::{Error, Opcode, close, mask};
use crate::limits;

/// A whole message or control frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message: valid UTF-8.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping; answer with a pong of the same payload, at most 125 bytes.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// A close frame: its code and reason, if it has them. What follows it is to be ignored.
    Close(Option<(u16, &'a str)>),
}

/// The server's side of one WebSocket's inbound bytes.
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
}

/// A complete message, by where its bytes are.
enum Ready {
    /// In the input.
    Input { opcode: Opcode, packing: Packing, start: usize, end: usize },
    /// In the partial's message buffer.
    Message(Opcode, Packing),
    /// In the partial's control buffer.
    Control(Opcode),
}

/// What the connection's frames must keep to.
#[derive(Clone, Copy)]
struct Rules {
    message_max: usize,
    /// The reserved bits that an extension defines.
    reserved: u8,
}

/// The frame that nearly all are: a message of its own, whole in the input, plain and shorter than 64 KiB. A look at it, and no
/// judgement: whatever it is not, faults too, goes the long way.
struct Whole {
    opcode: Opcode,
    key: [u8; 4],
    start: usize,
    end: usize,
}

impl Whole {
    #[inline]
    fn parse(input: &[u8], message_max: usize) -> Option<Self> {
        let (len, key_start) = match *input {
            [_, second @ 0x80..=0xfd, ..] => (usize::from(second & 0x7f), 2),
            [_, 0xfe, a, b, ..] => (usize::from(u16::from_be_bytes([a, b])), 4),
            _ => return None,
        };
        let opcode = match input[0] {
            0x81 => Opcode::Text,
            0x82 => Opcode::Binary,
            _ => return None,
        };
        let start = key_start + 4;
        let &key = input.get(key_start..start)?.first_chunk()?;
        let is_whole = len <= message_max && len <= input.len() - start;
        is_whole.then_some(Self { opcode, key, start, end: start + len })
    }
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub const fn new() -> Self {
        Self { partial: None }
    }

    /// Takes bytes from the front of `input`, unmasking in place. Returns how many, and a message as soon as
    /// one is complete.
    ///
    /// Without a message all of `input` was taken. With one, call again with the rest, even if that is empty:
    /// only the next call lets go of a message that had to be collected. `message_max` bounds the payload of
    /// a message in bytes, summed over its fragments; control frames have their own limit. The message
    /// borrows from `input` or from the decoder.
    ///
    /// # Errors
    ///
    /// See [`Error`]. Errors are found as soon as the bytes that prove them are there, before any payload;
    /// they are final, and the decoder is of no use afterwards. Messages before the faulty frame are returned
    /// first.
    pub fn decode<'a>(
        &'a mut self,
        input: &'a mut [u8],
        message_max: usize,
    ) -> Result<(usize, Option<Message<'a>>), Error> {
        self.decode_with(input, message_max, None)
    }

    /// As [`Decoder::decode`], for a connection that may have agreed upon permessage-deflate: then with an inflater, which
    /// any connection may use meanwhile, but for the message that it holds. `message_max` bounds a message both as it
    /// comes and inflated.
    ///
    /// # Errors
    ///
    /// See [`Decoder::decode`].
    pub fn decode_with<'a>(
        &'a mut self,
        input: &'a mut [u8],
        message_max: usize,
        inflater: Option<&'a mut Inflater>,
    ) -> Result<(usize, Option<Message<'a>>), Error> {
        let rules = Rules { message_max, reserved: if inflater.is_some() { RSV1 } else { 0 } };
        self.release();
        if self.partial.is_none()
            && let Some(Whole { opcode, key, start, end }) = Whole::parse(input, message_max)
        {
            let payload = &mut input[start..end];
            mask::apply(payload, key);
            return Ok((end, Some(message(opcode, payload)?)));
        }
        let mut at = 0;
        let ready = loop {
            if at == input.len() {
                return Ok((at, None));
            }
            let ready = self.step(input, &mut at, rules)?;
            if let Some(ready) = ready {
                break ready;
            }
        };
        let (opcode, packing, payload) = match ready {
            Ready::Input { opcode, packing, start, end } => {
                self.release();
                (opcode, packing, &input[start..end])
            }
            Ready::Message(opcode, packing) => {
                (opcode, packing, self.partial.as_ref().map_or(&[][..], |partial| partial.message()))
            }
            Ready::Control(opcode) => {
                (opcode, Packing::Plain, self.partial.as_ref().map_or(&[][..], |partial| partial.control()))
            }
        };
        let payload = match (packing, inflater) {
            (Packing::Deflated, Some(inflater)) => inflater.inflate(payload, message_max)?,
            _ => payload,
        };
        Ok((at, Some(message(opcode, payload)?)))
    }

    /// Bytes of heap held for what has not completely arrived; 0 for an idle connection.
    pub fn buffered(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.heap_bytes())
    }

    /// Lets go of what the last call handed out, and of the box if nothing is unfinished.
    #[inline]
    fn release(&mut self) {
        if let Some(partial) = &mut self.partial {
            if partial.is_idle() {
                self.partial = None;
            } else if partial.frame.is_none() {
                partial.clear_control();
            }
        }
    }

    /// Takes a header, or payload of a frame under way, from `input[*at..]`, which is not empty.
    fn step(&mut self, input: &mut [u8], at: &mut usize, rules: Rules) -> Result<Option<Ready>, Error> {
        if self.partial.as_ref().is_some_and(|partial| partial.frame.is_some()) {
            return Ok(self.take_payload(input, at, rules.message_max));
        }
        let Some((frame, header_len)) = self.header(&input[*at..], rules)? else {
            self.partial.get_or_insert_default().push_header(&input[*at..]);
            *at = input.len();
            return Ok(None);
        };
        *at += header_len;
        let is_whole = (input.len() - *at) as u64 >= frame.remaining;
        if is_whole && frame.fin && (frame.opcode.is_control() || self.message_opcode().is_none()) {
            let (start, end) = (*at, *at + frame.remaining as usize);
            mask::apply(&mut input[start..end], frame.key);
            *at = end;
            return Ok(Some(Ready::Input { opcode: frame.opcode, packing: frame.packing, start, end }));
        }
        let partial = self.partial.get_or_insert_default();
        partial.frame = Some(frame);
        if !frame.opcode.is_control() {
            partial.begin_data(frame.opcode, frame.packing);
        }
        Ok(self.take_payload(input, at, rules.message_max))
    }

    /// The next frame's header, of which a part may be stashed, and how many bytes of `input` it takes.
    #[inline]
    fn header(&mut self, input: &[u8], rules: Rules) -> Result<Option<(Frame, usize)>, Error> {
        let stashed = self.partial.as_ref().map_or(0, |partial| partial.header_len());
        if stashed == 0 {
            return self.parse_header(input, rules);
        }
        let Some(partial) = &mut self.partial else { return Ok(None) };
        let (header, len) = partial.joined_header(input);
        let parsed = self.parse_header(header.get(..len).unwrap_or_default(), rules)?;
        if let (Some(_), Some(partial)) = (&parsed, &mut self.partial) {
            partial.clear_header();
        }
        Ok(parsed.map(|(frame, header_len)| (frame, header_len - stashed)))
    }

    /// Reads and judges a header, each part as soon as it is there, so that errors do not depend on how bytes
    /// are split.
    #[inline]
    fn parse_header(&self, header: &[u8], rules: Rules) -> Result<Option<(Frame, usize)>, Error> {
        let Some(start) = Start::parse(header, rules.reserved)? else { return Ok(None) };
        self.check_sequence(start, rules.message_max)?;
        let Some((len, key_start)) = start.length(header) else { return Ok(None) };
        if !start.opcode.is_control() {
            let held = self.partial.as_ref().map_or(0, |partial| partial.message().len());
            Partial::check_len(held, len, rules.message_max)?;
        }
        let Some(&[a, b, c, d]) = header.get(key_start..key_start + 4) else { return Ok(None) };
        let frame = Frame {
            fin: start.fin,
            opcode: start.opcode,
            packing: start.packing,
            remaining: len,
            key: [a, b, c, d],
        };
        Ok(Some((frame, key_start + 4)))
    }

    /// RFC 6455 section 5.4: what may follow what.
    #[inline]
    fn check_sequence(&self, start: Start, message_max: usize) -> Result<(), Error> {
        match (start.opcode, self.message_opcode()) {
            (Opcode::Continuation, None) => Err(Error::UnexpectedContinuation),
            (Opcode::Continuation, Some(_)) if self.fragments() >= limits::fragments_max(message_max) => {
                Err(Error::Fragments)
            }
            (Opcode::Text | Opcode::Binary, Some(_)) => Err(Error::ExpectedContinuation(start.opcode)),
            _ => Ok(()),
        }
    }

    /// Keeps payload of the frame under way; the frame may be complete without any.
    fn take_payload(&mut self, input: &mut [u8], at: &mut usize, message_max: usize) -> Option<Ready> {
        let partial = self.partial.as_mut()?;
        let mut frame = partial.frame.take()?;
        let rest = &mut input[*at..];
        let len = usize::try_from(frame.remaining).unwrap_or(usize::MAX).min(rest.len());
        partial.push_payload(&mut frame, &mut rest[..len], message_max);
        *at += len;
        if frame.remaining > 0 {
            partial.frame = Some(frame);
            return None;
        }
        if frame.opcode.is_control() {
            return Some(Ready::Control(frame.opcode));
        }
        partial.is_delivered = frame.fin;
        partial.opcode.filter(|_| frame.fin).map(|opcode| Ready::Message(opcode, partial.packing))
    }

    /// The kind of the fragmented message under way.
    #[inline]
    fn message_opcode(&self) -> Option<Opcode> {
        self.partial.as_ref().and_then(|partial| partial.opcode)
    }

    fn fragments(&self) -> u32 {
        self.partial.as_ref().map_or(0, |partial| partial.fragments)
    }
}

/// Gives bytes their meaning.
#[inline]
fn message(opcode: Opcode, payload: &[u8]) -> Result<Message<'_>, Error> {
    match opcode {
        Opcode::Text => simdutf8::basic::from_utf8(payload).map(Message::Text).map_err(|_| Error::Utf8),
        Opcode::Binary => Ok(Message::Binary(payload)),
        Opcode::Ping => Ok(Message::Ping(payload)),
        Opcode::Pong => Ok(Message::Pong(payload)),
        Opcode::Close => close::parse(payload).map(Message::Close),
        Opcode::Continuation => Err(Error::UnexpectedContinuation),
    }
}

/// An idle connection holds one pointer.
const _: () = assert!(size_of::<Decoder>() == size_of::<usize>());

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1_000_000;
    const HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

    /// RFC 6455 section 5.7: the masked "Hello".
    #[test]
    fn a_whole_frame_is_borrowed_from_the_input() {
        let (mut decoder, mut input) = (Decoder::new(), [HELLO, HELLO].concat());
        assert_eq!(decoder.decode(&mut input, MAX), Ok((11, Some(Message::Text("Hello")))));
        assert_eq!(decoder.decode(&mut input[11..], MAX), Ok((11, Some(Message::Text("Hello")))));
        assert_eq!(decoder.buffered(), 0);
        assert_eq!(decoder.decode(&mut [], MAX), Ok((0, None)));
    }

    #[test]
    fn what_was_collected_is_freed_by_the_call_after_the_message() {
        let (mut decoder, mut input) = (Decoder::new(), HELLO.to_vec());
        assert_eq!(decoder.decode(&mut input[..8], MAX), Ok((8, None)));
        assert!(decoder.buffered() > 0);
        assert_eq!(decoder.decode(&mut input[8..], MAX), Ok((3, Some(Message::Text("Hello")))));
        assert_eq!(decoder.decode(&mut [], MAX), Ok((0, None)));
        assert_eq!(decoder.buffered(), 0);
    }

    #[test]
    fn a_header_cut_off_does_not_cost_the_payload_a_copy() {
        let (mut decoder, mut input) = (Decoder::new(), HELLO.to_vec());
        assert_eq!(decoder.decode(&mut input[..3], MAX), Ok((3, None)));
        assert_eq!(decoder.decode(&mut input[3..], MAX), Ok((8, Some(Message::Text("Hello")))));
        assert_eq!(decoder.buffered(), 0, "the box went with the header");
    }

    /// RFC 6455 section 5.4: a control frame between fragments comes out at once.
    #[test]
    fn a_ping_between_fragments_does_not_disturb_the_message() {
        let mut decoder = Decoder::new();
        let mut input = b"\x01\x82\0\0\0\0ab\x89\x81\0\0\0\0!\x80\x81\0\0\0\0c".to_vec();
        assert_eq!(decoder.decode(&mut input, MAX), Ok((15, Some(Message::Ping(b"!")))));
        assert_eq!(decoder.decode(&mut input[15..], MAX), Ok((7, Some(Message::Text("abc")))));
    }

    /// RFC 6455 section 10.4: a declared length is judged when it is declared, and reserves nothing.
    #[test]
    fn a_declared_length_is_refused_at_once_and_reserves_nothing() {
        let mut huge = b"\x82\xff\x80\0\0\0\0\0\0\0".to_vec();
        let refused = Error::TooLarge { len: 1 << 63, max: MAX };
        assert_eq!(Decoder::new().decode(&mut huge, MAX), Err(refused));
        let mut decoder = Decoder::new();
        let mut large = b"\x82\xff\0\0\0\0\0\x0f\x42\x40\0\0\0\0x".to_vec();
        assert_eq!(decoder.decode(&mut large, MAX), Ok((15, None)));
        assert!(decoder.buffered() < 1_000, "{} bytes held for one", decoder.buffered());
    }

    /// RFC 6455 section 10.4: the buffer never exceeds the limit, though it doubles.
    #[test]
    fn the_buffer_stays_within_the_limit() {
        let mut decoder = Decoder::new();
        for start in [0x02, 0x00, 0x00] {
            let mut fragment = [&[start, 0xfe, 1, 0, 0, 0, 0, 0][..], &[7; 256]].concat();
            assert_eq!(decoder.decode(&mut fragment, 800), Ok((264, None)));
        }
        assert!(decoder.buffered() <= 800 + size_of::<Partial>());
        assert_eq!(
            decoder.decode(&mut b"\x80\xa1".to_vec(), 800),
            Err(Error::TooLarge { len: 801, max: 800 }),
            "before the key"
        );
    }

    /// Our own limit, the reference server's too: 16 384 frames are a message, one more is refused.
    #[test]
    fn fragments_are_counted_empty_ones_too() {
        let mut decoder = Decoder::new();
        let mut empty = [b"\x01\x80\0\0\0\0".as_slice(), &b"\0\x80\0\0\0\0".repeat(16_382)].concat();
        assert_eq!(decoder.decode(&mut empty, MAX), Ok((16_383 * 6, None)));
        let mut last = b"\0\x80\0\0\0\0\0\x80".to_vec();
        assert_eq!(decoder.decode(&mut last, MAX), Err(Error::Fragments));
        assert_eq!(limits::fragments_max(64 << 20), 1 << 20, "in proportion, where messages may be large");
    }
}
