//! One TCP connection: two queues of bytes and how each end feels about it.
//!
//! Not a network: nothing is reordered or lost. What can go wrong is what TCP lets through: bytes come late and in any pieces, the room for
//! more runs out, and an end comes at any moment.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use socketville_sys::{End, Token};

use crate::frames;
use crate::random::Random;

/// A connection's number in the world.
pub type WireId = usize;

/// What one end has done to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// It reads and writes.
    Open,
    /// It writes no more; what it wrote still arrives, then the end.
    Finished,
    /// It is gone in good order: as finished, and what is sent to it is for nobody.
    Closed,
    /// It is gone, and what was under way with it.
    Reset,
}

/// Whose a connection is on the server's side.
#[derive(Clone, Debug)]
pub enum Home {
    /// In a listener's backlog.
    Backlog,
    /// Part of a core's driver.
    Core(u16, Token),
    /// On its way to another core; the flag is set if it was dropped there.
    Crossing(Arc<AtomicBool>),
    /// Closed by the server.
    Gone,
}

/// What a receive finds.
#[derive(PartialEq, Eq, Debug)]
pub enum Arrival {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// The client has finished.
    End,
    /// The client has reset the connection.
    Broken,
}

/// One connection.
#[derive(Debug)]
pub struct Wire {
    /// Written by the client, not received yet.
    pub to_server: VecDeque<u8>,
    /// Taken by the kernel, not read by the client yet.
    pub to_client: VecDeque<u8>,
    /// What the client did.
    pub client: Side,
    /// Where the server has it.
    pub home: Home,
    /// When the kernel took bytes for the client last.
    pub taken_ms: u64,
    /// Bytes that fit between the ends towards the client.
    pub room_bytes: usize,
    /// Bytes of the client that nobody had received when the server closed.
    pub unread_bytes: usize,
    /// Whether the server has ended its direction: what it sent is still read, then the end, and what the client writes is still received.
    pub is_half_closed: bool,
    /// Whether a reset took a close frame along that the client should have read.
    pub has_lost_close: bool,
    /// Whether a driver refused to adopt it, or no listener accepted it: its bytes are lost.
    pub was_refused: bool,
    /// Whether nobody is at the client's end any more, without a word.
    pub is_forsaken: bool,
    /// Reported readable, and not received from since.
    pub is_reported: bool,
    /// The end that was reported with it.
    pub told_end: Option<End>,
    /// Writability is to be reported.
    pub is_watched: bool,
    /// The server knows of the end.
    pub end_was_given: bool,
}

/// Largest piece that one receive gives; the real drivers give 16 KiB.
const PIECE_BYTES_MAX: usize = 16 * 1024;

impl Wire {
    /// A connection in a backlog.
    pub const fn new(room_bytes: usize) -> Self {
        Self {
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            client: Side::Open,
            home: Home::Backlog,
            taken_ms: 0,
            room_bytes,
            unread_bytes: 0,
            is_half_closed: false,
            has_lost_close: false,
            was_refused: false,
            is_forsaken: false,
            is_reported: false,
            told_end: None,
            is_watched: false,
            end_was_given: false,
        }
    }

    /// Whether a receive would find anything.
    pub fn has_arrivals(&self) -> bool {
        !self.to_server.is_empty() || (self.client != Side::Open && !self.end_was_given)
    }

    /// Whether neither end has it any more.
    pub const fn is_over(&self) -> bool {
        matches!((&self.home, self.client), (Home::Gone, Side::Closed | Side::Reset))
    }

    /// Whether no byte and no end is under way to a client that would do something with it.
    pub fn is_quiet(&self) -> bool {
        match self.home {
            Home::Backlog | Home::Crossing(_) => false,
            // A client that has seen the end has ended its side, too.
            Home::Gone => matches!(self.client, Side::Closed | Side::Reset) || self.is_forsaken,
            // And one that has seen ours: its own end is on its way.
            Home::Core(..) if self.is_half_closed && self.client == Side::Open => self.is_forsaken,
            Home::Core(..) => {
                !self.has_arrivals() && (self.is_forsaken || (self.to_client.is_empty() && !self.is_watched))
            }
        }
    }

    /// How the client has ended.
    pub const fn end(&self) -> Option<End> {
        match self.client {
            Side::Open => None,
            Side::Finished | Side::Closed => Some(End::Finished),
            Side::Reset => Some(End::Broken),
        }
    }

    /// The server closes: what was not received is lost, what was sent is still read.
    pub fn close(&mut self) {
        self.home = Home::Gone;
        self.unread_bytes = self.to_server.len();
        self.to_server.clear();
    }

