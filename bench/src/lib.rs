//! The bench house: a swarm of light clients, the floor that the kernel sets, and the rivals, measured under
//! the same conditions. Nothing here is part of the product, and nothing here makes its figures look better
//! than they are: every client checks loss, repeats and order, and a result whose generator was the
//! bottleneck is void.
//!
//! The pieces, from the wire upwards:
//!
//! - [`swarm`]: N Socket.IO clients on one thread, with a checker and a latency histogram;
//! - [`machine`]: pinning, CPU time, memory, as the kernel tells them;
//! - [`floor`]: the kernel alone, behind just enough protocol to be measured by the same swarm;
//! - [`served`]: a server under measurement, started or only pointed at;
//! - [`apart`]: server and swarm in network namespaces, where loopback would distort;
//! - [`answers`]: does it answer rightly, before anybody measures how fast;
//! - [`pulse`]: what is read of a saturated server's heart;
//! - [`scenario`]: one run of one load, giving an [`outcome::Outcome`]; [`idle`]: what a connection costs that
//!   says nothing, or has said and heard one message;
//! - [`options`]: what the programs share on their command lines;
//! - [`contestants`]: the names a comparison knows, and how each is built and started;
//! - [`plan`]: the chapters of the comparison, the question of each, and who takes part;
//! - [`comparison`]: medians of runs that took turns; [`results`]: what of them is kept, as JSON, with
//!   its [`provenance`]; [`table`],
//!   [`plot`], [`interval`], [`readme`] and [`numbers`]: how people read them.
//!
//! And [`growth`]: what becomes of the figures when clients, rooms and memberships grow by powers of ten; [`paths`]: the
//! engine's paths without a kernel, for counting instructions; [`profile`]: where the server's time goes, load by load.
//!
//! # The measured app
//!
//! Every server speaks the same app, over WebSocket with text frames and over long-polling: `join` (room, ack);
//! `pub` `{room?, p}` emits `msg` with the string p to the room or to all; `burst` `{room?, count, every, rest}`
//! emits `msg` with i as 10 digits followed by rest for each i below count, yielding to its loop after each
//! `every`; `echo` (data, ack) acks with data. The keys `p` and `rest` come last. It takes `PORT`, `CORES` and
//! `BIND` (the address to listen on, if not 127.0.0.1) from the environment, and where it can `DEFLATE=1` (permessage-deflate for every message), `PING_INTERVAL_MS` and
//! `PING_TIMEOUT_MS`. A payload is 10 digits of sequence, 16 digits of send time in ns, and filler or JSON text.

pub mod answers;
pub mod apart;
pub mod comparison;
pub mod contestants;
mod exchange;
pub mod floor;
pub mod goals;
pub mod growth;
pub mod idle;
pub mod interval;
pub mod machine;
pub mod metrics;
pub mod numbers;
pub mod options;
pub mod outcome;
pub mod paths;
pub mod payload;
pub mod plan;
pub mod plot;
pub mod profile;
pub mod prose;
pub mod provenance;
pub mod pulse;
pub mod readme;
pub mod results;
pub mod scenario;
pub mod served;
pub mod swarm;
pub mod table;
pub mod wire;
