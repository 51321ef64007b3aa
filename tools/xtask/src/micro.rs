//! The micro benchmarks beside the code, each once: they build, and what they call still works.
//!
//! It measures nothing; `cargo bench -p socketville-proto -p socketville-hub` does.

use anyhow::Result;

use crate::steps::Outcome;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Runs them as tests, as criterion does without `--bench`.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    let mut cargo = workspace.cargo("test");
    cargo.args(["--package", "socketville-proto", "--package", "socketville-hub", "--benches"]);
    let finished = workspace.run(&mut cargo)?;
    Ok(Outcome::Ran(counted(&finished.output).checked(finished.ok)))
}

/// Criterion says `Success` for each.
fn counted(output: &str) -> Tally {
    let passed = output.lines().filter(|line| line.trim() == "Success").count();
    Tally { passed: passed as u64, ..Tally::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_success_counts_as_one() {
        let output = "Testing decode/frame\nSuccess\n\nTesting encode\nSuccess\n";
        assert_eq!(counted(output).passed, 2);
        assert_eq!(counted("").checked(true).failed, 1);
    }
}
