//! A broadcast engine that speaks Socket.IO, as a Rust library.
//!
//! The official clients connect to it unchanged. One pinned thread per core; sockets never leave their core; every broadcast is encoded
//! once, and every flush is one send per socket. Handlers read like the Socket.IO documentation:
//!
//! ```no_run
//! use socketville::{Ack, Server, Socket};
//!
//! fn main() -> socketville::Result<()> {
//!     let io = Server::builder();
//!     io.of("/chat")
//!         .on_connect(|socket: Socket| socket.join("lobby"))
//!         .on("say", |socket: Socket, text: String| socket.to("lobby").emit("said", &text))
//!         .on("add", |a: i64, b: i64, ack: Ack| ack.send(a + b));
//!     io.listen("0.0.0.0:3000")?.run()
//! }
//! ```
//!
//! Handlers run on their socket's core. A plain closure runs to its end within a turn of the loop; an async one becomes a task of its
//! core, may await [`sleep`] and clients built on tokio, and never holds up the loop. From other threads an [`Emitter`] speaks.

#![warn(missing_debug_implementations)]

mod ack;
mod ack_ids;
mod adapter;
mod admission;
mod app;
mod args;
mod arguments;
mod arrivals;
mod bare;
mod binary;
mod budget;
mod builder;
mod calls;
mod children;
mod client_files;
mod core;
mod crew;
mod crossing;
mod data;
mod debts;
mod direct;
mod dispatch;
mod document;
mod emitter;
mod endings;
mod engine_options;
mod error;
mod event_name;
mod events;
mod executor;
mod extract;
mod flush;
mod gather;
mod handler;
mod handshake;
mod held;
mod hooks;
mod host;
mod http;
mod limit_options;
pub mod limits;
#[doc(hidden)]
pub mod machine;
mod mailbox;
mod metrics;
mod mismatch;
#[cfg(feature = "tower")]
mod mount;
mod operator;
mod orders;
mod outgoing;
mod packet;
mod parents;
mod payloads;
mod pins;
mod queries;
mod rarely;
mod recovery;
mod refusals;
mod relay;
mod remote;
mod room_events;
mod scalar;
mod server;
mod shares;
mod sleep;
mod socket;
mod spawn;
mod spread;
mod stopping;
mod survey;
mod town;
mod turn;
mod waiting;

pub use socketville_hub::{
    Cookie, Cors, Counters as HubCounters, Deflate, Gauges, JoinError, Network, NetworkError, Origin,
    OriginError, Origins, SameSite, Transports,
};
pub use socketville_proto::http::Method;
pub use socketville_proto::sio::Parser;
pub use socketville_sys::Preference as Driver;
#[cfg(feature = "mimalloc")]
pub use socketville_sys::{release_free_memory, release_freed_memory_at_once};

pub use ack::{Ack, AckError};
pub use adapter::{Adapter, ClusterMessage, Content, EventPayload};
pub use admission::Refusal;
pub use args::EncodeError;
pub use arguments::{Argument, Arguments, FromAnswer};
pub use bare::{BarePeer, Message};
pub use binary::{Attachments, Binary};
pub use builder::{Builder, Namespace};
pub use direct::Direct;
pub use emitter::Emitter;
pub use error::{EmitError, Error, QueryError, Result};
pub use event_name::is_reserved_event;
pub use extract::ArgumentError;
pub use gather::BroadcastAckError;
pub use handler::{EventContext, FromEvent, Handler, HandlerResult, Outcome, RawArgs};
pub use handshake::Handshake;
pub use hooks::EngineRequest;
pub use http::{HttpRequest, HttpResponse};
pub use metrics::{CoreCounters, CoreReport, render as render_metrics, sends_per_frame};
pub use operator::{Broadcast, IntoRooms, Rooms};
pub use packet::{Borrowed, Packet};
pub use pins::Pinning;
pub use recovery::Recovery;
pub use relay::{Relay, RelayError};
pub use remote::RemoteSocket;
pub use server::Server;
pub use sleep::{Sleep, sleep, yield_now};
pub use socket::Socket;
pub use spawn::spawn;
pub use spread::Spread;

impl FromEvent for Socket {
    fn from_event(event: &mut EventContext<'_>) -> std::result::Result<Self, ArgumentError> {
        Ok(event.socket.clone())
    }
}

impl FromEvent for Ack {
    fn from_event(event: &mut EventContext<'_>) -> std::result::Result<Self, ArgumentError> {
        Ok(event.ack.take().unwrap_or_else(|| Self::new(event.socket.clone(), None)))
    }
}
