//! Who is here and who gets what: one core's knowledge of the world.
//!
//! Not a server. The hub has no sockets, no threads, no clock and no randomness of its own: bytes come in with a [`ConnId`], the time
//! comes in as milliseconds, ids come from a seed. What should happen outside is an [`Effect`]; what should be sent lies in
//! the [`Outbox`] as ranges of an arena. So every rule of Engine.IO and Socket.IO is tested without a socket or a sleep.
//!
//! ```text
//! bytes --> conn (Http | Body | Parked | Answering | WebSocket | Closing)
//!             |  verdict: open, poll, post, upgrade, refuse, other core, not ours
//!             v
//!          session (Polling | WebSocket | Closing)   heartbeat, upgrade, end
//!             |  Engine.IO packet, Socket.IO packet, attachments
//!             v
//!          socket in a namespace --> Incoming --> handler --> emit --> encode once --> selector --> lanes
//! ```

mod account;
mod address_shares;
mod audit;
mod bundle;
mod config;
mod conns;
mod cors;
mod counters;
mod cutting;
mod deadlines;
mod deflate;
mod delivery;
mod desk;
mod early;
mod effects;
mod forms;
mod heads;
mod heap;
mod history;
mod http;
mod ids;
pub mod limits;
mod members;
mod namespaces;
mod network;
mod newcomers;
mod option_time;
mod origin;
mod outbox;
mod packed;
mod packets;
mod pages;
mod parting;
mod pipelined;
mod poll_buffer;
mod poll_compression;
mod polling;
mod posts;
mod reading;
mod record;
mod recovery;
mod register;
mod seats;
mod session;
mod shortage;
mod shutdown;
mod socket_ids;
mod sockets;
mod table;
mod timers;
mod uploads;
mod verdict;
mod waves;
mod websocket;

use std::collections::VecDeque;

use hashbrown::HashMap;
use socketville_proto::http::Method;
use socketville_proto::ws;

pub use account::{Account, Budget, Charge, Kind, Owner};
pub use config::{AddressLimits, Config, Deflate, Transports};
pub use conns::{ConnId, FrameReader, Intake, Post, Progress};
pub use cors::{Cors, Origins};
pub use counters::{Counters, Gauges};
pub use deadlines::Look;
pub use delivery::{Delivery, Manner, Selector};
pub use desk::{Consults, Cookie, Decision, Occasion, RefusedRequest, SameSite};
pub use early::Sent;
pub use effects::{Effect, Incoming, Payload, Peer, Reason, Request, RoomChange, RoomEvent, Text};
pub use history::{Audience, Position};
pub use http::Response;
pub use ids::{ID_LEN, Id};
pub use members::Bitset;
pub use namespaces::NspId;
pub use network::{Network, NetworkError};
pub use newcomers::{CROWDED, Newcomer, Place};
pub use option_time::OptionTime;
pub use origin::{Origin, OriginError};
pub use outbox::{BacklogLimits, Batch, Outbox, Range, Refusal, Settled};
pub use packets::INVALID_NAMESPACE;
pub use pages::Pages;
pub use parting::Parting;
pub use reading::{Pause, PeerEnd};
pub use record::Record;
pub use recovery::{Recovery, Returning};
pub use session::Greeting;
pub use shutdown::{Owed, Remains};
pub use sockets::{Ending, JoinError};
pub use table::Key;

/// A key of a session.
pub type SessionKey = Key<session::Session>;
/// A key of a socket.
pub type SocketKey = Key<sockets::Socket>;

/// A map whose keys peers choose or see: hashed with a key of this process.
type Keyed<K, V> = HashMap<K, V, ahash::RandomState>;

