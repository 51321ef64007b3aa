//! A share of a core's rooms for each client and address, by bytes.
//!
//! Not the rooms: what they cost, and which socket may join another. The first [`ROOMS_FREE`] rooms of a socket are its own, however full the core is;
//! they are bounded by the connections. What a socket joins beyond them comes out of its address's share, which is a quarter of all.

use hashbrown::HashMap;

use super::{Address, AddressShares};
use crate::account::{Account, Charge, Kind, Owner};
use crate::limits::{MEMBER_BYTES, ROOM_BYTES, ROOMS_BYTES_MAX, ROOMS_FREE};
use crate::sockets::JoinError;
use crate::{Hub, SocketKey};

/// What rooms cost, and which address each is charged to.
pub(crate) struct RoomShares {
    charge: Charge,
    bytes_max: usize,
    /// The address whose share a socket with more than its free rooms uses, and how many bytes of it.
    by_socket: HashMap<SocketKey, (Address, usize), ahash::RandomState>,
}

impl RoomShares {
    /// `budget_bytes` is what the core may hold of everything: rooms take a quarter of it at the most.
    pub(crate) fn new(account: &Account, budget_bytes: usize, hasher: &ahash::RandomState) -> Self {
        Self {
            charge: account.charge(Kind::Rooms, Owner::Core, 0),
            bytes_max: ROOMS_BYTES_MAX.min(budget_bytes / 4),
            by_socket: HashMap::with_hasher(hasher.clone()),
        }
    }
}

impl AddressShares {
    /// Whether a socket that is in so many rooms may join another, which costs so many bytes.
    fn admits_room(&self, address: Address, rooms: usize, bytes: usize) -> Result<(), JoinError> {
        if rooms < ROOMS_FREE {
            return Ok(());
        }
        if self.rooms.charge.bytes() + bytes > self.rooms.bytes_max {
            return Err(JoinError::TooManyRooms);
        }
        if address != Address::PROXY
            && self.entry(address).room_bytes + SHARE_BYTES > self.rooms.bytes_max / 4
        {
            return Err(JoinError::TooManyRoomsOfAddress);
        }
        Ok(())
    }

    /// The address that a socket's rooms are charged to. Once some are, it stays that address, whatever becomes of the session, so that they are given back to it.
    fn payer(&self, key: SocketKey, session: u32) -> Address {
        self.rooms.by_socket.get(&key).map_or_else(|| self.of_session(session), |&(address, _)| address)
    }

    fn join_room(&mut self, key: SocketKey, address: Address, rooms: usize, bytes: usize) {
        self.rooms.charge.add(bytes);
        if rooms >= ROOMS_FREE {
            let (address, used) = self.rooms.by_socket.entry(key).or_insert((address, 0));
            *used += SHARE_BYTES;
            self.entries.entry(*address).or_default().room_bytes += SHARE_BYTES;
        }
    }

    /// A socket is in a room less, and in so many still.
    pub(crate) fn leave_room(&mut self, key: SocketKey, rooms: usize, bytes: usize) {
        let charge = &mut self.rooms.charge;
        charge.set(charge.bytes() - bytes);
        let Some((address, used)) = self.rooms.by_socket.get_mut(&key) else { return };
        // Which of its rooms were free nobody remembers: the last of the others takes along what is left.
        let given = if rooms <= ROOMS_FREE { *used } else { SHARE_BYTES.min(*used) };
        *used -= given;
        let (address, is_over) = (*address, rooms <= ROOMS_FREE);
        if is_over {
            self.rooms.by_socket.remove(&key);
        }
        self.change(address, |entry| entry.room_bytes -= given);
    }
}

/// What each room beyond the free ones takes of its address's share, whichever socket made the room: the socket that leaves last gives it
/// back, and no record says which socket made it.
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
        let session = self.sockets.find(key).map_or(u32::MAX, |socket| socket.session.index);
        let address = self.address_shares.payer(key, session);
        self.address_shares.admits_room(address, rooms, bytes)?;
        self.address_shares.join_room(key, address, rooms, bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::Config;
    use crate::account::Budget;

    fn shares(bytes: usize) -> (Account, AddressShares) {
        let account = Account::default();
        let config = Config { budget: Budget { hard_bytes: bytes * 4 }, ..Config::default() };
        let shares = AddressShares::new(&account, &config, &ahash::RandomState::with_seeds(1, 2, 3, 4));
        (account, shares)
    }

    #[test]
    fn an_address_has_a_quarter_and_every_socket_its_free_rooms() {
        let (account, mut shares) = shares(40 * SHARE_BYTES);
        let (one, other) = (Address(1), Address(2));
        let key = SocketKey::new(1, 0);
        let mut rooms = ROOMS_FREE;
        while shares.admits_room(one, rooms, 100).is_ok() {
            shares.join_room(key, one, rooms, 100);
            rooms += 1;
        }
        assert_eq!(rooms, ROOMS_FREE + 10);
        assert_eq!(shares.admits_room(one, rooms, 100), Err(JoinError::TooManyRoomsOfAddress));
        assert_eq!(shares.admits_room(one, ROOMS_FREE - 1, 100), Ok(()));
        assert_eq!(shares.admits_room(other, rooms, 100), Ok(()));
        assert_eq!(
            shares.admits_room(Address::PROXY, rooms, 100),
            Ok(()),
            "a proxy that does not say for whom"
        );
        while rooms > 0 {
            rooms -= 1;
            shares.leave_room(key, rooms, if rooms >= ROOMS_FREE { 100 } else { 0 });
        }
        let left = (account.held_of(Kind::Rooms), shares.entries.len(), shares.rooms.by_socket.len());
        assert_eq!(left, (0, 0, 0));
    }

    #[test]
    fn a_share_is_given_back_where_it_was_taken() {
        let (_, mut shares) = shares(40 * SHARE_BYTES);
        let key = SocketKey::new(1, 0);
        shares.join_room(key, Address(1), ROOMS_FREE, 100);
        // Meanwhile its session is another's, or nobody's.
        shares.join_room(key, Address(2), ROOMS_FREE + 1, 100);
        assert_eq!(shares.payer(key, u32::MAX), Address(1));
        shares.leave_room(key, ROOMS_FREE + 1, 100);
        shares.leave_room(key, ROOMS_FREE, 100);
        assert_eq!((shares.entries.len(), shares.rooms.by_socket.len()), (0, 0));
    }

    #[test]
    fn a_full_core_leaves_everybody_the_free_rooms() {
        let (_, mut shares) = shares(1_000);
        for number in 0..10 {
            let address = Address(u64::from(number) + 1);
            shares.join_room(SocketKey::new(number, 0), address, ROOMS_FREE, 100);
        }
        assert_eq!(shares.admits_room(Address(77), ROOMS_FREE, 1), Err(JoinError::TooManyRooms));
        assert_eq!(shares.admits_room(Address(77), 0, 100), Ok(()));
    }
}
