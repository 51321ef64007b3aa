//! Letters between cores, and from outside threads: a bounded queue and a bell.
//!
//! Not a socket's outbox. A sleeping core costs 20 us to wake, a busy one nothing: so the bell goes to the kernel only if the core
//! has said that it sleeps.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_queue::ArrayQueue;
use socketville_hub::Record;
use socketville_sys::Waker;

use crate::core::Core;
use crate::limits::MAILBOX_LETTERS_MAX;

/// What arrives at a core. All cores get the same letters of one writer, in the order of its calls.
#[derive(Clone)]
pub(crate) enum Letter {
    /// A broadcast of another core or thread.
    Record(Arc<Record>),
    /// Something to be done there.
    Order(Order),
}

/// What one thread has all cores do, each on its own.
pub(crate) type Order = Arc<dyn Fn(&Rc<Core>) + Send + Sync>;

/// A core's mailbox, shared by all who write to it.
pub(crate) struct Mailbox {
    letters: ArrayQueue<Letter>,
    bell: Bell,
    is_stopping: AtomicBool,
    is_closed: AtomicBool,
}

/// Ends a core's sleep.
pub(crate) struct Bell {
    asleep: AtomicBool,
    waker: OnceLock<Waker>,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self {
            letters: ArrayQueue::new(MAILBOX_LETTERS_MAX),
            bell: Bell::new(),
            is_stopping: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Gives the letter back if the queue is full or the core has ended.
    pub(crate) fn post(&self, letter: Letter) -> Result<(), Letter> {
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(letter);
        }
        self.letters.push(letter)?;
        self.bell.ring();
        if self.is_closed.load(Ordering::SeqCst) {
            self.discard();
        }
        Ok(())
    }

    /// Asks the core to close everything and end; it needs no room in the queue.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.bell.ring();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// The core has ended: nobody waits for an answer from it.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.discard();
    }

    fn discard(&self) {
        while self.letters.pop().is_some() {}
    }

    /// Looks before it takes: the queue's own refusal of an empty one is a fence, each turn.
    pub(crate) fn take(&self) -> Option<Letter> {
        if self.letters.is_empty() { None } else { self.letters.pop() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    pub(crate) const fn bell(&self) -> &Bell {
        &self.bell
    }
}

impl Bell {
    const fn new() -> Self {
        Self { asleep: AtomicBool::new(false), waker: OnceLock::new() }
    }

    /// The core's thread says how it is woken, once.
    pub(crate) fn hang(&self, waker: Waker) {
        let _ = self.waker.set(waker);
    }

    /// Wakes the core if it sleeps.
    pub(crate) fn ring(&self) {
        if self.asleep.swap(false, Ordering::SeqCst)
            && let Some(waker) = self.waker.get()
        {
            waker.wake();
        }
    }

    /// The core is about to sleep; it looks at its queues once more after this.
    pub(crate) fn doze(&self) {
        self.asleep.store(true, Ordering::SeqCst);
    }

    /// The core is up.
    pub(crate) fn rise(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }
}
