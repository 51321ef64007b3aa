//! One hub with the WebSockets of its clients: what the server's dispatch and flush do, on queues of bytes.
//!
//! Time stands still and the kernel takes everything: what may go wrong here is which client gets what.

use std::collections::VecDeque;
use std::sync::Arc;

use socketville_hub::{
    Batch, Config, ConnId, Effect, Hub, Incoming, Intake, NspId, Parting, Progress, Reason, Record, Selector,
    SessionKey, Settled, SocketKey,
};
use socketville_proto::{encode, ws};

use crate::frames::{Frame, Reader};
use crate::requests;

/// The time of everything.
pub(super) const NOW_MS: u64 = 1_000;
/// Entries of a batch: few, so that a flush has several.
const BATCH_ENTRIES: usize = 3;

/// One core.
pub(super) struct HubCore {
    pub(super) hub: Hub,
    /// What the clients have not read yet, by slot.
    received: Vec<Vec<u8>>,
    /// Clients that wait to be let into a namespace.
    pub(super) asking: VecDeque<(SessionKey, NspId)>,
    /// Sockets that have left and are not forgotten yet.
    leaving: VecDeque<SocketKey>,
}

impl HubCore {
    /// A core with these namespaces.
    pub(super) fn new(config: Config, core: u16, cores: u16, namespaces: &[&str]) -> Self {
        let mut hub = Hub::new(config, core, cores, [core as u8 + 1; 32]);
        for name in namespaces {
            hub.add_namespace(name);
        }
        Self { hub, received: Vec::new(), asking: VecDeque::new(), leaving: VecDeque::new() }
    }

    /// A new WebSocket of this revision of Engine.IO.
    pub(super) fn connect(&mut self, eio: u8) -> ConnId {
        let conn = ConnId { index: self.received.len() as u32, generation: 7 };
        self.received.push(Vec::new());
        self.hub.open(NOW_MS, conn);
        let request =
            String::from_utf8_lossy(&requests::websocket(None)).replace("EIO=4", &format!("EIO={eio}"));
        let (taken, progress) = self.hub.handle_http(NOW_MS, conn, request.as_bytes());
        assert!(
            taken == request.len() && matches!(progress, Progress::Again | Progress::Wait),
            "{progress:?}"
        );
        self.run_effects();
        self.flush();
        let bytes = &mut self.received[conn.index as usize];
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer to the handshake");
        assert!(bytes.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(bytes));
        bytes.drain(..head + 4);
        conn
    }

    /// A client sends a message; a client that wants to join a namespace is in `asking` then.
    pub(super) fn say(&mut self, conn: ConnId, text: &str) {
        let Intake::WebSocket(reader) = self.hub.intake(conn) else { panic!("{conn:?} is no WebSocket") };
        match self.hub.handle_message(NOW_MS, conn, ws::Message::Text(text)) {
            Some(Incoming::Connect { session, nsp, .. }) => self.asking.push_back((session, nsp)),
            None => {}
            Some(other) => panic!("{text} is {other:?}"),
        }
        self.hub.return_decoder(conn, reader);
        self.run_effects();
    }

    /// A client's connection breaks.
    pub(super) fn cut(&mut self, conn: ConnId) {
        self.hub.handle_end(conn, Reason::TransportClose);
        self.run_effects();
        self.received[conn.index as usize].clear();
    }

    /// The application forgets the sockets that have left.
    pub(super) fn forget_sockets(&mut self) {
        while let Some(key) = self.leaving.pop_front() {
            self.hub.forget_socket(key);
        }
        self.run_effects();
    }

    /// Another core's broadcast.
    pub(super) fn take_record(&mut self, record: &Arc<Record>, bundled: bool) -> usize {
        if bundled {
            self.hub.bundle_record(record);
            return 0;
        }
        self.hub.deliver_record(record)
    }

    /// The slots' keys that a selector names, without sending.
    pub(super) fn selected(&self, nsp: NspId, selector: &Selector<'_>) -> Vec<SocketKey> {
        let keys = self.hub.selected(nsp, selector);
        assert_eq!(self.hub.select(nsp, selector).len(), keys.len());
        keys
    }

    /// An event to one socket; whether it is or will be due.
    pub(super) fn send(&mut self, key: SocketKey, json: &str) -> bool {
        let kind = encode::Kind::Event;
        self.hub.send(key, kind, None, json.as_bytes(), &[], socketville_hub::Manner::default()).is_due()
    }

    /// What the hub asks for.
    pub(super) fn run_effects(&mut self) {
        while let Some(effect) = self.hub.take_effect() {
            match effect {
                Effect::Disconnecting(key, _) => self.leaving.push_back(key),
                Effect::Abandoned(key) => _ = self.hub.forget_socket(key),
                Effect::Join(session, nsp) => self.asking.push_back((session, nsp)),
                Effect::Close(conn) => self.hub.forget(conn),
                Effect::Room(_) | Effect::AskAddress(..) | Effect::Read(_) | Effect::Resume(_) => {}
                other => panic!("an effect that nothing here brings about: {other:?}"),
            }
        }
    }

    /// Sends all that is due.
    pub(super) fn flush(&mut self) {
        loop {
            let (mut batch, mut settled) = (Batch::default(), Settled::default());
            self.hub.outbox.take_batch(&mut batch, BATCH_ENTRIES);
            for (conn, bytes) in self.hub.outbox.slices(&batch) {
                self.received[conn.index as usize].extend_from_slice(bytes);
            }
            self.hub.outbox.settle(&batch, &[], &mut settled);
            settled.idle.iter().for_each(|conn| self.hub.handle_idle(*conn));
            for conn in settled.drained {
                match self.hub.part(conn) {
                    Parting::HalfClose => self.hub.handle_eof(NOW_MS, conn),
                    Parting::Close => self.hub.forget(conn),
                }
            }
            self.run_effects();
            if batch.is_empty() {
                break;
            }
        }
    }

    /// The Socket.IO events that have come on a connection, as text.
    pub(super) fn events(&mut self, conn: ConnId) -> Vec<String> {
        let mut events = Vec::new();
        let mut reader = Reader::of(std::mem::take(&mut self.received[conn.index as usize]));
        while let Some(frame) = reader.take().expect("frames of a server") {
            if let Frame::Text(text) = frame
                && text.starts_with("42")
            {
                events.push(text);
            }
        }
        assert!(reader.is_between_frames(), "a flush ends within a frame");
        events
    }
}
