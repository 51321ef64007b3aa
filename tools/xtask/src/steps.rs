//! The steps: their names, what each is for, and the order in which `test` runs them.
//!
//! Cheap and telling first, so that a slip in the layout is not found after ten minutes of building. What a step
//! does stands in its own file.

use std::time::Instant;

use anyhow::Result;

use crate::report::{Row, Verdict};
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{bench_smoke, cargo, compat, deny, faults, house, instructions, micro, packages, sim};

/// Something CI runs, by name.
pub(crate) struct Step {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// One line for the usage and the progress line.
    pub(crate) about: &'static str,
    run: fn(&Workspace) -> Result<Outcome>,
}

/// How a step ended.
pub(crate) enum Outcome {
    /// It ran, and this is what its runner counted. A step without tests counts as one.
    Ran(Tally),
    /// A tool is missing; the sentence says what to install.
    Missing(String),
}

/// Every step, in the order of `test`.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "packages", about: "programs of the distribution that tests drive", run: packages::install },
    Step { name: "house", about: "the rules of the house, checked by code", run: house::check },
    Step { name: "fmt", about: "rustfmt has nothing to change", run: cargo::fmt },
    Step { name: "deny", about: "licences, sources and versions of what we depend on", run: deny::check },
    Step { name: "clippy", about: "no warning in any target", run: cargo::clippy },
    Step { name: "doc", about: "the documentation builds without a warning", run: cargo::doc },
    Step { name: "unit", about: "unit, property, vector and doc tests", run: cargo::unit },
    Step { name: "micro", about: "the micro benchmarks, each once", run: micro::run },
    Step { name: "build", about: "every program, in release, once for the steps below", run: cargo::build },
    Step { name: "sim", about: "the whole engine on a simulated kernel, seed by seed", run: sim::replay },
    Step { name: "compat", about: "the official clients against the release programs", run: compat::run },
    Step { name: "faults", about: "what once broke a release program, by its kind", run: faults::run },
    Step {
        name: "instructions",
        about: "the two paths are no longer than recorded",
        run: instructions::check,
    },
    Step { name: "bench-smoke", about: "every bench runs, with small sizes", run: bench_smoke::run },
];

/// Runs the steps in order, each announced and closed by a line. A failed step does not stop the rest.
pub(crate) fn run_all(steps: &[&'static Step], workspace: &Workspace) -> Vec<Row> {
    let announced = steps.iter().enumerate();
    announced
        .map(|(done, step)| {
            println!("\n== [{}/{}] {}: {}", done + 1, steps.len(), step.name, step.about);
            let row = run_one(step, workspace);
            println!("== {}", row.line());
            row
        })
        .collect()
}

fn run_one(step: &Step, workspace: &Workspace) -> Row {
    let started = Instant::now();
    let verdict = match (step.run)(workspace) {
        Ok(Outcome::Ran(tally)) => Verdict::Counted(tally),
        Ok(Outcome::Missing(what)) if workspace.ci => Verdict::Broken(what),
        Ok(Outcome::Missing(what)) => Verdict::Skipped(what),
        Err(error) => Verdict::Broken(format!("{error:#}")),
    };
    Row { name: step.name, verdict, took: started.elapsed() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const LACKING: Step =
        Step { name: "lacking", about: "", run: |_| Ok(Outcome::Missing("install it".into())) };
    const BROKEN: Step = Step { name: "broken", about: "", run: |_| anyhow::bail!("no") };

    fn verdict(step: &Step, ci: bool) -> Verdict {
        run_one(step, &Workspace::at(Path::new("."), ci)).verdict
    }

    #[test]
    fn a_missing_tool_fails_in_ci_and_is_skipped_elsewhere() {
        assert!(matches!(verdict(&LACKING, true), Verdict::Broken(_)));
        assert!(matches!(verdict(&LACKING, false), Verdict::Skipped(_)));
    }

    #[test]
    fn a_step_that_cannot_run_counts_as_one_failure() {
        let broken = verdict(&BROKEN, false);
        assert_eq!(broken.tally(), Tally { passed: 0, failed: 1, skipped: 0 });
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }
}
