//! Shares of a core for each address: of its connections, of those that are half open, of its rooms, and of what it holds.
//!
//! Not a firewall: a share is what one address may have, so that it takes as many strangers to fill a core as there are shares. One address is one of
//! version 4, or a network of version 6 with 64 bits, which is one customer's.
//!
//! | share | what counts | where it is looked at |
//! |---|---|---|
//! | connections | TCP connections; sessions that a trusted proxy brings | where one is accepted, or opened |
//! | half open | connections without a whole request; sessions without a socket in a namespace | the same |
//! | rooms | bytes of rooms beyond the free ones, see [`rooms`] | at a join |
//! | bytes | what connections and sessions hold, see `cutting` | above the soft mark: it is summed up then, and costs nothing before |
//!
//! Two kinds of peers have no share. *Loopback*, for a peer there runs on this machine, be it a load generator with 20 000 connections or a proxy that brings
//! all clients; its rooms and those of peers with an unknown address are one share. And *trusted proxies*: the client that they forward is charged, and
//! no client if they name none.
//!
//! Cost: a look into a map where a connection or a session begins and ends. A packet knows nothing of it.

pub(crate) mod rooms;

use std::net::{IpAddr, Ipv4Addr};

use hashbrown::HashMap;
use socketville_proto::http::Head;

use self::rooms::RoomShares;
use crate::account::Account;
use crate::config::{AddressLimits, Config};
use crate::network::{Network, forwarded_for, is_one_of};
use crate::pages::Pages;

/// What each address has of a core.
pub(crate) struct AddressShares {
    limits: AddressLimits,
    proxies: Vec<Network>,
    entries: HashMap<Address, Entry, ahash::RandomState>,
    /// By the connection's place; those that have no share have no entry.
    conns: Pages<Address>,
    /// Connections that have made no request yet, with their whole addresses.
    newcomers: HashMap<u32, Newcomer, ahash::RandomState>,
    /// By the session's place.
    sessions: Pages<Client>,
    pub(crate) rooms: RoomShares,
}

/// An address as shares count it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Address(u64);

/// What one address has.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Entry {
    connections: u32,
    half_open: u32,
    room_bytes: usize,
}

#[derive(Clone, Copy)]
struct Newcomer {
    address: IpAddr,
    is_half_open: bool,
}

/// The client of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) address: Address,
    /// Whether it counts as a connection, since its connection is a proxy's.
    is_forwarded: bool,
    is_half_open: bool,
}

impl Default for Address {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl Default for Client {
    fn default() -> Self {
        Self { address: Address::UNKNOWN, is_forwarded: false, is_half_open: false }
    }
}

impl Address {
    /// One that is not known, or loopback.
    pub(crate) const UNKNOWN: Self = Self(0);

    /// A trusted proxy's. Nobody has this one: it is a multicast network.
    const PROXY: Self = Self(u64::MAX);

    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::UNKNOWN,
            Some(address) if address.is_loopback() => Self::UNKNOWN,
            Some(IpAddr::V4(four)) => Self::of_v4(four),
            Some(IpAddr::V6(six)) => Self((six.to_bits() >> 64) as u64),
        }
    }

    /// No network of version 6 begins with zeros but for reserved ones.
    fn of_v4(address: Ipv4Addr) -> Self {
        Self(u64::from(address.to_bits()) | 1 << 32)
    }

    /// Whether its connections and bytes are counted.
    pub(crate) fn is_counted(self) -> bool {
        self != Self::UNKNOWN && self != Self::PROXY
    }
}

impl AddressShares {
    pub(crate) fn new(account: &Account, config: &Config, hasher: &ahash::RandomState) -> Self {
        Self {
            limits: config.address_limits,
            proxies: config.trusted_proxies.clone(),
            entries: HashMap::with_hasher(hasher.clone()),
            conns: Pages::new(),
            newcomers: HashMap::with_hasher(hasher.clone()),
            sessions: Pages::new(),
            rooms: RoomShares::new(account, config.budget.hard_bytes, hasher),
        }
    }

    /// Whether shares or proxies need a connection's address before its first request.
    pub(crate) fn asks(&self) -> bool {
        self.limits != AddressLimits::default() || !self.proxies.is_empty()
    }

