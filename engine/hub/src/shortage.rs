//! Large messages wait while handlers hold much.
//!
//! What a handler waits over cannot be given back by cutting its client. So while handlers hold more than their share of the core's budget, a message or a
//! body with [`DELAYED_BYTES_MIN`] or more here is not read on: the rest stays with its sender, for TCP makes it wait, and small messages go on as ever. Handlers of
//! events have half of the budget, and requests to the application three quarters, so that clients cannot keep an operator's requests out.
//!
//! The client of a delayed message is not late meanwhile, as one with handlers that have not ended; a delayed body keeps its deadline, and is then answered 408.

use crate::account::Kind;
use crate::conns::Phase;
use crate::limits::DELAYED_BYTES_MIN;
use crate::reading::Pause;
use crate::session::Link;
use crate::{ConnId, Hub, SessionKey};

/// What a message that is not whole yet is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum For {
    /// Handlers of a client's events.
    Events,
    /// A route of the application.
    Application,
}

impl Hub {
    /// So many bytes of a message have come, and more are to come: they wait if handlers hold much.
    pub(crate) fn delay_if_short(&mut self, conn: ConnId, bytes: usize, whose: For) {
        if bytes < DELAYED_BYTES_MIN || !self.is_short_for(whose) {
            return;
        }
        match self.session_over(conn) {
            Some(session) => self.pause_session(session, Pause::Memory),
            None => self.pause(conn, Pause::Memory),
        }
        self.delayed.push((conn, whose));
        self.counters.messages_delayed += 1;
    }

    /// Lets messages be read on for which there is room again.
    pub(crate) fn read_delayed(&mut self, now_ms: u64) {
        if self.delayed.is_empty() || self.is_short_for(For::Application) {
            return;
        }
        let is_short = self.is_short_for(For::Events);
        let delayed = std::mem::take(&mut self.delayed);
        for (conn, whose) in delayed {
            match self.session_over(conn) {
                _ if self.conn(conn).is_none() => {}
                _ if is_short && whose == For::Events => self.delayed.push((conn, whose)),
                Some(session) => self.resume_session(now_ms, session, Pause::Memory),
                None => self.resume(conn, Pause::Memory),
            }
        }
    }

    fn is_short_for(&self, whose: For) -> bool {
        let hard = self.config.budget.hard_bytes;
        let share = match whose {
            For::Events => hard / 2,
            For::Application => hard / 4 * 3,
        };
        self.account.held_of(Kind::Requests) > share
    }

    /// The session whose WebSocket a connection is.
    fn session_over(&self, conn: ConnId) -> Option<SessionKey> {
        let Phase::WebSocket { session, .. } = self.conn(conn)?.phase else { return None };
        let link = &self.sessions.find(session)?.link;
        matches!(link, Link::WebSocket(own) if *own == conn).then_some(session)
    }
}
