//! A few seeds in every test run, and the proof that a seed is a run.

use socketville_sim::kind::Kind;
use socketville_sim::run::{Telling, run, run_about};
use socketville_sim::verdict::Verdict;

/// Seeds of the ordinary tests; CI runs 200 by the program.
const SEEDS: std::ops::Range<u64> = 0..12;

/// Seeds that have found a fault of the engine, and which.
const FOUND: [(Kind, u64, &str); 11] = [
    (
        Kind::Pauses,
        7,
        "a reader with a burst was cut for the time in which a stopped process sent it nothing",
    ),
    (Kind::HardMark, 8, "a full core cut whoever was due something as a slow reader, small debts and all"),
    (Kind::HardMark, 17, "the answer to a poll was cut, and its session went on without it"),
    (Kind::HardMark, 18, "a connection that was cut while it could be written to was sent nothing"),
    (Kind::HardMark, 6262, "a probe was cut for what its session owed, and the session went on"),
    (Kind::SoftMark, 50, "the same, of a poll that was answered at once"),
    (Kind::Spills, 10, "what the arena kept after a burst kept newcomers out"),
    (Kind::Standstill, 7, "a core that began anew closed connections with requests for other cores"),
    (Kind::Drain, 12902, "a reader that was told the end was cut as slow in the window, and not counted"),
    (Kind::Drain, 261, "what a client in the middle of an upgrade missed at a stop was not counted"),
    (Kind::Drain, 1384, "the same"),
];

fn check(kind: Kind, seed: u64) -> Verdict {
    let verdict = run_about(kind, seed, Telling::Verdict);
    assert_eq!(verdict.fault, None, "--scenario {} --seed {seed}", kind.name());
    verdict
}

#[test]
fn everyone_gets_what_they_must_once_and_in_order() {
    let mut total = Verdict::default();
    for kind in Kind::ALL {
        SEEDS.for_each(|seed| total.add(&check(kind, seed)));
    }
    let counts = [
        ("upgrades", total.upgrades),
        ("moves", total.moves),
        ("slow readers", total.slow_cuts),
        ("silent clients", total.ping_timeouts),
        ("half-closes", total.half_closes as u64),
        ("spills", total.spills),
        ("refusals", total.refusals),
        ("debtors", total.shed),
        ("standstills", total.standstills),
        ("posts refused", total.posts_refused),
        ("gaps", total.gaps),
        ("clients cut off", total.cut_off),
        ("deeds", total.deeds as u64),
    ];
    let missing: Vec<_> = counts.into_iter().filter(|(_, count)| *count == 0).collect();
    assert_eq!(missing, [], "the seeds must reach all of these");
}

#[test]
fn what_a_seed_has_found_stays_mended() {
    FOUND.into_iter().for_each(|(kind, seed, _)| _ = check(kind, seed));
}

#[test]
fn one_seed_is_one_run() {
    for seed in [1, 5] {
        let (first, second) = (run(seed, Telling::Verdict), run(seed, Telling::Verdict));
        assert_eq!(first, second, "seed {seed}");
    }
    assert_ne!(run(1, Telling::Verdict).hash, run(5, Telling::Verdict).hash);
}
