//! `compare`: who delivers for how much, in every chapter of the plan? The floors, this engine and its peers take turns,
//! five rounds, and medians are set side by side. This is the command behind the figures that the project quotes.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use socketville_bench::apart::{self, Within};
use socketville_bench::comparison::Comparison;
use socketville_bench::contestants::bench_folder;
use socketville_bench::floor;
use socketville_bench::goals;
use socketville_bench::idle;
use socketville_bench::machine::{self, Loopback};
use socketville_bench::numbers::{self, Numbers};
use socketville_bench::plan::{self, Chapter, Place, Size};
use socketville_bench::provenance;
use socketville_bench::readme;
use socketville_bench::results::{Results, RowResult};
use socketville_bench::table;

/// Everybody in turns; medians and ratios, as a table, a plot and JSON.
///
/// Servers run on core 0, the swarm on core 1. The whole plan takes under 20 minutes and says its length first.
/// Results go to bench/results/comparison.json, row by row, from which `compare numbers` writes the README's tables and the
/// plot. `apart` needs root and is measured only when it is named. Where chapters or servers are named, the rows that were measured take the place of theirs there.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only these chapters (see --list)
    #[arg(value_name = "CHAPTER")]
    only: Vec<String>,
    /// Only these contestants, each with its settings: ours, floor-ring, node, …
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// Rounds; figures are medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Few clients for moments, one round, nothing is kept: does everything work?
    #[arg(long)]
    smoke: bool,
    /// Print the chapters with their questions and lengths, and end
    #[arg(long)]
    list: bool,
    /// Where results go, instead of bench/results/comparison.json
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Cores of the servers, as taskset has it
    #[arg(long, default_value = "0", value_name = "LIST")]
    server_cores: String,
    /// Core of the swarm
    #[arg(long, default_value = "1", value_name = "LIST")]
    swarm_core: String,
    #[command(flatten)]
    loopback: Loopback,
}