    /// A connection begins; false if its address has as many as it may, and then it does not count.
    pub(crate) fn connect(&mut self, index: u32, address: Option<IpAddr>) -> bool {
        let place = index as usize;
        if let Some(stale) = self.conns.get_mut(place) {
            *stale = Address::UNKNOWN;
        }
        let Some(full) = address else { return true };
        let address = if is_one_of(&self.proxies, full) { Address::PROXY } else { Address::of(Some(full)) };
        let is_counted = address.is_counted();
        if is_counted && !self.has_room(address) {
            return false;
        }
        self.newcomers.insert(index, Newcomer { address: full, is_half_open: is_counted });
        if address != Address::UNKNOWN {
            self.conns.reach(place);
            self.conns[place] = address;
        }
        if is_counted {
            let entry = self.entries.entry(address).or_default();
            entry.connections += 1;
            entry.half_open += 1;
        }
        true
    }

    /// Whether an address may have one connection more.
    fn has_room(&self, address: Address) -> bool {
        let entry = self.entry(address);
        (entry.connections as usize) < self.limits.connections_max
            && (entry.half_open as usize) < self.limits.half_open_max
    }

    /// A connection has made a request: it is not half open any more.
    pub(crate) fn know(&mut self, index: u32) {
        if let Some(newcomer) = self.newcomers.get_mut(&index)
            && std::mem::take(&mut newcomer.is_half_open)
        {
            let address = self.of_conn(index);
            self.change(address, |entry| entry.half_open -= 1);
        }
    }

    /// A connection has ended.
    pub(crate) fn disconnect(&mut self, index: u32) {
        self.know(index);
        self.newcomers.remove(&index);
        let Some(address) = self.conns.get_mut(index as usize).map(std::mem::take) else { return };
        if address.is_counted() {
            self.change(address, |entry| entry.connections -= 1);
        }
    }

    /// The client whose session a request on a connection would open, and its whole address if that is known.
    pub(crate) fn client(&self, conn: u32, head: &Head<'_>) -> (Client, Option<IpAddr>) {
        let address = self.of_conn(conn);
        let full = self.newcomers.get(&conn).map(|newcomer| newcomer.address);
        if address != Address::PROXY {
            return (Client { address, is_forwarded: false, is_half_open: address.is_counted() }, full);
        }
        match forwarded_for(head, &self.proxies) {
            Some(full) => {
                let address = Address::of(Some(full));
                let is_counted = address.is_counted();
                (Client { address, is_forwarded: is_counted, is_half_open: is_counted }, Some(full))
            }
            None => (Client { address, ..Client::default() }, full),
        }
    }

    /// Whether a client may open a session more.
    pub(crate) fn admits(&self, client: Client) -> bool {
        if !client.address.is_counted() {
            return true;
        }
        let entry = self.entry(client.address);
        let is_full = client.is_forwarded && entry.connections as usize >= self.limits.connections_max;
        !is_full && (entry.half_open as usize) < self.limits.half_open_max
    }

    /// A client's session begins on this connection; the connection's whole address is not needed any more.
    pub(crate) fn open(&mut self, conn: u32, session: u32, client: Client) {
        self.know(conn);
        self.newcomers.remove(&conn);
        self.enter(session, client);
    }

    fn enter(&mut self, session: u32, client: Client) {
        let place = session as usize;
        if client.address != Address::UNKNOWN {
            self.sessions.reach(place);
        }
        if let Some(slot) = self.sessions.get_mut(place) {
            *slot = client;
        }
        if client.address.is_counted() {
            let entry = self.entries.entry(client.address).or_default();
            entry.connections += u32::from(client.is_forwarded);
            entry.half_open += u32::from(client.is_half_open);
        }
    }

    /// It is only now that a session's address is known: its rooms count, and what it holds.
    pub(crate) fn learn(&mut self, index: u32, address: IpAddr) {
        let is_proxy = is_one_of(&self.proxies, address);
        let address = Address::of(Some(address));
        if !is_proxy && address.is_counted() && self.of_session(index) == Address::UNKNOWN {
            self.enter(index, Client { address, ..Client::default() });
        }
    }

    /// A session has a socket in a namespace: it is not half open any more.
    pub(crate) fn settle(&mut self, index: u32) {
        if let Some(client) = self.sessions.get_mut(index as usize)
            && std::mem::take(&mut client.is_half_open)
        {
            let address = client.address;
            self.change(address, |entry| entry.half_open -= 1);
        }
    }

    /// A session has ended.
    pub(crate) fn close(&mut self, index: u32) {
        self.settle(index);
        let Some(client) = self.sessions.get_mut(index as usize).map(std::mem::take) else { return };
        if client.is_forwarded {
            self.change(client.address, |entry| entry.connections -= 1);
        }
    }

    pub(crate) fn of_session(&self, index: u32) -> Address {
        self.sessions.get(index as usize).map_or(Address::UNKNOWN, |client| client.address)
    }

    pub(crate) fn of_conn(&self, index: u32) -> Address {
        self.conns.get(index as usize).copied().unwrap_or_default()
    }

