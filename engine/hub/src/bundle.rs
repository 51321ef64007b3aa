//! Broadcasts that follow each other at once and are for the same recipients: one walk over the members makes all of them due.
//!
//! Not a delay: whoever looks at the hub has [released](crate::Hub::release) them before, so that joining, leaving and packets to one socket stand
//! where they were called. A volatile broadcast is not bundled (it asks who is writable now), nor a compressed one (each packet is a message
//! of its own), nor one whose selection is more than a name.

use std::borrow::Cow;
use std::sync::Arc;

use socketville_proto::encode;

use crate::limits::BUNDLE_BYTES_MAX;
use crate::{Hub, NspId, Range, Record, Selector};

/// For whom the packets are that the outbox has staged, side by side. The room's name keeps its memory, so that bundling does not
/// allocate.
#[derive(Default)]
pub(crate) struct Bundle {
    packets: Option<Packets>,
    /// The room they are for; unless they are for everybody in the namespace.
    room: String,
}

#[derive(Clone, Copy)]
struct Packets {
    nsp: NspId,
    is_for_room: bool,
    frames: u32,
}

impl Bundle {
    /// Whether the packets are for these recipients.
    fn is_for(&self, nsp: NspId, room: Option<&str>) -> bool {
        self.packets.is_some_and(|packets| {
            packets.nsp == nsp
                && packets.is_for_room == room.is_some()
                && room.is_none_or(|room| room == self.room)
        })
    }

    fn add(&mut self, frames: u32) {
        if let Some(packets) = &mut self.packets {
            packets.frames += frames;
        }
    }

    fn start(&mut self, nsp: NspId, room: Option<&str>, frames: u32) {
        self.room.clear();
        self.room.push_str(room.unwrap_or_default());
        self.packets = Some(Packets { nsp, is_for_room: room.is_some(), frames });
    }
}

impl Hub {
    /// As [`Hub::broadcast`], but it may become due only when [`Hub::release`] is called, together with those that follow; what the other cores
    /// need, if there are any.
    pub fn bundle(
        &mut self,
        nsp: NspId,
        selector: &Selector<'_>,
        kind: encode::Kind,
        payload: &[u8],
        attachments: &[Vec<u8>],
    ) -> Option<Arc<Record>> {
        let (range, frames, record) = self.prepare(nsp, selector, kind, payload, attachments);
        self.add_to_bundle(nsp, selector, range, frames);
        record
    }

    /// As [`Hub::deliver_record`], but it may become due only when [`Hub::release`] is called.
    pub fn bundle_record(&mut self, record: &Arc<Record>) {
        let range = self.take_in(record);
        record.with_selector(|selector| self.add_to_bundle(record.nsp, selector, range, record.frames));
    }

    /// Makes the bundle due. Whoever bundles calls this before anything else is done with the hub.
    #[inline]
    pub fn release(&mut self) {
        if self.is_bundling() {
            self.deliver_bundle();
        }
    }

    /// Whether there is a bundle that is not due yet.
    #[inline]
    pub const fn is_bundling(&self) -> bool {
        self.bundle.packets.is_some()
    }

    fn add_to_bundle(&mut self, nsp: NspId, selector: &Selector<'_>, range: Range, frames: u32) {
        let may_wait = self.press.is_none()
            && selector.to.len() <= 1
            && selector.except.is_empty()
            && selector.skip.is_none()
            && !selector.volatile
            && selector.flush_within_ms.is_none();
        if !may_wait {
            self.release();
            self.deliver(nsp, selector, range, frames);
            return;
        }
        let room = selector.to.first().map(|room| &**room);
        if self.bundle.is_for(nsp, room) && self.outbox.extend_staged(range, BUNDLE_BYTES_MAX) {
            self.bundle.add(frames);
        } else {
            self.release();
            self.bundle.start(nsp, room, frames);
            self.outbox.stage(range);
        }
    }

    #[inline(never)]
    fn deliver_bundle(&mut self) {
        let Some(Packets { nsp, is_for_room, frames }) = self.bundle.packets.take() else { return };
        let Some(range) = self.outbox.take_staged() else { return };
        let room = std::mem::take(&mut self.bundle.room);
        let name = [Cow::Borrowed(room.as_str())];
        let to = if is_for_room { &name[..] } else { &[] };
        self.deliver(nsp, &Selector { to, ..Selector::default() }, range, frames);
        self.bundle.room = room;
    }
}
