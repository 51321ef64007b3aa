//! What one core holds for its peers, in bytes: charged where it is taken, given back where it is dropped.
//!
//! Bytes that are kept for a peer have a [`Charge`] beside them. A charge is made by the core's [`Account`], says how many bytes are held,
//! of which [`Kind`] and [for whom](Owner), and gives them back when it is dropped, however that happens: with its message, its connection or its
//! core. So the account cannot forget anything.
//!
//! What a connection or a session owns is its *debt*: it is given back when the owner is cut. The account keeps a sum for each owner, and the sum of
//! those sums, which is all that cutting can give back: no kind can count as a debt without an owner that owes it. What an owner leaves behind
//! when it ends (an `auth` that a handler still has) is nobody's debt, and nobody is cut for it.
//!
//! | kind | what | owner | whose limit is looked at |
//! |---|---|---|---|
//! | backlog | what the kernel did not take from a WebSocket or an answer | connection | `outbox::backlog`, at each append and copy |
//! | polls | packets that wait for a poll | session | `polling`, at each append |
//! | input | partial heads, requests behind one that is not answered, requests that the application decides about | connection | `conns::hold`; the connection is not read on |
//! | body | bodies of requests that are being read; of POSTs until their packets are handled | connection; session | `http`: `message_bytes_max` |
//! | frames | partial frames and messages of WebSockets | connection | the decoder: `message_bytes_max` |
//! | attachments | packets that wait for their attachments | session | `packets`: `message_bytes_max` and a deadline |
//! | handshakes | heads of the requests that opened sessions | the core: lines are shared | `heads`: a head has 16 KiB at the most |
//! | auth | what clients said in CONNECT | session | the server: kept while a connection is examined, or for life if asked for |
//! | requests | requests and events that the application has not dealt with | the core: a handler outlives its client | the server's `shares`: a client is not read on, with little of it where memory is short; `shortage`: large messages wait |
//! | rooms | names and members of rooms | the core: rooms are shared | `sockets`: a share for each connection |
//! | saved | clients that may come back | the core: they have left | `recovery`: a number, and a time |
//! | early | what was emitted to clients that are not in yet | session | `early`: a share for each socket |
//! | letters | broadcasts and orders that wait in the core's mailbox, or here for another's | the core: no client owes them | the server's `mailbox` and `turn`: 32 and 128 MiB, or a quarter and a half of the budget |
//! | crossings | what was read of connections on their way to the core | the core: they have no place yet | the server's `crossing`: 16 MiB, or an eighth of the budget |
//!
//! Not charged, for it ends with the turn: what effects carry, an event while its handler runs to its first wait, and a batch of sends with what it gathers,
//! which is bounded by 1 MiB.
//!
//! The arena and the history belong to no peer alone: the account adds them when it is looked at. What they have in common is the
//! [`Budget`]: above its soft mark no session is opened, above its hard mark the clients that hold most are cut. `cutting` says for each kind what gives it back.

mod budget;
mod debts;

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use self::debts::Debts;

pub use self::budget::Budget;
pub use self::debts::Owner;

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
    /// Broadcasts and orders that wait in this core's mailbox, or here for another's.
    Letters,
    /// What was read of connections on their way to this core.
    Crossings,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 14] = [
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
        Self::Letters,
        Self::Crossings,
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
            Self::Letters => "letters",
            Self::Crossings => "crossings",
        }
    }
}

/// What a core holds, by kind. Clones are handles of the same account.
#[derive(Clone, Debug, Default)]
pub struct Account(Rc<Ledger>);

#[derive(Debug, Default)]
struct Ledger {
    bytes: [Cell<usize>; Kind::ALL.len()],
    debts: Debts,
}

/// Bytes that are held, until this is dropped.
pub struct Charge {
    ledger: Rc<Ledger>,
    bytes: usize,
    owner: Owner,
    kind: Kind,
}

impl Account {
    /// A charge of so many bytes, which are given back when the owner is cut.
    pub(crate) fn charge(&self, kind: Kind, owner: Owner, bytes: usize) -> Charge {
        let mut charge = Charge { ledger: Rc::clone(&self.0), bytes: 0, owner, kind };
        charge.set(bytes);
        charge
    }

    /// Bytes held of one kind.
    pub fn held_of(&self, kind: Kind) -> usize {
        self.0.bytes[kind as usize].get()
    }

    /// Bytes held of all kinds.
    pub fn held(&self) -> usize {
        self.0.bytes.iter().map(Cell::get).sum()
    }

    /// Bytes that owners give back when they are cut.
    pub(crate) fn owed(&self) -> usize {
        self.0.debts.owed()
    }

    /// Bytes that owners have left behind.
    pub(crate) fn left_behind(&self) -> usize {
        self.0.debts.left_behind()
    }

    /// What each owner owes, in no order.
    pub(crate) fn debts(&self) -> Vec<(Owner, usize)> {
        self.0.debts.all()
    }

    /// An owner has ended.
    pub(crate) fn end(&self, owner: Owner) {
        self.0.debts.end(owner);
    }
}

impl Charge {
    /// From now on so many bytes are held.
    pub fn set(&mut self, bytes: usize) {
        if bytes == self.bytes {
            return;
        }
        let held = &self.ledger.bytes[self.kind as usize];
        held.set(held.get() - self.bytes + bytes);
        self.ledger.debts.change(self.owner, self.bytes, bytes);
        self.bytes = bytes;
    }

    /// So many bytes more are held.
    pub fn add(&mut self, bytes: usize) {
        self.set(self.bytes + bytes);
    }

    /// From now on they are another's.
    pub(crate) fn pass_to(&mut self, owner: Owner) {
        self.ledger.debts.change(self.owner, self.bytes, 0);
        self.owner = owner;
        self.ledger.debts.change(self.owner, 0, self.bytes);
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
        let mut kept = account.charge(Kind::Body, Owner::Core, 10);
        let moved = account.charge(Kind::Backlog, Owner::Core, 5);
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
