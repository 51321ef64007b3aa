//! What becomes of a delivery's cost and of memory when clients, rooms and memberships grow by powers of ten? Three
//! sweeps of the engine, with the ring's floor beside it in the first. Not a comparison with others: `compare` is.
//!
//! One process holds no more descriptors than its limit, so clients live in several [`generator`] processes, each
//! with loopback addresses of its own, and a server takes as many rings as the clients need, all on one CPU: a
//! ring's table of descriptors is bounded by the same limit. The floor has one ring in a process, so that it takes
//! several processes, each with a generator that publishes to it.
//!
//! [`sweep`] says what is measured and how; [`point`] measures; [`results`] are kept as JSON, from which [`page`]
//! makes the tables and [`sums`] of bench/SCALE.md, and [`plot`] the picture.

pub mod generator;
pub mod numbers;
pub mod page;
pub mod parent;
pub mod plot;
pub mod point;
pub mod results;
pub mod series;
pub mod sums;
pub mod sweep;
