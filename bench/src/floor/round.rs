//! The frames that wait for the next send, made once: plain or compressed. It knows no connection.

use flate2::{Compress, Compression, FlushCompress};

use super::{Ceiling, Connections};
use crate::wire;

/// Frames to all that have not left yet, and the counters.
pub(super) struct Round {
    pub(super) ceiling: Ceiling,
    bytes: Vec<u8>,
    frames: u32,
    deflate: Compress,
    scratch: Vec<u8>,
    frames_total: u64,
    sends_total: u64,
}

impl Round {
    pub(super) fn new(ceiling: Ceiling) -> Round {
        Round {
            ceiling: Ceiling { coalesce: ceiling.coalesce.max(1), ..ceiling },
            bytes: Vec::new(),
            frames: 0,
            deflate: Compress::new(Compression::new(LEVEL), false),
            scratch: Vec::new(),
            frames_total: 0,
            sends_total: 0,
        }
    }

    /// One message to all.
    pub(super) fn push<C: Connections>(&mut self, connections: &mut C, payload: &str) {
        self.write_frame(payload);
        self.frames += 1;
        if self.frames >= self.ceiling.coalesce {
            self.flush(connections);
        }
    }

    /// One message to a room, at once.
    pub(super) fn send_to<C: Connections>(&mut self, connections: &mut C, members: &[C::Id], payload: &str) {
        self.flush(connections);
        self.write_frame(payload);
        self.frames_total += members.len() as u64;
        self.sends_total += connections.send_each(members, &self.bytes);
        self.bytes.clear();
    }

    /// What waits leaves, in one send to each.
    pub(super) fn flush<C: Connections>(&mut self, connections: &mut C) {
        if self.frames == 0 {
            return;
        }
        self.frames_total += u64::from(self.frames) * connections.members() as u64;
        self.sends_total += connections.send_all(&self.bytes);
        self.bytes.clear();
        self.frames = 0;
    }

    pub(super) fn metrics(&self) -> String {
        let body =
            format!("floor_frames_total {}\nfloor_sends_total {}\n", self.frames_total, self.sends_total);
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn write_frame(&mut self, payload: &str) {
        let packet = format!(r#"42["msg","{payload}"]"#);
        if !self.ceiling.deflate {
            return wire::write_plain(wire::TEXT, packet.as_bytes(), &mut self.bytes);
        }
        self.deflate.reset();
        self.scratch.clear();
        self.scratch.reserve(packet.len() + DEFLATE_ROOM);
        // Room for all of it is there, so one call takes the whole packet.
        let done = self.deflate.compress_vec(packet.as_bytes(), &mut self.scratch, FlushCompress::Sync);
        debug_assert!(done.is_ok(), "compression into memory does not fail");
        let end = self.scratch.len().saturating_sub(MARKER_BYTES);
        wire::write_deflated(self.scratch.get(..end).unwrap_or_default(), &mut self.bytes);
    }
}

/// The engine's default level: the ceiling must compress as much as what it is compared to.
const LEVEL: u32 = 2;
/// What incompressible bytes may grow by, generously.
const DEFLATE_ROOM: usize = 256;
/// The empty block at the end, which RFC 7692 section 7.2.1 leaves out.
const MARKER_BYTES: usize = 4;
