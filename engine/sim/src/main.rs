//! Runs seeds and says which failed and how to see it again.
//!
//! `socketville-sim [--seeds N] [--first N] [--seed N] [--trace]`; not a library of options: four words, read by hand.

use std::io::Write;
use std::process::ExitCode;

use socketville_sim::run::{Telling, Verdict, run};

/// What was asked for.
struct Wish {
    first: u64,
    seeds: u64,
    telling: Telling,
}

const USAGE: &str = "usage: socketville-sim [--seeds N] [--first N] [--seed N] [--trace]
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
    let mut wish = Wish { first: 0, seeds: 200, telling: Telling::Verdict };
    while let Some(arg) = args.next() {
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
    for seed in (wish.first..).take(usize::try_from(wish.seeds).unwrap_or(usize::MAX)) {
        let verdict = run(seed, wish.telling);
        match &verdict.fault {
            None => passed += 1,
            Some(fault) => {
                failed += 1;
                println!("seed {seed} FAILED: {fault}");
                println!("  replay: cargo run --release -p socketville-sim -- --seed {seed} --trace");
            }
        }
        if wish.seeds == 1 || (passed + failed).is_multiple_of(20) {
            print_progress(seed, &verdict);
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_progress(seed: u64, verdict: &Verdict) {
    println!(
        "seed {seed}: {} clients, {} emits, {} receptions, {} upgrades, {} moves, {} slow, {} silent, {} events, hash {:016x}",
        verdict.clients,
        verdict.emits,
        verdict.receptions,
        verdict.upgrades,
        verdict.moves,
        verdict.slow_cuts,
        verdict.ping_timeouts,
        verdict.events,
        verdict.hash,
    );
    let _ = std::io::stdout().flush();
}
