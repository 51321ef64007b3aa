//! What all cores share: the application and the mailboxes.
//!
//! Nothing that changes per message: a core's own data is its own.

use std::sync::Arc;

use socketville_hub::Record;

use crate::app::App;
use crate::mailbox::{Letter, Mailbox};

pub(crate) struct Town {
    pub(crate) app: App,
    pub(crate) mailboxes: Vec<Mailbox>,
}

impl Town {
    pub(crate) fn new(app: App, cores: u16) -> Arc<Self> {
        Arc::new(Self { app, mailboxes: (0..cores).map(|_| Mailbox::new()).collect() })
    }

    /// To every core; false if a mailbox was full.
    pub(crate) fn post_everywhere(&self, record: &Arc<Record>) -> bool {
        self.mailboxes
            .iter()
            .fold(true, |all, mailbox| mailbox.post(Letter::Record(Arc::clone(record))).is_ok() && all)
    }

    pub(crate) fn stop(&self) {
        for mailbox in &self.mailboxes {
            let mut letter = Letter::Stop;
            while let Err(back) = mailbox.post(letter) {
                letter = back;
                std::thread::yield_now();
            }
        }
    }
}
