//! What one core holds for its peers, in bytes: charged where it is taken, given back where it is dropped.
//!
//! Bytes that are kept for a peer have a [`Charge`] beside them. A charge is made by the core's [`Account`], says how many bytes are held,
//! and gives them back when it is dropped, however that happens: with its message, its connection or its core. So the account cannot
//! forget anything, and nothing can be held without a [`Kind`] that names it.
//!
//! | kind | what | whose limit is looked at |
//! |---|---|---|
//! | backlog | what the kernel did not take from a WebSocket or an answer | `outbox::backlog`, at each append and copy |
//! | polls | packets that wait for a poll | `polling`, at each append |
//! | input | partial heads, and requests behind one that is not answered | `conns::hold`; the connection is not read on |
//! | body | bodies of requests that are being read | `http`: `message_bytes_max` |
//! | frames | partial frames and messages of WebSockets | the decoder: `message_bytes_max` |
//! | attachments | packets that wait for their attachments | `packets`: `message_bytes_max` and a deadline |
//! | handshakes | heads of the requests that opened sessions | `heads`: a head has 16 KiB at the most |
//! | auth | what clients said in CONNECT | the server: kept while a connection is examined, or for life if asked for |
//! | requests | requests that the application has not answered | one a connection |
//! | rooms | names and members of rooms | `sockets`: a share for each connection |
//! | saved | clients that may come back | `recovery` |
//! | early | what was emitted to clients that are not in yet | `early`: a share for each socket |
//!
//! The arena and the history belong to no peer alone: the account adds them when it is looked at. What they have in common is the
//! [`Budget`]: above its soft mark no session is opened, above its hard mark those are cut that hold most. Who gives back which kind is in `cutting`.

mod budget;

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

pub use self::budget::Budget;

/// What bytes are held for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// What the kernel did not take.
    Backlog,
    /// Packets that wait for a poll.
    Polls,
    /// Partial heads, and requests that wait for the answer to an earlier one.
    Input,
    /// Bodies of requests that are being read.
    Body,
    /// Partial frames and messages.
    Frames,
    /// Packets that wait for their attachments.
    Attachments,
    /// Heads of the requests that opened sessions.
    Handshakes,
    /// What clients said in CONNECT.
    Auth,
    /// Requests that the application has not answered.
    Requests,
    /// Names and members of rooms.
    Rooms,
    /// Clients that may come back.
    Saved,
    /// What was emitted to clients that are not in yet.
    Early,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Backlog,
        Self::Polls,
        Self::Input,
        Self::Body,
        Self::Frames,
        Self::Attachments,
        Self::Handshakes,
        Self::Auth,
        Self::Requests,
        Self::Rooms,
        Self::Saved,
        Self::Early,
    ];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Polls => "polls",
            Self::Input => "input",
            Self::Body => "body",
            Self::Frames => "frames",
            Self::Attachments => "attachments",
            Self::Handshakes => "handshakes",
            Self::Auth => "auth",
            Self::Requests => "requests",
            Self::Rooms => "rooms",
            Self::Saved => "saved",
            Self::Early => "early",
        }
    }
}

/// What a core holds, by kind. Clones are handles of the same account.
#[derive(Clone, Debug, Default)]
pub struct Account(Rc<Ledger>);

#[derive(Debug, Default)]
struct Ledger {
    bytes: [Cell<usize>; Kind::ALL.len()],
}

/// Bytes that are held, until this is dropped.
pub struct Charge {
    ledger: Rc<Ledger>,
    bytes: usize,
    kind: Kind,
}

impl Account {
    /// A charge of so many bytes.
    pub fn charge(&self, kind: Kind, bytes: usize) -> Charge {
        let mut charge = Charge { ledger: Rc::clone(&self.0), bytes: 0, kind };
        charge.set(bytes);
        charge
    }

    /// Bytes held of one kind.
    pub fn held_of(&self, kind: Kind) -> usize {
        self.0.bytes[kind as usize].get()
    }

    /// Bytes that cutting those gives back who hold them: all but those of lost clients, and what the application's handlers wait over, which end
    /// when they end.
    pub(crate) fn held_by_debtors(&self) -> usize {
        self.held() - self.held_of(Kind::Saved) - self.held_of(Kind::Requests)
    }

    /// Bytes held of all kinds.
    pub fn held(&self) -> usize {
        self.0.bytes.iter().map(Cell::get).sum()
    }
}

impl Charge {
    /// From now on so many bytes are held.
    pub fn set(&mut self, bytes: usize) {
        let held = &self.ledger.bytes[self.kind as usize];
        held.set(held.get() - self.bytes + bytes);
        self.bytes = bytes;
    }

    /// So many bytes more are held.
    pub fn add(&mut self, bytes: usize) {
        self.set(self.bytes + bytes);
    }

    /// Bytes held.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B of {}", self.bytes, self.kind.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_numbered_in_the_order_of_the_list() {
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
    }

    #[test]
    fn a_charge_is_given_back_however_it_ends() {
        let account = Account::default();
        let mut kept = account.charge(Kind::Body, 10);
        let moved = account.charge(Kind::Backlog, 5);
        kept.add(7);
        assert_eq!((account.held_of(Kind::Body), account.held()), (17, 22));
        let boxed = Some(Box::new(moved));
        kept.set(3);
        assert_eq!(account.held(), 8);
        drop(boxed);
        drop(kept);
        assert_eq!(account.held(), 0);
    }
}
