//! One client of the swarm: a socket, where it is in its life, and the tail of a cut frame. It decides
//! nothing; [`super::Swarm`] does.
//!
//! ```text
//! Connecting --writable--> Upgrading --101--> Opening --`0{…}`--> Joining --`40{…}`--> Joined
//!                              \__ polling: `0{…}` in a response ____/
//!      \____________________________ anything unexpected ________________________________\--> Gone
//! ```

use socketville_sys::Token;

use super::inflate::Window;
use super::polling::Poller;

/// Where a client is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// TCP's handshake is under way.
    Connecting,
    /// The upgrade request is sent, or the one for a polling session.
    Upgrading,
    /// WebSocket stands; Engine.IO's open packet is awaited.
    Opening,
    /// `40` is sent; the server's `40` is awaited.
    Joining,
    /// A member of the default namespace.
    Joined,
    /// Closed, or heard something it must not hear. Never leaves this state.
    Gone,
}

/// A socket and what little is remembered about it.
pub(super) struct Client {
    /// Its connection, which the driver holds.
    pub(super) token: Token,
    pub(super) phase: Phase,
    /// The beginning of a frame whose end has not come yet.
    pub(super) tail: Vec<u8>,
    /// Compression was offered; what came of it.
    pub(super) window: Option<Window>,
    /// It offers compression, and the server must agree.
    pub(super) offers_deflate: bool,
    /// There if it polls.
    pub(super) poller: Option<Poller>,
    /// When it began to connect, ns since the swarm's epoch.
    pub(super) opened_ns: u64,
}

impl Client {
    pub(super) fn new(token: Token, opened_ns: u64) -> Client {
        Client {
            token,
            phase: Phase::Connecting,
            tail: Vec::new(),
            window: None,
            offers_deflate: false,
            poller: None,
            opened_ns,
        }
    }

    /// Gives back what memory a client that has gone away held.
    pub(super) fn forget(&mut self) {
        self.tail = Vec::new();
        self.window = None;
        self.poller = None;
    }

    /// Remembers the tail, giving memory back after an unusually long one.
    pub(super) fn keep(&mut self, mut tail: Vec<u8>) {
        if tail.len() <= TAIL_CAPACITY_KEPT && tail.capacity() > TAIL_CAPACITY_KEPT {
            tail.shrink_to(TAIL_CAPACITY_KEPT);
        }
        self.tail = tail;
    }
}

/// A tail's memory is kept up to this size, so that bursts do not allocate per read and 20 000 clients stay
/// below 80 MB.
const TAIL_CAPACITY_KEPT: usize = 4096;
