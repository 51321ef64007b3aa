//! Connections that are cut by the server: slow readers, and those that hold most when the core holds too much.
//!
//! A client is told why in its transport's own terms, behind the frame that it has begun to read: 1008 for a slow reader, 1013 where the
//! core needs memory. The application sees the reason of the disconnect. Nobody else notices either.
//!
//! Where the core needs memory, each kind of the account is given back by somebody:
//!
//! | kind | what gives it back |
//! |---|---|
//! | saved | lost clients, the oldest first, before any connected client is cut: they are new when they come back |
//! | handshakes, rooms | the session whose client holds them; of a line or a room that many share each holds its part |
//! | requests | nobody, for a handler outlives its client: above the soft mark clients with little of it are not read on, and large messages wait (`shortage`) |
//! | letters, crossings | nobody: cores empty them |
//! | all others | their owner, see `account`: a session over WebSocket with its connection, and a closing connection with its last bytes |
//!
//! Above the soft mark, clients of an address that holds more than its share are cut, the largest first, until it holds seven eighths of that. Above
//! the hard mark, the largest of all. The body of a request to the application that was not refused at its head is given up after all others, so that
//! clients that do not read cannot keep an operator from publishing. What an address holds is summed up only then: a packet is charged to its connection and knows of no address.

use hashbrown::HashMap;
use socketville_proto::ws::{self, CloseCode};

use crate::account::{Kind, Owner};
use crate::address_shares::Address;
use crate::address_shares::rooms::room_bytes;
use crate::conns::{Conn, Phase};
use crate::limits::{DEBT_BYTES_MIN, MEMBER_BYTES, RELIEF_PAUSE_MS};
use crate::outbox::Overflow;
use crate::session::Link;
use crate::shortage::For;
use crate::{ConnId, Hub, Reason, SessionKey, SocketKey};

/// When the core was looked over for debtors.
#[derive(Default)]
pub(crate) struct Relief {
    /// Not again before this moment, since nobody was found.
    next_ms: u64,
    /// The same for addresses.
    addresses_next_ms: u64,
}

/// Bytes that are given back if somebody is cut.
#[derive(Clone, Copy)]
struct Debt {
    bytes: usize,
    /// The body of a request to the application, not refused at its head: its connection is cut last.
    is_for_application: bool,
    address: Address,
    debtor: Debtor,
}

/// A connection or session that can be cut, by its place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Debtor {
    Conn(u32),
    /// A session that polls, with a connection or without.
    Session(u32),
}

impl Hub {
    /// Cuts connections that owe too much, so that no peer makes us keep more than its share.
    pub fn cut_slow(&mut self, now_ms: u64) {
        self.outbox.judge_stalled(now_ms);
        while let Some(overflow) = self.outbox.take_overflowed() {
            self.count_cut(overflow.reason);
            self.end_overflowed(now_ms, overflow, overflow.reason);
        }
        while let Some((session, reason)) = self.slow_sessions.pop() {
            // It stands here once per packet that did not fit.
            if self.sessions.find(session).is_some() {
                self.count_cut(reason);
                self.lose_whole_session(session, reason);
            }
        }
    }

    /// Ends a session that polled; it may have gone on to a WebSocket since.
    pub(crate) fn lose_whole_session(&mut self, session: SessionKey, reason: Reason) {
        if let Some(Link::WebSocket(conn)) = self.sessions.find(session).map(|session| &session.link) {
            let conn = *conn;
            self.cut(conn);
        }
        self.lose_session(session, reason);
    }

    const fn count_cut(&mut self, reason: Reason) {
        match reason {
            Reason::MemoryLimit => self.counters.shed += 1,
            _ => self.counters.slow_cut += 1,
        }
    }

    /// Gives memory back while the core is above its marks; after the flush, with which much has left.
    pub fn relieve(&mut self, now_ms: u64) {
        self.read_delayed(now_ms);
        if self.is_above_soft_mark() {
            self.relieve_now(now_ms);
        }
    }

    /// Whether the core holds so much that no session may begin, and no client have one handler more that waits over much.
    pub fn is_above_soft_mark(&self) -> bool {
        self.held_bytes() > self.config.budget.soft_bytes()
    }

    #[cold]
    fn relieve_now(&mut self, now_ms: u64) {
        self.drop_saved();
        let is_above = self.held_by_debtors() > self.debts_bytes_max();
        let is_looked_at = is_above && now_ms >= self.relief.next_ms;
        let has_shares = self.address_shares.bytes_max() < usize::MAX;
        if !is_looked_at && (!has_shares || now_ms < self.relief.addresses_next_ms) {
            return;
        }
        let mut debts = self.debts();
        debts.sort_unstable_by_key(|debt| {
            (debt.is_for_application, std::cmp::Reverse(debt.bytes), debt.debtor)
        });
        if has_shares {
            self.relief.addresses_next_ms = now_ms + RELIEF_PAUSE_MS;
            if self.shed_of_addresses(now_ms, &debts) {
                return; // some of it is given back only when the application has been told
            }
        }
        if is_looked_at && !self.shed(now_ms, &debts) {
            self.relief.next_ms = now_ms + RELIEF_PAUSE_MS;
        }
    }

