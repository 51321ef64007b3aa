//! What all cores share: the application and the mailboxes.
//!
//! Nothing that changes per message: a core's own data is its own.

use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use crate::app::App;
use crate::children::Children;
use crate::core::Core;
use crate::mailbox::{Letter, Mailbox, Order};

pub(crate) struct Town {
    pub(crate) app: App,
    pub(crate) mailboxes: Vec<Mailbox>,
    /// Emits of threads that are no core's; each was encoded once.
    pub(crate) emits_outside: AtomicU64,
    /// Broadcasts that wanted answers.
    pub(crate) gathers: AtomicU64,
    /// Marks the private ids of sockets; the same for all cores.
    pub(crate) secret: [u8; 32],
    /// The dynamic namespaces that exist.
    pub(crate) children: Mutex<Children>,
}

impl Town {
    pub(crate) fn new(app: App, cores: u16, secret: [u8; 32]) -> Arc<Self> {
        let mailboxes = (0..cores).map(|_| Mailbox::new()).collect();
        let children = Mutex::new(Children::new(app.namespaces.len()));
        Arc::new(Self {
            app,
            mailboxes,
            emits_outside: AtomicU64::new(0),
            gathers: AtomicU64::new(0),
            secret,
            children,
        })
    }

    /// To every core; false if a mailbox was full or its core has ended.
    pub(crate) fn post_everywhere(&self, letter: &Letter) -> bool {
        let posted = self.mailboxes.iter().map(|mailbox| mailbox.post(letter.clone()));
        posted.filter(Result::is_err).count() == 0
    }

    /// Has every core do something: at once on the core whose thread this is, on the others after all that they were told before. False
    /// if a mailbox was full or its core has ended.
    pub(crate) fn order(self: &Arc<Self>, order: Order) -> bool {
        let Some(core) = self.current_core() else { return self.order_from_outside(order) };
        order(&core);
        if self.mailboxes.len() > 1 {
            core.outgoing.borrow_mut().push_back(Letter::Order(order));
        }
        true
    }

    /// With a history every event is some core's, so threads that are none speak through the first: its letters keep their order everywhere.
    fn order_from_outside(&self, order: Order) -> bool {
        if self.app.recovery.is_none() {
            return self.post_everywhere(&Letter::Order(order));
        }
        let passed_on: Order = Arc::new(move |core| _ = core.town.order(Arc::clone(&order)));
        self.mailboxes[0].post(Letter::Order(passed_on)).is_ok()
    }

    /// The core of this server whose thread this is, if it is one.
    pub(crate) fn current_core(self: &Arc<Self>) -> Option<Rc<Core>> {
        Core::current().filter(|core| Arc::ptr_eq(&core.town, self))
    }

    /// Asks all cores to close everything and end, after the letters that they have.
    pub(crate) fn stop(&self) {
        self.mailboxes.iter().for_each(Mailbox::stop);
    }
}
