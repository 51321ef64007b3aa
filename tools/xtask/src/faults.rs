//! The fault cases: what once broke a release program, on both drivers, with one core and with two.
//!
//! The cases stand in `compat-tests/faults`, and their runner prints a line for each; here its closing line is read.

use anyhow::{Context, Result};

use crate::compat;
use crate::steps::Outcome;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Builds, installs what the lock file says, runs the quick cases or those that were asked for.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    if let Some(missing) = compat::missing_node() {
        return Ok(Outcome::Missing(missing));
    }
    let folder = workspace.root.join("compat-tests");
    if !workspace.build(&["socketville-cli", "socketville-compat", "socketville-bench"])? {
        return Ok(Outcome::Ran(Tally::one(false)));
    }
    compat::install(workspace, &folder)?;
    let mut node = workspace.command("node");
    node.arg("faults/run.mjs").args(&workspace.faults).current_dir(&folder);
    node.env("SOCKETVILLE_BIN", workspace.program("socketville")?);
    node.env("SOCKETVILLE_CONFORMANCE", workspace.program("conformance")?);
    node.env("SOCKETVILLE_BENCH_SERVER", workspace.program("bench-server")?);
    let finished = workspace.run(&mut node)?;
    let tally = Tally::of_closing_line(&finished.output);
    Ok(Outcome::Ran(
        tally.context("the fault cases closed without `N passed, N failed`")?.checked(finished.ok),
    ))
}
