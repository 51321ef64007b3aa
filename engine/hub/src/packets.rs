//! What packets of a session mean: Engine.IO's own, Socket.IO's, and the attachments that follow some.
//!
//! Not bytes: they are decoded in `proto`. A packet that may not come now closes the connection of its peer, cleanly.

use std::borrow::Cow;

use socketville_proto::eio::Revision;
use socketville_proto::sio::{PacketLimits, Parser};
use socketville_proto::{eio, sio};

use crate::account::{Charge, Kind, Owner};
use crate::deadlines::Due;
use crate::limits::{BODY_TIMEOUT_MS, NAMESPACE_NAME_BYTES_MAX};
use crate::session::{Layer, Link, Session};
use crate::{Hub, Incoming, NspId, Payload, Peer, Reason, SessionKey, SocketKey, Text};

/// A packet that waits for its attachments.
pub(crate) struct Incomplete {
    pending: sio::Pending,
    /// When the session ends if they have not all come.
    pub(crate) due: Due,
    charge: Charge,
}

impl Incomplete {
    /// Takes the next attachment; whether it was the last.
    fn push(&mut self, bytes: Cow<'_, [u8]>, bytes_max: usize) -> Result<bool, sio::Error> {
        let is_last = self.pending.push(bytes, bytes_max)?;
        self.charge.set(self.pending.bytes());
        Ok(is_last)
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.pending.bytes()
    }
}

/// What a client is told that comes while the core holds too much.
const SERVER_FULL: &str = r#"{"message":"the server is full, come back later"}"#;

/// What a client is told that wants a namespace which does not exist.
pub const INVALID_NAMESPACE: &str = r#"{"message":"Invalid namespace"}"#;

/// What a client is told that is in as many namespaces as it may be.
const TOO_MANY_NAMESPACES: &str = r#"{"message":"too many namespaces"}"#;
/// The same for clients of Engine.IO 3, which take the message alone.
const TOO_MANY_NAMESPACES_V3: &str = r#""too many namespaces""#;

