//! A share of a core's rooms for each client and address, by bytes.
//!
//! Not the rooms: what they cost, and who may make another. The first [`ROOMS_FREE`] rooms of a socket are its own, whoever else fills the core;
//! they are bounded by the connections. What a socket joins beyond them comes out of its address's share, which is a quarter of all.

use std::net::{IpAddr, Ipv4Addr};

use hashbrown::HashMap;

use crate::account::{Account, Charge, Kind};
use crate::limits::{MEMBER_BYTES, ROOM_BYTES, ROOMS_BYTES_MAX, ROOMS_FREE};
use crate::sockets::JoinError;
use crate::{Hub, SocketKey};

/// What rooms cost, and whom.
pub(crate) struct RoomShares {
    charge: Charge,
    bytes_max: usize,
    /// Bytes beyond the free rooms, by address.
    by_address: HashMap<Address, usize, ahash::RandomState>,
    /// Whose share the sockets with more than free rooms use, and how many bytes of it.
    by_socket: HashMap<SocketKey, (Address, usize), ahash::RandomState>,
}

/// Who counts as one: an address of version 4, or a network of version 6, which is one customer's. All that are not known are one, too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Address(u64);

impl Address {
    fn of(address: Option<IpAddr>) -> Self {
        match address {
            None => Self(0),
            Some(IpAddr::V4(four)) => Self::of_v4(four),
            Some(IpAddr::V6(six)) => match six.to_ipv4_mapped() {
                Some(four) => Self::of_v4(four),
                None => Self((six.to_bits() >> 64) as u64),
            },
        }
    }

    /// No network of version 6 begins with zeros but for reserved ones.
    fn of_v4(address: Ipv4Addr) -> Self {
        Self(u64::from(address.to_bits()) | 1 << 32)
    }
}

impl RoomShares {
    /// `budget_bytes` is what the core may hold of everything: rooms take a quarter of it at the most.
    pub(crate) fn new(account: &Account, budget_bytes: usize, hasher: &ahash::RandomState) -> Self {
        Self {
            charge: account.charge(Kind::Rooms, 0),
            bytes_max: ROOMS_BYTES_MAX.min(budget_bytes / 4),
            by_address: HashMap::with_hasher(hasher.clone()),
            by_socket: HashMap::with_hasher(hasher.clone()),
        }
    }

    /// Whether a socket that is in so many rooms may join another, which costs so many bytes.
    fn admits(&self, address: Address, rooms: usize, bytes: usize) -> Result<(), JoinError> {
        if rooms < ROOMS_FREE {
            return Ok(());
        }
        if self.charge.bytes() + bytes > self.bytes_max {
            return Err(JoinError::TooManyRooms);
        }
        let of_address = self.by_address.get(&address).copied().unwrap_or_default();
        if of_address + SHARE_BYTES > self.bytes_max / 4 {
            return Err(JoinError::TooManyRoomsOfAddress);
        }
        Ok(())
    }

    fn join(&mut self, key: SocketKey, address: Address, rooms: usize, bytes: usize) {
        self.charge.add(bytes);
        if rooms >= ROOMS_FREE {
            *self.by_address.entry(address).or_default() += SHARE_BYTES;
            self.by_socket.entry(key).or_insert((address, 0)).1 += SHARE_BYTES;
        }
    }

    /// A socket is in a room less, and in so many still.
    pub(crate) fn leave(&mut self, key: SocketKey, rooms: usize, bytes: usize) {
        self.charge.set(self.charge.bytes().saturating_sub(bytes));
        let Some((address, used)) = self.by_socket.get_mut(&key) else { return };
        // Which of its rooms were free nobody remembers: the last of the others takes along what is left.
        let given = if rooms <= ROOMS_FREE { *used } else { SHARE_BYTES.min(*used) };
        *used -= given;
        let (address, is_over) = (*address, rooms <= ROOMS_FREE);
        if is_over {
            self.by_socket.remove(&key);
        }
        if let Some(of_address) = self.by_address.get_mut(&address) {
            *of_address = of_address.saturating_sub(given);
            if *of_address == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

/// What each room beyond the free ones takes of its address's share, whoever made the room: it has to be given back by whoever leaves, and
/// nobody remembers who made a room.
const SHARE_BYTES: usize = ROOM_BYTES + MEMBER_BYTES;

/// Bytes of a room with a name of so many.
pub(crate) const fn room_bytes(name_bytes: usize) -> usize {
    ROOM_BYTES + 2 * name_bytes
}

impl Hub {
    /// Whether a socket may join a room; `new_name_bytes` is of one that does not exist yet. Then it has.
    pub(crate) fn take_room(
        &mut self,
        key: SocketKey,
        rooms: usize,
        new_name_bytes: Option<usize>,
    ) -> Result<(), JoinError> {
        let bytes = MEMBER_BYTES + new_name_bytes.map_or(0, room_bytes);
        let address = if rooms < ROOMS_FREE { Address(0) } else { self.address_of_socket(key) };
        self.room_shares.admits(address, rooms, bytes)?;
        self.room_shares.join(key, address, rooms, bytes);
        Ok(())
    }

    fn address_of_socket(&self, key: SocketKey) -> Address {
        let session = self.sockets.find(key).and_then(|socket| self.sessions.find(socket.session));
        Address::of(session.and_then(|session| session.opening.as_ref()?.address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(bytes: usize) -> (Account, RoomShares) {
        let account = Account::default();
        let shares = RoomShares::new(&account, bytes * 4, &ahash::RandomState::with_seeds(1, 2, 3, 4));
        (account, shares)
    }

    #[test]
    fn networks_of_version_6_are_one_and_mapped_addresses_are_those_of_version_4() {
        let of = |text: &str| Address::of(Some(text.parse().expect("an address")));
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::4"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_ne!(of("0.0.0.0"), Address::of(None));
    }

    #[test]
    fn an_address_has_a_quarter_and_every_socket_its_free_rooms() {
        let (account, mut shares) = shares(40 * SHARE_BYTES);
        let (one, other) = (Address(1), Address(2));
        let key = SocketKey::new(1, 0);
        let mut rooms = ROOMS_FREE;
        while shares.admits(one, rooms, 100).is_ok() {
            shares.join(key, one, rooms, 100);
            rooms += 1;
        }
        assert_eq!(rooms, ROOMS_FREE + 10);
        assert_eq!(shares.admits(one, rooms, 100), Err(JoinError::TooManyRoomsOfAddress));
        assert_eq!(shares.admits(one, ROOMS_FREE - 1, 100), Ok(()));
        assert_eq!(shares.admits(other, rooms, 100), Ok(()));
        while rooms > 0 {
            rooms -= 1;
            shares.leave(key, rooms, if rooms >= ROOMS_FREE { 100 } else { 0 });
        }
        assert_eq!(
            (account.held_of(Kind::Rooms), shares.by_address.len(), shares.by_socket.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn a_full_core_leaves_everybody_the_free_rooms() {
        let (_, mut shares) = shares(1_000);
        for number in 0..10 {
            shares.join(SocketKey::new(number, 0), Address(u64::from(number)), ROOMS_FREE, 100);
        }
        assert_eq!(shares.admits(Address(77), ROOMS_FREE, 1), Err(JoinError::TooManyRooms));
        assert_eq!(shares.admits(Address(77), 0, 100), Ok(()));
    }
}
