//! Compressed messages, opened and cheaply: a broadcast that a server compressed once is inflated once, and
//! compared byte by byte for everybody else. Not a negotiation; [`super::connect`] reads what was agreed.
//!
//! A server that keeps a window for each client (context takeover) sends each client other bytes; then each
//! client has an inflater of its own, as a browser would.

use flate2::{Decompress, FlushDecompress, Status};

/// How a client's compressed messages are opened.
pub(super) enum Window {
    /// Every message stands for itself.
    Fresh,
    /// A message may refer to those before it.
    Kept(Box<Decompress>),
}

/// What all clients share: one inflater, and the messages opened last.
pub(super) struct Inflater {
    fresh: Decompress,
    opened: Vec<Opened>,
    /// Where the next message is expected to be found again: after the one found last.
    next: usize,
    /// Which message is forgotten next.
    oldest: usize,
    scratch: Vec<u8>,
    /// A message's bytes and the marker that its sender left out.
    whole: Vec<u8>,
}

struct Opened {
    closed: Vec<u8>,
    text: Vec<u8>,
}

impl Window {
    pub(super) fn kept() -> Window {
        Window::Kept(Box::new(Decompress::new(false)))
    }
}

impl Inflater {
    pub(super) fn new() -> Inflater {
        Inflater {
            fresh: Decompress::new(false),
            opened: Vec::new(),
            next: 0,
            oldest: 0,
            scratch: Vec::new(),
            whole: Vec::new(),
        }
    }

    /// The text of one compressed message; `None` if it is none.
    pub(super) fn open(&mut self, window: &mut Window, closed: &[u8]) -> Option<&[u8]> {
        match window {
            Window::Kept(inflate) => {
                inflated(inflate, closed, &mut self.whole, &mut self.scratch)?;
                Some(&self.scratch)
            }
            Window::Fresh => {
                let index = self.find(closed).or_else(|| self.add(closed))?;
                self.next = (index + 1) % OPENED_MAX;
                self.opened.get(index).map(|opened| opened.text.as_slice())
            }
        }
    }

    fn find(&self, closed: &[u8]) -> Option<usize> {
        let is_it = |index: &usize| self.opened.get(*index).is_some_and(|opened| opened.closed == closed);
        Some(self.next).filter(is_it).or_else(|| (0..self.opened.len()).find(is_it))
    }

    fn add(&mut self, closed: &[u8]) -> Option<usize> {
        self.fresh.reset(false);
        inflated(&mut self.fresh, closed, &mut self.whole, &mut self.scratch)?;
        let opened = Opened { closed: closed.to_vec(), text: self.scratch.clone() };
        let index = self.oldest;
        match self.opened.get_mut(index) {
            Some(place) => *place = opened,
            None => self.opened.push(opened),
        }
        self.oldest = (index + 1) % OPENED_MAX;
        Some(index)
    }
}

/// RFC 7692 section 7.2.2: the sender left out the four bytes of an empty block.
fn inflated(inflate: &mut Decompress, closed: &[u8], whole: &mut Vec<u8>, text: &mut Vec<u8>) -> Option<()> {
    whole.clear();
    whole.extend_from_slice(closed);
    whole.extend_from_slice(&[0, 0, 0xff, 0xff]);
    text.clear();
    text.reserve(TEXT_BYTES_FIRST);
    let mut used = 0;
    loop {
        let before = inflate.total_in();
        let status = inflate.decompress_vec(whole.get(used..)?, text, FlushDecompress::Sync).ok()?;
        used += usize::try_from(inflate.total_in() - before).ok()?;
        if status == Status::StreamEnd || (used == whole.len() && text.len() < text.capacity()) {
            return Some(());
        }
        if text.len() > TEXT_BYTES_MAX || (status == Status::BufError && text.len() < text.capacity()) {
            return None;
        }
        text.reserve(text.capacity());
    }
}

/// Messages that are remembered: more than a volley has.
const OPENED_MAX: usize = 256;
/// Room for a message before it has to grow.
const TEXT_BYTES_FIRST: usize = 8 * 1024;
/// No scenario has messages as long as this.
const TEXT_BYTES_MAX: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    fn deflated(compress: &mut Compress, text: &[u8]) -> Vec<u8> {
        let mut closed = Vec::with_capacity(text.len() + 64);
        compress.compress_vec(text, &mut closed, FlushCompress::Sync).expect("compressed");
        closed.truncate(closed.len() - 4);
        closed
    }

    #[test]
    fn a_message_that_everybody_gets_is_inflated_once() {
        let mut inflater = Inflater::new();
        let closed = deflated(&mut Compress::new(Compression::fast(), false), b"hello hello hello");
        for _ in 0..3 {
            assert_eq!(inflater.open(&mut Window::Fresh, &closed), Some(b"hello hello hello".as_slice()));
        }
        assert_eq!(inflater.opened.len(), 1);
    }

    #[test]
    fn a_series_is_found_again_by_the_next_client() {
        let mut inflater = Inflater::new();
        let series: Vec<Vec<u8>> = (0..OPENED_MAX + 9)
            .map(|i| deflated(&mut Compress::new(Compression::fast(), false), format!("no {i}").as_bytes()))
            .collect();
        for _client in 0..2 {
            for (i, closed) in series.iter().enumerate() {
                let text = inflater.open(&mut Window::Fresh, closed).map(<[u8]>::to_vec);
                assert_eq!(text, Some(format!("no {i}").into_bytes()));
            }
        }
        assert_eq!(inflater.opened.len(), OPENED_MAX);
    }

    #[test]
    fn a_kept_window_is_the_clients_own() {
        let (mut inflater, mut compress) = (Inflater::new(), Compress::new(Compression::fast(), false));
        let mut window = Window::kept();
        let long = vec![b'x'; 20_000];
        for text in [b"the same words".as_slice(), b"the same words again", &long] {
            let closed = deflated(&mut compress, text);
            assert_eq!(inflater.open(&mut window, &closed), Some(text));
        }
    }

    #[test]
    fn rubbish_is_no_message() {
        assert_eq!(Inflater::new().open(&mut Window::Fresh, &[0xff; 20]), None);
    }
}
