//! The app that compatibility suites expect, on the engine's public API only.
//!
//! Not a test: the suites are other people's, or stand in `tests/`. One file per group of events.

pub mod describe;
pub mod eio_client;
pub mod faults;
pub mod handshake;
pub mod log;
pub mod orders;
pub mod profile;
pub mod reach;
pub mod rooms;
pub mod sio_client;
pub mod talk;
pub mod wanted;

use socketville::Namespace;

/// The events that every namespace answers.
pub fn serve(namespace: Namespace<'_>, log: &log::Log) {
    let namespace = log::serve(namespace, log); // first, so that it sees what is emitted upon connection
    let namespace = talk::serve(namespace);
    let namespace = rooms::serve(namespace);
    let namespace = reach::serve(namespace);
    let namespace = orders::serve(namespace);
    let namespace = describe::serve(namespace);
    handshake::serve(namespace);
}
