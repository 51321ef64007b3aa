//! The end of all: every client is told, and has some time to take what is theirs.
//!
//! Not the clock of it: how long the window is and who decides that it is over is the server's.

use socketville_proto::ws::CloseCode;

use crate::conns::{Phase, Role};
use crate::session::Link;
use crate::{ConnId, Hub, Reason};

/// How far a core is from having told everybody everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remains {
    /// Somebody has not taken all, or waits for an answer.
    Owing,
    /// All is with the kernel; some connections still wait for their peer's end, or sessions for a poll that tells them of it.
    Ends,
    /// Nobody is left but idle connections.
    Nothing,
}

/// What clients had not taken when their time was over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Owed {
    /// Connections, and sessions that had not polled.
    pub clients: usize,
    /// Bytes that were kept for them.
    pub bytes: usize,
}

impl Hub {
    /// Ends all sessions and bare WebSockets, as at a shutdown: what is due to them and their ends still leave, until `until_ms` if they take
    /// as long.
    pub fn close_all(&mut self, now_ms: u64, until_ms: u64) {
        self.ends_ms = Some(until_ms);
        for key in self.sessions.keys().collect::<Vec<_>>() {
            self.close_session(now_ms, key, Reason::ServerShuttingDown);
        }
        for index in 0..self.conns.len() {
            let state = &self.conns[index];
            if matches!(state.phase, Phase::WebSocket { role: Role::Bare, .. }) {
                let conn = ConnId { index: index as u32, generation: state.generation };
                self.close_websocket(now_ms, conn, Some(CloseCode::GoingAway as u16));
            }
        }
    }

    /// What is still to be done before the end. Looks at every connection: for shutdowns alone.
    pub fn remains(&self) -> Remains {
        if self.conns_open == 0 {
            return Remains::Nothing; // whoever has not polled yet cannot come any more
        }
        if self.is_due() || self.outbox.has_backlogs() || self.has_unpolled() {
            return Remains::Owing;
        }
        // Who has no more to get than the close may poll for it, but is not waited for as long.
        let mut remains = if self.sessions.len() > 0 { Remains::Ends } else { Remains::Nothing };
        for state in self.conns.iter() {
            match state.phase {
                Phase::Vacant | Phase::Http(_) => {}
                Phase::Closing | Phase::Lingering { .. } => remains = Remains::Ends,
                Phase::Body(_) | Phase::Parked(..) | Phase::Answering | Phase::WebSocket { .. } => {
                    return Remains::Owing;
                }
            }
        }
        remains
    }

    /// What nobody has taken.
    pub fn owed(&self) -> Owed {
        let conns = (0..self.conns.len()).filter_map(|index| {
            let conn = ConnId { index: index as u32, generation: self.conns.get(index)?.generation };
            Some(self.outbox.owed(conn))
        });
        let polls = self.sessions.keys().filter_map(|key| match &self.sessions.find(key)?.link {
            Link::Closing(farewell) => Some(farewell.buffer.len()),
            Link::Polling(polling) => Some(polling.buffer.len()),
            Link::WebSocket(_) => None,
        });
        let owed = conns.chain(polls).filter(|bytes| *bytes > 0);
        owed.fold(Owed::default(), |owed, bytes| Owed {
            clients: owed.clients + 1,
            bytes: owed.bytes + bytes,
        })
    }

    fn has_unpolled(&self) -> bool {
        self.sessions.keys().any(|key| match self.sessions.find(key).map(|session| &session.link) {
            Some(Link::Closing(farewell)) => !farewell.buffer.is_empty(),
            Some(Link::Polling(polling)) => !polling.buffer.is_empty(),
            Some(Link::WebSocket(_)) | None => false,
        })
    }
}
