//! What a request is: one pure question over its head and the sessions there are.
//!
//! Not an answer: nothing is written or changed here. The order of the checks is the reference's, so that its error codes come out.

use socketville_proto::eio::Revision;
use socketville_proto::http::{Head, Method};
use socketville_proto::ws;

use crate::conns::PeerKind;
use crate::desk::Occasion;
use crate::forms::Framing;
use crate::poll_buffer::PollForm;
use crate::session::{Layer, Link};
use crate::{Hub, Id, SessionKey};

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Begin a session over polling.
    OpenPolling(Layer, PollForm),
    /// Begin a session over WebSocket.
    OpenWebSocket(Layer, Framing),
    /// A WebSocket without Engine.IO.
    OpenBare,
    /// A GET for packets.
    Poll(SessionKey),
    /// A POST with packets.
    Post(SessionKey),
    /// A WebSocket for a session that polls.
    Upgrade(SessionKey),
    /// A WebSocket for a session that has one: accepted, so that its client can be told, then closed.
    TurnAway,
    /// Its session lives on another core.
    OtherCore(u16),
    /// A CORS preflight.
    Preflight,
    /// Refused with an error of Engine.IO.
    Refuse(Fault),
    /// Refused by the application or for its origin, with this message.
    Forbid(String),
    /// There is no room for what it wants.
    NoRoom(Lack),
    /// Not under the engine's path.
    NotOurs,
    /// For another server of this process.
    Elsewhere,
    /// The application decides about it first.
    Consider(Occasion),
}

impl Verdict {
    /// The kind of peer that its connection has from now on.
    pub(crate) const fn peer(&self) -> PeerKind {
        match self {
            Self::OpenPolling(..)
            | Self::OpenWebSocket(..)
            | Self::OpenBare
            | Self::Poll(_)
            | Self::Post(_)
            | Self::Upgrade(_)
            | Self::TurnAway => PeerKind::Client,
            Self::OtherCore(_)
            | Self::Preflight
            | Self::Refuse(_)
            | Self::Forbid(_)
            | Self::NoRoom(_)
            | Self::NotOurs
            | Self::Elsewhere
            | Self::Consider(_) => PeerKind::Stranger,
        }
    }

    /// Whether the application, another server or a new session would have it to deal with.
    pub(crate) const fn begins(&self) -> bool {
        self.opens() || matches!(self, Self::OpenBare | Self::NotOurs | Self::Elsewhere | Self::Consider(_))
    }

    /// Whether it begins a session.
    pub(crate) const fn opens(&self) -> bool {
        matches!(self, Self::OpenPolling(..) | Self::OpenWebSocket(..))
    }
}

/// What there is not enough of for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// The core holds too much.
    Memory,
    /// Its client's address has as much as it may.
    Share,
    /// It came on one of the last, which are for the operator.
    Descriptors,
    /// Clients have been told that the server ends: nothing begins any more.
    Time,
}

/// Errors of Engine.IO. Source: the reference's `Server.errors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    TransportUnknown,
    SessionUnknown,
    HandshakeMethod,
    BadRequest,
    ProtocolVersion,
}

impl Fault {
    /// Its number.
    pub(crate) const fn code(self) -> usize {
        match self {
            Self::TransportUnknown => 0,
            Self::SessionUnknown => 1,
            Self::HandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::ProtocolVersion => 5,
        }
    }

    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown => "Session ID unknown",
            Self::HandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::ProtocolVersion => "Unsupported protocol version",
        }
    }

    /// The JSON body, letter for letter as the official clients expect it.
    pub(crate) const fn body(self) -> &'static str {
        match self {
            Self::TransportUnknown => r#"{"code":0,"message":"Transport unknown"}"#,
            Self::SessionUnknown => r#"{"code":1,"message":"Session ID unknown"}"#,
            Self::HandshakeMethod => r#"{"code":2,"message":"Bad handshake method"}"#,
            Self::BadRequest => r#"{"code":3,"message":"Bad request"}"#,
            Self::ProtocolVersion => r#"{"code":5,"message":"Unsupported protocol version"}"#,
        }
    }
}

