//! The two paths through the engine without a kernel, made deterministic: the same calls in the same order, so that their
//! instructions can be counted. Not a measurement of time, and not a server: what the sockets are sent is dropped.
//!
//! Setting up costs far more than a message. Whoever counts runs a path with two lengths and takes the difference.

use anyhow::{Context, Result, bail};
use socketville_hub::{
    Batch, Config, ConnId, Hub, Incoming, Intake, NspId, Progress, Selector, Settled, SocketKey,
};
use socketville_proto::encode::Kind;

use crate::wire;

mod echo;

pub use echo::answer as answer_echo;

/// Which path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Path {
    /// Broadcasts to all, a flush after each.
    Outbound,
    /// Events of one client, from masked bytes to the handler's arguments.
    Inbound,
    /// Questions with their answers through the whole engine: loop, handler and flush. The handler relays.
    Echo,
    /// The same with a handler that reads its argument as a type.
    Typed,
}

/// One core with sockets in `/`.
struct Core {
    hub: Hub,
    nsp: NspId,
    conns: Vec<ConnId>,
    sockets: Vec<SocketKey>,
    batch: Batch,
    settled: Settled,
    /// Sends that a kernel would have seen.
    sends: u64,
    events: u64,
}

/// Goes a path `count` times with so many sockets connected, and says how many sends or events that were.
///
/// # Errors
/// When the engine does not behave as the path needs: then a count would mean nothing.
pub fn walk(path: Path, sockets: u32, count: u32) -> Result<u64> {
    match path {
        Path::Outbound => Core::new(sockets)?.walk_outbound(count),
        Path::Inbound => Core::new(sockets)?.walk_inbound(count),
        Path::Echo => echo::walk(echo::relaying(), sockets, count),
        Path::Typed => echo::walk(echo::reading(), sockets, count),
    }
}

impl Core {
    fn new(sockets: u32) -> Result<Core> {
        let mut hub = Hub::new(Config::default(), 0, 1, [7; 32]);
        let nsp = hub.add_namespace("/");
        let (batch, settled) = (Batch::default(), Settled::default());
        let mut core = Core { hub, nsp, conns: vec![], sockets: vec![], batch, settled, sends: 0, events: 0 };
        for index in 0..sockets {
            core.connect(ConnId { index, generation: 1 })?;
        }
        core.sends = 0;
        Ok(core)
    }

    fn connect(&mut self, conn: ConnId) -> Result<()> {
        self.hub.open(NOW_MS, conn);
        let (_, progress) = self.hub.handle_http(NOW_MS, conn, UPGRADE);
        let (Progress::Again | Progress::Wait) = progress else { bail!("an upgrade has no body") };
        self.drop_effects();
        self.flush();
        let mut frame = Vec::new();
        wire::write_masked(wire::TEXT, b"40", &mut frame);
        self.read(conn, &mut frame)?;
        self.flush();
        self.conns.push(conn);
        anyhow::ensure!(self.sockets.len() == self.conns.len(), "a client was not let in");
        Ok(())
    }

    fn walk_outbound(&mut self, count: u32) -> Result<u64> {
        let json = format!(r#"["msg","{}"]"#, "x".repeat(PAYLOAD_BYTES));
        for _ in 0..count {
            self.hub.bundle(self.nsp, &Selector::default(), Kind::Event, json.as_bytes(), &[]);
            self.hub.release();
            self.flush();
        }
        let expected = u64::from(count) * self.conns.len() as u64;
        anyhow::ensure!(self.sends == expected, "{} sends, expected {expected}", self.sends);
        Ok(self.sends)
    }

    fn walk_inbound(&mut self, count: u32) -> Result<u64> {
        let conn = *self.conns.first().context("nobody is connected")?;
        let text = format!(r#"42["say","{}"]"#, "x".repeat(PAYLOAD_BYTES));
        let mut frame = Vec::new();
        wire::write_masked(wire::TEXT, text.as_bytes(), &mut frame);
        let mut received = Vec::with_capacity(frame.len());
        for _ in 0..count {
            received.clear();
            received.extend_from_slice(&frame);
            self.read(conn, &mut received)?;
        }
        anyhow::ensure!(self.events == u64::from(count), "{} events, expected {count}", self.events);
        Ok(self.events)
    }

    /// As the server's dispatch reads a WebSocket.
    fn read(&mut self, conn: ConnId, bytes: &mut [u8]) -> Result<()> {
        let Intake::WebSocket(mut reader) = self.hub.intake(conn) else { bail!("no WebSocket") };
        let (message_max, mut at) = (self.hub.message_bytes_max(conn), 0);
        loop {
            let rest = bytes.get_mut(at..).unwrap_or_default();
            let Ok((taken, message)) = reader.decoder.decode(rest, message_max) else { bail!("a bad frame") };
            let Some(message) = message else { break };
            at += taken;
            match self.hub.handle_message(NOW_MS, conn, message) {
                Some(Incoming::Connect { session, nsp, .. }) => {
                    self.sockets.extend(self.hub.admit(session, nsp).map(|(key, _)| key));
                }
                Some(Incoming::Event { .. }) => self.events += 1,
                _ => bail!("an unexpected message"),
            }
            self.drop_effects();
        }
        self.hub.return_decoder(conn, reader);
        Ok(())
    }

    fn drop_effects(&mut self) {
        while self.hub.take_effect().is_some() {}
    }

    /// As the server's flush, on a kernel that takes everything.
    fn flush(&mut self) {
        loop {
            self.hub.outbox.take_batch(&mut self.batch, BATCH_ENTRIES);
            if self.batch.is_empty() {
                return;
            }
            for (_, bytes) in self.hub.outbox.slices(&self.batch) {
                self.sends += u64::from(!std::hint::black_box(bytes).is_empty());
            }
            self.hub.outbox.settle(&self.batch, &[], &mut self.settled);
        }
    }
}

/// Any time will do; it stands still.
const NOW_MS: u64 = 1_000_000;
/// As the server's.
const BATCH_ENTRIES: usize = 128;
/// As in the comparison's first rows.
const PAYLOAD_BYTES: usize = 128;

const UPGRADE: &[u8] =
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_gone_as_often_as_asked() {
        assert_eq!(walk(Path::Outbound, 20, 3).expect("a walk"), 60);
        assert_eq!(walk(Path::Inbound, 2, 5).expect("a walk"), 5);
        assert_eq!(walk(Path::Echo, 20, 8 * 50).expect("a walk"), 8 * 50);
        assert_eq!(walk(Path::Typed, 3, 8 * 7).expect("a walk"), 8 * 7);
    }
}
