//! `numbers`: what do the results say? Writes the README's tables and the plot from bench/results/comparison.json, or
//! checks that they are what it would write. It measures nothing.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use socketville_bench::contestants::bench_folder;
use socketville_bench::results::Results;
use socketville_bench::{plot, readme};

/// Writes the README's numbers and the plot from the results of `compare`.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Write nothing; fail if something would be written
    #[arg(long)]
    check: bool,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let folder = bench_folder();
    let results = Results::read(&folder.join(readme::RESULTS))?;
    let readme_path = folder.join("../README.md");
    let text = std::fs::read_to_string(&readme_path).context("reading the README")?;
    let made = [
        (readme_path, readme::with_numbers(&text, &results)?),
        (folder.join(readme::PLOT), plot::svg(&results)),
    ];
    let mut is_current = true;
    for (path, text) in &made {
        is_current &= options.check && holds(path, text) || !options.check && write(path, text)?;
    }
    Ok(if is_current { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn holds(path: &Path, text: &str) -> bool {
    let is_current = std::fs::read_to_string(path).is_ok_and(|found| found == text);
    if !is_current {
        eprintln!("{} is not what the results say: run `numbers`", path.display());
    }
    is_current
}

fn write(path: &Path, text: &str) -> Result<bool> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    println!("{}", path.display());
    Ok(true)
}
