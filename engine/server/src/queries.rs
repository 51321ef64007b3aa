//! Queries that some cores have answered: what ends them if the others do not.
//!
//! Not a thread and no timer of its own. A core that has answered looks after the query until all have, or until the time-out is over by its clock; so
//! any core that moves ends what a core that stands still holds up. Cost: a place in a queue for each query that others have not answered yet.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::core::Core;
use crate::mailbox::Letter;
use crate::town::Town;

/// Something that waits for all cores.
pub(crate) trait Pending: Send + Sync {
    /// Whether nothing is missing any more.
    fn is_over(&self) -> bool;

    /// Waits for no more than there is.
    fn expire(&self);
}

/// What a core looks after, in the order in which it began to.
#[derive(Default)]
pub(crate) struct Queries(RefCell<VecDeque<Query>>);

struct Query {
    deadline_ms: u64,
    /// Nobody waits for it once this is dead.
    pending: Weak<dyn Pending>,
}

impl Queries {
    /// When the first of them ends.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.0.borrow().front().map(|query| query.deadline_ms)
    }

    /// Ends what is due.
    #[inline]
    pub(crate) fn advance(&self, now_ms: u64) {
        while self.next_ms().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            let query = self.0.borrow_mut().pop_front();
            if let Some(pending) = query.and_then(|query| query.pending.upgrade()) {
                pending.expire();
            }
        }
    }

    fn push(&self, query: Query) {
        let mut queries = self.0.borrow_mut();
        while queries.front().is_some_and(|first| first.pending.upgrade().is_none_or(|it| it.is_over())) {
            queries.pop_front();
        }
        // Nearly always at the end, for nearly all have the same time-out.
        let at = queries.partition_point(|other| other.deadline_ms <= query.deadline_ms);
        queries.insert(at, query);
    }
}

impl Core {
    /// Ends this `timeout` from now, unless it is over by then.
    pub(crate) fn look_after(&self, pending: &Arc<impl Pending + 'static>, timeout: Duration) {
        if !pending.is_over() {
            let pending: Weak<dyn Pending> = Arc::downgrade(&(Arc::clone(pending) as Arc<dyn Pending>));
            self.queries.push(Query { deadline_ms: self.timers.deadline_ms(timeout), pending });
        }
    }
}

impl Town {
    /// Has a core look after it that gets the query only through another. With a history what a thread asks that is no core's goes through the
    /// first; should that one stand still, the second ends it.
    pub(crate) fn look_after(self: &Arc<Self>, pending: &Arc<impl Pending + 'static>, timeout: Duration) {
        if self.app.recovery.is_none() || self.current_core().is_some() {
            return;
        }
        if let Some(second) = self.mailboxes.get(1) {
            let pending = Arc::downgrade(pending);
            let look_after = move |core: &Rc<Core>| {
                if let Some(pending) = pending.upgrade() {
                    core.look_after(&pending, timeout);
                }
            };
            let _it_is_full = second.post(Letter::Order(Arc::new(look_after), 0));
        }
    }
}
