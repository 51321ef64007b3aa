//! The walk over a payload, whatever its framing: packet by packet, over after its first error. It is not the framing, which is a function
//! that takes the first packet off, and it has no limit of packets: clients divide payloads by bytes alone. Whoever walks may stop at any
//! packet and go on at the rest later.

use super::packet::Error;
use super::payload::PayloadItem;

/// The first packet of a payload, and the rest if there is one; of the rest of a packet that is refused nobody hears.
pub(super) type Taken<'a, B> = (Result<PayloadItem<'a>, Error>, Option<&'a B>);

/// The packets of a payload that are not read yet.
#[derive(Debug)]
pub struct Items<'a, B: ?Sized> {
    /// `None` once the last packet was taken or one was refused.
    rest: Option<&'a B>,
    take: fn(&'a B) -> Taken<'a, B>,
}

impl<'a, B: ?Sized> Items<'a, B> {
    /// The packets of `body`, each taken off by `take`.
    pub(super) fn new(body: &'a B, take: fn(&'a B) -> Taken<'a, B>) -> Self {
        Self { rest: Some(body), take }
    }

    /// What is not read yet; `None` if nothing is.
    pub(super) const fn rest(&self) -> Option<&'a B> {
        self.rest
    }
}

impl<'a, B: ?Sized> Iterator for Items<'a, B> {
    type Item = Result<PayloadItem<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let (item, tail) = (self.take)(rest);
        if item.is_ok() {
            self.rest = tail;
        }
        Some(item)
    }
}
