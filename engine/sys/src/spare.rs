//! One descriptor that is kept back. At the limit of descriptors the kernel hands out no connection, and whoever connects would wait for
//! ever: with the spare one a connection can at least be taken and closed. It is not a reserve for connections that are kept.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::limits::{ACCEPTS_PER_WAIT, LAST_PLACES};
use crate::listener::Listener;
use crate::socket::check;

/// Written while a spare descriptor is free for an accept that refuses. Without it another core's accept takes the descriptor and keeps it;
/// the first core then has no spare any more, and connections to it wait.
static FREED: RwLock<()> = RwLock::new(());

/// To be held during an accept that keeps its descriptor.
pub(crate) fn keeping() -> RwLockReadGuard<'static, ()> {
    FREED.read().unwrap_or_else(PoisonError::into_inner)
}

/// The spare descriptor; empty while others were quicker to take what was free.
#[derive(Debug)]
pub(crate) struct Spare {
    file: Option<OwnedFd>,
}

impl Spare {
    pub(crate) fn new() -> io::Result<Spare> {
        Ok(Spare { file: Some(open()?) })
    }

    /// Takes a bounded number of connections that wait, tells them to come later, and closes them; how many.
    pub(crate) fn refuse(&mut self, listener: &Listener) -> u64 {
        let _alone = FREED.write().unwrap_or_else(PoisonError::into_inner);
        if self.file.take().is_none() {
            self.file = open().ok();
            if self.file.take().is_none() {
                return 0;
            }
        }
        let refused = (0..ACCEPTS_PER_WAIT).take_while(|_| listener.refuse_one()).count();
        self.file = open().ok();
        refused as u64
    }
}

/// Whether this process can open so many descriptors more, now: it opens them, and closes them again.
#[must_use]
pub fn has_descriptors(count: usize) -> bool {
    (0..count).map(|_| open()).collect::<io::Result<Vec<_>>>().is_ok()
}

/// The cheapest descriptor: a counter that nobody uses.
fn open() -> io::Result<OwnedFd> {
    // SAFETY: eventfd takes two integers and touches no memory.
    let raw = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) })?;
    // SAFETY: `raw` was opened by the line above and nobody else has seen it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// The last of all places for connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastPlaces {
    from: u64,
    count: u64,
}

impl LastPlaces {
    /// Of so many in all.
    pub(crate) fn of(places: u64) -> LastPlaces {
        let count = LAST_PLACES.min(places / 8);
        LastPlaces { from: places - count, count }
    }

    /// How many there are, if this one, counted from 0, is among them.
    pub(crate) fn with(self, place: u64) -> Option<usize> {
        (place >= self.from).then_some(self.count as usize)
    }
}

/// Whether an accept failed since the process, or the machine, has no descriptor left.
pub(crate) fn is_exhaustion(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE)
}
