//! A machine that looks like a seed: the whole engine, turns and hubs and codecs, on a kernel made of queues.
//!
//! Not a test of the kernel's side (that is `sys`), and not a benchmark. The engine is the real one, over the public API; time, chance
//! and every byte's way are decided by one number, so that a failure is replayed by its seed.
//!
//! ```text
//! scene   what the seed decides beforehand
//! world   connections, places, the clock, the dice      kernel  one core's driver over it
//! client  speaker + websocket | polling                 app     handlers, written as a user would
//! ledger  the oracle's book: who was meant, who got what, in which order, and why anyone was cut
//! run     rounds of traffic, calm, jumps of the clock; at the end nothing may be left
//! ```

pub mod app;
pub mod client;
pub mod dice;
pub mod frames;
pub mod kernel;
pub mod ledger;
pub mod polling;
pub mod requests;
pub mod run;
pub mod scene;
pub mod speaker;
pub mod subject;
pub mod trace;
pub mod websocket;
pub mod wire;
pub mod world;
