//! What a seed decides before anything happens: what the run is about, how many cores and clients, how unkind the kernel, how hard the traffic.
//!
//! Not chance during the run, which is the world's [`Random`].

use socketville::machine::MailLimits;

use crate::kind::Kind;
use crate::random::Random;

/// The conditions of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What it is about.
    pub kind: Kind,
    /// Cores of the machine.
    pub cores: usize,
    /// Clients that are there at once.
    pub clients: usize,
    /// Clients in all; a client that leaves is replaced until these are used up.
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
    /// Chance that a client reads little at a time.
    pub slow_percent: u64,
    /// Chance that a client stops reading now and then.
    pub stall_percent: u64,
    /// Bytes that a slow reader takes in a round, at most.
    pub sip_bytes_max: usize,
    /// Whether moves between cores fail now and then.
    pub refuses_moves: bool,
    /// The engine's limit on what a slow reader may owe.
    pub backlog_bytes_max: usize,
    /// What it may owe beyond that while it reads on.
    pub burst_bytes_max: usize,
    /// What the machine may hold for its clients, if that is limited.
    pub memory_bytes_max: Option<usize>,
    /// What may wait between cores.
    pub mail: MailLimits,
    /// Largest text of a message, but for the large ones.
    pub text_bytes_max: usize,
    /// Large messages; through the narrowest connections they would take for ever.
    pub large: Option<Large>,
    /// Milliseconds that broadcasts may wait for others; mostly none.
    pub flush_interval_ms: u64,
    /// Milliseconds that clients have to take what is theirs at a stop.
    pub drain_ms: u64,
}

/// Messages that are larger than most kernels' buffers here, and need the long form of a frame's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Large {
    /// Most bytes of one.
    pub bytes_max: usize,
    /// One message in so many is large.
    pub once_in: u64,
}

impl Large {
    /// Bytes of a large one: as many have tens of kilobytes as have hundreds.
    pub fn bytes(self, random: &mut Random) -> usize {
        let most = self.bytes_max >> random.below(6);
        random.between(most / 2, most)
    }
}

/// Limits between cores that a run reaches with what it emits anyway.
const SMALL_MAIL: MailLimits = MailLimits {
    letters_max: 512,
    letters_bytes_max: 4 << 20,
    orders_waiting_max: 512,
    records_waiting_max: 1 << 16,
    records_waiting_bytes_max: 64 << 20,
    standstill_ms: 5_000,
};

impl Scenario {
    /// The conditions of a seed.
    pub fn of(seed: u64) -> Self {
        Self::about(Kind::of(seed), seed)
    }

    /// The conditions of a seed in a run about this.
    pub fn about(kind: Kind, seed: u64) -> Self {
        let random = &mut Random::new(seed ^ 0x5ce7_e5ce_7e5c_e7e5);
        let mut scenario = Self::ordinary(random);
        scenario.kind = kind;
        match kind {
            Kind::Ordinary | Kind::Acts => {}
            Kind::LargeMessages => scenario.have_large_messages(random),
            Kind::Spills => scenario.spill(random),
            Kind::SoftMark | Kind::HardMark => scenario.fill(random),
            Kind::SlowReaders => scenario.slow_down(random),
            Kind::Standstill => scenario.stand_still(random),
            Kind::Pauses => scenario.pause(random),
            Kind::Drain => scenario.drain(random),
        }
        scenario
    }

    fn ordinary(random: &mut Random) -> Self {
        let is_crowded = random.percent(6);
        let clients = if is_crowded { random.between(70, 120) } else { random.between(3, 20) };
        let narrow = [(64, 400), (200, 4_000), (2_000, 60_000), (100, 20_000)];
        let room_bytes = random.pick(&narrow);
        let text_bytes_max = random.pick(&[10, 120, 300, 2_000]);
        Self {
            kind: Kind::Ordinary,
            cores: random.pick(&[1, 2, 2, 2, 3, 4]),
            clients,
            clients_in_all: clients + random.below(30),
            rooms: random.between(1, 6) as u8,
            phases: random.between(1, 3),
            rounds: if is_crowded { random.between(40, 80) } else { random.between(60, 250) },
            room_bytes,
            punctual_percent: random.pick(&[30, 60, 90, 100]),
            turn_percent: random.pick(&[20, 50, 80, 100]),
            action_percent: random.pick(&[3, 8, 15]),
            slow_percent: 15,
            stall_percent: 15,
            sip_bytes_max: 200,
            refuses_moves: random.percent(25),
            backlog_bytes_max: random.pick(&[4_000, 16_000, 64_000, 1 << 20]),
            burst_bytes_max: random.pick(&[0, 0, 16_000, 1 << 20]),
            memory_bytes_max: None,
            mail: SMALL_MAIL,
            text_bytes_max: if room_bytes.1 < 1_000 { text_bytes_max.min(120) } else { text_bytes_max },
            large: (room_bytes.0 >= 200).then_some(Large { bytes_max: 70_000, once_in: 150 }),
            flush_interval_ms: random.pick(&[0, 0, 0, 5, 20, 250]),
            drain_ms: 10_000,
        }
    }

