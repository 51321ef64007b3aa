//! What all cores share: the application and the mailboxes.
//!
//! Nothing that changes per message: a core's own data is its own.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use socketville_hub::Record;

use crate::app::App;
use crate::mailbox::{Letter, Mailbox};

pub(crate) struct Town {
    pub(crate) app: App,
    pub(crate) mailboxes: Vec<Mailbox>,
    /// Emits of threads that are no core's; each was encoded once.
    pub(crate) emits_outside: AtomicU64,
}

impl Town {
    pub(crate) fn new(app: App, cores: u16) -> Arc<Self> {
        let mailboxes = (0..cores).map(|_| Mailbox::new()).collect();
        Arc::new(Self { app, mailboxes, emits_outside: AtomicU64::new(0) })
    }

    /// To every core; false if a mailbox was full or its core has ended.
    pub(crate) fn post_everywhere(&self, record: &Arc<Record>) -> bool {
        let posted = self.mailboxes.iter().map(|mailbox| mailbox.post(Letter::Record(Arc::clone(record))));
        posted.filter(Result::is_err).count() == 0
    }

    /// Asks all cores to close everything and end, after the letters that they have.
    pub(crate) fn stop(&self) {
        self.mailboxes.iter().for_each(Mailbox::stop);
    }
}
