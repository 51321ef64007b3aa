//! What all cores share: the application and the mailboxes.
//!
//! Nothing that changes per message: a core's own data is its own.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use socketville_hub::Owed;

use crate::app::App;
use crate::children::Children;
use crate::core::Core;
use crate::endings::Endings;
use crate::error::EmitError;
use crate::mailbox::{Letter, Mailbox, Order};

pub(crate) struct Town {
    pub(crate) app: App,
    pub(crate) mailboxes: Vec<Mailbox>,
    /// Emits of threads that are no core's; each was encoded once.
    pub(crate) emits_outside: AtomicU64,
    /// Clients, and bytes for them, that the window of the stop cut off.
    pub(crate) cut_clients: AtomicU64,
    pub(crate) cut_bytes: AtomicU64,
    /// Which threads have ended.
    pub(crate) endings: Endings,
    /// Broadcasts that wanted answers.
    pub(crate) gathers: AtomicU64,
    /// Marks the private ids of sockets; the same for all cores.
    pub(crate) secret: [u8; 32],
    /// The dynamic namespaces that exist.
    pub(crate) children: Mutex<Children>,
}

impl Town {
    pub(crate) fn new(app: App, cores: u16, secret: [u8; 32]) -> Arc<Self> {
        let mailboxes =
            (0..cores).map(|_| Mailbox::new(app.mail.within(app.config.budget.hard_bytes))).collect();
        let children = Mutex::new(Children::new(app.namespaces.len()));
        Arc::new(Self {
            app,
            mailboxes,
            emits_outside: AtomicU64::new(0),
            cut_clients: AtomicU64::new(0),
            cut_bytes: AtomicU64::new(0),
            endings: Endings::new(usize::from(cores)),
            gathers: AtomicU64::new(0),
            secret,
            children,
        })
    }

    /// To every core, or to none.
    ///
    /// # Errors
    /// A mailbox that is full, or whose core has ended.
    pub(crate) fn post_everywhere(&self, letter: &Letter) -> Result<(), EmitError> {
        let rooms = self.mailboxes.iter().map(Mailbox::reserve).collect::<Result<Vec<_>, _>>()?;
        rooms.into_iter().for_each(|room| room.post(letter.clone()));
        Ok(())
    }

    /// To the first core alone.
    ///
    /// # Errors
    /// Its mailbox is full, or it has ended.
    pub(crate) fn post_to_first(&self, letter: Letter) -> Result<(), EmitError> {
        self.mailboxes[0].reserve()?.post(letter);
        Ok(())
    }

    /// Has every core do something: at once on the core whose thread this is, on the others after all that they were told before. No order
    /// is lost: a core that cannot take it has missed something, and cuts its clients.
    pub(crate) fn order(self: &Arc<Self>, order: Order) {
        match self.current_core() {
            Some(core) => core.order(order, 0),
            None if self.app.recovery.is_none() => {
                self.mailboxes
                    .iter()
                    .for_each(|mailbox| mailbox.insist(Letter::Order(Arc::clone(&order), 0)));
            }
            None => self.mailboxes[0].insist(passed_on(order, 0)),
        }
    }

    /// As [`Town::order`], for orders that somebody is there to be refused, and that hold so many bytes.
    ///
    /// # Errors
    /// A core that is far behind or has ended; then no core has got it.
    pub(crate) fn try_order(self: &Arc<Self>, order: Order, bytes: usize) -> Result<(), EmitError> {
        match self.current_core() {
            Some(core) => core.order(order, bytes),
            None if self.app.recovery.is_none() => return self.post_everywhere(&Letter::Order(order, bytes)),
            None => return self.post_to_first(passed_on(order, bytes)),
        }
        Ok(())
    }

    /// The core of this server whose thread this is, if it is one.
    pub(crate) fn current_core(self: &Arc<Self>) -> Option<Rc<Core>> {
        Core::current().filter(|core| Arc::ptr_eq(&core.town, self))
    }

    /// Whether any core has ended; then all do.
    pub(crate) fn has_ended(&self) -> bool {
        self.mailboxes.iter().any(Mailbox::is_closed)
    }

    /// Whether every core that stops has told the others all that it had to tell them before.
    pub(crate) fn has_settled(&self) -> bool {
        self.mailboxes.iter().all(Mailbox::has_settled)
    }

    /// Whether every core that stops has nothing more to do.
    pub(crate) fn has_finished(&self) -> bool {
        self.mailboxes.iter().all(Mailbox::has_finished)
    }

    /// The cores that still have something to do though the server stops.
    pub(crate) fn unfinished(&self) -> Vec<usize> {
        (0..self.mailboxes.len()).filter(|&index| !self.mailboxes[index].has_finished()).collect()
    }

    /// Whether new clients are taken.
    pub(crate) fn is_ready(&self) -> bool {
        !self.mailboxes.iter().any(|mailbox| mailbox.is_stopping() || mailbox.is_closed())
    }

    /// The window of a stop is over for a core, and some of its clients have not taken what was theirs.
    pub(crate) fn cut_off(&self, owed: Owed) {
        self.cut_clients.fetch_add(owed.clients as u64, Ordering::Relaxed);
        self.cut_bytes.fetch_add(owed.bytes as u64, Ordering::Relaxed);
    }

    /// Asks all cores to close everything and end, after the letters that they have.
    pub(crate) fn stop(&self) {
        self.endings.begin();
        self.mailboxes.iter().for_each(Mailbox::stop);
    }
}

/// With a history every event is some core's, so threads that are none speak through the first: its letters keep their order everywhere.
fn passed_on(order: Order, bytes: usize) -> Letter {
    Letter::Order(Arc::new(move |core| core.order(Arc::clone(&order), bytes)), bytes)
}

impl Core {
    /// Does something here, and has the other cores do it.
    fn order(self: &Rc<Self>, order: Order, bytes: usize) {
        order(self);
        if self.town.mailboxes.len() > 1 {
            self.outgoing.borrow_mut().push_back(Letter::Order(order, bytes));
        }
    }
}
