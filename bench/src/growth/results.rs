//! What is kept of a growth run, as JSON. Tables, sums and picture are made from it and from nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// One run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct Growth {
    /// The day it was made.
    pub date: String,
    /// The command that makes it again.
    pub command: String,
    /// The machine, in words.
    pub machine: BTreeMap<String, String>,
    /// The commit and what it was built with.
    pub versions: BTreeMap<String, String>,
    /// Sweep 1: clients.
    pub clients: Vec<ClientsPoint>,
    /// What silence costs.
    pub heartbeat: Heartbeat,
    /// Sweep 2: rooms.
    pub rooms: Vec<RoomsPoint>,
    /// Sweep 3: rooms of a client.
    pub memberships: Vec<MembershipsPoint>,
}

/// So many clients of one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct ClientsPoint {
    /// `ours` or `floor-ring`.
    pub name: String,
    /// Clients in all.
    pub clients: usize,
    /// Rings that hold them, and generators.
    pub rings: usize,
    /// The paced broadcast to all.
    pub load: Load,
    /// CPU of the server for a connect, upgrade and CONNECT, us.
    pub connect_us: f64,
    /// Resident memory of the server per client, bytes.
    pub user_bytes: f64,
    /// Slabs at the server's end per client, bytes; of few clients too rough to be known.
    pub kernel_bytes: Option<f64>,
    /// Descriptors open in the server.
    pub descriptors: usize,
    /// Age of a message at the clients of the process that published, us.
    pub p50_us: Option<f64>,
    /// 99 of 100 were not older.
    pub p99_us: Option<f64>,
}

/// A paced load and what it cost.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct Load {
    /// `valid`, `void` (the generators were the bottleneck) or `failed`.
    pub verdict: String,
    /// Messages of the measured part.
    pub messages: usize,
    /// What came of them.
    pub deliveries: u64,
    /// Deliveries a second.
    pub rate: f64,
    /// CPU of the server per delivery, us.
    pub cpu_us: f64,
    /// Share of the time that the server was on a CPU.
    pub server_busy: f64,
    /// The same of the generators.
    pub swarm_busy: f64,
    /// What was wrong, in words.
    pub faults: String,
}

/// Clients that only answer pings.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct Heartbeat {
    /// How many.
    pub clients: usize,
    /// Between two pings of one, ms.
    pub interval_ms: u64,
    /// CPU of the server for a ping and its pong, us.
    pub cpu_us: f64,
}

/// So many rooms for the same clients.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct RoomsPoint {
    /// Rooms in all.
    pub rooms: usize,
    /// Clients in all.
    pub clients: usize,
    /// Clients of a room.
    pub members: usize,
    /// Rooms of a client.
    pub rooms_each: usize,
    /// One room after another.
    pub load: Load,
    /// The first room again and again, at the same rate: the same work on sockets that were in use a moment ago.
    #[serde(default)]
    pub same: Option<Load>,
    /// CPU of the server for a message, us.
    pub message_us: f64,
    /// CPU of the server for a join and its acknowledgement, us.
    pub join_us: f64,
    /// Resident memory per room, with its memberships, bytes.
    pub room_bytes: f64,
    /// Resident memory per membership, with its share of the room, bytes.
    pub membership_bytes: f64,
}

/// Clients that are all in the same rooms.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct MembershipsPoint {
    /// Rooms of each client.
    pub rooms_each: usize,
    /// Clients in all, and of each room.
    pub clients: usize,
    /// Broadcast to all.
    pub all: Load,
    /// Broadcast to one room.
    pub room: Load,
    /// Broadcast to the union of all rooms.
    pub union: Load,
    /// CPU of the server for a join and its acknowledgement, us.
    pub join_us: f64,
    /// CPU of the server for a client that goes, us.
    pub leave_us: f64,
    /// Resident memory per membership, bytes.
    pub membership_bytes: f64,
}

impl Growth {
    /// Reads a run.
    ///
    /// # Errors
    /// When the file is not there or is none.
    pub fn read(path: &Path) -> Result<Growth> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no growth run", path.display()))
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// Whether every client got everything, once and in order, in every load.
    #[must_use]
    pub fn is_correct(&self) -> bool {
        let clients = self.clients.iter().map(|point| &point.load);
        let rooms = self.rooms.iter().flat_map(|point| [Some(&point.load), point.same.as_ref()]).flatten();
        let memberships = self.memberships.iter().flat_map(|point| [&point.all, &point.room, &point.union]);
        clients.chain(rooms).chain(memberships).all(|load| load.verdict != FAILED)
    }
}

impl Load {
    /// CPU per delivery where it may be quoted.
    #[must_use]
    pub fn quotable(&self) -> Option<f64> {
        (self.verdict == VALID).then_some(self.cpu_us)
    }
}

/// A load that may be quoted.
pub const VALID: &str = "valid";
/// One in which the generators were the bottleneck.
pub const VOID: &str = "void";
/// One in which a client missed something, or got it twice, out of order or malformed.
pub const FAILED: &str = "failed";

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn load(cpu_us: f64) -> Load {
        Load { verdict: VALID.to_owned(), cpu_us, rate: 36_000.0, ..Load::default() }
    }

    pub(crate) fn made() -> Growth {
        let clients = [(1000, "ours", 7.0), (1000, "floor-ring", 6.9), (57_000, "ours", 11.0)];
        Growth {
            clients: clients
                .map(|(clients, name, cpu_us)| ClientsPoint {
                    name: name.to_owned(),
                    clients,
                    rings: 1,
                    load: load(cpu_us),
                    connect_us: 30.0,
                    user_bytes: 500.0,
                    kernel_bytes: Some(3000.0),
                    ..ClientsPoint::default()
                })
                .to_vec(),
            heartbeat: Heartbeat { clients: 10_000, interval_ms: 1000, cpu_us: 8.0 },
            rooms: vec![RoomsPoint { rooms: 10, clients: 100, load: load(8.0), ..RoomsPoint::default() }],
            memberships: vec![MembershipsPoint {
                rooms_each: 10,
                clients: 100,
                all: load(6.0),
                room: load(6.1),
                union: Load { verdict: VOID.to_owned(), ..load(6.2) },
                ..MembershipsPoint::default()
            }],
            ..Growth::default()
        }
    }

    #[test]
    fn a_failed_load_fails_the_run_and_a_void_one_is_not_quoted() {
        let mut growth = made();
        assert!(growth.is_correct());
        assert_eq!(growth.memberships[0].union.quotable(), None);
        growth.memberships[0].room.verdict = FAILED.to_owned();
        assert!(!growth.is_correct());
    }

    #[test]
    fn a_run_survives_its_json() {
        let text = serde_json::to_string(&made()).expect("json");
        assert_eq!(serde_json::from_str::<Growth>(&text).expect("a run"), made());
    }
}
