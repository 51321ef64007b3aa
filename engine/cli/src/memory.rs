//! Memory that clients no longer need goes back to the kernel: after a peak the process is as small as before.
//!
//! The allocator keeps freed memory until somebody asks it for more, which after a peak nobody does.

use std::time::Duration;

/// The time between two releases. Memory that is freed and needed again within it costs nothing more.
const INTERVAL: Duration = Duration::from_secs(1);

/// Gives memory back from now on, on the runtime's own thread. To be called inside its context, as `on_start` is.
pub(crate) fn give_back() {
    tokio::spawn(async {
        loop {
            tokio::time::sleep(INTERVAL).await;
            socketville::release_free_memory();
        }
    });
}
