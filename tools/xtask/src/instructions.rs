//! Instructions on the engine's paths, counted by callgrind: what a noisy machine cannot hide.
//!
//! A count per broadcast (to 1000 sockets) and per message stands in a committed file; one that grows by more than 5 %
//! fails, until somebody renews the record with `cargo xtask instructions --renew` and so says that it is meant.
//! Setting up is not counted: each path is walked with two lengths, and the difference divided.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::child::answers;
use crate::steps::Outcome;
use crate::tally::Tally;
use crate::workspace::{Record, Workspace};

/// A path, its two lengths, and what one step of it is called.
struct Path {
    name: &'static str,
    short: u64,
    long: u64,
    step: &'static str,
}

const PATHS: &[Path] = &[
    Path {
        name: "outbound",
        short: 20,
        long: 120,
        step: "broadcast of 128 B to 1000 sockets, with its flush",
    },
    Path { name: "inbound", short: 1000, long: 6000, step: "event of 128 B, from masked bytes to arguments" },
    Path {
        name: "echo",
        short: 800,
        long: 8800,
        step: "question of 128 B and its answer, from masked bytes to the send, its handler relaying",
    },
    Path {
        name: "typed",
        short: 800,
        long: 8800,
        step: "question of 128 B and its answer, from masked bytes to the send, its handler reading a text",
    },
];

/// A record may be exceeded by so much: other machines' libraries differ by less than one in a hundred.
const GROWTH_MAX: f64 = 1.05;

/// Counts each path and holds it against its record, or renews the record.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    if !answers(&["valgrind", "--version"]) {
        return Ok(Outcome::Missing("install valgrind: cargo xtask packages".into()));
    }
    if !workspace.build(&["socketville-bench"])? {
        return Ok(Outcome::Ran(Tally::one(false)));
    }
    let mut tally = Tally::default();
    for path in PATHS {
        let found = count(workspace, path)?;
        tally += Tally::one(match workspace.record {
            Record::Renew => renew(workspace, path, found)?,
            Record::Check => holds(path, found, read(workspace, path)?),
        });
    }
    Ok(Outcome::Ran(tally))
}

fn count(workspace: &Workspace, path: &Path) -> Result<u64> {
    let (short, long) = (walked(workspace, path, path.short)?, walked(workspace, path, path.long)?);
    ensure!(long > short, "the longer {} path took fewer instructions: {long} and {short}", path.name);
    Ok((long - short) / (path.long - path.short))
}

/// Instructions of one whole run.
fn walked(workspace: &Workspace, path: &Path, steps: u64) -> Result<u64> {
    let mut command = workspace.command("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(workspace.program("paths")?);
    let output = command.args([path.name, "--count", &steps.to_string()]).output().context("valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind failed: {said}");
    collected(&said).with_context(|| format!("callgrind collected nothing: {said}"))
}

/// The number of callgrind's closing line, `==7== Collected : 123`.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.split_once("Collected :"))?;
    line.1.trim().parse().ok()
}

fn holds(path: &Path, found: u64, recorded: u64) -> bool {
    let (share, step) = (found as f64 / recorded as f64, path.step);
    println!(
        "{}: {found} instructions per {step}; recorded {recorded} ({:+.1} %)",
        path.name,
        (share - 1.0) * 100.0
    );
    let holds = share <= GROWTH_MAX;
    if !holds {
        println!("it grew: mend it, or renew the record with `cargo xtask instructions --renew`");
    }
    holds
}

fn record(workspace: &Workspace, path: &Path) -> PathBuf {
    workspace.root.join("bench/results/instructions").join(format!("{}.txt", path.name))
}

fn read(workspace: &Workspace, path: &Path) -> Result<u64> {
    let file = record(workspace, path);
    let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    recorded(&text).with_context(|| format!("{} has no count", file.display()))
}

/// The first word of a record.
fn recorded(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok().filter(|count| *count > 0)
}

fn renew(workspace: &Workspace, path: &Path, found: u64) -> Result<bool> {
    let file = record(workspace, path);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&file, format!("{found} instructions per {}\n", path.step))?;
    println!("{}: {found} instructions per {}, recorded", path.name, path.step);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callgrinds_closing_line_is_read() {
        let said = "==7== \n==7== Events    : Ir\n==7== Collected : 123456\n==7== \n";
        assert_eq!(collected(said), Some(123_456));
        assert_eq!(collected("==7== nothing"), None);
    }

    #[test]
    fn a_record_begins_with_its_count() {
        assert_eq!(recorded("42 instructions per step\n"), Some(42));
        assert_eq!(recorded(""), None);
        assert_eq!(recorded("0 instructions"), None);
    }

    #[test]
    fn growth_fails_and_shrinking_does_not() {
        let path = &PATHS[0];
        assert!(holds(path, 105, 100) && holds(path, 10, 100));
        assert!(!holds(path, 106, 100));
    }
}
