//! The chapters about time: what a saturated server keeps of its promises, and what waiting on purpose saves. Their
//! loads only.

use super::{Chapter, Figure, Row, SERVERS, Trial, chapter, paced, row};
use crate::scenario::{Load, Pulse, Work};

/// Loads that keep the server busier than the swarm, for every server: large messages, or many clients.
pub(super) fn pulse() -> Chapter {
    let strain = |clients, bytes| {
        let pulse = Pulse { outstanding: 4, newcomers: 40.0, interval_ms: 1000, seconds: 2.5 };
        Load { clients, bytes, work: Work::Pulse(pulse), ..Load::default() }
    };
    let rows = [
        ("pings of 1000 clients, saturated by 16 KiB to all", strain(1000, 16 * 1024)),
        ("pings of 10 000 clients, saturated by 128 B to all", strain(10_000, 128)),
    ];
    let rows = rows.map(|(title, load)| Row { figure: Figure::Lateness, ..row(title, load, SERVERS) });
    chapter("pulse", "Do pings and accepts go on while broadcasts saturate the core?", rows.to_vec())
}

/// Every flush interval at every rate.
pub(super) fn interval() -> Chapter {
    let rows = [10.0, 50.0, 200.0].map(|rate| {
        let load = Load { warmup_s: 0.1, ..paced(1000, rate, 1.0) };
        row(&format!("{rate} a second to 1000 clients, by flush interval"), load, INTERVALS)
    });
    chapter("interval", "What does a message save that may wait?", rows.to_vec())
}

const INTERVALS: &[&str] = &[
    "floor-ring",
    "floor-ring-x16",
    "ours",
    "ours-flush-5",
    "ours-flush-10",
    "ours-flush-20",
    "ours-flush-50",
];

/// Rounds of a row of these chapters: what is asked for differs by far more than rounds do.
pub(super) fn rounds(row: &Row) -> Option<usize> {
    match row.trial {
        Trial::Load(Load { work: Work::Pulse(_), .. }) => Some(1),
        _ if row.names == INTERVALS => Some(1),
        _ => None,
    }
}

/// Seconds that a pulse takes: a ping in peace, then the strain.
pub(super) fn seconds(pulse: Pulse) -> f64 {
    f64::from(pulse.interval_ms) / 1e3 + PEACE_MARGIN_S + pulse.seconds
}

/// The same for moments.
pub(super) const SHRUNK: Pulse = Pulse { outstanding: 2, newcomers: 40.0, interval_ms: 100, seconds: 0.3 };

/// What the scenario adds to the ping in peace.
const PEACE_MARGIN_S: f64 = 0.25;