impl Hub {
    /// Deals with an Engine.IO packet. What concerns the application is returned.
    pub fn handle_packet<'a>(
        &mut self,
        now_ms: u64,
        key: SessionKey,
        packet: eio::Packet<'a>,
    ) -> Option<Incoming<'a>> {
        let session = self.sessions.find(key).filter(|session| !matches!(session.link, Link::Closing(_)))?;
        self.counters.packets_in += 1;
        let (layer, revision) = (session.layer, session.revision);
        if session.is_renewed_by_packets()
            && !matches!(packet, eio::Packet::Pong(_))
            && let Some(session) = self.sessions.find_mut(key)
        {
            session.renew(now_ms, self.config.ping_timeout.ms());
        }
        match packet {
            eio::Packet::Message(text) if layer == Layer::Bare => {
                return Some(Incoming::Message(Peer::Session(key), text.into()));
            }
            eio::Packet::Message(text) => return self.handle_text(now_ms, key, text),
            eio::Packet::Pong(_) if revision == Revision::V4 => self.handle_pong(now_ms, key),
            eio::Packet::Ping(_) if revision == Revision::V3 => self.handle_ping(now_ms, key),
            eio::Packet::Close => self.handle_close_packet(now_ms, key),
            // A heartbeat in the wrong direction; all others mean nothing from a client and are ignored, as in the reference.
            eio::Packet::Ping(_) | eio::Packet::Pong(_) => self.reject(now_ms, key),
            eio::Packet::Open(_) | eio::Packet::Upgrade | eio::Packet::Noop => {}
        }
        None
    }

    /// How long all attachments of a packet may take: as long as a body, and as a message in fragments, which a pong cannot interrupt.
    fn attachments_timeout_ms(&self) -> u64 {
        BODY_TIMEOUT_MS.min(self.patience_ms())
    }

    /// The packets of a POST cannot be read.
    pub fn reject(&mut self, now_ms: u64, key: SessionKey) {
        self.counters.protocol_errors += 1;
        self.close_session(now_ms, key, Reason::ParseError);
    }

    fn handle_close_packet(&mut self, now_ms: u64, key: SessionKey) {
        self.close_session(now_ms, key, Reason::TransportClose);
    }

    /// Rubbish at the level of Socket.IO, or a packet that may not come now.
    pub(crate) fn reject_packet(&mut self, now_ms: u64, key: SessionKey) {
        self.counters.protocol_errors += 1;
        self.close_session(now_ms, key, Reason::ForcedClose);
    }

    fn handle_text<'a>(&mut self, now_ms: u64, key: SessionKey, text: &'a str) -> Option<Incoming<'a>> {
        let session = self.sessions.find(key)?;
        let is_waiting = session.incoming.is_some();
        let is_readable = !is_waiting && self.config.parser == Parser::Json;
        if session.revision == Revision::V3 && is_readable && text.starts_with('0') {
            return self.handle_connect_v3(now_ms, key, text);
        }
        if !is_readable {
            self.reject_packet(now_ms, key);
            return None;
        }
        // Matched as it comes: a packet is large, and a name for it would be a copy.
        match sio::decode_within(text, self.config.packet_limits) {
            Err(_) => {
                self.reject_packet(now_ms, key);
                None
            }
            Ok(sio::Packet::Connect { nsp, auth }) => {
                self.handle_connect(now_ms, key, nsp.into(), auth.map(Into::into))
            }
            Ok(sio::Packet::Disconnect { nsp }) => {
                self.handle_disconnect(now_ms, key, nsp);
                None
            }
            Ok(sio::Packet::Event { nsp, id, attachments: 0, args }) => {
                let Some(socket) = self.joined_socket_named(session, nsp) else {
                    self.reject_packet(now_ms, key);
                    return None;
                };
                Some(Incoming::Event { socket, id, args: Text::Borrowed(args), attachments: Vec::new() })
            }
            Ok(sio::Packet::Ack { nsp, id, attachments: 0, args }) => {
                let socket = self.socket_or_reject(now_ms, key, nsp)?;
                Some(Incoming::Ack { socket, id: id?, args: Text::Borrowed(args), attachments: Vec::new() })
            }
            Ok(sio::Packet::Event { nsp, attachments, .. } | sio::Packet::Ack { nsp, attachments, .. }) => {
                self.socket_or_reject(now_ms, key, nsp)?;
                let due = Due::at(now_ms + self.attachments_timeout_ms());
                if let Some(session) = self.sessions.find_mut(key) {
                    let charge = self.account.charge(Kind::Attachments, Owner::Session(key), text.len());
                    let pending = sio::Pending::new(text, attachments);
                    session.incoming = Some(Box::new(Incomplete { pending, due, charge }));
                }
                self.arm_session(key);
                None
            }
        }
    }

    /// Deals with a binary message: the next attachment of the packet that waits for it.
    pub fn handle_binary<'a>(
        &mut self,
        now_ms: u64,
        key: SessionKey,
        bytes: Cow<'a, [u8]>,
    ) -> Option<Incoming<'a>> {
        let max = self.config.message_bytes_max;
        let session = self.sessions.find_mut(key)?;
        if matches!(session.link, Link::Closing(_)) {
            return None;
        }
        if session.is_renewed_by_packets() {
            session.renew(now_ms, self.config.ping_timeout.ms());
        }
        if session.layer == Layer::Bare {
            return Some(Incoming::Message(Peer::Session(key), Payload::Binary(bytes)));
        }
        if self.config.parser == Parser::MsgPack {
            return self.handle_packed(now_ms, key, &bytes);
        }
        let pushed = session.incoming.as_mut().map(|incomplete| incomplete.push(bytes, max));
        match pushed {
            Some(Ok(false)) => None,
            Some(Ok(true)) => {
                let (text, attachments) = session.incoming.take()?.pending.into_parts();
                self.handle_complete(now_ms, key, text, attachments)
            }
            Some(Err(_)) | None => {
                self.reject_packet(now_ms, key);
                None
            }
        }
    }

    fn handle_complete<'a>(
        &mut self,
        now_ms: u64,
        key: SessionKey,
        text: String,
        attachments: Vec<Vec<u8>>,
    ) -> Option<Incoming<'a>> {
        match sio::decode_within(&text, PacketLimits::CHECKED).ok()? {
            sio::Packet::Event { nsp, id, .. } => {
                let socket = self.socket_or_reject(now_ms, key, nsp)?;
                Some(Incoming::Event { socket, id, args: Text::Owned(text), attachments })
            }
            sio::Packet::Ack { nsp, id, .. } => {
                let (socket, id) = (self.socket_or_reject(now_ms, key, nsp)?, id?);
                Some(Incoming::Ack { socket, id, args: Text::Owned(text), attachments })
            }
            sio::Packet::Connect { .. } | sio::Packet::Disconnect { .. } => None,
        }
    }

    /// The namespace's query is what others send as `auth`.
    fn handle_connect_v3<'a>(&mut self, now_ms: u64, key: SessionKey, text: &'a str) -> Option<Incoming<'a>> {
        let Ok((nsp, auth)) = sio::decode_connect_v3(text) else {
            self.reject_packet(now_ms, key);
            return None;
        };
        self.handle_connect(now_ms, key, nsp.into(), auth.map(Cow::Owned))
    }

    pub(crate) fn handle_connect<'a>(
        &mut self,
        now_ms: u64,
        key: SessionKey,
        name: Cow<'a, str>,
        auth: Option<Cow<'a, str>>,
    ) -> Option<Incoming<'a>> {
        if self.is_above_soft_mark() {
            self.counters.sessions_refused += 1;
            self.refuse(key, &name, SERVER_FULL);
            return None;
        }
        let Some(nsp) = self.namespace(&name) else {
            if self.asks_for_unknown && name.len() <= NAMESPACE_NAME_BYTES_MAX {
                return Some(Incoming::Unknown { session: key, name, auth });
            }
            self.refuse(key, &name, INVALID_NAMESPACE);
            return None;
        };
        self.connect(now_ms, key, nsp).then_some(Incoming::Connect { session: key, nsp, auth })
    }

    /// Whether a client may join a namespace that exists. If it is in it already, it has closed its connection with that; if it is in too many, it
    /// is told so, and goes on in those.
    pub fn connect(&mut self, now_ms: u64, key: SessionKey, nsp: NspId) -> bool {
        let Some(session) = self.sessions.find(key) else { return false };
        let is_full = session.sockets.all().len() >= self.config.namespaces_per_session_max;
        if self.socket_of(key, nsp).is_some() {
            self.reject_packet(now_ms, key);
            return false;
        }
        if is_full {
            self.counters.namespaces_crowded += 1;
            let (name, is_v3) =
                (self.namespace_name(nsp).to_owned(), self.sessions.find(key).is_some_and(Session::is_v3));
            self.refuse(key, &name, if is_v3 { TOO_MANY_NAMESPACES_V3 } else { TOO_MANY_NAMESPACES });
        }
        !is_full
    }

    pub(crate) fn handle_disconnect(&mut self, now_ms: u64, key: SessionKey, name: &str) {
        if let Some(socket) = self.socket_or_reject(now_ms, key, name) {
            self.detach_socket(socket, Reason::ClientNamespaceDisconnect);
        }
    }

    pub(crate) fn socket_or_reject(&mut self, now_ms: u64, key: SessionKey, name: &str) -> Option<SocketKey> {
        let socket = self.sessions.find(key).and_then(|session| self.joined_socket_named(session, name));
        if socket.is_none() {
            self.reject_packet(now_ms, key);
        }
        socket
    }
}
