//! Peers below Socket.IO: bare Engine.IO sessions and bare WebSockets, on the same port and the same loop.
//!
//! Not sockets: they have no namespace and no rooms. Suites of the lower protocols talk to these, and health probes of proxies may.

use std::rc::Rc;

use socketville_hub::{Payload, Peer};
use socketville_proto::http;

use crate::core::Core;

/// A message below Socket.IO.
pub type Message<'a> = Payload<'a>;

/// Who sent a message below Socket.IO; valid while its handler runs.
pub struct BarePeer<'a> {
    core: &'a Rc<Core>,
    peer: Peer,
}

impl std::fmt::Debug for BarePeer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BarePeer").finish_non_exhaustive()
    }
}

impl<'a> BarePeer<'a> {
    pub(crate) const fn new(core: &'a Rc<Core>, peer: Peer) -> Self {
        Self { core, peer }
    }

    /// The headers of the POST request that brought the message, names in small letters; none over WebSocket.
    pub fn request_headers(&self) -> Vec<(String, String)> {
        let bytes = self.core.post_head.borrow();
        let Some((head, _)) = bytes.as_deref().and_then(|bytes| http::parse_head(bytes).ok().flatten())
        else {
            return Vec::new();
        };
        let text = |value: &[u8]| std::str::from_utf8(value).ok().map(str::to_owned);
        head.headers().filter_map(|(name, value)| Some((name.to_ascii_lowercase(), text(value)?))).collect()
    }

    /// Sends a message back.
    pub fn send(&self, message: Message<'_>) {
        self.core.hub_mut().send_message(self.peer, message);
    }
}
