//! What one core has done, as plain numbers.
//!
//! Not a metrics system: the server renders them.

/// Totals since start, but where a gauge is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections opened.
    pub connections_opened: u64,
    /// Connections refused over the limit.
    pub connections_refused: u64,
    /// Connections refused since their address had as many as it may.
    pub connections_of_address_refused: u64,
    /// Sessions refused since their client's address had as many as it may.
    pub sessions_of_address_refused: u64,
    /// Connections on the last descriptors that were told to come later, or cut for others.
    pub descriptors_refused: u64,
    /// HTTP requests answered, of any kind.
    pub requests: u64,
    /// Engine.IO sessions opened.
    pub sessions_opened: u64,
    /// Sessions that went from polling to WebSocket.
    pub upgrades: u64,
    /// Packets received.
    pub packets_in: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Emits: broadcasts, direct emits and acks.
    pub emits: u64,
    /// Packets encoded; equals `emits`, however many recipients there were.
    pub encodes: u64,
    /// Packets with binary written once more for WebSockets of Engine.IO 3; a broadcast counts once a core, however many recipients it has.
    pub encodes_v3: u64,
    /// Packets compressed; a broadcast counts once a core and window, however many recipients it has.
    pub deflates: u64,
    /// Bytes of those packets' frames before.
    pub deflate_bytes_in: u64,
    /// Bytes of those packets' frames after.
    pub deflate_bytes_out: u64,
    /// Answers to polls compressed; bodies that many are answered with count once a turn.
    pub poll_deflates: u64,
    /// Answers to polls sent as they are since their turn had compressed enough.
    pub polls_uncompressed: u64,
    /// Broadcasts made here, whether by handlers of this core or by an emitter on its thread.
    pub records: u64,
    /// Records received from other cores.
    pub records_in: u64,
    /// Frames that became due to a socket.
    pub frames_out: u64,
    /// Flushes before their time, of all that waited for others, since the arena was full.
    pub flushes_early: u64,
    /// Volatile frames dropped.
    pub volatile_dropped: u64,
    /// Connections cut since they did not read.
    pub slow_cut: u64,
    /// Connections cut since their core held too much, and they most of it.
    pub shed: u64,
    /// Clients among them whose address held more than its share.
    pub shed_of_address: u64,
    /// Clients that were lost, and dropped since their core held too much.
    pub saved_shed: u64,
    /// Large messages and bodies that were not read on since handlers held much.
    pub messages_delayed: u64,
    /// Sessions refused since their core held too much.
    pub sessions_refused: u64,
    /// Sessions ended without a pong.
    pub ping_timeouts: u64,
    /// Times in which the loop did not run though it was due: the process was stopped, or a handler held it up.
    pub gaps: u64,
    /// Sessions ended by a fault of their peer.
    pub protocol_errors: u64,
    /// Requests refused, by the code of the error. Source: the event `connection_error`.
    pub requests_refused: [u64; 6],
    /// Lost clients that came back with all they missed.
    pub recovered: u64,
    /// Lost clients not kept since too many were.
    pub recoveries_crowded: u64,
    /// Ids of the application's own for sessions that were none, or taken.
    pub ids_refused: u64,
    /// CONNECTs refused since their client was in as many namespaces as it may be.
    pub namespaces_crowded: u64,
    /// Joins refused by a limit.
    pub joins_refused: u64,
}

/// What there is on one core at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// TCP connections.
    pub connections: usize,
    /// Those among them that are closing while their peer may still be sending.
    pub connections_lingering: usize,
    /// Engine.IO sessions.
    pub sessions: usize,
    /// Those of Engine.IO 3 among them.
    pub sessions_v3: usize,
    /// Socket.IO sockets.
    pub sockets: usize,
    /// Rooms, own-id rooms not counted.
    pub rooms: usize,
    /// Bytes in the arena.
    pub arena_bytes: usize,
    /// Bytes held for peers, the arena not included.
    pub held_bytes: usize,
}