/// One core's knowledge of the world.
pub struct Hub {
    config: Config,
    core: u16,
    cores: u16,
    /// What is held for peers.
    account: Account,
    /// All outgoing bytes.
    pub outbox: Outbox,
    /// Answers to polls that this turn has compressed.
    poll_compression: poll_compression::PollCompression,
    /// Compression on Engine.IO's WebSockets and on bare ones.
    press: Option<deflate::Press>,
    bare_press: Option<deflate::Press>,
    /// For all connections; `None` before the first needs it, and while it is lent.
    inflater: Option<Box<ws::Inflater>>,
    /// What was done.
    pub counters: Counters,
    ids: ids::Ids,
    hasher: ahash::RandomState,
    conns: pages::Pages<conns::Conn>,
    conns_open: usize,
    conns_lingering: usize,
    /// Until when clients have time to take what is theirs, if all ends.
    ends_ms: Option<u64>,
    sessions: table::Table<session::Session>,
    sessions_v3: usize,
    session_ids: register::Register,
    heads: heads::Heads,
    sockets: table::Table<sockets::Socket>,
    socket_ids: socket_ids::SocketIds,
    routes: pages::Pages<delivery::Route>,
    early: early::Early,
    posts: posts::Posts,
    namespaces: namespaces::Namespaces,
    asks_for_unknown: bool,
    namespace_names: Keyed<Box<str>, NspId>,
    rooms_open: usize,
    address_shares: address_shares::AddressShares,
    newcomers: newcomers::Newcomers,
    timers: timers::Timers,
    deadlines: deadlines::Deadlines,
    effects: VecDeque<Effect>,
    polls_due: Vec<SessionKey>,
    /// Sessions whose parked polls wait for more.
    polls_waiting: waves::Waves<SessionKey>,
    /// Connections with a large message that waits, since handlers hold much.
    delayed: Vec<(ConnId, shortage::For)>,
    slow_sessions: Vec<(SessionKey, Reason)>,
    relief: cutting::Relief,
    selection: members::Bitset,
    /// Broadcasts that are not due yet.
    bundle: bundle::Bundle,
    /// Paths that the application answers here, if all others are for another server.
    served_paths: Option<Box<[Box<str>]>>,
    /// Paths of the application where heads are judged before bodies are read.
    guarded_paths: Box<[Box<str>]>,
    /// Routes of the application that read bodies of anybody; `None` if that is not known.
    open_routes: Option<Vec<(Method, Box<str>)>>,
    watches_rooms: bool,
    /// Which requests the application decides about.
    consults: Consults,
    recoveries: Option<Box<recovery::Recoveries>>,
}

impl Hub {
    /// A hub for core `core` of `cores`. `seed` decides its ids and hash keys: secret in production, a number in a simulation.
    ///
    /// # Panics
    /// If `cores` is over [`limits::CORES_MAX`] or `core` is not below `cores`.
    pub fn new(config: Config, core: u16, cores: u16, seed: [u8; 32]) -> Self {
        assert!(core < cores && cores <= limits::CORES_MAX, "core {core} of {cores}");
        let account = Account::default();
        let mut ids = ids::Ids::new(core, seed);
        let hasher = ahash::RandomState::with_seeds(ids.number(), ids.number(), ids.number(), ids.number());
        let address_shares = address_shares::AddressShares::new(&account, &config, &hasher);
        Self {
            deadlines: deadlines::Deadlines::new(hasher.clone()),
            address_shares,
            newcomers: newcomers::Newcomers::default(),
            outbox: Outbox::new(config.backlog_limits(), account.clone())
                .within(config.budget.hard_bytes / 2),
            poll_compression: poll_compression::PollCompression::default(),
            press: config.per_message_deflate.map(deflate::Press::new),
            bare_press: config.websocket_deflate.map(deflate::Press::new),
            inflater: None,
            config,
            core,
            cores,
            counters: Counters::default(),
            ids,
            conns: pages::Pages::new(),
            conns_open: 0,
            conns_lingering: 0,
            ends_ms: None,
            sessions: table::Table::new(),
            sessions_v3: 0,
            session_ids: register::Register::new(hasher.clone()),
            heads: heads::Heads::new(hasher.clone(), &account),
            sockets: table::Table::new(),
            socket_ids: socket_ids::SocketIds::new(&hasher),
            routes: pages::Pages::new(),
            early: early::Early::new(hasher.clone()),
            posts: posts::Posts::new(hasher.clone()),
            namespaces: namespaces::Namespaces::default(),
            asks_for_unknown: false,
            namespace_names: HashMap::with_hasher(hasher.clone()),
            hasher,
            rooms_open: 0,
            timers: timers::Timers::default(),
            effects: VecDeque::new(),
            polls_due: Vec::new(),
            polls_waiting: waves::Waves::default(),
            delayed: Vec::new(),
            slow_sessions: Vec::new(),
            relief: cutting::Relief::default(),
            selection: members::Bitset::default(),
            bundle: bundle::Bundle::default(),
            served_paths: None,
            guarded_paths: Box::default(),
            open_routes: None,
            watches_rooms: false,
            consults: Consults::default(),
            recoveries: None,
            account,
        }
    }

