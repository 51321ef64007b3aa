//! A broadcast on its way to other cores: encoded already, with whom it is for under names of its own.
//!
//! Not its delivery, which takes the same way on every core.

use std::borrow::Cow;

use smallvec::SmallVec;
use socketville_proto::sio::msgpack;
use socketville_proto::{sio, ws};

use crate::delivery::Selector;
use crate::{Id, NspId, Position};

/// A broadcast on its way to other cores; encoded already.
#[derive(Debug)]
pub struct Record {
    /// Whose namespace.
    pub nsp: NspId,
    /// As in [`Selector`].
    pub to: SmallVec<[Box<str>; 1]>,
    /// As in [`Selector`].
    pub except: SmallVec<[Box<str>; 1]>,
    /// As in [`Selector`].
    pub skip: Option<Id>,
    /// As in [`Selector`].
    pub volatile: bool,
    /// As in [`Selector`].
    pub uncompressed: bool,
    /// As in [`Selector`]; from when the record arrives.
    pub flush_within_ms: Option<u8>,
    /// WebSocket frames, with their headers.
    pub bytes: Box<[u8]>,
    /// How many.
    pub frames: u32,
    /// Its place in the history, if there is one.
    pub position: Option<Position>,
    /// Whether it was sent to one socket, and so to this core's only.
    pub is_alone: bool,
}

impl Record {
    /// The event's array, with placeholders for what is binary; `None` if it cannot be read.
    pub fn array(&self) -> Option<Cow<'_, str>> {
        let (opcode, payload) = ws::server_frames(&self.bytes).next()?;
        if opcode == ws::Opcode::Binary {
            return match msgpack::decode(payload).ok()? {
                msgpack::Packet::Event { payload, .. } => Some(payload.json.into()),
                _ => None,
            };
        }
        let text = str::from_utf8(payload).ok()?.strip_prefix('4')?;
        match sio::decode_within(text, sio::PacketLimits::CHECKED).ok()? {
            sio::Packet::Event { args, .. } => Some(args.json().into()),
            _ => None,
        }
    }

    /// Looks at the selection of this record.
    pub fn with_selector<R>(&self, look: impl FnOnce(&Selector<'_>) -> R) -> R {
        let to: SmallVec<[Cow<'_, str>; 4]> = self.to.iter().map(|name| Cow::Borrowed(&**name)).collect();
        let except: SmallVec<[Cow<'_, str>; 4]> =
            self.except.iter().map(|name| Cow::Borrowed(&**name)).collect();
        look(&Selector {
            to: &to,
            except: &except,
            skip: self.skip,
            volatile: self.volatile,
            uncompressed: self.uncompressed,
            flush_within_ms: self.flush_within_ms,
        })
    }
}

impl Selector<'_> {
    /// The same for other cores, with the bytes.
    pub fn record(&self, nsp: NspId, bytes: &[u8], frames: u32) -> Record {
        let names = |names: &[Cow<'_, str>]| names.iter().map(|name| Box::from(&**name)).collect();
        Record {
            nsp,
            to: names(self.to),
            except: names(self.except),
            skip: self.skip,
            volatile: self.volatile,
            uncompressed: self.uncompressed,
            flush_within_ms: self.flush_within_ms,
            bytes: bytes.into(),
            frames,
            position: None,
            is_alone: false,
        }
    }
}
