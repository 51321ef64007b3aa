//! A Pair with a fake clock: a hub, and clients that are queues of bytes.
//!
//! Not a server: no driver, no threads, no sleeps; time is a number that a test moves. Bytes go in and out by the very protocol that the
//! server's dispatch and turn follow, so what holds here holds there. The kernel is a number too: how many bytes a line still takes.
#![allow(dead_code, reason = "each behaviour uses a part of it")]

mod app;
pub(crate) mod client;
pub(crate) mod eio3;

use std::borrow::Cow;
use std::collections::VecDeque;

use socketville_hub::{
    Batch, Config, ConnId, Delivery, Effect, Hub, Id, Intake, Look, Manner, Newcomer, NspId, Parting,
    Progress, Reason, Refusal, Request, Selector, Settled, SocketKey,
};
use socketville_proto::encode;

#[allow(unused_imports, reason = "each behaviour uses a part of it")]
pub(crate) use client::Client;

/// A hub and all who talk to it.
pub(crate) struct Pair {
    pub(crate) hub: Hub,
    pub(crate) now_ms: u64,
    /// What the application saw, in order and in words.
    pub(crate) heard: Vec<String>,
    /// All sockets that were ever admitted; `#0` in `heard` is the first.
    pub(crate) sockets: Vec<(SocketKey, Id)>,
    /// What CONNECT is refused with, if it is.
    pub(crate) refusal: Option<&'static str>,
    /// Whether CONNECT is answered by the test, later.
    pub(crate) keeps_waiting: bool,
    pub(crate) requests: Vec<(ConnId, Request)>,
    pub(crate) passed: Vec<(ConnId, u16, Vec<u8>)>,
    /// Sends that the kernel saw.
    pub(crate) sends: usize,
    lines: Vec<Line>,
    errands: VecDeque<Effect>,
}

/// A TCP connection as its client sees it.
struct Line {
    received: Vec<u8>,
    is_open: bool,
    is_half_closed: bool,
    is_severed: bool,
    /// Bytes that the kernel still takes.
    room: usize,
    is_watched: bool,
    /// The hub wants what waits in the kernel.
    is_unread: bool,
}

/// The generation of all connections; any number will do.
const GENERATION: u32 = 7;

/// Entries of a batch: few, so that a flush has several.
const BATCH_ENTRIES: usize = 3;

impl Pair {
    /// One core with the defaults and the namespaces `/` and `/a`.
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    /// One core with these options.
    pub(crate) fn with(config: Config) -> Self {
        Self::core(config, 0, 1)
    }

    /// One core of several.
    pub(crate) fn core(config: Config, core: u16, cores: u16) -> Self {
        let mut hub = Hub::new(config, core, cores, [core as u8 + 1; 32]);
        hub.add_namespace("/");
        hub.add_namespace("/a");
        Self {
            hub,
            now_ms: 1_000_000,
            heard: Vec::new(),
            sockets: Vec::new(),
            refusal: None,
            keeps_waiting: false,
            requests: Vec::new(),
            passed: Vec::new(),
            sends: 0,
            lines: Vec::new(),
            errands: VecDeque::new(),
        }
    }

    /// A new connection.
    pub(crate) fn open(&mut self) -> ConnId {
        self.open_from(Newcomer::default())
    }

    /// A new connection of which something is known.
    pub(crate) fn open_from(&mut self, newcomer: Newcomer) -> ConnId {
        let conn = ConnId { index: self.lines.len() as u32, generation: GENERATION };
        self.lines.push(Line {
            received: Vec::new(),
            is_open: true,
            is_half_closed: false,
            is_severed: false,
            room: usize::MAX,
            is_watched: false,
            is_unread: false,
        });
        self.hub.open_from(self.now_ms, conn, newcomer);
        self.run_effects();
        conn
    }

