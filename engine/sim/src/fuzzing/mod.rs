//! What the hub and the whole server promise, as functions over arbitrary bytes that panic when a promise is broken.
//!
//! Not an API: the fuzz targets in `engine/fuzz`, the replay of their corpora and the property tests call these same functions.

mod bystander;
mod choices;
mod hub_core;
mod open_app;
pub mod rooms;
pub mod server;
mod stranger;
