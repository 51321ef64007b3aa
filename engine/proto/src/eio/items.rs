//! The walk over a payload, whatever its framing: packet by packet, bounded, over after its first error. It is not the
//! framing, which is a function that takes the first packet off.

use super::packet::Error;
use super::payload::PayloadItem;
use crate::limits;

/// The first packet of a payload, and the rest if there is one; of the rest of a packet that is refused nobody hears.
pub(super) type Taken<'a, B> = (Result<PayloadItem<'a>, Error>, Option<&'a B>);

/// The packets of a payload that are not read yet.
#[derive(Debug)]
pub struct Items<'a, B: ?Sized> {
    /// `None` once the last packet was taken or one was refused.
    rest: Option<&'a B>,
    taken: usize,
    take: fn(&'a B) -> Taken<'a, B>,
}

impl<'a, B: ?Sized> Items<'a, B> {
    /// The packets of `body`, each taken off by `take`.
    pub(super) fn new(body: &'a B, take: fn(&'a B) -> Taken<'a, B>) -> Self {
        Self { rest: Some(body), taken: 0, take }
    }
}

impl<'a, B: ?Sized> Iterator for Items<'a, B> {
    type Item = Result<PayloadItem<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        if self.taken == limits::PAYLOAD_PACKETS_MAX {
            return Some(Err(Error::TooManyPackets));
        }
        self.taken += 1;
        let (item, tail) = (self.take)(rest);
        if item.is_ok() {
            self.rest = tail;
        }
        Some(item)
    }
}
