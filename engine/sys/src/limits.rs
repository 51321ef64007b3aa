//! Every limit of the crate with its reason. What happens at a limit is said where it is applied.

use std::time::Duration;

/// Places for requests in the ring's submission queue: one chunk of a flush. Larger chunks measured no faster.
pub(crate) const SQ_ENTRIES: u32 = 256;

/// Places for completions: 18 000 connections that become ready at once still fit. An overflow loses nothing, it
/// only costs an extra call.
pub(crate) const CQ_ENTRIES: u32 = 32_768;

/// The kernel's own upper limit of a table of direct descriptors.
pub(crate) const FILES_MAX: u32 = 1 << 20;

/// Buffers on loan in one receive batch. With [`RECEIVE_BYTES`] this makes 1 MiB per core, which stays in cache.
pub(crate) const RECEIVE_BUFFERS: usize = 64;

/// Bytes of one receive. Larger messages take several, and other connections get their turn between.
pub(crate) const RECEIVE_BYTES: usize = 16 * 1024;

/// The most one receive may be asked for: 64 buffers of it are 64 MiB. A driver with a wish for more gets this.
pub(crate) const RECEIVE_BYTES_MAX: usize = 1 << 20;

/// Bytes of one send. The kernel itself stops below 2 GiB, and results are 32 bits wide.
pub(crate) const SEND_BYTES_MAX: usize = 1 << 30;

/// Bytes of a connection that the kernel holds and has not sent yet; more stay with the server, where they are counted. Without it a reader
/// that has stopped holds 3.8 MB of the kernel's memory before the server learns of it. A send of a burst is larger than that only
/// for readers that are behind.
pub(crate) const UNSENT_BYTES_MAX: i32 = 512 * 1024;

/// Connections waiting to be accepted. A core that sends for 45 ms at 20 000 connections a second needs 900.
pub(crate) const BACKLOG: i32 = 4096;

/// Connections that are accepted in one wait, so that a storm of them does not starve the others.
pub(crate) const ACCEPTS_PER_WAIT: usize = 64;

/// Places, of those that the limit of descriptors leaves, that count as the last ones: as many connections as come in a burst between two turns. No
/// more than an eighth of all.
pub(crate) const LAST_PLACES: u64 = 64;

/// Events the epoll driver takes in one wait.
pub(crate) const EVENTS_PER_WAIT: usize = 1024;

/// The first pause after a failed accept; doubles with each further failure.
pub(crate) const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(10);

/// The longest pause after failed accepts: a machine out of descriptors is asked once a second.
pub(crate) const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// From how far on a deadline is a request of its own instead of an argument of the sleep. Nearer ones (allowances of a flush, pings of many
/// clients) change with every sleep, and would be cancelled as often as they are made.
pub(crate) const ALARM_FROM: Duration = Duration::from_millis(100);

/// Attempts to hand requests to a kernel that is out of memory for them, before the ring counts as broken.
pub(crate) const SUBMIT_ATTEMPTS_MAX: u32 = 10_000;

/// Bits of a generation: what fits beside an operation and an index in 64 bits. A token kept over 16 million
/// connections on the same place would be mistaken for the current one.
pub(crate) const GENERATION_MASK: u32 = (1 << 24) - 1;

const _: () = assert!(CQ_ENTRIES >= SQ_ENTRIES, "the kernel refuses a smaller completion queue");
const _: () = assert!(RECEIVE_BYTES <= RECEIVE_BYTES_MAX, "the default is no wish for too much");
const _: () = assert!(RECEIVE_BUFFERS <= SQ_ENTRIES as usize, "a receive batch is one submission");
const _: () = assert!(SEND_BYTES_MAX <= i32::MAX as usize, "a result must be able to say it");

/// Connections for which a core reserves room in its table: 16 MiB of address space, not of memory. With more, the table grows by copying.
pub(crate) const SLOTS_RESERVED_MAX: usize = 1 << 20;
