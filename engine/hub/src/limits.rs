//! Every limit of the hub in one place: the number, its reason and what happens when it is reached.
//!
//! Not here: limits on bytes as such (heads, frames, attachments), which stand in `proto::limits`.

/// Cores of one server. The first character of an id names its core, and base64 has 64 characters.
pub const CORES_MAX: u16 = 64;

/// Letters of a session's id that the application may choose (`generateId`); an id with more, with none, or with others than base64url's is
/// not used: the session gets one of ours, and it is counted. What an id is short of this is filled up at random. Ids of one
/// length are keys without an allocation, and other servers of a cluster tell ids from rooms by it.
pub const ID_LETTERS_MAX: usize = crate::ids::ID_LEN - 1;

/// Rooms of one socket, unless the application says otherwise; past it a join is refused. The reference has no limit; a set per socket must not grow for ever.
pub const ROOMS_PER_SOCKET_MAX: usize = 1024;

/// Bytes of a room's name; past it a join is refused. Long names are keys in maps on every core.
pub const ROOM_NAME_BYTES_MAX: usize = 256;

/// Bytes of broadcasts to the same recipients that become due in one walk over them; past it another walk begins. A walk costs some
/// nanoseconds a member, which nobody notices once in so many bytes; and as much is what a backlog can grow by before its limit is looked at.
pub const BUNDLE_BYTES_MAX: usize = 64 * 1024;

/// Rooms that each socket may be in whatever others hold, so that nobody's use of a core keeps another from a room of its own.
pub const ROOMS_FREE: usize = 16;

/// Bytes of a core's rooms over all namespaces, or a quarter of its budget if that is less; past it a socket joins no more than [`ROOMS_FREE`]. One
/// address has a quarter of it. Two and a half million rooms with short names.
pub const ROOMS_BYTES_MAX: usize = 512 << 20;

/// Bytes of a room apart from its name: its place, its list of members, its entry in the map of names, with what an allocator adds.
pub const ROOM_BYTES: usize = 192;

/// Bytes of a membership: a number in the room, a key in the socket.
pub const MEMBER_BYTES: usize = 16;

/// Namespaces that one connection may join, unless the application says otherwise; past it CONNECT is refused, and the others stay as they are.
/// The reference has no limit; each is a socket here.
pub const NAMESPACES_PER_SESSION_MAX: usize = 64;

/// Bytes of a name that a client may ask a dynamic namespace by; past it the namespace is invalid. Names are keys in maps on every core.
pub const NAMESPACE_NAME_BYTES_MAX: usize = 256;

/// Bytes of a connection that are held while it is busy with an earlier request or paused; past it the connection is not read on, and its
/// peer waits. One receive may exceed it, by 64 KiB.
pub const HELD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of answers that a connection may owe when its next request is looked at; past it the request waits until all of them have
/// left. A pipeline of small answers never gets here, and one answer may exceed it.
pub const ANSWERS_BYTES_MAX: usize = 64 * 1024;

/// POSTs behind one waiting GET that were handled and are not answered yet; past it the next one waits for the GET. A client waits for each
/// answer before it posts again; each that is owed is a few bytes here.
pub const PIPELINED_POSTS_MAX: usize = 16;

/// Bytes of events to a client that its middlewares have not let in yet; past it an emit to it fails. A greeting fits many times; a middleware that
/// waits for a backend while others emit must not fill memory.
pub const EARLY_BYTES_MAX: usize = 64 * 1024;

/// Milliseconds that a connection may have one of the last descriptors without a request. An operator's probe sends its request at once.
pub const LAST_PLACES_MS: u64 = 2_000;

/// Lingering connections of a core; past it a connection beyond its address's share is closed without an answer. So many answers at a time are
/// enough to tell an honest client, and descriptors are for others.
pub const REFUSALS_LINGERING_MAX: usize = 1024;

/// Milliseconds between two looks over all connections of a core that holds too much, if the first found nobody to cut, and between two sums by address:
/// a look costs some 50 ns a connection.
pub const RELIEF_PAUSE_MS: u64 = 500;

/// Milliseconds for a request's head to arrive; then it is answered 408 if it has begun, and the connection closes (slow-loris).
pub const HEAD_TIMEOUT_MS: u64 = 10_000;

/// Milliseconds for a request's body to arrive; then it is answered 408, and the connection closes. Source: engine.io `httpRequestBodyTimeout`.
/// The attachments of a packet have as long, but no longer than a heartbeat and its time-out; then the session ends.
pub const BODY_TIMEOUT_MS: u64 = 30_000;

/// Milliseconds that an idle keep-alive connection stays; longer than the common proxies' 60 s, so that they close first.
pub const KEEP_ALIVE_MS: u64 = 65_000;

