//! `growth numbers`: the tables and sums of bench/SCALE.md and the picture, written from bench/results/growth.json, or
//! checked to be what would be written. It measures nothing.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::results::Growth;
use super::{page, plot};
use crate::contestants::bench_folder;
use crate::numbers::{Numbers, settle};
use crate::provenance;

/// Where the results lie, below bench/.
pub const RESULTS: &str = "results/growth.json";
/// Where the picture lies, below bench/.
pub const PLOT: &str = "results/growth.svg";
/// The page, below bench/.
const PAGE: &str = "SCALE.md";

/// A run of today on this machine, with the points of one before.
#[must_use]
pub fn begun(before: Growth) -> Growth {
    let mut versions = provenance::versions();
    versions.retain(|name, _| name == "commit" || name == "rustc");
    Growth {
        date: provenance::today(),
        command: COMMAND.to_owned(),
        machine: provenance::machine(),
        versions,
        ..before
    }
}

/// Writes or checks; returns whether all is as the results say.
///
/// # Errors
/// When results or page cannot be read, or nothing can be written.
pub fn make(what: Numbers) -> Result<bool> {
    settle(&made()?, what, "growth numbers")
}

fn made() -> Result<[(PathBuf, String); 2]> {
    let folder = bench_folder();
    let growth = Growth::read(&folder.join(RESULTS))?;
    let page_path = folder.join(PAGE);
    let text = std::fs::read_to_string(&page_path).context("reading SCALE.md")?;
    let page = page::with_numbers(&text, &growth)?;
    Ok([(page_path, page), (folder.join(PLOT), plot::svg(&growth))])
}

const COMMAND: &str = "cargo run --release -p socketville-bench --bin growth";