impl Hub {
    pub(crate) fn verdict(&self, head: &Head<'_>) -> Verdict {
        if self.is_client_file(head.path) && matches!(head.method, Method::Get | Method::Head) {
            return Verdict::NotOurs;
        }
        let Some(layer) = self.layer(head.path) else {
            let is_bare =
                ws::is_upgrade(head) && self.config.websocket_paths.iter().any(|path| path == head.path);
            return match self.is_served(head.path) {
                _ if is_bare => Verdict::OpenBare,
                true => Verdict::NotOurs,
                false => Verdict::Elsewhere,
            };
        };
        if head.method == Method::Options && self.config.cors.is_on() {
            return Verdict::Preflight;
        }
        let is_upgrade = ws::is_upgrade(head);
        let is_websocket = match head.query_value("transport").as_deref() {
            Some("polling") if self.config.transports.polling() && !is_upgrade => false,
            Some("polling") if self.config.transports.polling() => return Verdict::Refuse(Fault::BadRequest),
            Some("websocket") if self.config.transports.websocket() => true,
            _ => return Verdict::Refuse(Fault::TransportUnknown),
        };
        let revision = self.revision(head);
        match (head.query_value("sid").filter(|sid| !sid.is_empty()), revision) {
            (Some(sid), _) => self.verdict_for(&sid, head.method, is_websocket, is_upgrade, revision),
            _ if head.method != Method::Get => Verdict::Refuse(Fault::HandshakeMethod),
            _ if is_websocket && !is_upgrade => Verdict::Refuse(Fault::BadRequest),
            (None, None) => Verdict::Refuse(Fault::ProtocolVersion),
            (None, Some(revision)) if is_websocket => {
                Verdict::OpenWebSocket(layer, Framing::of(revision, head))
            }
            (None, Some(revision)) => PollForm::of(revision, head)
                .map_or(Verdict::Refuse(Fault::BadRequest), |form| Verdict::OpenPolling(layer, form)),
        }
    }

    /// What a request speaks, if it is spoken here. Who does not say it means the third revision, as in the reference.
    fn revision(&self, head: &Head<'_>) -> Option<Revision> {
        match head.query_value("EIO").as_deref() {
            Some("4") => Some(Revision::V4),
            Some("3") | None if self.config.allows_eio3 => Some(Revision::V3),
            _ => None,
        }
    }

    /// Whether the application answers this path here.
    fn is_served(&self, path: &str) -> bool {
        self.served_paths.as_ref().is_none_or(|paths| paths.iter().any(|served| **served == *path))
    }

    fn layer(&self, path: &str) -> Option<Layer> {
        let prefix = match self.config.adds_trailing_slash {
            true => self.config.path.as_str(),
            false => self.config.path.trim_end_matches('/'),
        };
        let is_below = |rest: &str| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/');
        if path.strip_prefix(prefix).is_some_and(is_below) {
            return Some(Layer::SocketIo);
        }
        self.config.engine_paths.iter().any(|prefix| path.starts_with(prefix)).then_some(Layer::Bare)
    }

    fn verdict_for(
        &self,
        sid: &str,
        method: Method,
        is_websocket: bool,
        is_upgrade: bool,
        revision: Option<Revision>,
    ) -> Verdict {
        let Some(id) = Id::parse(sid).filter(|id| id.core() < self.cores) else {
            return Verdict::Refuse(Fault::SessionUnknown);
        };
        if id.core() != self.core {
            return Verdict::OtherCore(id.core());
        }
        let Some(key) = self.session_of(&id) else { return Verdict::Refuse(Fault::SessionUnknown) };
        let session = self.sessions.find(key);
        let is_polling = session.is_some_and(|session| !matches!(session.link, Link::WebSocket(_)));
        let is_over = session.is_some_and(|session| session.is_over_but_for_polls());
        let is_its_own = session.is_some_and(|session| revision == Some(session.revision));
        match method {
            Method::Get if is_over && is_its_own && !is_websocket => Verdict::Poll(key),
            _ if is_over => Verdict::Refuse(Fault::SessionUnknown),
            Method::Get if is_its_own && is_websocket && is_upgrade && !is_polling => Verdict::TurnAway,
            _ if !is_its_own || !is_polling => Verdict::Refuse(Fault::BadRequest),
            Method::Get if is_websocket && is_upgrade && self.config.allows_upgrades => Verdict::Upgrade(key),
            Method::Get if !is_websocket => Verdict::Poll(key),
            Method::Post if !is_websocket => Verdict::Post(key),
            _ => Verdict::Refuse(Fault::BadRequest),
        }
    }
}
