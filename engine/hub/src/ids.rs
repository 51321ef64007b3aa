//! Ids of sessions and sockets: 20 URL-safe characters that name their core and cannot be guessed.
//!
//! Not a registry: who has which id is the tables' business. The first character is the core (so that any core can
//! tell whose a request is), the other 19 are 114 random bits from a ChaCha20 stream with the core's seed.

use std::fmt;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::limits::{CORES_MAX, ID_LETTERS_MAX};

/// Characters of an id. The reference's ids have the same length.
pub const ID_LEN: usize = 20;

pub(crate) const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An Engine.IO or Socket.IO id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id([u8; ID_LEN]);

impl Id {
    /// Reads an id as a peer sent it; `None` if it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; ID_LEN] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(|byte| is_letter(*byte)).then_some(Self(bytes))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The core that made it, 0 to 63.
    pub fn core(&self) -> u16 {
        ALPHABET.iter().position(|&b| b == self.0[0]).unwrap_or_default() as u16
    }
}

/// Whether a byte is of [`ALPHABET`]. Not by looking through it: each poll brings an id, and twenty walks over 64 letters
/// were 4 % of what a delivery to a polling client costs.
const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One core's source of ids.
pub(crate) struct Ids {
    core: u8,
    rng: ChaCha20Rng,
}

impl Ids {
    /// `seed` decides all ids to come: from the operating system in production, from a number in a simulation.
    pub(crate) fn new(core: u16, seed: [u8; 32]) -> Self {
        assert!(core < CORES_MAX, "core {core} is over the limit of {CORES_MAX}");
        Self { core: ALPHABET[usize::from(core)], rng: ChaCha20Rng::from_seed(seed) }
    }

    pub(crate) fn next(&mut self) -> Id {
        let mut bytes = [0; ID_LEN];
        self.rng.fill_bytes(&mut bytes);
        for byte in &mut bytes {
            *byte = ALPHABET[usize::from(*byte & 63)];
        }
        bytes[0] = self.core;
        Id(bytes)
    }

    /// An id that begins, after its core, with letters of the application's own, and goes on at random; `None` if they are none, too many, or
    /// others than an id's.
    pub(crate) fn named(&mut self, letters: &str) -> Option<Id> {
        let is_fit = (1..=ID_LETTERS_MAX).contains(&letters.len());
        let mut id = self.next();
        id.0[1..].iter_mut().zip(letters.bytes()).for_each(|(own, letter)| *own = letter);
        (is_fit && letters.bytes().all(is_letter)).then_some(id)
    }

    /// A number for hash keys and spreading of timers.
    pub(crate) fn number(&mut self) -> u64 {
        self.rng.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_core_and_survives_text() {
        let mut ids = Ids::new(63, [7; 32]);
        let id = ids.next();
        assert_eq!(id.core(), 63);
        assert_eq!(Id::parse(id.as_str()), Some(id));
        assert_ne!(ids.next(), id);
    }

    #[test]
    fn letters_are_those_of_the_alphabet() {
        for byte in 0..=u8::MAX {
            assert_eq!(is_letter(byte), ALPHABET.contains(&byte), "{byte}");
        }
    }

    /// The reference's `generateId`, as far as an id that names its core can be chosen.
    #[test]
    fn an_id_may_begin_with_letters_of_ones_own() {
        let mut ids = Ids::new(2, [7; 32]);
        let whole = ids.named("abcdefghij-_0123456").expect("19 letters");
        assert_eq!(whole.as_str(), "Cabcdefghij-_0123456");
        let (one, other) = (ids.named("node7-").expect("few"), ids.named("node7-").expect("few"));
        assert!(one.as_str().starts_with("Cnode7-") && one != other && one.core() == 2);
        for refused in ["", "abcdefghij-_01234567", "a b", "a.b", "caf\u{e9}", "\u{0}"] {
            assert_eq!(ids.named(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn names_of_the_runtime_are_no_ids() {
        for text in [
            "",
            "__proto__",
            "constructor",
            "AAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAA\u{e9}",
            "AAAAAAAAAAAAAAAAAAA =",
        ] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }

    #[test]
    fn one_seed_gives_the_same_ids() {
        let (mut a, mut b) = (Ids::new(0, [1; 32]), Ids::new(0, [1; 32]));
        assert!((0..100).all(|_| a.next() == b.next()));
    }
}
