//! Ending a core's sleep from another thread. It carries no message: what is to be done lies in a queue.
//!
//! ```text
//! other thread   push to a queue   pending: false -> true ?   yes: write the eventfd (7 us if the core sleeps)
//! the core       read the eventfd, then pending -> false, then report Woken, then its owner empties the queue
//! ```
//!
//! The order on the core's side matters. Reading after clearing could swallow the signal of a wake that came between,
//! while `pending` stays set: then nobody would ever signal again.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends the sleep of one driver, from any thread. Cheap to clone; many wakes may become one `Woken`, never none.
#[derive(Clone, Debug)]
pub struct Waker {
    signal: Arc<Signal>,
}

#[derive(Debug)]
struct Signal {
    event: File,
    pending: AtomicBool,
}

impl Waker {
    /// A signal that nobody has given yet.
    ///
    /// # Errors
    /// The kernel's refusal of an event descriptor.
    pub fn new() -> io::Result<Waker> {
        // SAFETY: eventfd takes two integers and touches no memory.
        let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `raw` was opened by the line above and nobody else has seen it.
        let event = unsafe { OwnedFd::from_raw_fd(raw) };
        Ok(Waker { signal: Arc::new(Signal { event: event.into(), pending: AtomicBool::new(false) }) })
    }

    /// Makes the driver report `Woken`. What was written before this call is visible to the core after that report.
    pub fn wake(&self) {
        if !self.signal.pending.swap(true, Ordering::AcqRel) {
            // A full counter would be an error, and a signal all the same.
            let _ = (&self.signal.event).write(&1_u64.to_ne_bytes());
        }
    }

    /// On the core: takes the signal back, so that the next wake gives a new one.
    pub(crate) fn acknowledge(&self) {
        let mut count = [0; 8];
        let _ = (&self.signal.event).read(&mut count);
        self.signal.pending.swap(false, Ordering::AcqRel);
    }

    /// The descriptor that is readable after a wake.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.signal.event.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_signalled(waker: &Waker) -> bool {
        (&waker.signal.event).read(&mut [0; 8]).is_ok()
    }

    #[test]
    fn many_wakes_are_one_signal_and_the_next_one_counts() {
        let waker = Waker::new().expect("an eventfd");
        assert!(!is_signalled(&waker));
        for _ in 0..10 {
            waker.clone().wake();
        }
        assert!(is_signalled(&waker));
        waker.wake();
        assert!(!is_signalled(&waker), "not yet acknowledged: nobody signals again");
        waker.acknowledge();
        waker.wake();
        assert!(is_signalled(&waker));
    }
}