/// Milliseconds that a turn may come after its time before that counts as a gap. Busy turns are tens of milliseconds late; a stopped process is so by
/// seconds.
pub const GAP_MS: u64 = 250;

/// Milliseconds after a gap for which nobody is cut for being late, so that what has arrived meanwhile is read, whichever connection it lies on. A
/// pong has its whole time-out, after a new ping.
pub const GRACE_AFTER_GAP_MS: u64 = 5_000;

/// Milliseconds that a client has after another gap for its pong to the ping that followed the first gap. A pong that was under way arrives in much
/// less.
pub const MOMENT_MS: u64 = 1_000;

/// Gaps that grant such a moment, until a pong comes; a loop that always stands still must cut silent clients, too.
pub const MOMENTS_MAX: u8 = 8;

/// Milliseconds for which a session may be not read, while as many of its handlers as may be wait; past it the session ends at its next heartbeat,
/// with `ping timeout`. Its client cannot be heard meanwhile, and one that vanished without a word would hold its handlers, and their share of
/// the core, for ever. Longer than what a server waits for others.
pub const PAUSE_MS_MAX: u64 = 300_000;

/// Bytes of a message or body from which on it is not read while handlers hold more than their share of the budget. A smaller one is read: so many
/// bytes of each client fit.
pub const DELAYED_BYTES_MIN: usize = 16 * 1024;

/// Turns that read on before a peer that is late is cut, if the kernel always has more. In so many even epoll has reported 131 000 connections
/// that were ready before, and 2 MiB of each have been read; a core that has nothing to read judges at once.
pub const LOOKS_MAX: u16 = 128;

/// Milliseconds that a closing connection has to take its last bytes, and to end its own direction if it may still be sending; then it is
/// cut.
pub const LINGER_MS: u64 = 5_000;

/// Bytes of a peer that are ignored while its connection closes; past it the connection is cut, and what the peer has not read may be lost. Who
/// stops at our end has no more under way than its kernel and ours hold: 4 and 6 MiB by Linux's defaults.
pub const LINGER_BYTES_MAX: u32 = 16 << 20;

/// Milliseconds that a session which the server closed waits for the client's next poll. Source: engine.io `closeTimeout`.
pub const POLL_CLOSE_MS: u64 = 30_000;

/// Milliseconds for which a session that its client closed still answers one poll, on several cores: the poll may have been sent
/// before the close and still be on its way from another core.
pub const CROSSING_MS: u64 = 100;

/// Effort spent on compressing answers to polls, 2 to 9. Source: zlib's own default, which the reference uses.
pub const POLL_DEFLATE_LEVEL: u32 = 6;

/// Bytes of answers to polls that a turn compresses: some 15 ms of a core. An answer that does not fit into what is left of it goes as it is, and is
/// counted; the same bytes for many count once.
pub const POLL_DEFLATE_BYTES_PER_TURN: usize = 512 * 1024;

/// Compressed answers that a turn knows again: one each of a few broadcasts that leave at once, in a few forms. All of them together are no larger than
/// [`POLL_DEFLATE_BYTES_PER_TURN`].
pub(crate) const POLL_DEFLATE_KEPT: usize = 8;

/// Milliseconds after which a poll that waits during an upgrade is let go. Source: engine.io's interval of the same; sooner would do, but clients
/// count on nothing coming before.
pub const PROBED_POLL_MS: u64 = 100;

/// Milliseconds from the WebSocket of a client of Engine.IO 3 to its `open` packet. Some, like the official suite, listen only when they have seen
/// that the connection is open, and miss what came in the same segment; the reference's packets come in segments of their own.
pub const V3_OPEN_DELAY_MS: u64 = 5;

/// Members up to which a room is a small vector; above it is a bitset over the core's slots, if that is not larger than what its members are
/// charged. At 32 members a scan for a leave still fits two cache lines; a bitset for 20 000 slots takes 2.5 KB.
pub const SMALL_ROOM_MAX: usize = 32;

/// Bytes that a client may owe though its core is above its hard mark, so that it is not cut for what others hold: with 20 000 clients 80 MiB at the
/// worst, until the next turn has cut the largest debtors. Cutting a client that owes less would bring nothing.
pub const DEBT_BYTES_MIN: usize = 4 * 1024;

/// Lost sockets that one core keeps for their return; past it one that is lost begins anew. Each is its rooms' names.
pub const SAVED_MAX: usize = 1 << 16;

/// Rooms whose dropped history is remembered, so that who missed nothing of it still recovers; past it all of that is forgotten, and who was
/// away since then begins anew.
pub const EVICTED_ROOMS_MAX: usize = 1 << 16;