    /// Bytes arrive, and the turn ends.
    pub(crate) fn say(&mut self, conn: ConnId, bytes: impl AsRef<[u8]>) {
        self.feed(conn, bytes);
        self.turn();
    }

    /// Bytes arrive; nothing is sent yet.
    pub(crate) fn feed(&mut self, conn: ConnId, bytes: impl AsRef<[u8]>) {
        assert!(self.is_held(conn), "a closed connection says nothing");
        self.hub.counters.bytes_in += bytes.as_ref().len() as u64;
        let mut all = self.hub.take_held(conn).unwrap_or_default();
        all.extend_from_slice(bytes.as_ref());
        self.read(conn, &mut all);
    }

    fn read(&mut self, conn: ConnId, bytes: &mut [u8]) {
        let mut at = 0;
        loop {
            match self.hub.intake(conn) {
                Intake::Deaf => {
                    self.hub.ignore(conn, bytes.len() - at);
                    return self.run_effects();
                }
                Intake::WebSocket(decoder) => return self.read_websocket(conn, decoder, &mut bytes[at..]),
                Intake::Http => {
                    let (taken, progress) = self.hub.handle_http(self.now_ms, conn, &bytes[at..]);
                    at += taken;
                    match progress {
                        Progress::Wait => return self.run_effects(),
                        Progress::Again => {}
                        Progress::Payload(session, post) => self.read_payload(conn, session, &post),
                    }
                    self.run_effects();
                    if at == bytes.len() {
                        return;
                    }
                }
            }
        }
    }

    /// The client closes its end, or only its sending half.
    pub(crate) fn end(&mut self, conn: ConnId) {
        self.hub.handle_eof(self.now_ms, conn);
        self.run_effects();
        self.turn();
    }

    /// The connection breaks.
    pub(crate) fn break_line(&mut self, conn: ConnId) {
        self.hub.handle_end(conn, Reason::TransportClose);
        self.run_effects();
        self.turn();
    }

    /// Timers, flush, errands: what a turn does after reading.
    pub(crate) fn turn(&mut self) {
        self.hub.handle_timers(self.now_ms, Look::Quiet);
        self.run_effects();
        self.hub.settle_polls(self.now_ms);
        while self.flush_batch() {}
        self.hub.cut_slow(self.now_ms);
        self.hub.relieve(self.now_ms);
        self.run_effects();
        while let Some(errand) = self.errands.pop_front() {
            match errand {
                Effect::Close(conn) => self.close(conn),
                Effect::Pass(conn, to, bytes) => {
                    self.hub.forget(conn);
                    self.passed.push((conn, to, bytes));
                }
                Effect::Join(session, nsp) => {
                    self.connect(session, nsp, None);
                    self.run_effects();
                    while self.flush_batch() {}
                }
                Effect::Read(conn) => self.lines[conn.index as usize].is_unread = true,
                other => panic!("not for the loop: {other:?}"),
            }
        }
    }

    /// Time passes; each timer fires when it is due.
    pub(crate) fn pass_ms(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while let Some(next_ms) = self.hub.next_timer_ms().filter(|&next_ms| next_ms <= until_ms) {
            self.now_ms = next_ms.max(self.now_ms);
            self.turn();
        }
        self.now_ms = until_ms;
        self.turn();
    }