    /// Bytes that an address may hold of a core that holds more than its soft mark.
    pub(crate) const fn bytes_max(&self) -> usize {
        self.limits.bytes_max
    }

    /// What an address has.
    fn entry(&self, address: Address) -> Entry {
        self.entries.get(&address).copied().unwrap_or_default()
    }

    fn change(&mut self, address: Address, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(&address) {
            change(entry);
            if *entry == Entry::default() {
                self.entries.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use socketville_proto::http::parse_head;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn shares(connections_max: usize, half_open_max: usize) -> AddressShares {
        let address_limits = AddressLimits { connections_max, half_open_max, ..AddressLimits::default() };
        let trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        let config = Config { address_limits, trusted_proxies, ..Config::default() };
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        AddressShares::new(&Account::default(), &config, &hasher)
    }

    /// The client whose session a request would open that names the client it is forwarded for.
    fn client(shares: &AddressShares, index: u32, forwarded: &str) -> Client {
        let bytes = format!("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: {forwarded}\r\n\r\n");
        let (head, _) = parse_head(bytes.as_bytes()).expect("valid").expect("whole");
        shares.client(index, &head).0
    }

    #[test]
    fn networks_of_version_6_are_one_and_mapped_addresses_are_those_of_version_4() {
        let of = |text: &str| Address::of(Some(ip(text)));
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::4"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_ne!(of("0.0.0.0"), Address::of(None));
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(of(loopback), Address::UNKNOWN);
        }
    }

    #[test]
    fn an_address_has_so_many_connections_and_others_do_not_notice() {
        let mut shares = shares(3, 2);
        assert!(shares.connect(0, Some(ip("192.0.2.1"))) && shares.connect(1, Some(ip("192.0.2.1"))));
        assert!(!shares.connect(2, Some(ip("192.0.2.1"))), "two are half open");
        shares.know(0);
        shares.know(0);
        assert!(shares.connect(2, Some(ip("192.0.2.1"))));
        shares.know(1);
        shares.know(2);
        assert!(!shares.connect(3, Some(ip("192.0.2.1"))), "three are there");
        for (index, other) in ["192.0.2.2", "2001:db8::1", "127.0.0.1", "10.1.1.1"].into_iter().enumerate() {
            assert!(shares.connect(3 + index as u32, Some(ip(other))), "{other}");
        }
        assert!(shares.connect(9, None));
        (0..10).for_each(|index| shares.disconnect(index));
        assert!(shares.entries.is_empty() && shares.newcomers.is_empty(), "all is given back");
    }

    #[test]
    fn loopback_and_proxies_have_as_many_as_they_like() {
        let mut shares = shares(1, 1);
        for index in 0..100 {
            let address = ["127.0.0.1", "::1", "10.0.0.9"][index as usize % 3];
            assert!(shares.connect(index, Some(ip(address))), "{address}");
        }
        assert!(shares.entries.is_empty());
    }

    /// A stranger's own word for it counts nothing.
    #[test]
    fn whom_a_proxy_forwards_is_charged() {
        let mut shares = shares(2, 100);
        for index in 0..4 {
            assert!(shares.connect(index, Some(ip("10.0.0.9"))));
            let client = client(&shares, index, "6.6.6.6, 192.0.2.1");
            assert_eq!(shares.admits(client), index < 2, "{index}");
            if index < 2 {
                shares.open(index, index, client);
            }
        }
        let other = client(&shares, 2, "192.0.2.2");
        assert!(shares.admits(other));
        shares.close(0);
        let again = client(&shares, 3, "192.0.2.1");
        assert!(shares.admits(again), "a session that ended has made room");
        assert!(shares.connect(7, Some(ip("192.0.2.77"))));
        let liar = client(&shares, 7, "192.0.2.99");
        assert_eq!(liar.address, Address::of(Some(ip("192.0.2.77"))));
        shares.close(1);
        (0..8).for_each(|index| shares.disconnect(index));
        assert!(shares.entries.is_empty());
    }

    #[test]
    fn a_session_is_half_open_until_it_has_a_socket() {
        let mut shares = shares(100, 2);
        for index in 0..2 {
            assert!(shares.connect(index, Some(ip("192.0.2.1"))));
            shares.know(index);
            let client = client(&shares, index, "");
            assert!(shares.admits(client));
            shares.open(index, index, client);
        }
        let client = client(&shares, 0, "");
        assert!(!shares.admits(client));
        shares.settle(0);
        shares.settle(0);
        assert!(shares.admits(client));
        (0..2).for_each(|index| shares.close(index));
        (0..2).for_each(|index| shares.disconnect(index));
        assert!(shares.entries.is_empty());
    }
}
