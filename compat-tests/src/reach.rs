//! What a socket does to itself: leaving.

use socketville::{Namespace, Socket};

/// Adds the events.
pub fn serve(namespace: Namespace<'_>) -> Namespace<'_> {
    namespace.on("disconnect-me", |socket: Socket, close: Option<bool>| {
        if close.unwrap_or_default() { socket.disconnect_all() } else { socket.disconnect() }
    })
}
