//! Memory that clients no longer need goes back to the kernel: during a peak the process holds little more than its clients are charged for, and after it
//! the process is as small as before.
//!
//! The allocator gives freed pages back while it is asked for others, and keeps them if nobody asks, as after a peak.

use std::time::Duration;

/// The time between two releases. Memory that is freed and needed again within it costs nothing more.
const INTERVAL: Duration = Duration::from_secs(1);

/// Gives memory back from now on, on the runtime's own thread. To be called inside its context, as `on_start` is.
pub(crate) fn give_back() {
    socketville::release_freed_memory_at_once();
    tokio::spawn(async {
        loop {
            tokio::time::sleep(INTERVAL).await;
            socketville::release_free_memory();
        }
    });
}
