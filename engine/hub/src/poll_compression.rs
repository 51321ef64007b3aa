//! Compressed answers to polls: the same bytes are compressed once, and within a budget a turn.
//!
//! Not a limit of answers: what the budget does not cover goes as it is, which every client takes. A broadcast fills the buffers of sessions that poll
//! with the same bytes, and a flush answers them one after the other; so the last few bodies are looked at before one is compressed. To
//! compare a body costs a thousandth of what compressing it does.

use std::collections::VecDeque;
use std::rc::Rc;

use socketville_proto::http::Encoding;

use crate::limits::{POLL_DEFLATE_BYTES_PER_TURN, POLL_DEFLATE_KEPT, POLL_DEFLATE_LEVEL};

/// What a turn has compressed.
#[derive(Default)]
pub(crate) struct PollCompression {
    spent_bytes: usize,
    made: u64,
    uncompressed: u64,
    /// The last ones, newest first.
    kept: VecDeque<Kept>,
}

/// A body and its other form.
struct Kept {
    encoding: Encoding,
    plain: Vec<u8>,
    compressed: Rc<[u8]>,
}

impl PollCompression {
    /// A body in this coding; the body itself if the turn has compressed enough.
    pub(crate) fn compress(&mut self, encoding: Encoding, plain: Vec<u8>) -> Result<Rc<[u8]>, Vec<u8>> {
        let is_it = |kept: &&Kept| kept.encoding == encoding && kept.plain == plain;
        if let Some(kept) = self.kept.iter().find(is_it) {
            return Ok(Rc::clone(&kept.compressed));
        }
        if self.spent_bytes + plain.len() > POLL_DEFLATE_BYTES_PER_TURN {
            self.uncompressed += 1;
            return Err(plain);
        }
        self.spent_bytes += plain.len();
        self.made += 1;
        let compressed: Rc<[u8]> = encoding.encode(&plain, POLL_DEFLATE_LEVEL).into();
        self.kept.truncate(POLL_DEFLATE_KEPT - 1);
        self.kept.push_front(Kept { encoding, plain, compressed: Rc::clone(&compressed) });
        Ok(compressed)
    }

    /// A turn has ended, and nothing is kept. How many answers it compressed, and how many it did not for want of budget.
    pub(crate) fn end_turn(&mut self) -> (u64, u64) {
        let counts = (self.made, self.uncompressed);
        if counts != (0, 0) {
            *self = Self::default();
        }
        counts
    }
}