#[derive(Subcommand)]
enum Command {
    /// Be the floor's server (what this program starts by itself)
    #[command(hide = true)]
    Serve(floor::Serve),
    /// Write the README's numbers and the plot from the results
    Numbers {
        /// Write nothing; fail if something would be written
        #[arg(long)]
        check: bool,
    },
    /// Say which goals hold, comparison by comparison
    Goals {
        /// Results of comparisons (see --out)
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Be the swarm in a network namespace (what this program starts by itself)
    #[command(hide = true)]
    Within(Within),
    /// Hold connections (what this program starts by itself)
    #[command(hide = true)]
    Hold(idle::Hold),
}

const EXAMPLES: &str = "Examples:
  compare
  compare deflate rooms
  compare apart                           (as root: server and swarm in network namespaces)
  compare fanout --servers ours,floor-ring --rounds 3
  compare --smoke --servers ours,floor-ring
  compare numbers                         (writes README and plot from the results)
  compare goals bench/results/*.json      (what must be reached, and whether it was)";

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    match options.command {
        Some(Command::Serve(serve)) => floor::serve(serve).map(|()| ExitCode::SUCCESS),
        Some(Command::Within(within)) => apart::within(&within).map(|()| ExitCode::SUCCESS),
        Some(Command::Hold(hold)) => idle::hold(hold).map(|()| ExitCode::SUCCESS),
        Some(Command::Numbers { check }) => {
            let is_current = numbers::make(if check { Numbers::Check } else { Numbers::Write })?;
            Ok(if is_current { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some(Command::Goals { files }) => {
            let runs: Result<Vec<Results>> = files.iter().map(|file| Results::read(file)).collect();
            print!("{}", goals::page(&runs?));
            Ok(ExitCode::SUCCESS)
        }
        None => compare(&options),
    }
}

fn compare(options: &Options) -> Result<ExitCode> {
    let chapters = chapters(options)?;
    let rounds = if options.smoke { 1 } else { options.rounds.max(1) };
    if !options.loopback.is_own() {
        announce(options, &chapters, rounds);
    }
    if options.list {
        return Ok(ExitCode::SUCCESS);
    }
    machine::raise_descriptor_limit();
    eprintln!("building who takes part");
    let mut comparison = Comparison::build(&chapters, &options.servers, rounds)?;
    options.loopback.settle();
    comparison.server_cores.clone_from(&options.server_cores);
    comparison.swarm_cores.clone_from(&options.swarm_core);
    machine::pin_self(&options.swarm_core);
    eprintln!("asking everybody whether they answer rightly");
    comparison.check_answers()?;
    let mut keep = Keep::new(options, rounds)?;
    let is_correct = measure(options, &comparison, &chapters, &mut keep)?;
    Ok(if is_correct { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chapters(options: &Options) -> Result<Vec<Chapter>> {
    let mut chapters = plan::chapters(if options.smoke { Size::Smoke } else { Size::Whole });
    let names: Vec<&str> = chapters.iter().map(|chapter| chapter.name).collect();
    if let Some(strange) = options.only.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("no chapter is called {strange}: {}", names.join(", "));
    }
    let is_whole = options.only.is_empty();
    let is_named = |chapter: &Chapter| options.only.iter().any(|name| name == chapter.name);
    let is_for_all = |chapter: &Chapter| chapter.place == Place::Loopback || options.list;
    chapters.retain(|chapter| if is_whole { is_for_all(chapter) } else { is_named(chapter) });
    Ok(chapters)
}

fn announce(options: &Options, chapters: &[Chapter], rounds: usize) {
    for chapter in chapters {
        let minutes = chapter.seconds(rounds) / 60.0;
        eprintln!("{:<9} {:>4.1} min  {}", chapter.name, minutes, chapter.question);
    }
    let is_counted = |chapter: &&Chapter| chapter.place == Place::Loopback || !options.only.is_empty();
    let counted = chapters.iter().filter(is_counted);
    let minutes: f64 = counted.map(|chapter| chapter.seconds(rounds)).sum::<f64>() / 60.0;
    eprintln!("{:<9} {minutes:>4.1} min  {rounds} rounds with everybody, after building", "all");
}

/// Measures row by row, and says whether everybody was correct.
fn measure(
    options: &Options,
    comparison: &Comparison,
    chapters: &[Chapter],
    keep: &mut Keep,
) -> Result<bool> {
    let (started, mut is_correct) = (Instant::now(), true);
    for chapter in chapters {
        if chapter.place == Place::Apart {
            eprintln!("\n[{:.0} s] {}", started.elapsed().as_secs_f64(), chapter.name);
            is_correct &= measure_apart(&within(options, chapter, comparison.rounds), keep);
            continue;
        }
        for row in &chapter.rows {
            eprintln!("\n[{:.0} s] {}: {}", started.elapsed().as_secs_f64(), chapter.name, row.title);
            is_correct &= keep.row(comparison.measure(chapter, row))?;
        }
    }
    Ok(is_correct)
}

/// A machine that has no namespaces for us has everything else: the chapter is left out, and says so.
fn measure_apart(within: &Within, keep: &mut Keep) -> bool {
    let mut is_correct = true;
    let measured = apart::measure(within, |row| {
        is_correct &= keep.row(row)?;
        Ok(())
    });
    if let Err(error) = measured {
        eprintln!("{} is left out: {error:#}. It needs Linux, root, and `ip` of iproute2", within.chapter);
    }
    is_correct
}

fn within(options: &Options, chapter: &Chapter, rounds: usize) -> Within {
    Within {
        maker: std::process::id(),
        chapter: chapter.name.to_owned(),
        servers: options.servers.clone(),
        rounds,
        smoke: options.smoke,
        server_cores: options.server_cores.clone(),
        swarm_core: options.swarm_core.clone(),
        congestion_control: options.loopback.congestion_control.clone(),
    }
}

/// Of earlier results what the whole plan does not measure.
fn on_request(mut before: Results) -> Results {
    let chapters = plan::chapters(Size::Whole);
    let named = || chapters.iter().filter(|chapter| chapter.place == Place::Apart);
    before.rows.retain(|row| named().any(|chapter| chapter.name == row.chapter));
    before
}

/// Where results go, row by row: what was measured is not lost with what was not.
struct Keep {
    path: Option<PathBuf>,
    results: Results,
}

impl Keep {
    /// A part of the plan takes its place among what was measured before; the whole plan begins anew, but for what it
    /// does not measure.
    fn new(options: &Options, rounds: usize) -> Result<Keep> {
        let standard = || bench_folder().join(readme::RESULTS);
        let path = if options.smoke { options.out.clone() } else { options.out.clone().or(Some(standard())) };
        let is_part = !options.only.is_empty() || !options.servers.is_empty();
        let before = match &path {
            Some(path) if is_part && path.exists() => Results::read(path)?,
            Some(path) => Results::read(path).map(on_request).unwrap_or_default(),
            None => Results::default(),
        };
        Ok(Keep { path, results: Results { rounds, ..provenance::results(before) } })
    }

    /// Shows and keeps a row, and says whether everybody in it was correct.
    fn row(&mut self, row: RowResult) -> Result<bool> {
        println!("{}", table::detailed(&row));
        let is_correct = row.cells.iter().all(|cell| cell.verdict != "failed");
        self.results.replace_rows(vec![row]);
        if let Some(path) = &self.path {
            self.results.write(path)?;
        }
        Ok(is_correct)
    }
}
