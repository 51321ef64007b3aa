//! The end of all: every client is told, and has some time to take what is theirs.
//!
//! Not the clock of it: how long the window is and who decides that it is over is the server's.
//!
//! The window is for what is due to clients. A connection without a session has its request under way answered, with `Connection: close`, and no
//! other one; what it has begun and not finished, and the answer that it does not take, have [`UNFINISHED_MS`]. So whatever strangers send, the end
//! is not later for them.

use socketville_proto::http::KeepAlive;
use socketville_proto::ws::CloseCode;

use crate::conns::{Conn, Phase, Role};
use crate::limits::{LINGER_MS, UNFINISHED_MS};
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
        let posting = self.posting();
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
        self.hurry_strangers(now_ms, &posting);
    }

    /// Connections whose POST of packets is under way.
    fn posting(&self) -> Vec<ConnId> {
        let posting = |key| match &self.sessions.find(key)?.link {
            Link::Polling(polling) => polling.posting,
            Link::Closing(farewell) => farewell.posting,
            Link::WebSocket(_) => None,
        };
        self.sessions.keys().filter_map(posting).collect()
    }

    /// The request that is under way is the last; what is not whole is not waited for as long as clients are.
    fn hurry_strangers(&mut self, now_ms: u64, posting: &[ConnId]) {
        let by_ms = now_ms + UNFINISHED_MS;
        for index in 0..self.conns.len() {
            let state = &mut self.conns[index];
            let conn = ConnId { index: index as u32, generation: state.generation };
            let is_stranger = !state.is_client();
            let is_unfinished = match &state.phase {
                Phase::Answering if is_stranger && !posting.contains(&conn) => {
                    state.keep = KeepAlive::Close;
                    false
                }
                Phase::Body(upload) => {
                    if upload.session().is_none() {
                        state.keep = KeepAlive::Close;
                    }
                    true
                }
                Phase::Http(_) => is_stranger || state.held.is_some(),
                Phase::Closing | Phase::Lingering { .. } => is_stranger,
                _ => false,
            };
            if is_unfinished {
                self.hurry_conn(conn, by_ms);
            }
        }
    }

    /// How long an unfinished head or body has from now on, which otherwise has `ms`.
    pub(crate) fn unfinished_ms(&self, ms: u64) -> u64 {
        if self.ends_ms.is_some() { ms.min(UNFINISHED_MS) } else { ms }
    }

    /// By when a connection that closes has closed. At the end a client that makes progress has the whole window, which the server ends.
    pub(crate) fn closed_by_ms(&self, now_ms: u64, conn: ConnId) -> u64 {
        let is_client = self.conn(conn).is_some_and(Conn::is_client);
        match self.ends_ms {
            None => now_ms + LINGER_MS,
            Some(ends_ms) if is_client => ends_ms.max(now_ms) + LINGER_MS,
            Some(_) => now_ms + UNFINISHED_MS,
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
                Phase::Http(_) if state.held.is_some() => remains = Remains::Ends, // the rest of a head
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
