//! `growth`: what becomes of the cost of a delivery and of memory when clients, rooms and memberships grow? It compares
//! nobody but the floor; `compare` does.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use socketville_bench::contestants::bench_folder;
use socketville_bench::floor;
use socketville_bench::growth::generator::{self, Generate};
use socketville_bench::growth::numbers::{self, RESULTS};
use socketville_bench::growth::page;
use socketville_bench::growth::results::Growth;
use socketville_bench::growth::sweep::{self, Sizes, Sweep};
use socketville_bench::machine;
use socketville_bench::numbers::Numbers;

/// From 1000 to 57 000 clients, from 1 to 100 000 rooms, from 1 to 1000 rooms of a client.
///
/// Servers run on core 0, the generators (this program, started by itself) on core 1. Results go to
/// bench/results/growth.json; bench/SCALE.md and bench/results/growth.svg are written from them.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only these sweeps; what was measured of the others stays
    #[arg(value_name = "SWEEP", value_enum)]
    only: Vec<Sweep>,
    /// Few clients for moments, nothing is kept: does everything work?
    #[arg(long)]
    quick: bool,
    /// Where results go, instead of bench/results/growth.json; the page is left as it is
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Be a part of the clients (what this program starts by itself)
    #[command(hide = true)]
    Swarm(Generate),
    /// Be the floor's server (what this program starts by itself)
    #[command(hide = true)]
    Serve(floor::Serve),
    /// Write the page's numbers and the plot from the results
    Numbers {
        /// Write nothing; fail if something would be written
        #[arg(long)]
        check: bool,
    },
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let is_good = match options.command {
        Some(Command::Swarm(generate)) => generator::run(generate).map(|()| true)?,
        Some(Command::Serve(serve)) => floor::serve(serve).map(|()| true)?,
        Some(Command::Numbers { check }) => {
            numbers::make(if check { Numbers::Check } else { Numbers::Write })?
        }
        None => measure(&options)?,
    };
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(options: &Options) -> Result<bool> {
    machine::raise_descriptor_limit();
    let sizes = if options.quick { Sizes::quick() } else { Sizes::whole() };
    let path = match &options.out {
        None if !options.quick => Some(bench_folder().join(RESULTS)),
        out => out.clone(),
    };
    let before = match &path {
        Some(path) if !options.only.is_empty() && path.exists() => Growth::read(path)?,
        _ => Growth::default(),
    };
    let mut growth = numbers::begun(before);
    for sweep in Sweep::value_variants() {
        if options.only.is_empty() || options.only.contains(sweep) {
            let keep = |growth: &Growth| path.as_ref().map_or(Ok(()), |path| growth.write(path));
            sweep::run(*sweep, &sizes, &mut growth, keep)?;
        }
    }
    println!("{}", page::tables(&growth));
    if options.out.is_none() && !options.quick {
        numbers::make(Numbers::Write)?;
    }
    Ok(growth.is_correct())
}
