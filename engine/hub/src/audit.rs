//! The account, checked: what the hub holds is walked and compared with what is charged.
//!
//! For simulations and tests. A holder that changes its bytes without its charge is found after the turn in which it did.

use crate::account::Kind;
use crate::conns::Phase;
use crate::session::Link;
use crate::{ConnId, Hub};

impl Hub {
    /// Whether the account says what is held: bytes of a kind are as many as can be found. Bodies that are with the server, as [`Post`], are
    /// charged and cannot be found here, so of those there may be more.
    ///
    /// [`Post`]: crate::Post
    ///
    /// # Errors
    /// The kinds that differ, as a sentence.
    #[doc(hidden)]
    pub fn audit(&self) -> Result<(), String> {
        let mut found = [0; Kind::ALL.len()];
        for index in 0..self.conns.len() {
            let conn = ConnId { index: index as u32, generation: self.conns[index].generation };
            let Some(state) = self.conn(conn) else { continue };
            found[Kind::Input as usize] += state.held.as_ref().map_or(0, |held| held.capacity());
            found[Kind::Backlog as usize] += self.outbox.backlog_capacity(conn);
            match &state.phase {
                Phase::Body(upload) => found[Kind::Body as usize] += upload.capacity(),
                Phase::Parked(_, Some(behind)) => found[Kind::Body as usize] += behind.capacity(),
                Phase::WebSocket { partial: Some(reader), .. } => {
                    found[Kind::Frames as usize] += reader.decoder.buffered();
                }
                _ => {}
            }
        }
        for session in self.sessions.keys().filter_map(|key| self.sessions.find(key)) {
            found[Kind::Attachments as usize] += session.incoming.as_ref().map_or(0, |it| it.bytes());
            found[Kind::Polls as usize] += match &session.link {
                Link::Polling(polling) => polling.buffer.capacity(),
                Link::Closing(farewell) => farewell.buffer.capacity(),
                Link::WebSocket(_) => 0,
            };
            if let Some(opening) = &session.opening {
                found[Kind::Handshakes as usize] += opening.heap_bytes();
            }
        }
        found[Kind::Handshakes as usize] += self.heads.lines_bytes();
        found[Kind::Early as usize] = self.early_bytes();
        let differs = |kind: &Kind| {
            let (charged, found) = (self.account.held_of(*kind), found[*kind as usize]);
            match kind {
                Kind::Auth | Kind::Requests | Kind::Rooms | Kind::Saved => false,
                Kind::Body => charged < found,
                _ => charged != found,
            }
        };
        let wrong: Vec<_> = Kind::ALL.into_iter().filter(differs).collect();
        if !self.outbox.is_sound() {
            return Err("bursts: the sum is not what is owed beyond the limit".into());
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let sums = wrong.iter().map(|kind| {
            let (charged, found) = (self.account.held_of(*kind), found[*kind as usize]);
            format!("{}: {charged} B are charged, {found} B are held", kind.name())
        });
        Err(sums.collect::<Vec<_>>().join("; "))
    }
}
