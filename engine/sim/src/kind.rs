//! What a run is about: the ordinary, or one of the situations that ordinary traffic does not reach.
//!
//! Not the numbers of it, which are the [`Scenario`](crate::scenario::Scenario)'s. A seed decides, or the option that names one.

use crate::random::Random;

/// What a run is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// All transports, upgrades, moves between cores, all ways to leave; small messages.
    Ordinary,
    /// Messages of up to 1 MB, texts and binaries, in both directions.
    LargeMessages,
    /// Handlers that emit more than the arena holds, so that what is due moves to backlogs while broadcasts are bundled.
    Spills,
    /// Cores that hold so much that no session may begin.
    SoftMark,
    /// Cores that hold more than they may, so that the largest debtors are cut.
    HardMark,
    /// Readers that are slow or stop, with large backlogs and bursts.
    SlowReaders,
    /// A core that takes nothing while others and threads have something for it.
    Standstill,
    /// The whole machine stops for a while, with pings and everything else under way.
    Pauses,
    /// Handlers, middlewares and watchers that emit, join, leave and disconnect.
    Acts,
    /// The server is stopped in the middle of traffic.
    Drain,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Ordinary,
        Self::LargeMessages,
        Self::Spills,
        Self::SoftMark,
        Self::HardMark,
        Self::SlowReaders,
        Self::Standstill,
        Self::Pauses,
        Self::Acts,
        Self::Drain,
    ];

    /// What a seed's run is about: each of them every tenth time.
    pub fn of(seed: u64) -> Self {
        Random::new(seed ^ 0x0b57_ac1e_0b57_ac1e).pick(&Self::ALL)
    }

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::LargeMessages => "large-messages",
            Self::Spills => "spills",
            Self::SoftMark => "soft-mark",
            Self::HardMark => "hard-mark",
            Self::SlowReaders => "slow-readers",
            Self::Standstill => "standstill",
            Self::Pauses => "pauses",
            Self::Acts => "acts",
            Self::Drain => "drain",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CI runs these seeds.
    #[test]
    fn the_first_200_seeds_reach_each_kind_several_times() {
        for kind in Kind::ALL {
            let seeds = (0..200).filter(|&seed| Kind::of(seed) == kind).count();
            assert!(seeds >= 10, "{kind:?}: {seeds}");
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
    }
}
