//! Connections of one core: what each is in the middle of.
//!
//! Not descriptors: a [`ConnId`] is a slot and a generation that the kernel's side gave, and a stale one touches nothing. How a
//! connection ends is in `parting`.

use socketville_proto::eio::{PayloadForm, PayloadItems, Revision};
use socketville_proto::http::KeepAlive;
use socketville_proto::ws;

use crate::account::{Charge, Kind, Owner};
use crate::deadlines::Due;
use crate::desk::Extra;
use crate::pages::Pages;
use crate::pipelined::Behind;
use crate::reading::{Held, Reading};
use crate::shortage::For;
use crate::timers::{Alarm, Watched};
use crate::uploads::Upload;
use crate::{Hub, SessionKey};

/// A TCP connection: its slot, and how often the slot was used before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConnId {
    /// The slot.
    pub index: u32,
    /// The generation.
    pub generation: u32,
}

/// How a connection's next bytes are to be read.
pub enum Intake {
    /// With [`Hub::handle_http`].
    Http,
    /// With this decoder and what [`Hub::lend_inflater`] has for it, each message to [`Hub::handle_message`]; then give it back with
    /// [`Hub::return_decoder`].
    WebSocket(FrameReader),
    /// Not at all: it is closing or gone.
    Deaf,
}

/// The decoder of a WebSocket's frames. A connection has none of its own but for a frame or message that has come in part.
#[derive(Debug, Default)]
pub struct FrameReader {
    /// Lent until [`Hub::return_decoder`].
    pub decoder: ws::Decoder,
    charge: Option<Charge>,
}

/// What to do after a step over HTTP bytes.
#[derive(Debug)]
pub enum Progress {
    /// Nothing until more bytes come.
    Wait,
    /// Read the rest, asking for the [`Intake`] again.
    Again,
    /// A POST's body is here: its packets, in this turn or later ones, then [`Hub::finish_post`].
    Payload(SessionKey, Post),
}

/// A POST with packets.
#[derive(Debug)]
pub struct Post {
    /// The payload.
    pub body: Vec<u8>,
    /// How it is written.
    pub form: PayloadForm,
    /// The request's head, for sessions of bare Engine.IO.
    pub head: Option<Box<[u8]>>,
    /// Bytes of the payload whose packets were handled.
    at: usize,
    /// For the body, until this is dropped.
    _charge: Charge,
}

impl Post {
    pub(crate) const fn new(
        body: Vec<u8>,
        form: PayloadForm,
        head: Option<Box<[u8]>>,
        charge: Charge,
    ) -> Self {
        Self { body, form, head, at: 0, _charge: charge }
    }

    /// Its packets that were not handled yet; an error is the last, and ends the session with [`Hub::reject`].
    pub fn items(&self) -> PayloadItems<'_> {
        self.form.items(self.body.get(self.at..).unwrap_or_default())
    }

    /// Some of its packets were handled, and so many bytes are left, as [`PayloadItems::rest_bytes`] says; whether that was the last.
    pub fn advance(&mut self, rest_bytes: Option<usize>) -> bool {
        self.at = self.body.len() - rest_bytes.unwrap_or_default();
        rest_bytes.is_none()
    }
}

pub(crate) struct Conn {
    pub(crate) generation: u32,
    pub(crate) keep: KeepAlive,
    pub(crate) content: Content,
    pub(crate) phase: Phase,
    /// Bytes that wait here.
    pub(crate) held: Option<Box<Held>>,
    pub(crate) reading: Reading,
    /// When it has taken too long over what it is in the middle of.
    pub(crate) due: Due,
    pub(crate) alarm: Alarm,
    /// How far its peer has come.
    pub(crate) course: Course,
    /// What the answer to the request carries besides; `None` is the rule.
    pub(crate) extra: Option<Box<Extra>>,
}

/// How far a peer has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Course {
    /// It has made no request yet.
    New,
    /// It has made one, as this kind of peer.
    Known(PeerKind),
    /// It has sent its end while an answer was being made.
    Ended,
}

/// The kind of a connection's peer. When the server ends, the client of a session has the whole drain window to take its bytes, and a stranger has not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PeerKind {
    /// One without a session: a browser, a backend, the operator.
    Stranger,
    /// The client of a session, or of a bare WebSocket.
    Client,
}

pub(crate) enum Phase {
    /// Not open.
    Vacant,
    /// Waits for a request head. A session whose poll was answered last may still wait for that answer's bytes.
    Http(Option<SessionKey>),
    /// Reads a request's body.
    Body(Box<Upload>),
    /// A GET that waits for packets, and what has come behind it.
    Parked(SessionKey, Option<Box<Behind>>),
    /// The application has the request, or a payload is being handled.
    Answering,
    /// A session's WebSocket, or one that wants to become that.
    WebSocket { session: SessionKey, partial: Option<Box<FrameReader>>, role: Role },
    /// Its last bytes are on their way, and then it closes: the peer has sent all that it had to.
    Closing,
    /// As `Closing`, but the peer may still be sending. Closing would answer that with a reset, which could take the last bytes with it: so
    /// only our direction ends after them, and what comes is ignored until the peer's end or a limit (RFC 9112 section 9.6).
    Lingering { ignored_bytes: u32 },
}

