//! `compare`: who delivers a broadcast for how much CPU? The floor and several servers take turns, five
//! rounds, and medians are set side by side. This is the command behind the figures that the project quotes.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use serde_json::Value;
use socketville_bench::comparison::{self, Cell, Row};
use socketville_bench::contestants::Contestant;
use socketville_bench::floor::{self, Wire};
use socketville_bench::outcome::{Outcome, Verdict};
use socketville_bench::scenario::Load;
use socketville_bench::{answers, machine, scenario};

/// The floor and several servers in turns; medians and ratios of CPU per delivery.
///
/// Servers run on core 0, the swarm on core 1. The floor is the kernel alone: one send of ready bytes per
/// socket by the engine's ring and by a plain loop; in bursts a send carries up to 16 frames. Takes about ten
/// minutes with the default settings.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Who takes part beside the floors: ours, socketioxide, node (built if need be)
    #[arg(long, value_delimiter = ',', default_value = "ours,socketioxide,node")]
    servers: Vec<String>,
    /// Rounds; the tables show medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only rows whose title contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Small loads, one round: does everything work?
    #[arg(long)]
    smoke: bool,
    /// All runs as JSON into this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Cores of the servers, as taskset has it
    #[arg(long, default_value = "0", value_name = "LIST")]
    server_cores: String,
    /// Core of the swarm
    #[arg(long, default_value = "1", value_name = "LIST")]
    swarm_core: String,
}

#[derive(Subcommand)]
enum Command {
    /// Be the floor's server (what this program starts by itself)
    #[command(hide = true)]
    Serve(Serve),
}

#[derive(Args)]
struct Serve {
    #[arg(long, value_enum)]
    wire: Wire,
    #[arg(long, default_value_t = 1)]
    coalesce: u32,
    #[arg(long, env = "PORT")]
    port: u16,
}

const EXAMPLES: &str = "Examples:
  compare
  compare --servers ours,socketioxide --rounds 3 --only paced
  compare --smoke --servers node";

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if let Some(Command::Serve(serve)) = options.command {
        floor::serve(serve.wire, serve.coalesce, serve.port)?;
        return Ok(ExitCode::SUCCESS);
    }
    machine::raise_descriptor_limit();
    let rows = rows(&options)?;
    machine::pin_self(&options.swarm_core);
    let mut runs = Vec::new();
    let mut is_correct = true;
    for row in &rows {
        let cells = measure(&options, row)?;
        println!("{}", comparison::table(&row.title, &cells, "socketioxide"));
        let outcomes = cells.iter().flat_map(|cell| &cell.outcomes);
        runs.extend(outcomes.clone().map(Outcome::to_json));
        is_correct &= outcomes.clone().all(|outcome| outcome.verdict() != Verdict::Failed);
    }
    if let Some(path) = &options.out {
        let text = serde_json::to_string_pretty(&Value::Array(runs))?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(if is_correct { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn rows(options: &Options) -> Result<Vec<Row>> {
    eprintln!("building what takes part");
    let named: Vec<Contestant> =
        options.servers.iter().map(|name| Contestant::named(name)).collect::<Result<_>>()?;
    let loads = comparison::standard_loads(options.smoke).into_iter();
    let wanted =
        loads.filter(|(title, ..)| options.only.as_ref().is_none_or(|only| title.contains(only.as_str())));
    wanted.map(|(title, load, coalesce)| row(title, load, coalesce, &named)).collect()
}

fn row(title: String, load: Load, coalesce: u32, named: &[Contestant]) -> Result<Row> {
    let mut contestants =
        vec![Contestant::floor(Wire::Ring, coalesce)?, Contestant::floor(Wire::Send, coalesce)?];
    contestants.extend_from_slice(named);
    Ok(Row { title, load, contestants })
}

/// All rounds of one row: in each round everybody takes part once.
fn measure(options: &Options, row: &Row) -> Result<Vec<Cell>> {
    let rounds = if options.smoke { 1 } else { options.rounds.max(1) };
    let empty = |contestant: &Contestant| Cell { name: contestant.name.clone(), outcomes: Vec::new() };
    let mut cells: Vec<Cell> = row.contestants.iter().map(empty).collect();
    eprintln!("{}", row.title);
    for round in 1..=rounds {
        for (contestant, cell) in row.contestants.iter().zip(&mut cells) {
            let outcome =
                measure_one(options, contestant, row.load).with_context(|| contestant.name.clone())?;
            eprintln!("  round {round} of {rounds}: {}", progress(&outcome));
            cell.outcomes.push(outcome);
        }
    }
    Ok(cells)
}

fn measure_one(options: &Options, contestant: &Contestant, load: Load) -> Result<Outcome> {
    let served = contestant.start(&options.server_cores)?;
    answers::check(&served, contestant.depth)?;
    scenario::run(&served, &contestant.name, load)
}

fn progress(outcome: &Outcome) -> String {
    let cpu = outcome.cpu_us().map_or_else(|| "unknown".to_owned(), |cpu| format!("{cpu:.3}"));
    let verdict = match outcome.verdict() {
        Verdict::Valid => String::new(),
        Verdict::Void => ", VOID (the swarm was the bottleneck)".to_owned(),
        Verdict::Failed => format!(", FAILED: {}", outcome.faults),
    };
    format!("{:<16} {cpu} us per delivery{verdict}", outcome.name)
}
