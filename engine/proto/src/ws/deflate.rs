//! Compression of messages (RFC 7692 section 7.2): inflating what clients send, deflating the frames we send.
//!
//! Not negotiation, which is `extension`'s, and no state of a connection: every message begins with an empty window, so
//! one [`Inflater`] and one [`Deflater`] per core serve all connections.
//!
//! Cost, for JSON of 1 KiB that differs from event to event: 22 us and 320 bytes at level 2, 25 us and 305 bytes at
//! level 6. A send costs 4 to 5 us, so the level matters once a broadcast, not once a
//! recipient.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::encode::{server_frames, split_frame, write_header};
use super::extension::Window;
use super::{Error, header_len};

/// The first reserved bit: a message is compressed (RFC 7692 section 6).
pub(super) const RSV1: u8 = 0x40;

/// What a sender takes away from the end of a message (section 7.2.1), and then an empty final block, which a decoder
/// reaches only if the message was whole.
const TAIL: [u8; 9] = [0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff];

/// Bytes that a sender takes away.
const TAIL_BYTES: usize = 4;

/// Bytes by which the first step inflates at most; further steps double what there is.
const FIRST_STEP_BYTES: usize = 4 * 1024;

/// Bytes of a buffer that are kept for the next message: the usual ones fit, a rare large one does not stay.
const KEPT_BYTES: usize = 64 * 1024;

/// Levels of compression, from fast to small. Not 1: its algorithm in zlib-rs 0.6.8 panics when the room for its output
/// runs out.
pub const LEVELS: std::ops::RangeInclusive<u32> = 2..=9;

/// Inflates messages of clients, one after the other.
#[derive(Debug)]
pub struct Inflater {
    stream: Decompress,
    message: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// An inflater; some 40 KiB.
    pub fn new() -> Self {
        Self { stream: Decompress::new(false), message: Vec::new() }
    }

    /// Inflates a message's payload. The result stays until the next call.
    ///
    /// Grows with what comes out, in steps, and never beyond `message_max` bytes and one.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] as soon as more comes out than allowed, [`Error::Deflate`] if it is no such data or not all
    /// of it.
    pub(super) fn inflate(&mut self, payload: &[u8], message_max: usize) -> Result<&[u8], Error> {
        self.message.clear();
        self.message.shrink_to(KEPT_BYTES);
        self.stream.reset(false);
        // Nothing at all is not what section 7.2.3.6 shows for an empty message, but it is what some clients send.
        if !payload.is_empty() {
            let is_ended = self.feed(payload, message_max)?;
            if is_ended {
                self.stream.reset(false);
            }
            if !self.feed(&TAIL, message_max)? {
                return Err(Error::Deflate);
            }
        }
        Ok(&self.message)
    }

    /// Inflates `input` as the next part of the stream; whether the stream has ended with it. A client may end it
    /// before (section 7.2.3.4); what follows begins anew.
    fn feed(&mut self, mut input: &[u8], message_max: usize) -> Result<bool, Error> {
        loop {
            self.reserve(message_max)?;
            let (before_in, before_out) = (self.stream.total_in(), self.message.len());
            let status = self
                .stream
                .decompress_vec(input, &mut self.message, FlushDecompress::None)
                .map_err(|_| Error::Deflate)?;
            let taken = (self.stream.total_in() - before_in) as usize;
            input = input.get(taken..).unwrap_or_default();
            match status {
                Status::StreamEnd if input.is_empty() => return self.check(message_max).map(|()| true),
                Status::StreamEnd => self.stream.reset(false),
                _ if input.is_empty() && self.message.len() < self.message.capacity() => {
                    return self.check(message_max).map(|()| false);
                }
                _ if taken == 0 && self.message.len() == before_out => return Err(Error::Deflate),
                _ => {}
            }
        }
    }

    /// Room for the next step.
    fn reserve(&mut self, message_max: usize) -> Result<(), Error> {
        self.check(message_max)?;
        if self.message.len() == self.message.capacity() {
            // One byte beyond the limit tells a message of just that size from a larger one.
            let left = message_max.saturating_add(1) - self.message.len();
            self.message.reserve_exact(self.message.len().max(FIRST_STEP_BYTES).min(left));
        }
        Ok(())
    }

    fn check(&self, message_max: usize) -> Result<(), Error> {
        let len = self.message.len();
        if len > message_max { Err(Error::TooLarge { len: len as u64, max: message_max }) } else { Ok(()) }
    }
}

/// Deflates the frames we send, for connections with one window.
#[derive(Debug)]
pub struct Deflater {
    stream: Compress,
    payload: Vec<u8>,
    frames: Vec<u8>,
}

impl Deflater {
    /// A deflater; some 300 KiB with the full window. `level` is held to [`LEVELS`].
    pub fn new(level: u32, window: Window) -> Self {
        let level = Compression::new(level.clamp(*LEVELS.start(), *LEVELS.end()));
        Self {
            stream: Compress::new_with_window_bits(level, false, window.bits()),
            payload: Vec::new(),
            frames: Vec::new(),
        }
    }

    /// The same frames, those compressed that have at least `threshold` bytes of payload and become smaller. `None` if
    /// that is none of them. `frames` are our own, from [`super::write_header`].
    pub fn deflate(&mut self, frames: &[u8], threshold: usize) -> Option<&[u8]> {
        self.frames.clear();
        self.frames.shrink_to(KEPT_BYTES);
        if !server_frames(frames).any(|(opcode, payload)| !opcode.is_control() && payload.len() >= threshold)
        {
            return None;
        }
        let (mut rest, mut is_smaller) = (frames, false);
        while let Some((opcode, payload, after)) = split_frame(rest) {
            let is_worth = !opcode.is_control() && payload.len() >= threshold;
            if is_worth && deflate_payload(&mut self.stream, payload, &mut self.payload) {
                let start = self.frames.len();
                write_header(&mut self.frames, opcode, self.payload.len());
                self.frames[start] |= RSV1;
                self.frames.extend_from_slice(&self.payload);
                is_smaller = true;
            } else {
                self.frames.extend_from_slice(&rest[..header_len(payload.len()) + payload.len()]);
            }
            rest = after;
        }
        is_smaller.then_some(&self.frames)
    }
}

/// Bytes that are enough for a compressed payload, whatever is in it: what cannot be compressed becomes longer by at most
/// one bit a byte, and blocks have headers.
const fn room(payload_len: usize) -> usize {
    payload_len + payload_len / 4 + 64
}

/// Compresses a message's payload (section 7.2.1); whether it has become smaller.
fn deflate_payload(stream: &mut Compress, payload: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    out.shrink_to(KEPT_BYTES);
    out.reserve(room(payload.len()));
    stream.reset();
    let is_ok = stream.compress_vec(payload, out, FlushCompress::Sync).is_ok();
    let is_complete = stream.total_in() == payload.len() as u64 && out.ends_with(&TAIL[..TAIL_BYTES]);
    if !is_ok || !is_complete {
        return false;
    }
    out.truncate(out.len() - TAIL_BYTES);
    out.len() < payload.len()
}

#[cfg(test)]
#[path = "deflate_tests.rs"]
mod tests;
