//! Every bench once, small: it starts, its answers are checked, it ends.
//!
//! It measures nothing: a number from a busy machine with fifty clients is worth nothing, and none is looked at.

use anyhow::Result;

use crate::steps::Outcome;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Each bench and the sizes at which it takes seconds. Those that need a server start the engine's own `bench-server`.
const SMOKES: &[(&str, &[&str])] = &[
    ("ceiling", &["--clients", "50", "--seconds", "1"]),
    ("fanout", &["--name", "ours", "--clients", "50", "--seconds", "1"]),
    ("fanout", &["--name", "ours", "--clients", "50", "--scenario", "burst", "--count", "64"]),
    ("compare", &["--smoke", "--servers", "ours,floor-ring"]),
    ("compare", &["numbers", "--check"]),
    ("idle", &["--name", "ours", "--clients", "200", "--seconds", "1"]),
    ("growth", &["--quick"]),
    ("growth", &["numbers", "--check"]),
];

/// Builds the benches and runs each; a bench that leaves with a status other than 0 has failed.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    if !workspace.build(&["socketville-bench"])? {
        return Ok(Outcome::Ran(Tally::one(false)));
    }
    let mut tally = Tally::default();
    for (name, sizes) in SMOKES {
        tally += Tally::one(holds(workspace, name, sizes));
    }
    Ok(Outcome::Ran(tally))
}

/// A bench that cannot even start is said so, and the others still run.
fn holds(workspace: &Workspace, name: &str, sizes: &[&str]) -> bool {
    let program = workspace.program(name);
    let finished = program.and_then(|program| workspace.run(workspace.command(program).args(sizes)));
    match finished {
        Ok(finished) if finished.ok => true,
        Ok(_) => {
            println!("bench `{name}` failed");
            false
        }
        Err(error) => {
            println!("bench `{name}`: {error:#}");
            false
        }
    }
}
