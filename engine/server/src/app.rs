//! The application: namespaces with their handlers, HTTP routes, options. Built once, then read by every core.

use std::collections::HashMap;
use std::path::PathBuf;

use socketville_hub::{AddressLimits, Config, OptionTime, RoomChange};

use crate::adapter::Adapter;
use crate::admission::BoxedAdmission;
use crate::events::Events;
use crate::handler::BoxedHandler;
use crate::hooks::Hooks;
use crate::http::Route;
use crate::limits::{DRAIN_WINDOW, TASKS_PER_CLIENT_MAX};
use crate::mismatch::BoxedMismatch;
use crate::parents::Rule;
use crate::recovery::Recovery;
use crate::relay::BoxedServerSide;

#[derive(Default)]
pub(crate) struct App {
    pub(crate) config: Config,
    /// Bytes that all cores may hold together; `None` is a share of the machine's.
    pub(crate) memory_max: Option<usize>,
    /// What one address may have; of each `None` is a share of what there is.
    pub(crate) address: AddressOptions,
    /// Bytes of a client's `auth` that outlive its connection handlers.
    pub(crate) auth_kept_bytes: Option<usize>,
    pub(crate) namespaces: Vec<NamespaceApp>,
    pub(crate) routes: Vec<Route>,
    pub(crate) hooks: Hooks,
    pub(crate) adapter: Option<Box<dyn Adapter>>,
    /// Handlers of one client that may wait before it is not read on.
    pub(crate) tasks_per_client: Option<usize>,
    /// Acknowledgements that one client may owe.
    pub(crate) acks_per_socket: Option<usize>,
    /// Whether dynamic namespaces go with their last client.
    pub(crate) cleans_up: bool,
    pub(crate) on_new_namespace: Vec<BoxedNameWatcher>,
    pub(crate) recovery: Option<Recovery>,
    /// Where the client's files are, if they are served.
    pub(crate) client_dir: Option<PathBuf>,
    pub(crate) on_engine_message: Option<BoxedMessage>,
    pub(crate) on_websocket_message: Option<BoxedMessage>,
    /// How much may wait between cores.
    pub(crate) mail: crate::mailbox::MailLimits,
    /// How long clients have to take what is due when the server stops.
    pub(crate) drain_window: Option<OptionTime>,
    /// Runs once on each core before its first connection.
    pub(crate) on_start: Vec<BoxedStart>,
}

impl App {
    /// How long clients have to take what is due when the server stops.
    pub(crate) fn drain_window(&self) -> OptionTime {
        self.drain_window.unwrap_or_else(|| DRAIN_WINDOW.into())
    }
}

/// What one address may have, as far as it was said.
#[derive(Clone, Copy, Default)]
pub(crate) struct AddressOptions {
    /// On each core.
    pub(crate) connections: Option<usize>,
    /// On each core.
    pub(crate) half_open: Option<usize>,
    /// Bytes over all cores.
    pub(crate) memory: Option<usize>,
}

impl AddressOptions {
    /// What one core gives one address, where `defaults` are for what was not said. A limit of 0 is none.
    pub(crate) fn limits(self, cores: usize, defaults: AddressLimits) -> AddressLimits {
        let chosen = |asked: Option<usize>, default| match asked {
            Some(0) => usize::MAX,
            Some(limit) => limit,
            None => default,
        };
        let memory = self.memory.map(|bytes| bytes.div_ceil(cores));
        AddressLimits {
            connections_max: chosen(self.connections, defaults.connections_max),
            half_open_max: chosen(self.half_open, defaults.half_open_max),
            bytes_max: chosen(memory, defaults.bytes_max),
        }
    }
}

pub(crate) type BoxedMessage = Box<dyn Fn(&crate::BarePeer<'_>, crate::Message<'_>) + Send + Sync>;

pub(crate) type BoxedStart = Box<dyn Fn(crate::Emitter) + Send + Sync>;

/// Handles an event as it lies in the input.
pub(crate) type BoxedRelay = Box<dyn Fn(&crate::Socket, &mut crate::Packet<'_>) + Send + Sync>;

/// Sees an event before its handler: may change or refuse it.
pub(crate) type BoxedMiddleware =
    Box<dyn Fn(&crate::Socket, &mut crate::Packet<'_>) -> Result<(), String> + Send + Sync>;

/// Sees every event: socket, name, and the whole packet's JSON array.
pub(crate) type BoxedAny = Box<dyn Fn(&crate::Socket, &str, &str) + Send + Sync>;

/// Sees the name of a new namespace.
pub(crate) type BoxedNameWatcher = Box<dyn Fn(&str) + Send + Sync>;

/// Sees what happens to a namespace's rooms.
pub(crate) type BoxedRoomWatcher = Box<dyn Fn(&str, &RoomChange) + Send + Sync>;

#[derive(Default)]
pub(crate) struct NamespaceApp {
    /// Of a parent: the pattern, or what stands for a function.
    pub(crate) name: String,
    /// Which names are its children's, if it is a parent.
    pub(crate) rule: Option<Rule>,
    pub(crate) middlewares: Vec<BoxedAdmission>,
    pub(crate) on_connect: Vec<BoxedHandler>,
    pub(crate) on_disconnecting: Vec<BoxedHandler>,
    pub(crate) on_disconnect: Vec<BoxedHandler>,
    pub(crate) events: Events,
    pub(crate) on_any: Vec<BoxedAny>,
    pub(crate) on_any_outgoing: Vec<BoxedAny>,
    pub(crate) packet_middlewares: Vec<BoxedMiddleware>,
    pub(crate) on_error: Vec<BoxedHandler>,
    pub(crate) on_mismatch: Vec<BoxedMismatch>,
    pub(crate) room_watchers: Vec<BoxedRoomWatcher>,
    /// What other servers tell this one, by event.
    pub(crate) server_side: HashMap<String, BoxedServerSide>,
    /// How long broadcasts wait for others, unless they say otherwise.
    pub(crate) flush_interval_ms: u8,
}

impl App {
    pub(crate) fn tasks_per_client(&self) -> usize {
        self.tasks_per_client.unwrap_or(TASKS_PER_CLIENT_MAX)
    }
}

impl NamespaceApp {
    /// Whether somebody sees events before their handlers do.
    pub(crate) fn looks_at_packets(&self) -> bool {
        !(self.on_any.is_empty() && self.packet_middlewares.is_empty())
    }
}
