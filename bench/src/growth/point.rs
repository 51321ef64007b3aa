//! One point of a sweep: a server is started, clients come, rooms are entered, messages are paced, and CPU and memory are
//! read between. It knows no sweep.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::generator::Answer;
use super::parent::Party;
use super::results::{ClientsPoint, FAILED, Heartbeat, Load, MembershipsPoint, RoomsPoint, VALID, VOID};
use super::series::{Reach, Rooms};
use super::sweep::Sizes;
use crate::contestants::Contestant;
use crate::idle::{self, Ends};
use crate::machine::Slab;
use crate::outcome::SWARM_BUSY_HARMLESS;

/// How long the steps of a point take.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    /// Seconds of a measured load.
    pub seconds: f64,
    /// Seconds of the same load before.
    pub warmup_s: f64,
    /// Messages of a measured load, however long they take.
    pub messages_min: usize,
    /// Quiet seconds before memory is read.
    pub settle_s: f64,
}

/// So many clients of one server.
///
/// # Errors
/// When a server or generator ends.
pub(super) fn clients(
    contestant: &Contestant,
    clients: usize,
    sizes: &Sizes,
    ends: &Ends,
) -> Result<ClientsPoint> {
    let mut party = Party::start(contestant, clients, Rooms::NONE, sizes)?;
    let slab = (clients >= KERNEL_CLIENTS_MIN).then(quiet_slab);
    let user = party.resident_bytes();
    let connect_us = cost_us(&mut party, "connect", clients)?;
    rest(sizes.steps.settle_s);
    let grown = slab.map(|before| Slab::now().since(&before).bytes as f64 / clients as f64);
    let user_bytes = growth(user, party.resident_bytes(), clients);
    let descriptors = party.descriptors();
    let rate = DELIVERIES_PER_S / clients as f64;
    let (load, answer) = paced(&mut party, Reach::All, rate, sizes.steps)?;
    Ok(ClientsPoint {
        name: contestant.name.clone(),
        clients,
        rings: party.rings,
        load,
        connect_us,
        user_bytes,
        kernel_bytes: grown.map(|grown| rounded(grown - ends.bare_bytes - ends.registration_bytes)),
        descriptors,
        p50_us: answer.p50_us.map(rounded),
        p99_us: answer.p99_us.map(rounded),
    })
}

/// Clients that only answer pings, of which each gets one a second.
///
/// # Errors
/// When the server or the generator ends.
pub(super) fn heartbeat(ours: &Contestant, sizes: &Sizes) -> Result<Heartbeat> {
    let mut eager = ours.clone();
    eager.environment.push(("PING_INTERVAL_MS", HEARTBEAT_MS.to_string()));
    let clients = sizes.rooms_clients;
    let mut party = Party::start(&eager, clients, Rooms::NONE, sizes)?;
    party.each("connect")?;
    rest(HEARTBEAT_MS as f64 / 1e3);
    let (before_ns, started) = (party.cpu_ns(), Instant::now());
    rest(sizes.steps.seconds.max(HEARTBEAT_MS as f64 / 1e3));
    let cpu_us = (party.cpu_ns() - before_ns) as f64 / 1e3;
    let pings = clients as f64 * started.elapsed().as_secs_f64() * 1e3 / HEARTBEAT_MS as f64;
    Ok(Heartbeat { clients, interval_ms: HEARTBEAT_MS, cpu_us: rounded(cpu_us / pings) })
}

/// So many rooms for the clients of the second sweep.
///
/// # Errors
/// When the numbers do not divide, or the server or the generator ends.
pub(super) fn rooms(ours: &Contestant, rooms: usize, sizes: &Sizes) -> Result<RoomsPoint> {
    let clients = sizes.rooms_clients;
    let spread = Rooms::spread(rooms, clients)?;
    let (mut party, before) = connected(ours, clients, spread, sizes)?;
    let joins = clients * spread.rooms_each;
    let join_us = cost_us(&mut party, "join", joins)?;
    rest(sizes.steps.settle_s);
    let after = party.resident_bytes();
    let members = spread.members(clients);
    let rate = ROOM_DELIVERIES_PER_S / members as f64;
    let (load, _) = paced(&mut party, Reach::Room, rate, sizes.steps)?;
    let has_same = rooms > 1 && members >= SAME_MEMBERS_MIN;
    let same = has_same.then(|| paced(&mut party, Reach::Same, rate, sizes.steps));
    Ok(RoomsPoint {
        rooms,
        clients,
        members,
        rooms_each: spread.rooms_each,
        message_us: rounded(load.cpu_us * members as f64),
        load,
        same: same.transpose()?.map(|(load, _)| load),
        join_us,
        room_bytes: growth(before, after, rooms),
        membership_bytes: growth(before, after, joins),
    })
}

/// Clients that are all in the same rooms.
///
/// # Errors
/// When the server or the generator ends.
pub(super) fn memberships(ours: &Contestant, rooms_each: usize, sizes: &Sizes) -> Result<MembershipsPoint> {
    let clients = sizes.memberships_clients;
    let (mut party, before) = connected(ours, clients, Rooms { groups: 1, rooms_each }, sizes)?;
    let joins = clients * rooms_each;
    let join_us = cost_us(&mut party, "join", joins)?;
    rest(sizes.steps.settle_s);
    let membership_bytes = growth(before, party.resident_bytes(), joins);
    let rate = ROOM_DELIVERIES_PER_S / clients as f64;
    let mut load = |reach| Ok::<_, anyhow::Error>(paced(&mut party, reach, rate, sizes.steps)?.0);
    let (all, room, union) = (load(Reach::All)?, load(Reach::Room)?, load(Reach::Union)?);
    let leave_us = leave_us(&mut party)?;
    Ok(MembershipsPoint { rooms_each, clients, all, room, union, join_us, leave_us, membership_bytes })
}

