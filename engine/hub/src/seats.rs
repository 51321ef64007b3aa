//! The sockets of a session: one for nearly every client, so one costs no more than its key.
//!
//! Not the sockets themselves, and in the order in which they came.

use crate::SocketKey;

/// Keys of a session's sockets.
#[derive(Default)]
pub(crate) enum Seats {
    #[default]
    None,
    One(SocketKey),
    #[expect(
        clippy::box_collection,
        reason = "a second namespace is rare; the box is a third of a vector's size"
    )]
    More(Box<Vec<SocketKey>>),
}

const _: () = assert!(size_of::<Seats>() <= 16);

impl Seats {
    pub(crate) fn push(&mut self, key: SocketKey) {
        match self {
            Self::None => *self = Self::One(key),
            Self::One(first) => *self = Self::More(Box::new(vec![*first, key])),
            Self::More(all) => all.push(key),
        }
    }

    /// Takes a key out; nothing if it is not in.
    pub(crate) fn remove(&mut self, key: SocketKey) {
        match self {
            Self::One(only) if *only == key => *self = Self::None,
            Self::More(all) => all.retain(|&other| other != key),
            Self::One(_) | Self::None => {}
        }
    }

    pub(crate) fn all(&self) -> &[SocketKey] {
        match self {
            Self::None => &[],
            Self::One(only) => std::slice::from_ref(only),
            Self::More(all) => all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_and_go_in_their_order() {
        let key = |index| SocketKey::new(index, 0);
        let mut seats = Seats::default();
        for index in 1..=4 {
            seats.push(key(index));
        }
        seats.remove(key(2));
        seats.remove(key(9));
        assert_eq!(seats.all(), [key(1), key(3), key(4)]);
        for index in [1, 3, 4] {
            seats.remove(key(index));
        }
        assert_eq!(seats.all(), []);
        seats.push(key(5));
        assert_eq!(seats.all(), [key(5)]);
        let mut one = Seats::default();
        one.push(key(1));
        one.remove(key(2));
        assert_eq!(one.all(), [key(1)]);
        one.remove(key(1));
        assert_eq!(one.all(), []);
    }
}