    /// Whether there is something the server has to do: most packets leave nothing.
    #[inline]
    pub fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// The next thing the server has to do.
    pub fn take_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Hub::handle_timers`] is due.
    pub fn next_timer_ms(&self) -> Option<u64> {
        if self.deadlines.has_suspects() {
            return Some(0);
        }
        let moments = [
            self.timers.next_ms(),
            self.outbox.next_release_ms(),
            self.polls_waiting.next_ms(),
            self.next_lapse_ms(),
        ];
        moments.into_iter().flatten().min()
    }

    /// A turn begins, before anything is read: from now on this is the time. Allowances that are over end, and those of the turn count from now.
    pub fn handle_time(&mut self, now_ms: u64) {
        self.note_gap(now_ms);
        self.keep_time(now_ms);
        self.outbox.release(now_ms);
        self.release_waiting_polls(now_ms);
    }

    /// What there is at the moment.
    pub fn gauges(&self) -> Gauges {
        Gauges {
            connections: self.conns_open,
            connections_lingering: self.conns_lingering,
            sessions: self.sessions.len(),
            sessions_v3: self.sessions_v3,
            sockets: self.sockets.len(),
            rooms: self.rooms_open,
            arena_bytes: self.outbox.arena_bytes(),
            held_bytes: self.account.held(),
        }
    }

    /// Whether anything waits for the flush.
    pub fn is_due(&self) -> bool {
        self.outbox.is_dirty() || !self.polls_due.is_empty() || self.is_bundling()
    }

    /// From now on a request to any path but these and the engine's leaves with its connection, as [`Effect::HandOver`].
    pub fn hand_over_all_but(&mut self, paths: impl Iterator<Item = Box<str>>) {
        self.served_paths = Some(paths.collect());
    }

    /// From now on a request to any of these paths is handed out as [`Effect::Consider`] as soon as its head is there; one with a body also if no
    /// open route takes it.
    pub fn guard(
        &mut self,
        guarded: impl Iterator<Item = Box<str>>,
        open: impl Iterator<Item = (Method, Box<str>)>,
    ) {
        self.guarded_paths = guarded.collect();
        self.open_routes = Some(open.collect());
    }

    /// From now on what happens to rooms is told, as [`Effect::Room`].
    pub const fn watch_rooms(&mut self) {
        self.watches_rooms = true;
    }

    fn tell_room(&mut self, nsp: NspId, room: &str, change: RoomChange) {
        if self.watches_rooms {
            self.effects.push_back(Effect::Room(Box::new(RoomEvent { nsp, room: room.into(), change })));
        }
    }

    /// Who connected: the answer to [`Effect::AskAddress`].
    pub fn set_address(&mut self, key: SessionKey, address: std::net::IpAddr) {
        if self.sessions.find(key).is_some() {
            self.address_shares.learn(key.index, address);
        }
        if let Some(opening) = self.sessions.find_mut(key).and_then(|session| session.opening.as_mut()) {
            opening.address = Some(address);
        }
    }

    /// Bytes held for peers, those included that are no connection's alone.
    pub fn held_bytes(&self) -> usize {
        self.account.held() + self.shared_bytes()
    }

    /// Bytes that are no connection's alone: the history, and the arena, which leaves with the flush; and what sessions and sockets cost that
    /// ask for nothing.
    fn shared_bytes(&self) -> usize {
        let history = self.recoveries.as_ref().map_or(0, |recoveries| recoveries.history.bytes());
        let clients = (self.sessions.len() + self.sockets.len()) * limits::SESSION_BYTES;
        self.outbox.shared_bytes() + history + clients
    }

    /// Bytes that the server holds for somebody, until the charge is dropped. Of an owner that has ended they are nobody's debt.
    pub fn charge(&self, kind: Kind, owner: Owner, bytes: usize) -> Charge {
        let is_there = match owner {
            Owner::Core => true,
            Owner::Conn(conn) => self.conn(conn).is_some(),
            Owner::Session(session) => self.sessions.find(session).is_some(),
        };
        self.account.charge(kind, if is_there { owner } else { Owner::Core }, bytes)
    }

    /// The owner that a socket's bytes are charged to.
    pub fn owner_of_socket(&self, key: SocketKey) -> Owner {
        self.session_of_socket(key).map_or(Owner::Core, Owner::Session)
    }

    /// What is held for peers.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// The options.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// This core's number.
    pub const fn core(&self) -> u16 {
        self.core
    }
}