    /// Bytes that cutting gives back: those of owners, and those of which each session has its part.
    fn held_by_debtors(&self) -> usize {
        let shared = [Kind::Handshakes, Kind::Rooms].map(|kind| self.account.held_of(kind));
        self.account.owed() + shared.iter().sum::<usize>()
    }

    /// What all debtors may hold: what the core may hold but for what is nobody's debt, and a quarter at least, so that clients which cost
    /// little each do not take the room of all others. No client is cut for what handlers hold, or for what clients that are gone have left behind: it keeps
    /// newcomers out and handlers from becoming more.
    fn debts_bytes_max(&self) -> usize {
        let hard = self.config.budget.hard_bytes;
        let kept = self.account.left_behind() + self.account.held_of(Kind::Requests);
        let others = self.held_bytes() - self.held_by_debtors() - kept;
        hard.saturating_sub(others).max(hard / 4)
    }

    /// Lost clients are let go, the oldest first, while the core is above its hard mark. What the arena holds leaves with the flush.
    fn drop_saved(&mut self) {
        let hard = self.config.budget.hard_bytes;
        let arena = self.outbox.shared_bytes();
        if self.held_bytes() - arena <= hard {
            return;
        }
        while self.held_bytes() - arena > hard / 8 * 7 && self.drop_oldest_saved() {
            self.counters.saved_shed += 1;
        }
    }

    /// Cuts the largest debtors of each address that holds more than its share; whether there was one.
    fn shed_of_addresses(&mut self, now_ms: u64, debts: &[Debt]) -> bool {
        let share = self.address_shares.bytes_max();
        let mut sums: HashMap<Address, usize, _> = HashMap::with_hasher(self.hasher.clone());
        for debt in debts.iter().filter(|debt| debt.address.is_counted()) {
            *sums.entry(debt.address).or_default() += debt.bytes;
        }
        sums.retain(|_, bytes| *bytes > share);
        let mut has_cut = false;
        for debt in if sums.is_empty() { &[] } else { debts } {
            if let Some(left) = sums.get_mut(&debt.address).filter(|left| **left > share / 8 * 7) {
                *left -= debt.bytes;
                self.counters.shed_of_address += self.cut_debtor(now_ms, debt.debtor);
                has_cut = true;
            }
        }
        has_cut
    }

    /// Cuts the largest debtors until the core is below its mark; whether there was one.
    fn shed(&mut self, now_ms: u64, debts: &[Debt]) -> bool {
        // Much is given back only when the connection is forgotten or the application has been told, so it is counted here.
        let mut excess = self.held_by_debtors().saturating_sub(self.debts_bytes_max() / 8 * 7);
        let mut has_cut = false;
        for debt in debts.iter().filter(|debt| debt.bytes >= DEBT_BYTES_MIN) {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(debt.bytes);
            self.cut_debtor(now_ms, debt.debtor);
            has_cut = true;
        }
        has_cut
    }

    /// Cuts a debtor, and returns how many clients notice: none if it was closing already.
    fn cut_debtor(&mut self, now_ms: u64, debtor: Debtor) -> u64 {
        let shed = match debtor {
            Debtor::Conn(index) => {
                let conn = self.conn_at(index);
                let is_closing =
                    |state: &Conn| matches!(state.phase, Phase::Closing | Phase::Lingering { .. });
                let is_told = !self.conn(conn).is_some_and(is_closing);
                self.end_for_memory(now_ms, conn);
                u64::from(is_told)
            }
            Debtor::Session(index) => {
                if let Some((session, _)) = self.sessions.at(index) {
                    self.lose_session(session, Reason::MemoryLimit);
                }
                1
            }
        };
        self.counters.shed += shed;
        shed
    }

    /// All debts: what owners owe, and their parts of what sessions share.
    fn debts(&self) -> Vec<Debt> {
        let mut debts = self.debts_of_owners();
        for key in self.sessions.keys() {
            let bytes = self.shared_by_session(key);
            if let Some(debtor) = self.debtor(Owner::Session(key)).filter(|_| bytes > 0) {
                *debts.entry(debtor).or_default() += bytes;
            }
        }
        let debt = |(debtor, bytes)| Debt {
            bytes,
            is_for_application: self.is_for_application(debtor),
            address: self.address_of(debtor),
            debtor,
        };
        debts.into_iter().map(debt).collect()
    }