    fn have_large_messages(&mut self, random: &mut Random) {
        self.crowd(random.between(2, 8), 4);
        self.phases = random.between(1, 2);
        self.rounds = random.between(60, 150);
        self.room_bytes = random.pick(&[(20_000, 200_000), (60_000, 1 << 20)]);
        self.backlog_bytes_max = random.pick(&[64_000, 1 << 20]);
        self.burst_bytes_max = random.pick(&[0, 1 << 20, 16 << 20]);
        self.large = Some(Large { bytes_max: 980_000, once_in: 5 });
        self.action_percent = random.pick(&[3, 8]);
        self.sip_bytes_max = 40_000;
    }

    fn spill(&mut self, random: &mut Random) {
        self.refuses_moves = false;
        self.crowd(random.between(3, 12), 4);
        self.phases = random.between(1, 2);
        self.rounds = random.between(50, 120);
        self.room_bytes = random.pick(&[(20_000, 200_000), (2_000, 60_000)]);
        self.memory_bytes_max = Some(random.pick(&[1 << 20, 2 << 20]) * self.cores);
        self.backlog_bytes_max = random.pick(&[64_000, 256_000, 1 << 20]);
        self.burst_bytes_max = random.pick(&[0, 1 << 20]);
        self.text_bytes_max = random.pick(&[300, 2_000]);
        self.large = None;
        self.action_percent = 5;
        self.sip_bytes_max = 20_000;
    }

    fn fill(&mut self, random: &mut Random) {
        self.refuses_moves = false;
        self.crowd(random.between(8, 24), 40);
        self.phases = random.between(1, 2);
        self.rounds = random.between(100, 200);
        self.room_bytes = random.pick(&[(2_000, 20_000), (2_000, 60_000)]);
        self.memory_bytes_max = Some(random.pick(&[2 << 20, 3 << 20]) * self.cores);
        self.backlog_bytes_max = random.pick(&[64_000, 1 << 20]);
        self.burst_bytes_max = 1 << 20;
        self.text_bytes_max = 2_000;
        self.large = Some(Large { bytes_max: 200_000, once_in: 4 });
        self.action_percent = random.pick(&[3, 8]);
        (self.slow_percent, self.stall_percent) = (20, 40);
        self.sip_bytes_max = 20_000;
    }

    fn slow_down(&mut self, random: &mut Random) {
        self.crowd(random.between(4, 16), 10);
        self.room_bytes = random.pick(&[(2_000, 20_000), (2_000, 60_000)]);
        self.backlog_bytes_max = random.pick(&[4_000, 16_000, 64_000, 256_000]);
        self.burst_bytes_max = random.pick(&[0, 16_000, 200_000, 1 << 20]);
        self.text_bytes_max = random.pick(&[2_000, 8_000]);
        self.large = Some(Large { bytes_max: 200_000, once_in: 20 });
        (self.slow_percent, self.stall_percent) = (35, 35);
        self.sip_bytes_max = random.pick(&[1_000, 8_000, 30_000]);
    }

    fn stand_still(&mut self, random: &mut Random) {
        self.cores = random.between(2, 4);
        self.crowd(random.between(3, 20), 20);
        self.turn_percent = random.pick(&[50, 80, 100]);
        self.mail = MailLimits {
            letters_max: random.pick(&[4, 16, 64]),
            letters_bytes_max: random.pick(&[2_000, 60_000]),
            orders_waiting_max: random.pick(&[0, 4, 64]),
            records_waiting_max: random.pick(&[16, 64, 1_000]),
            records_waiting_bytes_max: random.pick(&[4_000, 100_000]),
            standstill_ms: random.pick(&[10, 100, 1_000, 5_000]),
        };
    }

    /// A client that does not read in a pause, or for long after it, is late by its own fault.
    fn pause(&mut self, random: &mut Random) {
        self.crowd(random.between(3, 20), 10);
        self.room_bytes = random.pick(&[(8_000, 60_000), (20_000, 60_000)]);
        self.text_bytes_max = random.pick(&[300, 2_000, 8_000]);
        self.large = Some(Large { bytes_max: 90_000, once_in: 20 });
        self.burst_bytes_max = 1 << 20;
        (self.slow_percent, self.stall_percent) = (0, 0);
    }

    fn drain(&mut self, random: &mut Random) {
        self.refuses_moves = false;
        self.phases = 1;
        self.rounds = random.between(20, 200);
        self.room_bytes = random.pick(&[(200, 4_000), (2_000, 60_000)]);
        self.text_bytes_max = random.pick(&[300, 2_000, 8_000]);
        self.backlog_bytes_max = random.pick(&[64_000, 1 << 20]);
        self.drain_ms = random.pick(&[0, 300, 3_000, 10_000]);
        self.sip_bytes_max = 2_000;
    }

    fn crowd(&mut self, clients: usize, later: usize) {
        self.clients = clients;
        self.clients_in_all = clients + later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_and_repeat() {
        assert_eq!(Scenario::of(3), Scenario::of(3));
        let ordinary = |seed| Scenario::about(Kind::Ordinary, seed);
        assert!((0..20).any(|seed| ordinary(seed).cores == 1));
        assert!((0..20).any(|seed| ordinary(seed).cores > 2));
        assert!((0..50).any(|seed| ordinary(seed).clients > 64));
        assert!((0..50).any(|seed| ordinary(seed).flush_interval_ms == 250));
    }
}
