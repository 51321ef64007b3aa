//! Compression of what one core sends, made once per packet at its first need.
//!
//! Not the algorithm, and not agreeing upon it: those are `proto::ws`'s. A deflater lives for a setting and a window, not for a
//! connection, so a broadcast costs one compression a core for each window that its recipients agreed upon, at most two.

use socketville_proto::ws::{Deflater, Window};

use crate::{Counters, Deflate, Outbox, Range};

/// The deflaters of one setting; each is made when its window is first needed.
#[derive(Debug)]
pub(crate) struct Press {
    settings: Deflate,
    deflaters: [Option<Box<Deflater>>; 2],
}

impl Press {
    pub(crate) const fn new(settings: Deflate) -> Self {
        Self { settings, deflaters: [const { None }; 2] }
    }

    /// The frames of `plain` compressed; `plain` itself if that makes nothing smaller.
    pub(crate) fn press(
        &mut self,
        outbox: &mut Outbox,
        counters: &mut Counters,
        plain: Range,
        window: Window,
    ) -> Range {
        let Deflate { level, threshold_bytes } = self.settings;
        let frames = outbox.bytes(plain);
        if frames.len() < threshold_bytes {
            return plain;
        }
        let deflater =
            self.deflaters[window as usize].get_or_insert_with(|| Box::new(Deflater::new(level, window)));
        let Some(deflated) = deflater.deflate(frames, threshold_bytes) else { return plain };
        counters.deflates += 1;
        counters.deflate_bytes_in += frames.len() as u64;
        counters.deflate_bytes_out += deflated.len() as u64;
        outbox.write_form(plain, |_, out| out.extend_from_slice(deflated))
    }
}
