//! The checkout being checked: where it is, where its programs are built, and how commands run in it.
//!
//! It does not know the steps.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::child::{self, Finished};

/// The life of one child in CI. A cold release build on two cores is the longest by far and stays well below it; CI
/// as a whole gives up after 90 minutes without saying which step hung.
const CHILD_LIMIT: Duration = Duration::from_secs(20 * 60);

/// The checkout and the circumstances of this run.
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Whether this is CI: nothing may be skipped, lock files must be current, children have a limit.
    pub(crate) ci: bool,
    /// How many seeds the simulation replays.
    pub(crate) seeds: u32,
    /// What `instructions` does with its records.
    pub(crate) record: Record,
    /// What is said to the runner of the fault cases.
    pub(crate) faults: Vec<String>,
    target: PathBuf,
    built: Cell<bool>,
}

/// What is done with a committed record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Hold against it.
    Check,
    /// Write it anew.
    Renew,
}

impl Workspace {
    /// Finds the checkout from what cargo tells the program it runs.
    pub(crate) fn discover(seeds: u32, record: Record, faults: Vec<String>) -> Result<Self> {
        let crate_dir =
            std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&crate_dir).ancestors().nth(2).context("tools/xtask lies two folders deep")?;
        let ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
        // TARGET/debug/xtask: the same settings that placed this program place the others.
        let program = std::env::current_exe().context("where this program is")?;
        let target = program.ancestors().nth(2).context("a program lies two folders deep")?;
        Ok(Self { target: target.into(), seeds, record, faults, ..Self::at(root, ci) })
    }

    /// A checkout in this folder, with the default target folder.
    pub(crate) fn at(root: &Path, ci: bool) -> Self {
        let (record, target) = (Record::Check, root.join("target"));
        Self { root: root.into(), ci, seeds: 1, record, faults: Vec::new(), target, built: Cell::new(false) }
    }

    /// `cargo SUBCOMMAND` in the checkout; in CI with `--locked`, so that what is tested is what is committed.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = self.command("cargo");
        command.arg(subcommand);
        if self.ci {
            command.arg("--locked");
        }
        command
    }

    /// Any program, with the checkout as its folder.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// Runs a command to its end, within the limit that CI sets.
    pub(crate) fn run(&self, command: &mut Command) -> Result<Finished> {
        child::run(command, self.ci.then_some(CHILD_LIMIT))
    }

    /// Builds the programs of these packages in release, unless `build_all` did; false if they do not build.
    pub(crate) fn build(&self, packages: &[&str]) -> Result<bool> {
        if self.built.get() {
            return Ok(true);
        }
        let mut cargo = self.cargo("build");
        cargo.args(["--release", "--bins"]);
        for package in packages {
            cargo.args(["--package", package]);
        }
        Ok(self.run(&mut cargo)?.ok)
    }

    /// Builds every program in release with one command: cargo then links several of them at a time.
    pub(crate) fn build_all(&self) -> Result<bool> {
        let mut cargo = self.cargo("build");
        cargo.args(["--release", "--bins", "--workspace", "--exclude", "xtask"]);
        self.built.set(self.run(&mut cargo)?.ok);
        Ok(self.built.get())
    }

    /// Where a release program lies, or a sentence that it does not.
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf> {
        let path = self.target.join("release").join(name);
        anyhow::ensure!(path.is_file(), "there is no program `{name}` among the release programs");
        Ok(path)
    }
}