/// Connections or sessions of one core: an entry of the timers has 23 bits for either. Past it a connection is closed and a session is refused
/// with 503. Rings have at most 2^20 descriptors, and a session without a connection lasts as long as a heartbeat.
pub const SLOTS_MAX: usize = 1 << 23;

/// Lines of request heads that are kept once for all who sent them; past it a client's line is kept for it alone. Their numbers have 15 bits.
pub const LINES_MAX: usize = 1 << 15;

/// Lines that came once and are remembered by a trace, so that they are shared when they come again; a newer one takes an older one's
/// place. 16 KiB a core, and more than the different lines of a few hundred kinds of clients.
pub const LINE_TRACES: usize = 1 << 12;

/// The same for a connection whose one packet is beyond its limit: a reader that pauses may take it up again, but not hold the room of all
/// others for ever.
pub const PACKET_STALL_MS: u64 = 8 * STALL_MS;

/// Bytes of a frame that is kept for a connection which is cut for its memory, so that it can be told why; a longer rest is dropped, and the
/// connection ends without a word.
pub const TORN_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a session and of a socket, about: what those of a client cost that asks for nothing.
pub const SESSION_BYTES: usize = 512;

/// Bytes of the arena above which a core stops collecting records of others until all is sent.
pub const ARENA_SOFT_BYTES_MAX: usize = 32 << 20;

/// Bytes of the arena, if half of the core's memory is not less, above which pending bytes are moved to the connections' own backlogs. A handler gets here that emits as much
/// without yielding; a connection that would be owed so much alone is past its limit long before. Ranges are 32 bits wide, so
/// this is far below 4 GiB.
pub const ARENA_HARD_BYTES_MAX: usize = 64 << 20;

/// Bytes that a core's budget has at the least; a server whose cores would have less does not start. Four of the largest messages by default, and below it
/// an ordinary burst would be above the marks.
pub const BUDGET_BYTES_MIN: usize = 4 << 20;

/// Bytes that one batch of sends gathers from scattered ranges; past it the rest goes with later batches. It stays in the second-level
/// cache, and a send of so many bytes costs as little a byte as a larger one.
pub const GATHER_BYTES_MAX: usize = 1 << 20;

/// Bytes that slow readers of one core may owe beyond their own limits, all together, however large the machine is: copying them takes
/// some 20 ms, in which nobody else is served. A slow reader that finds no room is cut at its own limit.
pub const BURSTS_BYTES_MAX: usize = 64 << 20;

/// Milliseconds in which the kernel must take some bytes of a connection that owes more than its limit; then the connection is
/// cut. The kernel asks for more when a third of its buffer is free, which a reader of 2 MB/s reaches in 400 ms.
pub const STALL_MS: u64 = 750;

/// Milliseconds that a broadcast may be allowed to wait for others; a longer allowance is taken as this. A lane keeps its moment in
/// one byte, and a quarter of a second is where people notice.
pub const FLUSH_INTERVAL_MS_MAX: u8 = 250;

/// Bytes of the arena, and of the links between scattered ranges, above which nobody waits any longer: all leaves with the next flush, which is
/// counted. The arena cannot start anew before; and at 4 MiB of small frames a send carries dozens of them anyway.
pub const ARENA_WAITING_BYTES_MAX: usize = 4 << 20;

/// Milliseconds that a connection without a session has at the end of the server, for the rest of a head or of a body, and then for taking its answer;
/// past it the connection is told 408, or cut. What is on its way arrives in that time; the window is for clients.
pub const UNFINISHED_MS: u64 = 2_000;

/// Milliseconds of the longest time that an option sets: 12 days. A client waits for the ping interval and the time-out together by one timer of its
/// own, and those of browsers end at once when they are set to 2^31 ms (24.8 days) or more.
pub const OPTION_TIME_MS_MAX: u32 = 12 * 86_400_000;

const _: () = assert!(FLUSH_INTERVAL_MS_MAX < u8::MAX);
const _: () = assert!(ARENA_WAITING_BYTES_MAX < ARENA_SOFT_BYTES_MAX);
const _: () = assert!(ARENA_SOFT_BYTES_MAX < ARENA_HARD_BYTES_MAX);
const _: () = assert!(ARENA_HARD_BYTES_MAX < u32::MAX as usize / 2);
const _: () = assert!(KEEP_ALIVE_MS > HEAD_TIMEOUT_MS);
const _: () = assert!(ROOM_NAME_BYTES_MAX >= crate::ids::ID_LEN);
const _: () = assert!(2 * (OPTION_TIME_MS_MAX as u64) < 1 << 31);
