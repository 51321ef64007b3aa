//! The audit of the account: a walk over all held bytes compares them with the charges, kind by kind, and the debts with their owners.
//!
//! For simulations and tests. A holder that changes its bytes without its charge is found after the turn in which it did.

use crate::account::Kind;
use crate::address_shares::rooms::room_bytes;
use crate::conns::Phase;
use crate::limits::MEMBER_BYTES;
use crate::session::Link;
use crate::{ConnId, Hub};

/// Bytes that were found, by kind.
type Found = [usize; Kind::ALL.len()];

impl Hub {
    /// Whether the account says what is held: bytes of each kind are exactly those that can be found here and, as the server says of its own
    /// kinds, there; and each debt has an owner that is there. To be called between two turns, when nothing is lent.
    ///
    /// # Errors
    /// What differs, as a sentence.
    #[doc(hidden)]
    pub fn audit(&self, elsewhere: &[(Kind, usize)]) -> Result<(), String> {
        let mut found = Found::default();
        elsewhere.iter().for_each(|(kind, bytes)| found[*kind as usize] += bytes);
        self.find_of_conns(&mut found);
        self.find_of_sessions(&mut found);
        found[Kind::Rooms as usize] += self.rooms_bytes();
        found[Kind::Saved as usize] +=
            self.recoveries.as_ref().map_or(0, |recoveries| recoveries.saved_bytes());
        let sums = Kind::ALL.into_iter().map(|kind| (kind, self.account.held_of(kind), found[kind as usize]));
        let mut wrong: Vec<_> = sums
            .filter(|(_, charged, found)| charged != found)
            .map(|(kind, charged, found)| {
                format!("{}: {charged} B are charged, {found} B are held", kind.name())
            })
            .collect();
        let debts: usize = self.debts_of_owners().values().sum();
        if debts != self.account.owed() {
            wrong
                .push(format!("debts: {} B are owed, those who are here owe {debts} B", self.account.owed()));
        }
        if !self.outbox.is_sound() {
            wrong.push("bursts: the sum is not what is owed beyond the limit".into());
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }

    fn find_of_conns(&self, found: &mut Found) {
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
    }

    fn find_of_sessions(&self, found: &mut Found) {
        for session in self.sessions.keys().filter_map(|key| self.sessions.find(key)) {
            found[Kind::Attachments as usize] += session.incoming.as_ref().map_or(0, |it| it.bytes());
            found[Kind::Polls as usize] += match &session.link {
                Link::Polling(polling) => polling.buffer.capacity(),
                Link::Closing(farewell) => farewell.buffer.capacity(),
                Link::WebSocket(_) => 0,
            };
            found[Kind::Handshakes as usize] += session.opening.as_ref().map_or(0, |it| it.heap_bytes());
        }
        found[Kind::Handshakes as usize] += self.heads.lines_bytes();
        found[Kind::Body as usize] += self.posts.capacity();
        found[Kind::Early as usize] += self.early_bytes();
    }

    fn rooms_bytes(&self) -> usize {
        let rooms = self
            .namespaces
            .all()
            .flat_map(|namespace| namespace.rooms.keys().map(move |key| (namespace, key)));
        let rooms = rooms.filter_map(|(namespace, key)| namespace.rooms.find(key));
        rooms.map(|room| room_bytes(room.name.len()) + room.members.len() * MEMBER_BYTES).sum()
    }
}
