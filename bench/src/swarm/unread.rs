//! What lies in the clients' receive buffers, without reading it. Not a reader: nothing is taken, nothing is checked.

use super::client::Phase;
use super::{BUFFER_BYTES, Swarm};

impl Swarm {
    /// More than this cannot be seen.
    pub const UNREAD_BYTES_MAX: usize = BUFFER_BYTES;

    /// Whether so many bytes wait at every client that is there. Each is looked at: that costs about as much as reading.
    ///
    /// Beyond [`Swarm::UNREAD_BYTES_MAX`] the answer is no.
    pub fn all_hold(&mut self, bytes: usize) -> bool {
        let Some(place) = self.buffer.get_mut(..bytes) else { return false };
        let present = self.clients.iter().filter(|client| client.phase != Phase::Gone);
        present.into_iter().all(|client| client.stream.peek(place).is_ok_and(|seen| seen == bytes))
    }
}