/// All clients are there and the server is quiet; and its memory then.
fn connected(ours: &Contestant, clients: usize, rooms: Rooms, sizes: &Sizes) -> Result<(Party, u64)> {
    let mut party = Party::start(ours, clients, rooms, sizes)?;
    party.each("connect")?;
    rest(sizes.steps.settle_s);
    let before = party.resident_bytes();
    Ok((party, before))
}

/// CPU of the servers while the generators do something, per so many.
fn cost_us(party: &mut Party, line: &str, count: usize) -> Result<f64> {
    let before_ns = party.cpu_ns();
    party.each(line)?;
    Ok(rounded((party.cpu_ns() - before_ns) as f64 / 1e3 / count.max(1) as f64))
}

/// The generator knows when it has left, not when the server has noticed: that is when its CPU time stands still.
fn leave_us(party: &mut Party) -> Result<f64> {
    let before_ns = party.cpu_ns();
    party.each("leave")?;
    let (mut last_ns, mut quiet) = (party.cpu_ns(), 0);
    while quiet < QUIET_LOOKS {
        std::thread::sleep(LOOK);
        let now_ns = party.cpu_ns();
        quiet = if now_ns - last_ns < QUIET_NS { quiet + 1 } else { 0 };
        last_ns = now_ns;
    }
    Ok(rounded((last_ns - before_ns) as f64 / 1e3 / party.clients as f64))
}

/// One load, after a shorter one that is not measured.
fn paced(party: &mut Party, reach: Reach, rate: f64, steps: Steps) -> Result<(Load, Answer)> {
    let count = |seconds: f64| (rate * seconds).round() as usize;
    let warmup = party.publish(reach, count(steps.warmup_s).max(1), rate)?;
    let messages = count(steps.seconds).max(steps.messages_min);
    let (before_ns, started) = (party.cpu_ns(), Instant::now());
    let answer = party.publish(reach, messages, rate)?;
    let wall_s = started.elapsed().as_secs_f64();
    let cpu_s = (party.cpu_ns() - before_ns) as f64 / 1e9;
    let (server_busy, swarm_busy) = (cpu_s / wall_s, answer.cpu_s / wall_s);
    let is_faulty = answer.faults > 0 || answer.deliveries == 0 || warmup.deliveries == 0;
    let verdict = match is_faulty {
        true => FAILED,
        false if swarm_busy > server_busy.max(SWARM_BUSY_HARMLESS) => VOID,
        false => VALID,
    };
    let load = Load {
        verdict: verdict.to_owned(),
        messages,
        deliveries: answer.deliveries,
        rate: rounded(answer.deliveries as f64 / wall_s),
        cpu_us: rounded(cpu_s * 1e6 / answer.deliveries.max(1) as f64),
        server_busy: rounded(server_busy),
        swarm_busy: rounded(swarm_busy),
        faults: answer.faults_words.clone(),
    };
    Ok((load, answer))
}

/// A ring that has ended closes its sockets later, one by one: memory of the point before would be counted as freed
/// in this one.
fn quiet_slab() -> Slab {
    let started = Instant::now();
    while sockets() > SOCKETS_LEFT_MAX && started.elapsed() < CLOSE_PATIENCE {
        std::thread::sleep(LOOK);
    }
    Slab::settled()
}

/// TCP sockets that the kernel has, those without a process too.
fn sockets() -> usize {
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    let mut words = line.split_whitespace().skip_while(|word| *word != "alloc");
    words.nth(1).and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn growth(before: u64, after: u64, count: usize) -> f64 {
    rounded((after as f64 - before as f64) / count.max(1) as f64)
}

fn rest(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The first sweep's load, as the peers' figures in the research have it: a third of a core.
const DELIVERIES_PER_S: f64 = 36_000.0;
/// The load of the others: where every delivery is a message of its own, the server is asked as often.
const ROOM_DELIVERIES_PER_S: f64 = 20_000.0;
/// Slabs are counted by whole pages in part: with fewer clients than this the error is as large as what is measured.
const KERNEL_CLIENTS_MIN: usize = 10_000;
/// In smaller rooms one message follows the other so soon that they leave in one send, which is another question.
const SAME_MEMBERS_MIN: usize = 1000;
/// Between two pings of one client, ms.
const HEARTBEAT_MS: u64 = 1000;
/// The server is quiet if it works less than this between two looks, so many times.
const QUIET_NS: u64 = 300_000;
const QUIET_LOOKS: u32 = 3;
const LOOK: Duration = Duration::from_millis(100);
/// The pairs of [`Ends`] have two sockets each; what else the machine has is few.
const SOCKETS_LEFT_MAX: usize = 2 * idle::PAIRS + idle::PAIRS;
/// How long a ring may take to close its sockets.
const CLOSE_PATIENCE: Duration = Duration::from_secs(3);
