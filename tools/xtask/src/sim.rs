//! The simulation: the whole engine on a kernel made of queues, so many seeds of it.
//!
//! The oracle is in `engine/sim`; here its closing line is read.

use anyhow::{Context, Result};

use crate::steps::Outcome;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Replays the seeds with the release program: a debug build would spend its minutes on fewer of them.
pub(crate) fn replay(workspace: &Workspace) -> Result<Outcome> {
    if !workspace.build(&["socketville-sim"])? {
        return Ok(Outcome::Ran(Tally::one(false)));
    }
    let mut program = workspace.command(workspace.program("socketville-sim")?);
    let finished = workspace.run(program.args(["--seeds", &workspace.seeds.to_string()]))?;
    let tally = Tally::of_closing_line(&finished.output);
    Ok(Outcome::Ran(
        tally.context("the simulation closed without `N passed, N failed`")?.checked(finished.ok),
    ))
}
