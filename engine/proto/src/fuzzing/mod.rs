//! What every decoder promises, as functions over arbitrary bytes that panic when a promise is broken.
//!
//! Not an API: the fuzz targets and the seed replay in `tests/fuzz_seeds.rs` call these same functions.

pub mod eio3;
pub mod msgpack;
pub mod packets;
pub mod wire;
