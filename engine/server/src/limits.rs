//! Every limit of the loop in one place: the number, its reason and what happens when it is reached.
//!
//! Not here: limits on what peers send (`proto::limits`) and on what a core keeps (`hub::limits`).

pub use socketville_hub::limits::{BUDGET_BYTES_MIN, EARLY_BYTES_MAX, FLUSH_INTERVAL_MS_MAX, STALL_MS};

/// Letters in a core's mailbox; past it an outside thread's emit fails with `EmitError::Full`, and a core keeps its letters and tries again. A
/// quarter of it is for threads that are no core's, so that clients cannot fill it; and past an eighth of it clients whose events make records wait.
/// At 16 bytes a letter this is 1 MiB a core, and half a second of 128 000 records a second.
pub const MAILBOX_LETTERS_MAX: usize = 1 << 16;

/// Bytes of the broadcasts in a core's mailbox, if a quarter of its memory is not less; past it the mailbox is full as with [`MAILBOX_LETTERS_MAX`]. One broadcast may exceed it. A core
/// collects 32 MiB in a turn, so as much may wait for the next.
pub const MAILBOX_BYTES_MAX: usize = 32 << 20;

/// Bytes of the broadcasts that a core keeps for a mailbox that is full, if half of its memory is not less; past it that core
/// reads nothing, as with [`RECORDS_WAITING_MAX`].
pub const RECORDS_WAITING_BYTES_MAX: usize = 128 << 20;

/// Letters that a core keeps for a mailbox that is full; past it the core reads no client and polls no task until there are fewer. Clients that make
/// records wait long before, each after one message; this is for what a million of them, or tasks, have made.
pub const RECORDS_WAITING_MAX: usize = 1 << 20;

/// Orders of outside threads that wait for a full mailbox, for their calls have no error to return; past it a core that takes nothing meanwhile stands still,
/// and one that is behind with [`ORDERS_BEHIND`] times as many.
pub const ORDERS_WAITING_MAX: usize = 1 << 16;

/// How many times [`ORDERS_WAITING_MAX`] may wait for a core that moves: 16 MiB of them, which a core works off in a second.
pub const ORDERS_BEHIND: usize = 16;

/// Milliseconds between two turns of a core that count at the most when it judges whether another takes nothing: a process that was stopped finds
/// all of its cores equally late.
pub const STANDSTILL_STEP_MS: u64 = 250;

/// How long a core may take nothing at all out of its mailbox, with much in it, until it stands still: its clients are cut when it moves again, for a gap in what they get would be worse.
/// A core that is behind and moves never does. Clients of a core that does nothing for so long have had
/// no pong either.
pub const STANDSTILL: std::time::Duration = std::time::Duration::from_secs(5);

/// How long a query waits for cores that do not answer: then it ends with [`QueryError`](crate::QueryError), and what the others said. A core that
/// gets to nothing for so long [stands still](STANDSTILL) for others, too. Source: `requestsTimeout` of the reference's adapters, default 5 s.
pub const QUERY_TIMEOUT: std::time::Duration = STANDSTILL;

/// How long clients have by default, when a server stops, to take what is due to them; then they are cut, and counted.
pub const DRAIN_WINDOW: std::time::Duration = std::time::Duration::from_secs(10);

/// Milliseconds for which a core that stops waits for what the others have said before; one that says nothing for so long is busy with
/// something else.
pub const SETTLE_MS_MAX: u64 = 1_000;

/// Milliseconds for which a core that stops waits for the ends of peers, when it has nothing more for anybody: for a close frame in answer, or a
/// last poll. Who sends on after the end would be reset, and might lose what it has not read.
pub const ENDS_MS_MAX: u64 = 2_000;

/// Milliseconds after the drain window at which the log says which cores are waited for: an ended window takes a turn or two, not a second.
pub const LATE_MS: u64 = 1_000;

/// Descriptors that each core needs beside its clients': a driver and its waker, one to refuse with, a listener, one for the end of a connection.
pub const DESCRIPTORS_PER_CORE: usize = 5;

/// Descriptors that a server needs beside its cores: the runtime of handlers with its signals, and a file that is read for a moment.
pub const DESCRIPTORS_PER_SERVER: usize = 8;

/// Clients for which there must be descriptors at the start. A limit for fewer is a mistake.
pub const CLIENTS_MIN: usize = 8;

/// Milliseconds between two lines of the log from one cause; those in between are counted in the next. A person reads no faster.
pub const LOG_INTERVAL_MS: u64 = 5_000;

/// Connections on their way to a core; past it they are closed, and the client asks again.
pub const PASSED_MAX: usize = 1 << 12;

/// Bytes that were read of connections on their way to a core, if an eighth of its memory is not less; past it they are closed, as past
/// [`PASSED_MAX`]. A request is some hundred bytes: this is for posts that come with their bodies.
pub const CROSSING_BYTES_MAX: usize = 16 << 20;

/// Connections of one turn whose first request or end is dealt with, when more wait: some 5 ms of a core. The others wait for the next turn, so that a crowd that
/// comes back at once makes nobody else wait.
pub const NEWCOMERS_PER_TURN: usize = 256;

/// Sends of one turn: 2048 take about 9 ms of kernel time; then reads, pongs, accepts and timers have their turn.
pub const SENDS_PER_TURN_MAX: usize = 2048;

/// Sends handed to the kernel at once: a submission queue full; 64 to 256 cost the same within noise, and the slices (6 KiB) fit a stack frame.
pub const SENDS_PER_BATCH: usize = 256;

