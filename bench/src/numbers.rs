//! `compare numbers`: the READMEs' tables and the plots, written from bench/results/comparison.json, or checked to be what
//! would be written. It measures nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::contestants::bench_folder;
use crate::results::Results;
use crate::{interval, plot, readme};

/// What is done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// They are written.
    Write,
    /// They are compared, and whoever differs is named.
    Check,
}

/// Writes or checks; returns whether all is as the results say.
///
/// # Errors
/// When results or README cannot be read, or nothing can be written.
pub fn make(what: Numbers) -> Result<bool> {
    settle(&made()?, what, "compare numbers")
}

/// Writes each file its text, or checks that it has it; `command` is what would write it.
///
/// # Errors
/// When nothing can be written.
pub(crate) fn settle(made: &[(PathBuf, String)], what: Numbers, command: &str) -> Result<bool> {
    let mut is_current = true;
    for (path, text) in made {
        is_current &= match what {
            Numbers::Check => holds(path, text, command),
            Numbers::Write => write(path, text)?,
        };
    }
    Ok(is_current)
}

fn made() -> Result<Vec<(PathBuf, String)>> {
    let folder = bench_folder();
    let results = Results::read(&folder.join(readme::RESULTS))?;
    let readme_path = folder.join("../README.md");
    let text = std::fs::read_to_string(&readme_path).context("reading the README")?;
    let readme = readme::with_numbers(&text, &results)?;
    let house_path = folder.join("README.md");
    let text = std::fs::read_to_string(&house_path).context("reading the README of the house")?;
    let house = readme::with_timing(&text, &results)?;
    let mut made =
        vec![(readme_path, readme), (house_path, house), (folder.join(readme::PLOT), plot::svg(&results))];
    made.extend(interval::svg(&results).map(|picture| (folder.join(readme::INTERVAL_PLOT), picture)));
    Ok(made)
}

fn holds(path: &Path, text: &str, command: &str) -> bool {
    let is_current = std::fs::read_to_string(path).is_ok_and(|found| found == text);
    if !is_current {
        eprintln!("{} is not what the results say: run `{command}`", path.display());
    }
    is_current
}

fn write(path: &Path, text: &str) -> Result<bool> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    println!("{}", path.display());
    Ok(true)
}
