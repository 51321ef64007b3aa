//! What the hub asks of its server, and what it found in a packet.
//!
//! Not commands to the kernel: a [`ConnId`](crate::ConnId) is all the hub knows of a connection.

use std::borrow::Cow;

use socketville_proto::http::Method;
use socketville_proto::sio::{Args, Spans};

use crate::desk::{Occasion, RefusedRequest};
use crate::{ConnId, Id, NspId, SessionKey, SocketKey};

/// Something the server has to do, in order.
#[derive(Debug)]
pub enum Effect {
    /// Cut the connection now.
    Close(ConnId),
    /// Take the connection to the core of its session, with the bytes that were read already.
    Pass(ConnId, u16, Vec<u8>),
    /// Have the application decide about this request, whose head is [`Hub::considered_head`](crate::Hub::considered_head), then
    /// `Hub::handle_considered`; only if `Hub::consult` asks for it.
    Consider(ConnId, Occasion),
    /// A request was refused; only if `Hub::consult` asks for it.
    Refused(Box<RefusedRequest>),
    /// A lost client's time is over: what is kept for its return under this id is not needed any more.
    Lapsed(Id),
    /// Take the connection out of the engine, with the bytes that were read already: its request is for another server of this process.
    HandOver(ConnId, Vec<u8>),
    /// Bytes that were held while the connection was busy can be read now.
    Resume(ConnId),
    /// The connection may be received from again: its driver said that bytes wait, and nobody has read them.
    Read(ConnId),
    /// A request that is not for the engine; answer with `Hub::respond`.
    Request(ConnId, Box<Request>),
    /// A session has ended while a POST of its was kept: [`Hub::end_post`](crate::Hub::end_post).
    PostOver(ConnId, SessionKey),
    /// A socket that was not let in yet is gone; nobody need be told, but what is kept with it must go.
    Abandoned(SocketKey),
    /// Say whose connection this is, with `Hub::set_address`; only if heads are kept.
    AskAddress(ConnId, SessionKey),
    /// A client of Engine.IO 3 joins `/` without a word, as [`Incoming::Connect`] would; after the question for its address.
    Join(SessionKey, NspId),
    /// Something happened to a room; only if `Hub::watch_rooms` was called.
    Room(Box<RoomEvent>),
    /// A socket is leaving; its rooms can still be seen until `Hub::forget_socket`.
    Disconnecting(SocketKey, Reason),
}

/// What happened to a room of this core. Source: the adapter's `create-room`, `delete-room`, `join-room` and `leave-room`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomEvent {
    /// In which namespace.
    pub nsp: NspId,
    /// Its name.
    pub room: Box<str>,
    /// What happened.
    pub change: RoomChange,
}

/// How a room changed; who joined or left is named by the socket's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomChange {
    /// Its first socket is about to join.
    Created,
    /// Its last socket has left.
    Deleted,
    /// A socket joined.
    Joined(Box<str>),
    /// A socket left.
    Left(Box<str>),
}

/// A request for the application.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query as they came, without the scheme and authority that a proxy may have put before them.
    pub target: String,
    /// Names and values as they came.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Request {
    /// Bytes that it holds.
    pub fn held_bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.capacity() + value.capacity());
        self.target.capacity() + headers.sum::<usize>() + self.body.capacity()
    }
}

/// What a packet was, when it concerns the application.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// A client wants to join a namespace that exists: `Hub::admit` or `Hub::refuse`.
    Connect {
        /// Whose.
        session: SessionKey,
        /// Which namespace.
        nsp: NspId,
        /// The raw JSON object of `auth`.
        auth: Option<Cow<'a, str>>,
    },
    /// A client wants to join a namespace that does not exist: make it and [`Hub::connect`](crate::Hub::connect), or `Hub::refuse`.
    Unknown {
        /// Whose.
        session: SessionKey,
        /// The namespace's name.
        name: Cow<'a, str>,
        /// The raw JSON object of `auth`.
        auth: Option<Cow<'a, str>>,
    },
    /// An event.
    Event {
        /// From whom.
        socket: SocketKey,
        /// The id to acknowledge.
        id: Option<u64>,
        /// Name and arguments.
        args: Text<'a>,
        /// Binary attachments, in order.
        attachments: Vec<Vec<u8>>,
    },
    /// A message that is not Socket.IO's.
    Message(Peer, Payload<'a>),
    /// An acknowledgement of an event of ours.
    Ack {
        /// From whom.
        socket: SocketKey,
        /// The id we gave.
        id: u64,
        /// Arguments.
        args: Text<'a>,
        /// Binary attachments, in order.
        attachments: Vec<Vec<u8>>,
    },
}

/// Who speaks without Socket.IO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A session of bare Engine.IO.
    Session(SessionKey),
    /// A bare WebSocket.
    Conn(ConnId),
}

/// A message that is not Socket.IO's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Binary(Cow<'a, [u8]>),
}

impl<'a> From<&'a str> for Payload<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(Cow::Borrowed(bytes))
    }
}

/// Arguments that lie in the input, or in an own text if they had to wait for attachments or came in another form.
#[derive(Debug)]
pub enum Text<'a> {
    /// Scanned, in the input.
    Borrowed(Args<'a>),
    /// The content of the whole packet; scan it with `sio::decode`.
    Owned(String),
    /// The array alone, and where its elements are.
    Scanned(String, Spans),
}

/// Why a socket or session ended. Source: the documentation of `disconnect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// The server made the socket leave.
    ServerNamespaceDisconnect,
    /// The connection ended.
    TransportClose,
    /// The connection failed.
    TransportError,
    /// No pong came in time.
    PingTimeout,
    /// Rubbish at the level of Engine.IO.
    ParseError,
    /// The engine closed the connection, for instance after rubbish at the level of Socket.IO.
    ForcedClose,
    /// The server stops.
    ServerShuttingDown,
    /// The client did not read what was due to it: it owes more than it may. The reference has no such limit.
    SlowReader,
    /// The core held too much, and this client most of it. The reference has no such limit.
    MemoryLimit,
}

impl Reason {
    /// Whether the client may come back as what it was: nobody meant the end. Source: the reference's list of recoverable reasons.
    pub const fn is_recoverable(self) -> bool {
        !matches!(self, Self::ClientNamespaceDisconnect | Self::ServerNamespaceDisconnect | Self::ParseError)
    }

    /// The words of the reference.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::ServerShuttingDown => "server shutting down",
            Self::SlowReader => "slow reader",
            Self::MemoryLimit => "memory limit",
        }
    }
}
