//! What a run came to: the fault, if there was one, and what it did.
//!
//! Not the judging, which is the oracle's.

use crate::kind::Kind;
use crate::run::Run;

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What was wrong, if something was.
    pub fault: Option<String>,
    /// What it was about.
    pub kind: Option<Kind>,
    /// The hash of all that happened.
    pub hash: u64,
    /// Events in it.
    pub events: u64,
    /// Messages emitted.
    pub emits: usize,
    /// Messages received.
    pub receptions: usize,
    /// Clients that there were.
    pub clients: u64,
    /// Upgrades that succeeded.
    pub upgrades: u64,
    /// Connections that moved to another core.
    pub moves: u64,
    /// Clients cut since they did not read.
    pub slow_cuts: u64,
    /// Sessions ended for want of a pong.
    pub ping_timeouts: u64,
    /// Connections of which the engine ended its own direction first.
    pub half_closes: usize,
    /// Times that an arena was so full that what was due moved to backlogs.
    pub spills: u64,
    /// Clients that were not let in for want of memory.
    pub refusals: u64,
    /// Clients cut for want of memory.
    pub shed: u64,
    /// Times that a core had stood still.
    pub standstills: u64,
    /// Emits of threads that the cores refused whole.
    pub posts_refused: u64,
    /// Turns that came after a gap.
    pub gaps: u64,
    /// Clients that a stop cut off.
    pub cut_off: u64,
    /// Deeds that handlers did.
    pub deeds: usize,
}

impl Verdict {
    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.emits += other.emits;
        self.receptions += other.receptions;
        self.clients += other.clients;
        self.upgrades += other.upgrades;
        self.moves += other.moves;
        self.slow_cuts += other.slow_cuts;
        self.ping_timeouts += other.ping_timeouts;
        self.half_closes += other.half_closes;
        self.spills += other.spills;
        self.refusals += other.refusals;
        self.shed += other.shed;
        self.standstills += other.standstills;
        self.posts_refused += other.posts_refused;
        self.gaps += other.gaps;
        self.cut_off += other.cut_off;
        self.deeds += other.deeds;
    }

    /// Adds what the cores of a run have counted.
    pub(crate) fn count(&mut self, run: &Run) {
        for report in run.reports() {
            self.upgrades += report.hub.upgrades;
            self.moves += report.turns.connections_passed;
            self.slow_cuts += report.hub.slow_cut;
            self.ping_timeouts += report.hub.ping_timeouts;
            self.spills += run.machine.spills(usize::from(report.core));
            self.refusals += report.hub.sessions_refused;
            self.shed += report.hub.shed;
            self.standstills += report.turns.standstills;
            self.gaps += report.hub.gaps;
        }
        self.posts_refused = run.posts_refused;
        self.cut_off = run.machine.cut_off().0;
    }
}
