//! What the three sweeps measure, and at which sizes: a whole run takes under six minutes. It measures nothing.

use anyhow::Result;

use super::point::{self, Steps};
use super::results::Growth;
use crate::contestants::Contestant;
use crate::idle::{self, Ends};

/// All sizes of a run.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// The core of the servers, whatever their rings.
    pub server_core: String,
    /// The core of the generators.
    pub swarm_core: String,
    /// Clients of one ring and of one generator: both hold a descriptor for each.
    pub per_ring: usize,
    /// Points of the first sweep.
    pub clients: Vec<usize>,
    /// Clients of the second sweep, and of the heartbeats.
    pub rooms_clients: usize,
    /// Points of the second sweep.
    pub rooms: Vec<usize>,
    /// Clients of the third sweep.
    pub memberships_clients: usize,
    /// Points of the third sweep: rooms of each client.
    pub memberships: Vec<usize>,
    /// Pairs of sockets by which a bare end's memory is known.
    pub pairs: usize,
    /// How long each step takes.
    pub steps: Steps,
}

impl Sizes {
    /// What the page shows.
    #[must_use]
    pub fn whole() -> Sizes {
        Sizes {
            server_core: "0".to_owned(),
            swarm_core: "1".to_owned(),
            per_ring: PER_RING,
            clients: vec![1000, 5000, 10_000, 20_000, 57_000],
            rooms_clients: 10_000,
            rooms: vec![1, 10, 100, 1000, 10_000, 100_000],
            memberships_clients: 1000,
            memberships: vec![1, 10, 100, 1000],
            pairs: idle::PAIRS,
            steps: Steps { seconds: 4.0, warmup_s: 0.5, messages_min: 6, settle_s: 1.0 },
        }
    }

    /// Does everything work? Several rings and generators too, since each holds but few.
    #[must_use]
    pub fn quick() -> Sizes {
        Sizes {
            per_ring: 60,
            clients: vec![20, 120],
            rooms_clients: 40,
            rooms: vec![1, 10, 400],
            memberships_clients: 20,
            memberships: vec![1, 10],
            pairs: 100,
            steps: Steps { seconds: 0.2, warmup_s: 0.05, messages_min: 2, settle_s: 0.1 },
            ..Sizes::whole()
        }
    }
}

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sweep {
    /// Clients of one server, and what their heartbeats cost.
    Clients,
    /// Rooms for the same clients.
    Rooms,
    /// Rooms of a client.
    Memberships,
}

/// Measures a sweep anew, and gives what there is so far to `keep` after each point.
///
/// # Errors
/// When a server or a generator does not start, or ends.
pub fn run(
    sweep: Sweep,
    sizes: &Sizes,
    growth: &mut Growth,
    keep: impl Fn(&Growth) -> Result<()>,
) -> Result<()> {
    let ours = Contestant::named("ours")?;
    match sweep {
        Sweep::Clients => return clients(&ours, sizes, growth, keep),
        Sweep::Rooms => growth.rooms.clear(),
        Sweep::Memberships => growth.memberships.clear(),
    }
    let counts = if sweep == Sweep::Rooms { &sizes.rooms } else { &sizes.memberships };
    for count in counts {
        eprintln!("{sweep:?}: {count}");
        match sweep {
            Sweep::Rooms => growth.rooms.push(point::rooms(&ours, *count, sizes)?),
            _ => growth.memberships.push(point::memberships(&ours, *count, sizes)?),
        }
        keep(growth)?;
    }
    Ok(())
}

fn clients(
    ours: &Contestant,
    sizes: &Sizes,
    growth: &mut Growth,
    keep: impl Fn(&Growth) -> Result<()>,
) -> Result<()> {
    let floor = Contestant::named("floor-ring")?;
    growth.clients.clear();
    // The pairs stay until the end, so that none is freed while others are counted.
    let ends = Ends::measure(sizes.pairs)?;
    for clients in &sizes.clients {
        for contestant in [ours, &floor] {
            eprintln!("Clients: {clients}, {}", contestant.name);
            growth.clients.push(point::clients(contestant, *clients, sizes, &ends)?);
            keep(growth)?;
        }
    }
    growth.heartbeat = point::heartbeat(ours, sizes)?;
    keep(growth)
}

/// Below the limit of 20 000 descriptors by what a process opens besides, and by the chance with which the kernel spreads
/// connections over the rings' listeners (three rings of 19 000 differ by some 120).
const PER_RING: usize = 19_400;
