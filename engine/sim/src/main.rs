//! Runs seeds and says which failed and how to see it again.
//!
//! `socketville-sim [--scenario NAME] [--seeds N] [--first N] [--seed N] [--trace]`; not a library of options: five words, read by hand.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use socketville_sim::kind::Kind;
use socketville_sim::run::{Telling, run, run_about};
use socketville_sim::verdict::Verdict;

/// What was asked for.
struct Wish {
    kind: Option<Kind>,
    first: u64,
    seeds: u64,
    telling: Telling,
}

const USAGE: &str = "usage: socketville-sim [--scenario NAME] [--seeds N] [--first N] [--seed N] [--trace]
  --scenario NAME   what all runs are about: ordinary, large-messages, spills, soft-mark, hard-mark, slow-readers, standstill, pauses,
                    acts or drain; without it each seed decides
  --seeds N   how many seeds to run (200)
  --first N   the first of them (0)
  --seed N    this one only
  --trace     print every event";

fn main() -> ExitCode {
    match read_wish(std::env::args().skip(1)) {
        Ok(wish) => run_all(&wish),
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn read_wish(mut args: impl Iterator<Item = String>) -> Result<Wish, String> {
    let mut wish = Wish { kind: None, first: 0, seeds: 200, telling: Telling::Verdict };
    while let Some(arg) = args.next() {
        if arg == "--scenario" {
            let name = args.next().unwrap_or_default();
            let kind = Kind::named(&name);
            wish.kind = Some(kind.ok_or_else(|| format!("expected a scenario, found {name:?}"))?);
            continue;
        }
        let mut number = || {
            let value = args.next().ok_or_else(|| format!("expected a number after {arg}"))?;
            value.parse::<u64>().map_err(|_| format!("expected a number after {arg}, found {value:?}"))
        };
        match arg.as_str() {
            "--seeds" => wish.seeds = number()?,
            "--first" => wish.first = number()?,
            "--seed" => (wish.first, wish.seeds) = (number()?, 1),
            "--trace" => wish.telling = Telling::Everything,
            _ => return Err(format!("expected an option, found {arg:?}")),
        }
    }
    Ok(wish)
}

fn run_all(wish: &Wish) -> ExitCode {
    let (mut passed, mut failed) = (0_u64, 0_u64);
    let mut tallies: BTreeMap<Kind, Tally> = BTreeMap::new();
    for seed in (wish.first..).take(usize::try_from(wish.seeds).unwrap_or(usize::MAX)) {
        let begun = Instant::now();
        let verdict = match wish.kind {
            Some(kind) => run_about(kind, seed, wish.telling),
            None => run(seed, wish.telling),
        };
        let kind = verdict.kind.unwrap_or(Kind::Ordinary);
        tallies.entry(kind).or_default().add(&verdict, begun.elapsed());
        match &verdict.fault {
            None => passed += 1,
            Some(fault) => {
                failed += 1;
                let name = kind.name();
                println!("seed {seed} FAILED ({name}): {fault}");
                println!(
                    "  replay: cargo run --release -p socketville-sim -- --scenario {name} --seed {seed} --trace"
                );
            }
        }
        if wish.seeds == 1 {
            println!("{verdict:?}");
        }
        let _ = std::io::stdout().flush();
    }
    for (kind, tally) in &tallies {
        tally.print(*kind);
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What all runs about one thing came to.
#[derive(Default)]
struct Tally {
    seeds: u64,
    time: Duration,
    sum: Verdict,
}

impl Tally {
    fn add(&mut self, verdict: &Verdict, time: Duration) {
        self.seeds += 1;
        self.time += time;
        self.sum.add(verdict);
    }

    fn print(&self, kind: Kind) {
        let Self { seeds, time, sum } = self;
        println!(
            "{:<14} {seeds:>6} seeds, {:>7.1} s: {} clients, {} emits, {} receptions, {} upgrades, {} moves, {} slow, {} silent, \
             {} spills, {} refused, {} shed, {} standstills, {} posts refused, {} gaps, {} cut off, {} deeds",
            kind.name(),
            time.as_secs_f64(),
            sum.clients,
            sum.emits,
            sum.receptions,
            sum.upgrades,
            sum.moves,
            sum.slow_cuts,
            sum.ping_timeouts,
            sum.spills,
            sum.refusals,
            sum.shed,
            sum.standstills,
            sum.posts_refused,
            sum.gaps,
            sum.cut_off,
            sum.deeds,
        );
    }
}
