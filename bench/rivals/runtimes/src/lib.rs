//! What the programs of this folder share: who is connected, what waits for each, and the little protocol that
//! the swarm needs. It knows no runtime: a program gives each connection a reading and a writing task, and both
//! live on one thread.
//!
//! A broadcast puts one shared frame into every queue and wakes its task; a task that wakes takes all that waits
//! and sends it at once. Not a server for strangers: nothing is limited.

mod app;
mod frame;
mod queue;

pub use app::{Conn, Town, read};
pub use queue::{Pending, Queue};

/// Where to listen.
///
/// # Panics
/// When `PORT` is no number: a bench that was started wrongly should not run.
#[must_use]
pub fn port() -> u16 {
    std::env::var("PORT").map_or(3000, |port| port.parse().expect("PORT is a number"))
}
