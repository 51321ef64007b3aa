//! What is emitted to a client that is not let in yet: it follows the answer to its CONNECT, as clients of the reference hear it then.
//!
//! Not a backlog: nothing is encoded before the client is in, so that an event has its place in the history, and its client's form, at that
//! moment. A client that is turned down, or leaves, has heard nothing of it.

use hashbrown::HashMap;
use socketville_proto::encode;

use crate::account::{Charge, Kind};
use crate::delivery::Manner;
use crate::limits::EARLY_BYTES_MAX;
use crate::{Hub, SocketKey};

/// What became of a packet to one socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// It is due, or follows the answer to CONNECT.
    Due,
    /// The socket has left.
    Gone,
    /// The transport is busy, and the packet volatile.
    Busy,
    /// Its client is not in yet, and [`EARLY_BYTES_MAX`] were emitted to it already.
    TooEarly,
}

impl Sent {
    /// Whether its client will get it, if it stays.
    pub fn is_due(self) -> bool {
        self == Self::Due
    }
}

/// Packets that wait for their sockets, by slot; few sockets have any.
pub(crate) struct Early(HashMap<u32, Waiting, ahash::RandomState>);

struct Waiting {
    packets: Vec<Packet>,
    charge: Charge,
}

struct Packet {
    kind: encode::Kind,
    id: Option<u64>,
    payload: Vec<u8>,
    attachments: Vec<Vec<u8>>,
    manner: Manner,
}

impl Packet {
    fn bytes(&self) -> usize {
        packet_bytes(&self.payload, &self.attachments)
    }
}

/// What a packet costs.
fn packet_bytes(payload: &[u8], attachments: &[Vec<u8>]) -> usize {
    payload.len() + attachments.iter().map(Vec::len).sum::<usize>() + size_of::<Packet>()
}

impl Early {
    pub(crate) fn new(hasher: ahash::RandomState) -> Self {
        Self(HashMap::with_hasher(hasher))
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.0.values().flat_map(|waiting| &waiting.packets).map(Packet::bytes).sum()
    }
}

impl Hub {
    /// Keeps a packet for a socket that waits; of one that does not, nothing is kept.
    #[cold]
    #[inline(never)]
    pub(crate) fn send_early(
        &mut self,
        key: SocketKey,
        kind: encode::Kind,
        id: Option<u64>,
        payload: &[u8],
        attachments: &[Vec<u8>],
        manner: Manner,
    ) -> Sent {
        if !self.is_held_waiting(key) {
            return Sent::Gone;
        }
        let owner = self.owner_of_socket(key);
        let new = || Waiting { packets: Vec::new(), charge: self.account.charge(Kind::Early, owner, 0) };
        let waiting = self.early.0.entry(key.index).or_insert_with(new);
        let bytes = packet_bytes(payload, attachments);
        if waiting.charge.bytes() + bytes > EARLY_BYTES_MAX {
            return Sent::TooEarly;
        }
        waiting.charge.add(bytes);
        // No transport is busy with it yet, so a volatile packet is one like others.
        let manner = Manner { volatile: false, ..manner };
        let (payload, attachments) = (payload.to_vec(), attachments.to_vec());
        waiting.packets.push(Packet { kind, id, payload, attachments, manner });
        Sent::Due
    }

    /// The socket is in: what waited for that is due now.
    pub(crate) fn send_waiting(&mut self, key: SocketKey) {
        let Some(waiting) = self.early.0.remove(&key.index) else { return };
        for Packet { kind, id, payload, attachments, manner } in waiting.packets {
            self.send(key, kind, id, &payload, &attachments, manner);
        }
    }

    /// The socket is not there any more.
    pub(crate) fn forget_waiting(&mut self, key: SocketKey) {
        if !self.early.0.is_empty() {
            self.early.0.remove(&key.index);
        }
    }

    /// Bytes of packets to sockets that are not in yet.
    pub fn early_bytes(&self) -> usize {
        self.early.bytes()
    }
}
