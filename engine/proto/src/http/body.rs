//! The decoder of chunked bodies (RFC 9112 section 7.1).
//!
//! Not a buffer: decoded bytes are appended to the caller's, and only they are kept. Extensions and trailers
//! are skipped and counted against a bound.
//!
//! ```text
//! Size -> Extension -> SizeEnd -> Data -> DataReturn -> DataEnd -> Size ...
//!                        `- size 0 -> LineStart <-> Line/LineEnd (trailers) -> LastEnd -> Done
//! ```

use std::fmt;

use super::query::hex;
use crate::limits;

/// The state of one chunked body. Reads it in pieces of any size.
#[derive(Debug, Clone, Default)]
pub struct Chunked {
    state: State,
    /// Data bytes of the current chunk that have not arrived.
    remaining: u64,
    /// Digits of the current size.
    digits: u32,
    /// Data bytes of the whole body so far.
    taken: u64,
    extension_bytes: u32,
    trailer_bytes: u32,
}

/// Why a body was refused. The connection cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// More bytes than the caller allows, decoded or announced.
    TooLarge,
    /// Not chunks, or extensions or trailers beyond their limits.
    Malformed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension,
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    LineStart,
    Line,
    LineEnd,
    LastEnd,
    Done,
}

impl Chunked {
    /// A body of which nothing has arrived.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the decoded bytes of `input` to `out`. Returns how many input bytes were consumed and whether
    /// the body is complete; what follows the body is not consumed. Without completion all of `input` is
    /// consumed.
    ///
    /// `body_max` bounds the decoded bytes of the whole body, whatever else is in `out`.
    ///
    /// # Errors
    ///
    /// [`BodyError::TooLarge`] as soon as a chunk announces more than `body_max` allows, without waiting for
    /// its bytes; [`BodyError::Malformed`] at the first byte that cannot be part of a chunked body.
    pub fn decode(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        body_max: usize,
    ) -> Result<(usize, bool), BodyError> {
        let mut at = 0;
        while self.state != State::Done {
            let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) else { break };
            at += match self.state {
                State::Data => self.take_data(rest, out),
                _ => {
                    self.handle_byte(rest[0], body_max)?;
                    1
                }
            };
        }
        Ok((at, self.state == State::Done))
    }

    fn take_data(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let len = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(rest.len());
        out.extend_from_slice(&rest[..len]);
        self.remaining -= len as u64;
        if self.remaining == 0 {
            self.state = State::DataReturn;
        }
        len
    }

    fn handle_byte(&mut self, byte: u8, body_max: usize) -> Result<(), BodyError> {
        self.state = match (self.state, byte) {
            (State::Size, b'\r') if self.digits > 0 => State::SizeEnd,
            (State::Size, b';') if self.digits > 0 => self.count_extension()?,
            (State::Size, _) => self.add_digit(byte, body_max)?,
            (State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, _) if is_text(byte) => self.count_extension()?,
            (State::SizeEnd, b'\n') => self.begin_chunk(),
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::Size,
            (State::LineStart, b'\r') => State::LastEnd,
            (State::LineStart, _) if super::parse::is_token(byte) => self.count_trailer(State::Line)?,
            (State::Line, b'\r') => self.count_trailer(State::LineEnd)?,
            (State::Line, _) if is_text(byte) => self.count_trailer(State::Line)?,
            (State::LineEnd, b'\n') => self.count_trailer(State::LineStart)?,
            (State::LastEnd, b'\n') => State::Done,
            _ => return Err(BodyError::Malformed),
        };
        Ok(())
    }

    fn add_digit(&mut self, byte: u8, body_max: usize) -> Result<State, BodyError> {
        let digit = hex(byte).ok_or(BodyError::Malformed)?;
        self.digits += 1;
        if self.digits > limits::CHUNK_DIGITS_MAX {
            return Err(BodyError::Malformed);
        }
        self.remaining = self.remaining << 4 | u64::from(digit);
        let allowed = (body_max as u64).saturating_sub(self.taken);
        if self.remaining > allowed { Err(BodyError::TooLarge) } else { Ok(State::Size) }
    }

    fn begin_chunk(&mut self) -> State {
        self.digits = 0;
        self.taken += self.remaining;
        if self.remaining == 0 { State::LineStart } else { State::Data }
    }

    fn count_extension(&mut self) -> Result<State, BodyError> {
        self.extension_bytes += 1;
        let within = self.extension_bytes <= limits::CHUNK_EXTENSION_BYTES_MAX;
        within.then_some(State::Extension).ok_or(BodyError::Malformed)
    }

    fn count_trailer(&mut self, next: State) -> Result<State, BodyError> {
        self.trailer_bytes += 1;
        let within = self.trailer_bytes <= limits::TRAILER_BYTES_MAX;
        within.then_some(next).ok_or(BodyError::Malformed)
    }
}

