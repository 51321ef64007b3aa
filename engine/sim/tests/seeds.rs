//! A few seeds in every test run, and the proof that a seed is a run.

use socketville_sim::run::{Telling, run};

/// Seeds of the ordinary tests; CI runs 200 by the program.
const SEEDS: std::ops::Range<u64> = 0..10;

#[test]
fn everyone_gets_what_they_must_once_and_in_order() {
    let mut total = [0; 5];
    for seed in SEEDS {
        let verdict = run(seed, Telling::Verdict);
        assert_eq!(verdict.fault, None, "seed {seed}");
        assert!(verdict.emits > 0 && verdict.events > 0, "seed {seed} did nothing: {verdict:?}");
        let half_closes = verdict.half_closes as u64;
        let counts = [verdict.upgrades, verdict.moves, verdict.slow_cuts, verdict.ping_timeouts, half_closes];
        total.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    assert!(
        total.iter().all(|&sum| sum > 0),
        "the seeds must reach upgrades, moves, cuts, timeouts, half-closes: {total:?}"
    );
}

#[test]
fn one_seed_is_one_run() {
    for seed in [1, 5] {
        let (first, second) = (run(seed, Telling::Verdict), run(seed, Telling::Verdict));
        assert_eq!(first, second, "seed {seed}");
    }
    assert_ne!(run(1, Telling::Verdict).hash, run(5, Telling::Verdict).hash);
}
