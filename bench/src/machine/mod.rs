//! What the operating system says about a run: who ran where, for how long, with how much memory. It reads
//! `/proc` and calls `taskset` and `prlimit`; its one system call, for CPU time, is the engine's, so that this
//! crate needs no unsafe code.

mod core;
mod loopback;
mod place;
mod process;
mod slab;
mod unread;
mod watch;

pub use core::{core_numbers, idle_ns, own_cores};
pub use loopback::{Loopback, congestion_control};
pub use place::{pin_self, pinned, raise_descriptor_limit};
pub use process::{Process, own_thread_cpu_ns};
pub use slab::{Cache, Growth, Slab};
pub use unread::unread_of;
pub use watch::Watch;
