//! What the engine refuses and cuts on its own, told in the log: once per cause and some seconds, beside the counts of /metrics.
//!
//! Not decisions, which are the hub's and the driver's: each turn looks whether their counts have grown.

use std::cell::Cell;

use socketville_sys::Counters as DriverCounters;

use crate::core::Core;
use crate::rarely::rarely;

/// What has been told.
#[derive(Default)]
pub(crate) struct Told(Cell<Counts>);

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    connections_of_address: u64,
    sessions_of_address: u64,
    sessions: u64,
    descriptors: u64,
    shed: u64,
    saved_shed: u64,
}

impl Core {
    /// Takes over what only the driver counts, and tells what has grown.
    pub(crate) fn note_refusals(&self, driver: &DriverCounters) {
        self.note_accepts(driver);
        let hub = self.hub();
        let counters = &hub.counters;
        let counts = Counts {
            connections_of_address: counters.connections_of_address_refused,
            sessions_of_address: counters.sessions_of_address_refused,
            sessions: counters.sessions_refused,
            descriptors: counters.descriptors_refused,
            shed: counters.shed,
            saved_shed: counters.saved_shed,
        };
        let before = self.refusals_told.0.replace(counts);
        if before != counts {
            self.tell_refusals(before, counts);
        }
    }

    #[cold]
    fn tell_refusals(&self, before: Counts, counts: Counts) {
        let core = self.index;
        let of_address = counts.connections_of_address + counts.sessions_of_address;
        if of_address > before.connections_of_address + before.sessions_of_address {
            let refused = of_address;
            rarely!(
                warn,
                core,
                refused,
                "an address has as many clients as it may; more are answered 429 (connections per address, trusted proxies)"
            );
        }
        if counts.sessions > before.sessions {
            let refused = counts.sessions;
            rarely!(warn, core, refused, "sessions are answered 503, since the core holds too much or ends");
        }
        if counts.descriptors > before.descriptors {
            let refused = counts.descriptors;
            rarely!(
                warn,
                core,
                refused,
                "clients are answered 503, since nearly all descriptors are in use (ulimit -n, LimitNOFILE of systemd)"
            );
        }
        if counts.shed > before.shed {
            let cut = counts.shed;
            rarely!(warn, core, cut, "clients that hold most are cut, since the core holds too much");
        }
        if counts.saved_shed > before.saved_shed {
            let dropped = counts.saved_shed;
            rarely!(warn, core, dropped, "lost clients are forgotten, since the core holds too much");
        }
    }

    /// Connections that could not be accepted are nobody's but the driver's: here they are counted for all to see.
    fn note_accepts(&self, driver: &DriverCounters) {
        let mut counters = self.counters.borrow_mut();
        if driver.accept_errors != counters.accept_errors {
            counters.accept_errors = driver.accept_errors;
            counters.accepts_refused = driver.accepts_refused;
            let (core, refused) = (self.index, driver.accepts_refused);
            rarely!(
                warn,
                core,
                refused,
                "connections cannot be accepted, for want of descriptors (ulimit -n, LimitNOFILE of systemd)"
            );
        }
    }
}
