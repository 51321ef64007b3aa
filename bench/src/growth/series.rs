//! Who is in which rooms, and who hears which message: known to the one who publishes and to those who check,
//! without a word between them. It sends nothing.
//!
//! Clients form groups of one size; the clients of a group are in the same rooms, and no room has members of two
//! groups. So the messages of a group are one numbered series at each of its clients, whichever room they went to.

use std::fmt;
use std::str::FromStr;

use anyhow::{Error, Result, bail, ensure};

/// Groups and their rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub struct Rooms {
    /// Groups of clients that share their rooms
    #[arg(long, default_value_t = 1)]
    pub groups: usize,
    /// Rooms of each client
    #[arg(long, default_value_t = 0)]
    pub rooms_each: usize,
}

impl Rooms {
    /// Nobody is in a room.
    pub const NONE: Rooms = Rooms { groups: 1, rooms_each: 0 };

    /// So many rooms for so many clients: each client in one, or, if there are more rooms than clients, each in
    /// as many as make up the number.
    ///
    /// # Errors
    /// When the numbers do not divide.
    pub fn spread(rooms: usize, clients: usize) -> Result<Rooms> {
        let groups = rooms.min(clients);
        ensure!(groups > 0, "no rooms, or no clients");
        ensure!(clients.is_multiple_of(groups), "{clients} clients in {rooms} rooms");
        ensure!(rooms.is_multiple_of(groups), "{rooms} rooms for {clients} clients");
        Ok(Rooms { groups, rooms_each: rooms / groups })
    }

    /// All rooms there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.groups * self.rooms_each
    }

    /// Clients of a group.
    #[must_use]
    pub fn members(self, clients: usize) -> usize {
        clients / self.groups.max(1)
    }

    /// The rooms of this client, by number.
    pub fn of(self, client: usize, clients: usize) -> std::ops::Range<usize> {
        let group = client / self.members(clients).max(1);
        group * self.rooms_each..(group + 1) * self.rooms_each
    }

    /// The group whose clients hear message `index`; `None` is all of them.
    #[must_use]
    pub fn hearers(self, reach: Reach, index: usize) -> Option<usize> {
        match reach {
            Reach::All => None,
            Reach::Room | Reach::Union => Some(index % self.groups.max(1)),
            Reach::Same => Some(0),
        }
    }

    /// Deliveries of `count` messages.
    #[must_use]
    pub fn deliveries(self, reach: Reach, count: usize, clients: usize) -> u64 {
        let audience = if reach == Reach::All { clients } else { self.members(clients) };
        (count * audience) as u64
    }

    /// How many of `count` messages each group hears.
    #[must_use]
    pub fn heard(self, reach: Reach, count: usize) -> Vec<u32> {
        let mut heard = vec![0; self.groups];
        for index in 0..count {
            match self.hearers(reach, index) {
                None => heard.iter_mut().for_each(|heard| *heard += 1),
                Some(group) => heard.iter_mut().skip(group).take(1).for_each(|heard| *heard += 1),
            }
        }
        heard
    }

    /// The room of message `index`, where rooms take turns: the next message is another group's, so that no two for
    /// one client lie side by side and leave in one send.
    #[must_use]
    pub fn room(self, index: usize) -> usize {
        let (groups, each) = (self.groups.max(1), self.rooms_each.max(1));
        index % groups * each + index / groups % each
    }

    /// What `pub` is asked for message `index`, up to its payload.
    #[must_use]
    pub fn address(self, reach: Reach, index: usize) -> String {
        match reach {
            Reach::All => String::new(),
            Reach::Room => format!(r#""room":"r{}","#, self.room(index)),
            Reach::Same => r#""room":"r0","#.to_owned(),
            Reach::Union => {
                let first = index % self.groups * self.rooms_each;
                let names: Vec<String> =
                    (first..first + self.rooms_each).map(|room| format!("\"r{room}\"")).collect();
                format!(r#""rooms":[{}],"#, names.join(","))
            }
        }
    }
}

/// Whom a message is addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every client.
    All,
    /// One room; rooms take turns.
    Room,
    /// The first room, again and again.
    Same,
    /// All rooms of a group; groups take turns.
    Union,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reach::All => "all",
            Reach::Room => "room",
            Reach::Same => "same",
            Reach::Union => "union",
        })
    }
}

impl FromStr for Reach {
    type Err = Error;

    fn from_str(word: &str) -> Result<Reach> {
        Ok(match word {
            "all" => Reach::All,
            "room" => Reach::Room,
            "same" => Reach::Same,
            "union" => Reach::Union,
            _ => bail!("{word} is no reach"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_rooms_than_clients_are_several_for_each() {
        let few = Rooms::spread(10, 1000).expect("divides");
        assert_eq!((few.groups, few.rooms_each, few.members(1000)), (10, 1, 100));
        let many = Rooms::spread(5000, 1000).expect("divides");
        assert_eq!((many.groups, many.rooms_each, many.members(1000)), (1000, 5, 1));
        assert_eq!(many.of(7, 1000), 35..40);
        assert!(Rooms::spread(3, 1000).is_err() && Rooms::spread(0, 10).is_err());
    }

    /// What a group hears, by the rule, is what its members hear, by their rooms.
    #[test]
    fn a_message_is_heard_by_who_is_in_its_room() {
        let (rooms, clients) = (Rooms { groups: 3, rooms_each: 2 }, 12);
        for index in 0..20 {
            let group = rooms.hearers(Reach::Room, index).expect("one group");
            let room = rooms.room(index);
            let there: Vec<usize> = (0..clients).filter(|c| rooms.of(*c, clients).contains(&room)).collect();
            assert_eq!(there, (group * 4..group * 4 + 4).collect::<Vec<_>>());
        }
        assert_eq!(rooms.heard(Reach::Room, 7), [3, 2, 2]);
        assert_eq!(rooms.heard(Reach::All, 7), [7, 7, 7]);
        assert_eq!(rooms.heard(Reach::Same, 7), [7, 0, 0]);
        assert_eq!(rooms.deliveries(Reach::Room, 7, clients), 28);
    }

    #[test]
    fn rooms_take_turns_and_all_of_them_do() {
        let rooms = Rooms { groups: 3, rooms_each: 2 };
        let order: Vec<usize> = (0..6).map(|index| rooms.room(index)).collect();
        assert_eq!(order, [0, 2, 4, 1, 3, 5]);
    }

    #[test]
    fn the_union_names_all_rooms_of_its_group() {
        let rooms = Rooms { groups: 2, rooms_each: 2 };
        assert_eq!(rooms.address(Reach::Union, 1), r#""rooms":["r2","r3"],"#);
        assert_eq!(rooms.address(Reach::Room, 5), r#""room":"r2","#);
        assert_eq!(rooms.address(Reach::Same, 5), r#""room":"r0","#);
        assert_eq!(rooms.address(Reach::All, 5), "");
    }
}