impl BodyError {
    /// The status code that answers this error: 400 or 413.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::Malformed => 400,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "expected a body within the limit, found a larger one",
            Self::Malformed => "expected a chunked body, found something else",
        })
    }
}

impl std::error::Error for BodyError {}

/// Tab and everything but control bytes.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(input: &[u8], body_max: usize) -> Result<(Vec<u8>, usize, bool), BodyError> {
        let mut out = Vec::new();
        let (consumed, complete) = Chunked::new().decode(input, &mut out, body_max)?;
        Ok((out, consumed, complete))
    }

    /// RFC 9112 section 7.1, with an extension, trailers and the next request behind it.
    #[test]
    fn chunks_are_joined_and_the_rest_is_left() {
        let input = b"5\r\nhello\r\n1;a=b\r\n \r\n00\r\nX: y\r\nZ:\r\n\r\nGET /";
        let (out, consumed, complete) = decode(input, 100).expect("valid");
        assert_eq!((out.as_slice(), &input[consumed..], complete), (&b"hello "[..], &b"GET /"[..], true));
    }

    #[test]
    fn a_complete_body_takes_nothing_more() {
        let (mut body, mut out) = (Chunked::new(), Vec::new());
        assert_eq!(body.decode(b"0\r\n\r\n", &mut out, 0), Ok((5, true)));
        assert_eq!(body.decode(b"0\r\n\r\n", &mut out, 0), Ok((0, true)));
    }

    #[test]
    fn the_limit_holds_for_the_announced_size_and_for_the_sum() {
        assert_eq!(decode(b"ffffffffffffffff", 100), Err(BodyError::TooLarge));
        assert_eq!(decode(b"65", 100), Err(BodyError::TooLarge));
        assert_eq!(decode(b"4\r\nabcd\r\n2", 5), Err(BodyError::TooLarge));
        assert!(decode(b"4\r\nabcd\r\n1\r\ne\r\n0\r\n\r\n", 5).expect("within").2);
    }

    #[test]
    fn what_is_not_a_chunk_is_refused() {
        for input in [
            &b"\r\n"[..],
            b"g\r\n",
            b"+5\r\n",
            b"0x5\r\n",
            b" 5\r\n",
            b"5 \r\n",
            b"5\n",
            b"5\r\nhelloX",
            b"5\r\nhello\n",
            b"5;a\0\r\n",
            b"5;a\nb",
            b"5\rX",
            b"0\r\n : y",
            b"0\r\nX: y\n\n",
            b"0\r\n\rX",
            b"00000000000000000",
        ] {
            assert_eq!(decode(input, 100), Err(BodyError::Malformed), "{}", input.escape_ascii());
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let chunk = [b"1;".as_slice(), &[b'x'; 98], b"\r\na\r\n"].concat();
        assert_eq!(decode(&chunk.repeat(50), 1000), Err(BodyError::Malformed));
        assert!(decode(&chunk.repeat(40), 1000).is_ok());
        let trailers = [b"0\r\n".as_slice(), &b"X: y\r\n".repeat(1000), b"\r\n"].concat();
        assert_eq!(decode(&trailers, 1000), Err(BodyError::Malformed));
    }
}
