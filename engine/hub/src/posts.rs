//! POSTs whose packets take more than one step: kept here between two steps, so that they end with their session.
//!
//! Not the packets, which the server has the hub handle. A body is bytes of a client's, so it is dropped here with the client's session.

use hashbrown::HashMap;

use crate::conns::{Phase, Post};
use crate::{ConnId, Effect, Hub, SessionKey};

/// By session, which takes one POST at a time; few have any.
pub(crate) struct Posts(HashMap<SessionKey, (ConnId, Post), ahash::RandomState>);

impl Posts {
    pub(crate) fn new(hasher: ahash::RandomState) -> Self {
        Self(HashMap::with_hasher(hasher))
    }

    /// Bytes of memory.
    pub(crate) fn capacity(&self) -> usize {
        self.0.values().map(|(_, post)| post.body.capacity()).sum()
    }
}

impl Hub {
    /// Keeps what is left of a POST until the next step; of a session that has ended nothing is kept, and the POST is over.
    pub fn keep_post(&mut self, now_ms: u64, conn: ConnId, session: SessionKey, post: Post) {
        if self.sessions.find(session).is_some() {
            self.posts.0.insert(session, (conn, post));
        } else {
            self.end_post(now_ms, conn, session);
        }
    }

    /// The POST that was kept for a session, for a step more, and its connection.
    pub fn take_post(&mut self, session: SessionKey) -> Option<(ConnId, Post)> {
        self.posts.0.remove(&session)
    }

    /// Whether a POST is kept for a session.
    pub fn has_post(&self, session: SessionKey) -> bool {
        self.posts.0.contains_key(&session)
    }

    /// The session of a POST has ended before all its packets were handled: the answer to [`Effect::PostOver`]. It is answered if its connection is
    /// there, since the session's end was told elsewhere.
    pub fn end_post(&mut self, now_ms: u64, conn: ConnId, session: SessionKey) {
        if self.conn(conn).is_some_and(|state| matches!(state.phase, Phase::Answering | Phase::Parked(..))) {
            self.finish_post(now_ms, conn, session);
        }
    }

    /// A session has ended.
    pub(crate) fn end_post_of(&mut self, session: SessionKey) {
        if let Some((conn, _)) = self.posts.0.remove(&session) {
            self.effects.push_back(Effect::PostOver(conn, session));
        }
    }
}