/// Work of one turn for what established connections have sent: about 10 ms of a core. The rest waits, its bytes here or in the kernel, and the connection
/// that has waited longest is read first. A unit is about 0.2 us: a frame that becomes due to a socket, or a kibibyte; others are so many units. In it are 10 000 clients
/// with a small packet each and an answer, or 6000 requests that are refused, their sends not counted. While [`LETTERS_PER_TURN_MAX`] letters of other cores wait it is as many times smaller as there are more
/// of them.
pub const READ_WORK_PER_TURN: u64 = 48 << 10;

/// The same for newcomers and ends, and for POSTs with more packets than one step handles: a part of its own for each, so that none waits for the others.
pub const READ_WORK_PER_PART: u64 = READ_WORK_PER_TURN / 4;

/// Work of one connection until others have their turn, where many wait: some 0.1 ms, so that 100 connections that send without end delay a
/// packet of another by one turn. What is put off is copied, up to 64 KiB in 8 us.
pub const READ_WORK_PER_SLICE: u64 = 512;

/// Work of a packet, its handler included.
pub const WORK_PER_PACKET: u64 = 3;

/// Work of a request, its answer included: 404 for pipelined ones took 2 us each, with their sends.
pub const WORK_PER_REQUEST: u64 = 8;

/// Work of a session that begins.
pub const WORK_PER_SESSION: u64 = 64;

/// Connections received from between two looks at the budget: what the ring takes in one submission.
pub const RECEIVES_PER_STEP: usize = 64;

/// Letters collected in one turn, so that a flood from another core does not starve this one's clients; or half of what there is, if that is more.
/// So a letter waits for [`LETTERS_TURNS_MAX`] turns at the most, unless the arena is full, and clients are read as much less as more letters wait.
pub const LETTERS_PER_TURN_MAX: usize = 1024;

/// Turns until a letter is taken, however full the mailbox was: each halves what is before it, down to a turn's.
pub const LETTERS_TURNS_MAX: u32 = (MAILBOX_LETTERS_MAX / LETTERS_PER_TURN_MAX).ilog2() + 1;

/// Packets of one POST that are handled before others have their turn: some 0.2 ms for small events.
pub const PAYLOAD_PACKETS_PER_STEP: usize = 512;

/// Packets of all POSTs with more than [`PAYLOAD_PACKETS_PER_STEP`] that are handled in one turn: some 2 ms for small events.
pub const PAYLOAD_PACKETS_PER_TURN: usize = 4096;

/// Handler tasks polled in one turn.
pub const TASKS_PER_TURN_MAX: usize = 4096;

/// Tasks that an application may [`spawn`](crate::spawn) on one core; past it one is not started, which is counted. And handlers of one core's clients
/// that may wait: past it a client with one that waits is not read on. 64 K tasks that wait are a backend that does not answer.
pub const TASKS_MAX: usize = 1 << 16;

/// Handlers of one client that may wait, unless [`tasks_per_client_max`](crate::Builder::tasks_per_client_max) says otherwise; past it the client is not read
/// on until half of them have ended. Nothing is dropped. Enough to keep a backend busy with one client's questions, and few enough that a
/// thousand clients together do not fill a core.
pub const TASKS_PER_CLIENT_MAX: usize = 64;

/// How deep values that were kept with sockets are dropped when a core ends: what such a `Drop` lets go of is the next layer. Past it they are
/// dropped with the core.
pub const DROPS_AT_END_MAX: usize = 8;

/// Milliseconds between two lines of a core's log about handlers that could not be called; what comes between is counted. A client that sends nonsense
/// must not fill a log, and one line is enough to look for the handler.
pub const MISMATCH_LOG_MS: u64 = 10_000;

/// Bytes of a client's events whose handlers wait; past it the client is not read on until few of them wait, as past the number of its tasks. One event
/// may exceed it.
pub const WAITING_BYTES_MAX: usize = 1 << 20;

/// The same while the core holds more than its soft mark: what handlers wait over cannot be given back before they end.
pub const WAITING_BYTES_SHORT: usize = 16 << 10;

/// How many times as much that is for a client which owes an answer to one of its handlers: the answer may lie behind other events. Past it the
/// handler waits until its time is over.
pub const WAITING_BYTES_OWING: usize = 4;

/// Bytes of a client's `auth` that are kept once its connection handlers have been called, unless
/// [`Builder::keep_auth`](crate::Builder::keep_auth) says otherwise; a longer one is let go then. Tokens of a kilobyte or two are common.
pub const AUTH_KEPT_BYTES: usize = 4096;

/// Acknowledgements that one socket may owe, unless the application says otherwise; past it `emit_with_ack` fails. A client that answers none must not fill memory.
pub const ACKS_PER_SOCKET_MAX: usize = 256;

// 10 000 clients with a packet each, answered, are one turn.
const _: () = assert!(10_000 * (WORK_PER_PACKET + 1) <= READ_WORK_PER_TURN);
const _: () = assert!(SENDS_PER_TURN_MAX.is_multiple_of(SENDS_PER_BATCH));

/// Dynamic namespaces that exist at a time; past it more are invalid. Each costs some hundred bytes on each core that clients of it are on.
pub const DYNAMIC_NAMESPACES_MAX: usize = 16_384;

/// Connections that are with the mounted service at a time; past it one is closed, and logged. Each may hold a body and a task of tokio's.
pub const MOUNTED_MAX: usize = 16_384;
