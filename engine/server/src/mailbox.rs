//! Letters between cores, and from outside threads: a bounded queue and a bell.
//!
//! Not a socket's outbox. A sleeping core costs 20 us to wake, a busy one nothing: so the bell goes to the kernel only if the core
//! has said that it sleeps.
//!
//! A letter to all cores needs room in all mailboxes first ([`Mailbox::reserve`]), so that either each core gets it or none does. A core that
//! has taken nothing for too long while others had something for it *stands still*: from then on its letters are thrown away, and nobody
//! waits for it. When it moves again it has missed something, and cuts all its clients, so that none of them has a gap.
//!
//! ```text
//!   open ──(nothing is taken for STANDSTILL, or more orders wait than may)──▶ standing still ──(its core moves again)──▶ open
//!     └──────────────────────────────── closed: the core has ended ◀───────────────────┘
//! ```

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crossbeam_queue::ArrayQueue;
use socketville_hub::Record;
use socketville_sys::Waker;

use crate::core::Core;
use crate::error::EmitError;
use crate::limits::{
    MAILBOX_BYTES_MAX, MAILBOX_LETTERS_MAX, ORDERS_BEHIND, ORDERS_WAITING_MAX, RECORDS_WAITING_BYTES_MAX,
    RECORDS_WAITING_MAX, STANDSTILL,
};

/// What arrives at a core. All cores get the same letters of one writer, in the order of its calls.
#[derive(Clone)]
pub(crate) enum Letter {
    /// A broadcast of another core or thread.
    Record(Arc<Record>),
    /// A broadcast that a watcher of outgoing events made: it is shown to none.
    Unshown(Arc<Record>),
    /// Something to be done there, with the bytes that it holds.
    Order(Order, usize),
}

impl Letter {
    /// Bytes of the broadcast that it holds, shared by all cores.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Record(record) | Self::Unshown(record) => record.bytes.len(),
            Self::Order(_, bytes) => *bytes,
        }
    }
}

/// What one thread has all cores do, each on its own.
pub(crate) type Order = Arc<dyn Fn(&Rc<Core>) + Send + Sync>;

/// How much may wait between cores: what `limits` says, but for simulations, which get there with less.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MailLimits {
    /// Letters in a mailbox.
    pub letters_max: usize,
    /// Bytes of the letters in a mailbox; the last one may exceed it.
    pub letters_bytes_max: usize,
    /// Orders that wait for a place in a mailbox; one more, and its core stands still.
    pub orders_waiting_max: usize,
    /// Letters of one core that wait for a place in the mailbox of another; with one more it reads no client.
    pub records_waiting_max: usize,
    /// Bytes of those letters.
    pub records_waiting_bytes_max: usize,
    /// Milliseconds for which a core takes nothing, though there is much for it, until another says that it stands still.
    pub standstill_ms: u64,
}

impl Default for MailLimits {
    fn default() -> Self {
        Self {
            letters_max: MAILBOX_LETTERS_MAX,
            letters_bytes_max: MAILBOX_BYTES_MAX,
            orders_waiting_max: ORDERS_WAITING_MAX,
            records_waiting_max: RECORDS_WAITING_MAX,
            records_waiting_bytes_max: RECORDS_WAITING_BYTES_MAX,
            standstill_ms: STANDSTILL.as_millis() as u64,
        }
    }
}

impl MailLimits {
    /// The limits for a core which may hold so many bytes of everything.
    pub(crate) fn within(self, budget_bytes: usize) -> Self {
        Self { letters_bytes_max: self.letters_bytes_max.min(budget_bytes / 4), ..self }
    }
}

/// A core's mailbox, shared by all who write to it.
pub(crate) struct Mailbox {
    limits: MailLimits,
    letters: ArrayQueue<Letter>,
    /// Places that have a letter or are promised to one.
    places_taken: AtomicUsize,
    /// Bytes of the records in it.
    bytes: AtomicUsize,
    /// Letters that its core has taken.
    taken: AtomicU64,
    /// The value of `taken` when the first of the orders that wait came.
    taken_before: AtomicU64,
    /// Orders that found no place: nobody is there to be told. While there is one, letters of others find no place either.
    late: Mutex<VecDeque<Letter>>,
    late_len: AtomicUsize,
    /// Since when it is full and nothing was taken.
    full_since: Mutex<Option<Instant>>,
    is_full: AtomicBool,
    bell: Bell,
    is_stopping: AtomicBool,
    has_settled: AtomicBool,
    has_finished: AtomicBool,
    is_standing: AtomicBool,
    /// Held while it begins or ends to stand still, so that what is thrown away came before the end.
    turning: Mutex<()>,
    is_closed: AtomicBool,
}