    /// False once nothing was due.
    pub(crate) fn flush_batch(&mut self) -> bool {
        let (mut batch, mut settled) = (Batch::default(), Settled::default());
        self.hub.outbox.take_batch(&mut batch, BATCH_ENTRIES);
        let mut refusals = Vec::new();
        for (position, (conn, bytes)) in self.hub.outbox.slices(&batch).enumerate() {
            let line = &mut self.lines[conn.index as usize];
            self.sends += 1;
            if !line.is_open || line.is_severed {
                refusals.push((position, Refusal::Broken));
                continue;
            }
            let taken = bytes.len().min(line.room);
            line.received.extend_from_slice(&bytes[..taken]);
            line.room -= if line.room == usize::MAX { 0 } else { taken };
            if taken < bytes.len() {
                refusals.push((position, Refusal::Took(taken)));
            }
        }
        self.hub.outbox.settle(&batch, &refusals, &mut settled);
        settled.blocked.iter().for_each(|conn| self.lines[conn.index as usize].is_watched = true);
        settled.idle.iter().for_each(|conn| self.hub.handle_idle(*conn));
        settled.broken.iter().for_each(|conn| self.hub.handle_end(*conn, Reason::TransportClose));
        for conn in settled.drained {
            match self.hub.part(conn) {
                Parting::HalfClose => self.lines[conn.index as usize].is_half_closed = true,
                Parting::Close => self.close(conn),
            }
        }
        !batch.is_empty()
    }

    fn close(&mut self, conn: ConnId) {
        self.lines[conn.index as usize].is_open = false;
        self.hub.forget(conn);
    }

    /// From now on the kernel takes so many bytes of a connection, and no more.
    pub(crate) fn limit(&mut self, conn: ConnId, room: usize) {
        let line = &mut self.lines[conn.index as usize];
        line.room = room;
        if room > 0 && std::mem::take(&mut line.is_watched) {
            self.hub.outbox.handle_writable(conn);
        }
    }

    /// The kernel finds the connection broken at the next send.
    pub(crate) fn sever(&mut self, conn: ConnId) {
        self.lines[conn.index as usize].is_severed = true;
    }

    /// Whether the client has not seen the end of the connection.
    pub(crate) fn is_open(&self, conn: ConnId) -> bool {
        self.is_held(conn) && !self.lines[conn.index as usize].is_half_closed
    }

    /// Whether the hub has said that bytes in the kernel can be read now.
    pub(crate) fn is_unread(&self, conn: ConnId) -> bool {
        self.lines[conn.index as usize].is_unread
    }

    /// Whether the server still holds the connection.
    pub(crate) fn is_held(&self, conn: ConnId) -> bool {
        self.lines[conn.index as usize].is_open
    }

    /// All bytes that have come.
    pub(crate) fn take(&mut self, conn: ConnId) -> Vec<u8> {
        std::mem::take(&mut self.lines[conn.index as usize].received)
    }

    /// What the application saw since the last call.
    pub(crate) fn take_heard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.heard)
    }

    /// The number of a namespace that exists.
    pub(crate) fn nsp(&self, name: &str) -> NspId {
        self.hub.namespace(name).expect("a namespace of the fixture")
    }

    /// An event to one socket, not flushed.
    pub(crate) fn emit(&mut self, key: SocketKey, json: &str) -> bool {
        self.hub.send(key, encode::Kind::Event, None, json.as_bytes(), &[], Manner::default()).is_due()
    }

    /// An event to a socket that may be dropped.
    pub(crate) fn emit_volatile(&mut self, key: SocketKey, json: &str) -> bool {
        self.hub
            .send(
                key,
                encode::Kind::Event,
                None,
                json.as_bytes(),
                &[],
                Manner { volatile: true, ..Manner::default() },
            )
            .is_due()
    }

    /// An event to rooms of `/` (to all if there are none), not flushed; how many sockets it is due to.
    pub(crate) fn broadcast(&mut self, to: &[&str], json: &str) -> usize {
        let to = names(to);
        self.select(&Selector { to: &to, ..Selector::default() }, json).sockets
    }

    /// An event to a selection of `/`, not flushed.
    pub(crate) fn select(&mut self, selector: &Selector<'_>, json: &str) -> Delivery {
        let nsp = self.nsp("/");
        self.hub.broadcast(nsp, selector, encode::Kind::Event, json.as_bytes(), &[])
    }
}

/// Names as selectors want them.
pub(crate) fn names<'a>(names: &[&'a str]) -> Vec<Cow<'a, str>> {
    names.iter().map(|name| Cow::Borrowed(*name)).collect()
}
