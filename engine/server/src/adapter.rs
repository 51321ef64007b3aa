//! The way to other servers: what is said here to more than one client is told to an adapter, and what an adapter brings is said here.
//!
//! Not a cluster, and no wire format: an adapter is a trait for those who write one. The clients of this server do not wait for it,
//! and whether others are reached is the adapter's affair. Without one, a broadcast pays a look at an empty place.
//!
//! What only answers can tell stays within a server for now: `fetch_sockets`, `emit_with_ack` to many, `server_side_emit_with_ack`,
//! the counts; and so does the history of connection state recovery.

use socketville_hub::{NspId, Selector};

use crate::builder::Builder;
use crate::calls;
use crate::rarely::rarely;
use crate::relay::Relay;
use crate::town::Town;

/// Takes to the other servers of a cluster what this one says. Source: the reference's `Adapter`.
///
/// All cores, and outside threads, call it, in the middle of their work: it must not wait. One caller's messages come in the order of its calls.
pub trait Adapter: Send + Sync {
    /// Called once, before the first client: what other servers say goes to `relay`.
    fn start(&self, relay: Relay);

    /// Something to be told to all other servers, which give it to their relays.
    fn send(&self, message: ClusterMessage);
}

/// What one server tells the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterMessage {
    /// The namespace, with its slash.
    pub nsp: String,
    /// Rooms that it is for; all sockets of the namespace if there are none.
    pub rooms: Vec<String>,
    /// Rooms that it is not for. A sender that is left out is among them, by its id.
    pub except: Vec<String>,
    /// What it is.
    pub content: Content,
}

/// What is told. More may be added: an adapter passes over what it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// An event to these sockets.
    Event {
        /// Its name and arguments.
        payload: EventPayload,
        /// Whether busy clients may miss it.
        volatile: bool,
        /// Whether it may be compressed.
        compress: bool,
    },
    /// These sockets join rooms.
    Join(Vec<String>),
    /// These sockets leave rooms.
    Leave(Vec<String>),
    /// These sockets leave the namespace; with `close` their connections end.
    Disconnect {
        /// Whether the connection under them ends too.
        close: bool,
    },
    /// An event to the other servers themselves; rooms do not matter.
    ServerSide(EventPayload),
}

/// An event in the form from which any wire format can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPayload {
    /// A JSON array, the event's name first; `{"_placeholder":true,"num":N}` stands where attachment `N` belongs.
    pub array: String,
    /// What is binary.
    pub attachments: Vec<Vec<u8>>,
}

impl EventPayload {
    pub(crate) fn held_bytes(&self) -> usize {
        self.array.len() + self.attachments.iter().map(Vec::len).sum::<usize>()
    }
}

impl Builder {
    /// Joins this server with others, as far as the adapter takes what it is told. Source: `adapter`, default: none.
    ///
    /// ```
    /// use socketville::{Adapter, ClusterMessage, Relay, Server};
    ///
    /// struct Told;
    ///
    /// impl Adapter for Told {
    ///     fn start(&self, relay: Relay) {
    ///         // A thread that subscribes to a broker keeps `relay` and calls `relay.deliver(&message)`.
    ///         drop(relay);
    ///     }
    ///     fn send(&self, message: ClusterMessage) {
    ///         println!("to be published: {message:?}"); // a bounded queue to that thread
    ///     }
    /// }
    ///
    /// Server::builder().adapter(Told);
    /// ```
    pub fn adapter(&self, adapter: impl Adapter + 'static) -> &Self {
        self.with_app(|app| app.adapter = Some(Box::new(adapter)))
    }
}

/// How far a broadcast goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// To the clients of this server.
    Here,
    /// To those of all servers.
    Everywhere,
}

impl Town {
    /// Tells the other servers, if there are any.
    pub(crate) fn tell_others(&self, nsp: NspId, selector: &Selector<'_>, content: impl FnOnce() -> Content) {
        let Some(adapter) = &self.app.adapter else { return };
        let names = |rooms: &[std::borrow::Cow<'_, str>]| rooms.iter().map(ToString::to_string).collect();
        let mut except: Vec<String> = names(selector.except);
        except.extend(selector.skip.map(|id| id.as_str().to_owned()));
        let nsp = self.name_of(nsp);
        let message = ClusterMessage { nsp, rooms: names(selector.to), except, content: content() };
        if calls::run(|| adapter.send(message)).is_err() {
            rarely!(error, "an adapter panicked; other servers were not told something");
        }
    }

    /// Tells the other servers an event to clients.
    pub(crate) fn tell_others_event(
        &self,
        nsp: NspId,
        selector: &Selector<'_>,
        json: &[u8],
        attachments: &[Vec<u8>],
    ) {
        self.tell_others(nsp, selector, || Content::Event {
            payload: EventPayload::of(json, attachments),
            volatile: selector.volatile,
            compress: !selector.uncompressed,
        });
    }
}

impl EventPayload {
    pub(crate) fn of(json: &[u8], attachments: &[Vec<u8>]) -> Self {
        Self { array: String::from_utf8_lossy(json).into_owned(), attachments: attachments.to_vec() }
    }
}
