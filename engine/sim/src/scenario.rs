//! What a seed decides before anything happens: how many cores and clients, how unkind the kernel, how hard the traffic.
//!
//! Not chance during the run, which is the world's [`Random`].

use crate::random::Random;

/// The conditions of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Cores of the machine.
    pub cores: usize,
    /// Clients that are there at once.
    pub clients: usize,
    /// Clients in all; who leaves is replaced until these are used up.
    pub clients_in_all: usize,
    /// Rooms that are spoken of.
    pub rooms: u8,
    /// Phases of traffic, each followed by calm and a jump of the clock.
    pub phases: usize,
    /// Rounds of traffic in a phase.
    pub rounds: usize,
    /// Least and most bytes that fit between the ends of a connection.
    pub room_bytes: (usize, usize),
    /// Chance that what is ready is reported at a look.
    pub punctual_percent: u64,
    /// Chance that a core has a turn in a round.
    pub turn_percent: u64,
    /// Chance that a client does something in a round.
    pub action_percent: u64,
    /// Whether moves between cores fail now and then.
    pub refuses_moves: bool,
    /// The engine's limit on what a slow reader may owe.
    pub backlog_bytes_max: usize,
    /// What it may owe beyond that while it reads on.
    pub burst_bytes_max: usize,
    /// Largest text of a message, but for the huge ones.
    pub text_bytes_max: usize,
    /// Whether a few texts are huge; through the narrowest connections they would take for ever.
    pub has_huge_texts: bool,
    /// Milliseconds that broadcasts may wait for others; mostly none.
    pub flush_interval_ms: u64,
}

impl Scenario {
    /// The conditions of a seed.
    pub fn of(seed: u64) -> Self {
        let random = &mut Random::new(seed ^ 0x5ce7_e5ce_7e5c_e7e5);
        let is_crowded = random.percent(12);
        let clients = if is_crowded { random.between(70, 120) } else { random.between(3, 24) };
        let narrow = [(64, 400), (200, 4_000), (2_000, 60_000), (100, 20_000)];
        let room_bytes = random.pick(&narrow);
        let text_bytes_max = random.pick(&[10, 120, 300, 2_000]);
        Self {
            cores: random.pick(&[1, 2, 2, 2, 3, 4]),
            clients,
            clients_in_all: clients + random.below(60),
            rooms: random.between(1, 6) as u8,
            phases: random.between(2, 5),
            rounds: if is_crowded { random.between(40, 100) } else { random.between(100, 500) },
            room_bytes,
            punctual_percent: random.pick(&[30, 60, 90, 100]),
            turn_percent: random.pick(&[20, 50, 80, 100]),
            action_percent: random.pick(&[3, 8, 15]),
            refuses_moves: random.percent(25),
            backlog_bytes_max: random.pick(&[4_000, 16_000, 64_000, 1 << 20]),
            burst_bytes_max: random.pick(&[0, 0, 16_000, 1 << 20]),
            text_bytes_max: if room_bytes.1 < 1_000 { text_bytes_max.min(120) } else { text_bytes_max },
            has_huge_texts: room_bytes.0 >= 200,
            flush_interval_ms: random.pick(&[0, 0, 0, 5, 20, 250]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_and_repeat() {
        assert_eq!(Scenario::of(3), Scenario::of(3));
        assert!((0..20).any(|seed| Scenario::of(seed).cores == 1));
        assert!((0..20).any(|seed| Scenario::of(seed).cores > 2));
        assert!((0..50).any(|seed| Scenario::of(seed).clients > 64));
        assert!((0..50).any(|seed| Scenario::of(seed).flush_interval_ms == 250));
    }
}
