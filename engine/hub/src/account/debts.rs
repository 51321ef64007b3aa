//! What each connection and session owes: the charges that it owns, summed up.
//!
//! Owners with nothing charged have no entry, so an idle client costs nothing here, and a search for the largest debts walks no idle client.

use std::cell::{Cell, RefCell};

use hashbrown::HashMap;

use crate::{ConnId, SessionKey};

/// The connection or session that gives charged bytes back when it is cut.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Owner {
    /// Nobody: no cut of one client gives them back.
    Core,
    /// A connection, with its backlog and what it is in the middle of.
    Conn(ConnId),
    /// A session, over whichever transport.
    Session(SessionKey),
}

/// The sums.
#[derive(Debug, Default)]
pub(super) struct Debts {
    by_owner: RefCell<HashMap<Owner, Debt>>,
    /// Of owners that are there.
    owed: Cell<usize>,
    /// Of those that have ended.
    left_behind: Cell<usize>,
}

#[derive(Debug, Default)]
struct Debt {
    bytes: usize,
    /// Charges of any bytes. The last one takes the entry along, so that late ones of an owner that has ended find it ended.
    charges: usize,
    has_ended: bool,
}

impl Debts {
    pub(super) const fn owed(&self) -> usize {
        self.owed.get()
    }

    pub(super) const fn left_behind(&self) -> usize {
        self.left_behind.get()
    }

    /// A charge of an owner's has changed.
    #[inline]
    pub(super) fn change(&self, owner: Owner, from: usize, to: usize) {
        if owner != Owner::Core {
            self.change_debt(owner, from, to);
        }
    }

    fn change_debt(&self, owner: Owner, from: usize, to: usize) {
        let mut by_owner = self.by_owner.borrow_mut();
        let debt = by_owner.entry(owner).or_default();
        debt.bytes = debt.bytes - from + to;
        debt.charges = debt.charges + usize::from(to > 0) - usize::from(from > 0);
        let sum = if debt.has_ended { &self.left_behind } else { &self.owed };
        sum.set(sum.get() - from + to);
        if debt.charges == 0 {
            by_owner.remove(&owner);
        }
    }

    /// Whatever is charged to this owner still is nobody's debt.
    pub(super) fn end(&self, owner: Owner) {
        let mut by_owner = self.by_owner.borrow_mut();
        if let Some(debt) = by_owner.get_mut(&owner).filter(|debt| !debt.has_ended) {
            debt.has_ended = true;
            self.owed.set(self.owed.get() - debt.bytes);
            self.left_behind.set(self.left_behind.get() + debt.bytes);
        }
    }

    pub(super) fn all(&self) -> Vec<(Owner, usize)> {
        let by_owner = self.by_owner.borrow();
        let there = by_owner.iter().filter(|(_, debt)| !debt.has_ended);
        there.map(|(&owner, debt)| (owner, debt.bytes)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Account, Kind};

    const ONE: Owner = Owner::Session(SessionKey::new(1, 0));
    const OTHER: Owner = Owner::Conn(ConnId { index: 1, generation: 0 });

    fn sums(account: &Account) -> (usize, usize, usize) {
        let sum: usize = account.debts().iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(sum, account.owed(), "owners owe what is owed");
        (account.owed(), account.left_behind(), account.held())
    }

    #[test]
    fn what_is_owed_is_what_owners_owe_whatever_happens_to_it() {
        let account = Account::default();
        let mut charge = account.charge(Kind::Body, ONE, 100);
        let other = account.charge(Kind::Backlog, OTHER, 20);
        let shared = account.charge(Kind::Rooms, Owner::Core, 3);
        assert_eq!(sums(&account), (120, 0, 123));
        charge.pass_to(OTHER);
        assert_eq!((account.debts(), sums(&account)), (vec![(OTHER, 120)], (120, 0, 123)));
        charge.set(7);
        drop(other);
        assert_eq!(sums(&account), (7, 0, 10));
        drop((charge, shared));
        assert_eq!((account.debts(), sums(&account)), (vec![], (0, 0, 0)));
    }

    #[test]
    fn what_an_owner_leaves_behind_is_nobodys_debt() {
        let account = Account::default();
        let mut left = account.charge(Kind::Requests, ONE, 50);
        account.end(ONE);
        account.end(ONE);
        assert_eq!(sums(&account), (0, 50, 50));
        let late = account.charge(Kind::Auth, ONE, 5);
        left.set(60);
        assert_eq!(sums(&account), (0, 65, 65));
        drop(left);
        drop(late);
        assert_eq!(sums(&account), (0, 0, 0));
        account.end(OTHER);
        assert_eq!(sums(&account), (0, 0, 0));
    }
}