    /// The client writes to a server that has closed: the answer is a reset, which destroys what it has not read yet. A server that had
    /// ended its direction first, and heard its peer out for as long as it does, has done what it can.
    pub fn write_in_vain(&mut self, bytes: &[u8]) {
        self.unread_bytes += bytes.len();
        let lost = self.to_client.make_contiguous();
        self.has_lost_close |= !self.is_half_closed && frames::ends_with_close(lost);
        self.to_client.clear();
    }

    /// Whether the client, once it has read what there is, sees the end.
    pub const fn has_end(&self) -> bool {
        self.is_half_closed || matches!(self.home, Home::Gone)
    }

    /// Bytes that the kernel can take now.
    pub fn room(&self) -> usize {
        match self.client {
            Side::Open | Side::Finished => self.room_bytes.saturating_sub(self.to_client.len()),
            Side::Closed | Side::Reset => usize::MAX,
        }
    }

    /// One receive: any piece of what there is, sometimes later.
    pub fn receive(&mut self, random: &mut Random) -> Arrival {
        if !self.to_server.is_empty() {
            if random.percent(3) {
                return Arrival::Nothing;
            }
            let all = self.to_server.len().min(PIECE_BYTES_MAX);
            let count = match random.below(10) {
                0 => 1,
                1..=3 => random.between(1, all),
                _ => all,
            };
            return Arrival::Bytes(take_front(&mut self.to_server, count));
        }
        match self.client {
            Side::Open => Arrival::Nothing,
            Side::Finished | Side::Closed => {
                self.end_was_given = true;
                Arrival::End
            }
            Side::Reset => {
                self.end_was_given = true;
                Arrival::Broken
            }
        }
    }

    /// One send: how many bytes the kernel took, or `None` if the connection is broken.
    pub fn send(&mut self, random: &mut Random, bytes: &[u8]) -> Option<usize> {
        assert!(!self.is_half_closed, "a send after our end");
        match self.client {
            Side::Reset => return None,
            Side::Closed if random.percent(50) => return None,
            Side::Closed => return Some(bytes.len()),
            Side::Open | Side::Finished => {}
        }
        let room = self.room().min(bytes.len());
        let count = match random.below(20) {
            0 => 0,
            1..=3 => random.below(room + 1),
            _ => room,
        };
        self.to_client.extend(&bytes[..count]);
        Some(count)
    }
}

/// The first bytes of a queue, out of it.
pub(crate) fn take_front(queue: &mut VecDeque<u8>, count: usize) -> Vec<u8> {
    let (first, second) = queue.as_slices();
    let split = count.min(first.len());
    let bytes = [&first[..split], &second[..count - split]].concat();
    queue.drain(..count);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_arrive_in_pieces_and_in_order_and_then_the_end() {
        let (mut random, mut wire) = (Random::new(1), Wire::new(100));
        wire.to_server.extend(0..200);
        wire.client = Side::Finished;
        let (mut received, mut pieces) = (Vec::new(), 0);
        loop {
            match wire.receive(&mut random) {
                Arrival::Bytes(bytes) => (received.extend(bytes), pieces += 1).0,
                Arrival::Nothing => {}
                Arrival::End => break,
                Arrival::Broken => panic!("nobody reset it"),
            }
        }
        assert_eq!(received, (0..200).collect::<Vec<u8>>());
        assert!(pieces > 0 && !wire.has_arrivals());
    }

    #[test]
    fn a_send_never_takes_more_than_there_is_room_for() {
        let (mut random, mut wire) = (Random::new(2), Wire::new(10));
        let mut counts = Vec::new();
        for _ in 0..200 {
            counts.push(wire.send(&mut random, b"abcd").expect("the client is there"));
            assert!(wire.to_client.len() <= 10);
            wire.to_client.truncate(wire.to_client.len() / 2);
        }
        assert!((0..=4).all(|count| counts.contains(&count)), "whole, in part and not at all");
        wire.client = Side::Reset;
        assert_eq!(wire.send(&mut random, b"a"), None);
    }

    /// The bug that the seeds 7 and 26 found: the client had not read the close frame when its next bytes met a closed connection.
    #[test]
    fn bytes_for_a_server_that_has_closed_destroy_what_was_not_read() {
        let closed = |sent: &[u8], half_closes: bool| {
            let mut wire = Wire::new(100);
            wire.to_client.extend(sent);
            wire.is_half_closed = half_closes;
            wire.close();
            wire.write_in_vain(b"more");
            (wire.to_client.len(), wire.has_lost_close)
        };
        assert_eq!(closed(b"\x81\x01a\x88\x02\x03\xea", false), (0, true), "with a code");
        assert_eq!(closed(b"\x88\x00", false), (0, true), "without one");
        assert_eq!(
            closed(b"\x81\x02ab", false),
            (0, false),
            "a connection that was cut: nothing was promised"
        );
        assert_eq!(closed(b"\x88\x00", true), (0, false), "its time is over");
    }
}