    /// For each connection or session the bytes of its own charges that a cut of it gives back: together all that is owed.
    pub(crate) fn debts_of_owners(&self) -> HashMap<Debtor, usize> {
        let mut debts = HashMap::new();
        for (owner, bytes) in self.account.debts() {
            if let Some(debtor) = self.debtor(owner) {
                *debts.entry(debtor).or_default() += bytes;
            }
        }
        debts
    }

    /// The connection or session to cut for what an owner owes: a session over WebSocket goes with its connection.
    fn debtor(&self, owner: Owner) -> Option<Debtor> {
        match owner {
            Owner::Core => None,
            Owner::Conn(conn) => self.conn(conn).map(|_| Debtor::Conn(conn.index)),
            Owner::Session(key) => self.sessions.find(key).map(|session| match session.link {
                Link::WebSocket(conn) if self.conn(conn).is_some() => Debtor::Conn(conn.index),
                _ => Debtor::Session(key.index),
            }),
        }
    }

    /// Whether a connection carries the body of a request to the application.
    fn is_for_application(&self, debtor: Debtor) -> bool {
        let Debtor::Conn(index) = debtor else { return false };
        matches!(self.phase_at(index), Some(Phase::Body(upload)) if upload.whose() == For::Application)
    }

    fn phase_at(&self, index: u32) -> Option<&Phase> {
        self.conn(self.conn_at(index)).map(|state| &state.phase)
    }

    fn conn_at(&self, index: u32) -> ConnId {
        ConnId { index, generation: self.conns[index as usize].generation }
    }

    /// The address that a debtor's bytes count for: that of the client whose session a connection carries, also behind a proxy.
    fn address_of(&self, debtor: Debtor) -> Address {
        let index = match debtor {
            Debtor::Session(index) => return self.address_shares.of_session(index),
            Debtor::Conn(index) => index,
        };
        let address = self.address_shares.of_conn(index);
        match self.phase_at(index) {
            Some(Phase::WebSocket { session, .. }) if !address.is_counted() => {
                self.address_shares.of_session(session.index)
            }
            _ => address,
        }
    }

    /// A session's part of what sessions share: the head that opened it, and its rooms.
    fn shared_by_session(&self, key: SessionKey) -> usize {
        let Some(session) = self.sessions.find(key) else { return 0 };
        let opening = session.opening.as_ref().map_or(0, |opening| opening.cost(&self.heads));
        opening + session.sockets.all().iter().map(|&socket| self.shared_by_socket(socket)).sum::<usize>()
    }

    fn shared_by_socket(&self, key: SocketKey) -> usize {
        let Some(socket) = self.sockets.find(key) else { return 0 };
        let Some(namespace) = self.namespaces.find(socket.nsp) else { return 0 };
        let rooms = socket.rooms.iter().filter_map(|&room| namespace.rooms.find(room));
        let part = |room: &crate::namespaces::Room| {
            MEMBER_BYTES + room_bytes(room.name.len()) / room.members.len().max(1)
        };
        rooms.map(part).sum()
    }

    /// Ends a connection. A connection that closes already is sent nothing more: what it has not taken is what it owes.
    fn end_for_memory(&mut self, now_ms: u64, conn: ConnId) {
        if let Some(overflow) = self.outbox.give_up(conn) {
            return self.end_overflowed(now_ms, overflow, Reason::MemoryLimit);
        }
        match self.conn(conn).map(|state| &state.phase) {
            Some(Phase::WebSocket { session, role, .. }) => {
                let (session, role) = (*session, *role);
                self.end_websocket(session, role, Reason::MemoryLimit);
                self.close_websocket(now_ms, conn, Some(close_code(Reason::MemoryLimit).code()));
            }
            _ => self.handle_end(conn, Reason::MemoryLimit),
        }
    }

    /// A WebSocket is told why it ends, behind the frame that its peer has begun to read.
    fn end_overflowed(&mut self, now_ms: u64, overflow: Overflow, reason: Reason) {
        let conn = overflow.conn;
        let Some(Phase::WebSocket { session, role, .. }) =
            self.conn(conn).map(|state| &state.phase).filter(|_| overflow.is_at_frame)
        else {
            return self.handle_end(conn, reason);
        };
        let (session, role) = (*session, *role);
        let mut frame = Vec::new();
        ws::write_close(&mut frame, Some(close_code(reason).code()), reason.as_str());
        self.outbox.finish(conn, &frame);
        self.end_websocket(session, role, reason);
        self.linger(now_ms, conn);
    }
}

/// What a WebSocket is told (RFC 6455 section 7.4.1, and the registry of codes).
const fn close_code(reason: Reason) -> CloseCode {
    match reason {
        Reason::MemoryLimit => CloseCode::TryAgainLater,
        _ => CloseCode::Policy,
    }
}