/// What becomes of an answer's body (RFC 9110 section 9.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    /// It follows the head.
    Sent,
    /// HEAD asked for the head alone, which tells the body's length.
    Withheld,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Transport(Revision),
    Probe,
    Bare,
}

impl Role {
    /// What the peer of a session's WebSocket speaks.
    pub(crate) const fn revision(self) -> Revision {
        match self {
            Self::Transport(revision) => revision,
            Self::Probe | Self::Bare => Revision::V4,
        }
    }
}

const _: () = assert!(size_of::<Conn>() <= 64);

impl Hub {
    /// Whether a connection has made no request yet.
    pub fn is_new(&self, conn: ConnId) -> bool {
        self.conn(conn).is_some_and(|state| state.course == Course::New)
    }

    /// How the bytes that came are to be read.
    pub fn intake(&mut self, conn: ConnId) -> Intake {
        match self.conn_mut(conn).map(|c| &mut c.phase) {
            None | Some(Phase::Vacant | Phase::Closing | Phase::Lingering { .. }) => Intake::Deaf,
            Some(Phase::WebSocket { partial, .. }) => {
                Intake::WebSocket(partial.take().map_or_else(FrameReader::default, |reader| *reader))
            }
            Some(_) => Intake::Http,
        }
    }

    /// Gives back what [`Hub::intake`] lent.
    #[inline]
    pub fn return_decoder(&mut self, conn: ConnId, lent: FrameReader) {
        if lent.decoder.buffered() > 0 {
            self.keep_partial(conn, lent);
        }
    }

    fn keep_partial(&mut self, conn: ConnId, mut lent: FrameReader) {
        let bytes = lent.decoder.buffered();
        let charge =
            lent.charge.get_or_insert_with(|| self.account.charge(Kind::Frames, Owner::Conn(conn), 0));
        charge.set(bytes);
        if let Some(Phase::WebSocket { partial, .. }) = self.conn_mut(conn).map(|c| &mut c.phase) {
            *partial = Some(Box::new(lent));
            self.delay_if_short(conn, bytes, For::Events);
        }
    }

    /// What the connection's decoder needs if it has agreed upon compression; then give it back with [`Hub::return_inflater`].
    pub fn lend_inflater(&mut self, conn: ConnId) -> Option<Box<ws::Inflater>> {
        self.outbox.form(conn.index).window()?;
        Some(self.inflater.take().unwrap_or_default())
    }

    /// Gives back what [`Hub::lend_inflater`] lent.
    pub fn return_inflater(&mut self, lent: Option<Box<ws::Inflater>>) {
        self.inflater = lent.or(self.inflater.take());
    }

    pub(crate) fn set_conn_deadline(&mut self, conn: ConnId, due_ms: u64) {
        if let Some(state) = find(&mut self.conns, conn) {
            state.due = Due::at(due_ms);
            self.arm_conn(conn);
        }
    }

    pub(crate) fn arm_conn(&mut self, conn: ConnId) {
        if let Some(state) = find(&mut self.conns, conn) {
            self.timers.watch(&mut state.alarm, state.due.ms(), Watched::Conn(conn.index));
        }
    }

    /// A request has begun to come: its head has so long, however slowly its bytes drip.
    pub(crate) fn hurry_conn(&mut self, conn: ConnId, due_ms: u64) {
        if self.conn_mut(conn).is_some_and(|state| state.due.ms() > due_ms) {
            self.set_conn_deadline(conn, due_ms);
        }
    }

    pub(crate) fn handle_conn_timer(&mut self, now_ms: u64, at_ms: u64, index: u32) {
        let Some(state) = self.conns.get_mut(index as usize) else { return };
        let conn = ConnId { index, generation: state.generation };
        if self.timers.settle(&mut state.alarm, state.due.ms(), at_ms, now_ms, Watched::Conn(index)) {
            self.expire_conn(now_ms, conn);
        }
    }

    pub(crate) fn conn(&self, conn: ConnId) -> Option<&Conn> {
        self.conns
            .get(conn.index as usize)
            .filter(|state| state.generation == conn.generation && !matches!(state.phase, Phase::Vacant))
    }

    pub(crate) fn conn_mut(&mut self, conn: ConnId) -> Option<&mut Conn> {
        find(&mut self.conns, conn)
    }
}

impl Default for Conn {
    fn default() -> Self {
        Self::vacant()
    }
}

impl Conn {
    /// Whether it is a session's client's, by its last request.
    pub(crate) const fn is_client(&self) -> bool {
        matches!(self.course, Course::Known(PeerKind::Client))
    }

    pub(crate) const fn vacant() -> Self {
        Self {
            generation: 0,
            keep: KeepAlive::Keep,
            content: Content::Sent,
            phase: Phase::Vacant,
            held: None,
            reading: Reading::FREE,
            due: Due::NEVER,
            alarm: Alarm::NONE,
            course: Course::New,
            extra: None,
        }
    }
}

pub(crate) fn find(conns: &mut Pages<Conn>, conn: ConnId) -> Option<&mut Conn> {
    conns
        .get_mut(conn.index as usize)
        .filter(|state| state.generation == conn.generation && !matches!(state.phase, Phase::Vacant))
}
