//! What every decoder promises, as functions over arbitrary bytes that panic when a promise is broken.
//!
//! Not an API: the fuzz targets in `engine/fuzz` and the replay of their corpora in `sim/tests/fuzz_corpora.rs` call these same functions.

pub mod eio3;
pub mod msgpack;
pub mod packets;
pub mod wire;
