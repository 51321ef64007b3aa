//! Ids of the events that want an answer: one range for a socket's own, one for those of broadcasts.
//!
//! Not the answers, which are kept by their ids elsewhere. Clients in Rust, Java and C++ read an id as a signed number of 32 bits and take a packet
//! with a larger one for broken, so all ids stay below 2^31. Each range begins anew at its end; an id that is still owed is not given again.
//!
//! ```text
//! 0 .. 2^30       a socket's own: counted by each socket
//! 2^30 .. 2^31    broadcasts: counted by the server, the same for all recipients
//! ```

/// Where the ids of broadcasts begin; also how many ids each range has.
const BROADCASTS: u64 = 1 << 30;

const _: () = assert!(2 * BROADCASTS <= 1 << 31, "every id is a signed number of 32 bits");

/// The id of a socket's question with this number.
pub(crate) const fn own(number: u64) -> u64 {
    number % BROADCASTS
}

/// The id of a broadcast's question with this number.
pub(crate) const fn of_broadcast(number: u64) -> u64 {
    BROADCASTS + number % BROADCASTS
}

/// Whether an id is of a broadcast. Clients answer with what they like: no other number is.
pub(crate) const fn is_of_broadcast(id: u64) -> bool {
    id / BROADCASTS == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fit_31_bits_and_say_whose_they_are() {
        for number in [0, 1, BROADCASTS - 1, BROADCASTS, (1 << 52) + 5, u64::MAX] {
            assert!(own(number) < 1 << 31 && of_broadcast(number) < 1 << 31, "{number}");
            assert!(!is_of_broadcast(own(number)) && is_of_broadcast(of_broadcast(number)), "{number}");
        }
        assert!(!is_of_broadcast(1 << 31) && !is_of_broadcast(1 << 52));
    }
}
