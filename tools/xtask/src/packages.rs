//! Programs of the distribution that tests drive: installed where that is possible, named where it is not.
//!
//! Not what cargo and npm fetch: their lock files say that. Nothing is touched that is there already.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::steps::Outcome;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// A program, the Debian package that has it, and what for.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("chromium", "chromium", "the page and the official client run in a real browser"),
    ("valgrind", "valgrind", "callgrind counts the instructions of the engine's paths"),
    ("redis-server", "redis-server", "async handlers await a real server"),
];

/// Installs what is missing, as root on Debian and its kin; elsewhere says what to install.
pub(crate) fn install(_workspace: &Workspace) -> Result<Outcome> {
    let missing: Vec<_> = PROGRAMS.iter().filter(|(program, ..)| !answers(program)).collect();
    if missing.is_empty() {
        return Ok(Outcome::Ran(Tally::one(true)));
    }
    for (program, package, why) in &missing {
        println!("{program} is missing ({why}); the Debian package is {package}");
    }
    let packages: Vec<_> = missing.iter().map(|(_, package, _)| *package).collect();
    if succeeds("apt-get", &["update", "-qq"]) {
        let words = [&["install", "-y", "-qq", "--no-install-recommends"], packages.as_slice()].concat();
        succeeds("apt-get", &words);
    }
    let left: Vec<_> =
        missing.iter().filter(|(program, ..)| !answers(program)).map(|(_, package, _)| *package).collect();
    if left.is_empty() {
        return Ok(Outcome::Ran(Tally::one(true)));
    }
    Ok(Outcome::Missing(format!("install them: apt-get install {}", left.join(" "))))
}

fn answers(program: &str) -> bool {
    succeeds(program, &["--version"])
}

fn succeeds(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_does_not_answer() {
        assert!(answers("cargo"));
        assert!(!answers("no-such-program-in-any-town"));
    }
}