/// A place in a mailbox that is promised to one letter.
#[must_use = "a place that is not used is given back"]
pub(crate) struct Place<'a> {
    mailbox: &'a Mailbox,
    /// None is needed where letters are thrown away.
    is_held: bool,
}

/// Ends a core's sleep.
pub(crate) struct Bell {
    asleep: AtomicBool,
    waker: OnceLock<Waker>,
}

impl Mailbox {
    pub(crate) fn new(limits: MailLimits) -> Self {
        Self {
            limits,
            letters: ArrayQueue::new(limits.letters_max),
            places_taken: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            taken_before: AtomicU64::new(0),
            late: Mutex::default(),
            late_len: AtomicUsize::new(0),
            full_since: Mutex::default(),
            is_full: AtomicBool::new(false),
            bell: Bell::new(),
            is_stopping: AtomicBool::new(false),
            has_settled: AtomicBool::new(false),
            has_finished: AtomicBool::new(false),
            is_standing: AtomicBool::new(false),
            turning: Mutex::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Room for one letter.
    ///
    /// # Errors
    /// The queue is full, or the core has ended.
    pub(crate) fn reserve(&self) -> Result<Place<'_>, EmitError> {
        self.reserve_within(self.limits)
    }

    fn reserve_within(&self, limits: MailLimits) -> Result<Place<'_>, EmitError> {
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(EmitError::Ended);
        }
        let is_standing = self.is_standing.load(Ordering::SeqCst);
        let has_late = self.late_len.load(Ordering::SeqCst) > 0;
        if !is_standing && (has_late || !self.take_place(limits)) {
            self.note_full();
            return Err(EmitError::Full);
        }
        Ok(Place { mailbox: self, is_held: !is_standing })
    }

    fn take_place(&self, limits: MailLimits) -> bool {
        if self.bytes.load(Ordering::Acquire) >= limits.letters_bytes_max {
            return false;
        }
        let is_free = self.places_taken.fetch_add(1, Ordering::AcqRel) < limits.letters_max;
        if !is_free {
            self.places_taken.fetch_sub(1, Ordering::AcqRel);
        }
        is_free
    }

    /// Gives the letter back if the queue is full; one to a core that has ended, or stands still, is dropped.
    pub(crate) fn post(&self, letter: Letter) -> Result<(), Letter> {
        Self::post_to(self.reserve(), letter)
    }

    /// As [`Mailbox::post`], for what another core's clients have caused: a quarter of the mailbox is not for that, but for threads that are no core's.
    pub(crate) fn post_of_core(&self, letter: Letter) -> Result<(), Letter> {
        let (letters, bytes) = (self.limits.letters_max, self.limits.letters_bytes_max);
        let share = MailLimits {
            letters_max: letters - letters / 4,
            letters_bytes_max: bytes - bytes / 4,
            ..self.limits
        };
        Self::post_to(self.reserve_within(share), letter)
    }

    fn post_to(place: Result<Place<'_>, EmitError>, letter: Letter) -> Result<(), Letter> {
        match place {
            Ok(place) => place.post(letter),
            Err(EmitError::Full) => return Err(letter),
            Err(_) => {}
        }
        Ok(())
    }

    /// Takes a letter that must not be refused. If too many of them wait and the core takes nothing meanwhile, it stands still; one that only is behind
    /// may have [`ORDERS_BEHIND`] times as many.
    pub(crate) fn insist(&self, letter: Letter) {
        let Err(letter) = self.post(letter) else { return };
        let (mut late, taken) = (self.late(), self.taken());
        if late.is_empty() {
            self.taken_before.store(taken, Ordering::Relaxed);
        }
        late.push_back(letter);
        self.late_len.store(late.len(), Ordering::SeqCst);
        let moves = taken != self.taken_before.load(Ordering::Relaxed);
        let is_too_much = late.len() > self.limits.orders_waiting_max * if moves { ORDERS_BEHIND } else { 1 };
        drop(late);
        if is_too_much {
            self.stand_still();
        }
        self.bell.ring();
        if self.is_closed.load(Ordering::SeqCst) {
            self.discard();
        }
    }

    /// The core is too far behind for what others have for it: it shall cut its clients, and begin anew.
    pub(crate) fn stand_still(&self) {
        let turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_standing.swap(true, Ordering::SeqCst) {
            return;
        }
        let letters = self.take_all();
        drop(turning);
        drop(letters);
        tracing::error!("a core takes nothing any more; its clients are cut when it does again");
        self.bell.ring();
    }

    /// Whether the core has missed something.
    pub(crate) fn is_standing(&self) -> bool {
        self.is_standing.load(Ordering::Relaxed)
    }

    /// The core has cut its clients: what comes from now on it gets.
    pub(crate) fn move_again(&self) {
        let turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let letters = self.take_all();
        self.is_standing.store(false, Ordering::SeqCst);
        drop(turning);
        drop(letters);
    }

    fn note_full(&self) {
        let mut since = self.full_since.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_full.swap(true, Ordering::SeqCst) {
            *since = None;
        }
        let is_long = since.get_or_insert_with(Instant::now).elapsed() > STANDSTILL;
        drop(since);
        if is_long {
            self.stand_still();
        }
    }

    /// Asks the core to close everything and end; it needs no room in the queue.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.bell.ring();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// The core stops, and has told the others all that it had to tell them before.
    pub(crate) fn settle(&self) {
        self.has_settled.store(true, Ordering::SeqCst);
    }

    /// The core has nothing more to do before the end.
    pub(crate) fn finish(&self) {
        self.has_finished.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_finished(&self) -> bool {
        self.has_finished.load(Ordering::SeqCst) || self.is_closed()
    }

    pub(crate) fn has_settled(&self) -> bool {
        self.has_settled.load(Ordering::SeqCst) || self.is_closed()
    }

    /// The core has ended: nobody waits for an answer from it.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.discard();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    fn discard(&self) {
        drop(self.take_all());
    }

    /// All letters, to be dropped outside of every lock: whoever waits for their answers is woken by that.
    fn take_all(&self) -> (Vec<Letter>, VecDeque<Letter>) {
        let letters = std::iter::from_fn(|| self.pop()).collect();
        let mut guard = self.late();
        let late = std::mem::take(&mut *guard);
        self.late_len.store(0, Ordering::SeqCst);
        drop(guard);
        (letters, late)
    }

    /// Looks before it takes: the queue's own refusal of an empty one is a fence, each turn.
    pub(crate) fn take(&self) -> Option<Letter> {
        let letter = if self.letters.is_empty() { self.take_late() } else { self.pop() };
        if letter.is_some() {
            self.taken.store(self.taken() + 1, Ordering::Relaxed);
            if self.is_full.load(Ordering::Relaxed) {
                self.is_full.store(false, Ordering::SeqCst);
            }
        }
        letter
    }

    fn pop(&self) -> Option<Letter> {
        let letter = self.letters.pop()?;
        self.places_taken.fetch_sub(1, Ordering::AcqRel);
        self.bytes.fetch_sub(letter.bytes(), Ordering::AcqRel);
        Some(letter)
    }

    /// After all that came before it.
    #[inline]
    fn take_late(&self) -> Option<Letter> {
        if self.late_len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut late = self.late();
        let letter = late.pop_front();
        self.late_len.store(late.len(), Ordering::SeqCst);
        letter
    }

    fn late(&self) -> MutexGuard<'_, VecDeque<Letter>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds for which it takes nothing until it stands still.
    pub(crate) const fn standstill_ms(&self) -> u64 {
        self.limits.standstill_ms
    }

    /// Letters that its core has taken so far; nobody else counts them.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether it holds so much that clients whose events make more letters for it wait: an eighth of what it may.
    pub(crate) fn is_behind(&self) -> bool {
        self.len() > self.limits.letters_max / 8
            || self.bytes.load(Ordering::Relaxed) > self.limits.letters_bytes_max / 8
    }

    /// Letters in it, and places that are promised.
    pub(crate) fn len(&self) -> usize {
        self.places_taken.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.letters.is_empty() && self.late_len.load(Ordering::Relaxed) == 0
    }

    /// Bytes of the letters in it.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) const fn bell(&self) -> &Bell {
        &self.bell
    }
}

impl Place<'_> {
    /// Puts the letter there. Who has a place cannot be refused.
    pub(crate) fn post(mut self, letter: Letter) {
        let mailbox = self.mailbox;
        if !self.is_held || mailbox.is_standing.load(Ordering::SeqCst) {
            return;
        }
        mailbox.bytes.fetch_add(letter.bytes(), Ordering::AcqRel);
        let is_there = mailbox.letters.push(letter).is_ok();
        debug_assert!(is_there, "there are as many places as the queue holds");
        self.is_held = !is_there;
        mailbox.bell.ring();
        if mailbox.is_closed.load(Ordering::SeqCst) {
            mailbox.discard();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.is_held {
            self.mailbox.places_taken.fetch_sub(1, Ordering::AcqRel);
        }
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

#[cfg(test)]
#[path = "mailbox_tests.rs"]
mod tests;
