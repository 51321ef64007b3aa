//! Programs of the distribution that tests drive: installed where that is possible, named where it is not.
//!
//! Not what cargo and npm fetch: their lock files say that. Nothing is touched that is there already.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::child::answers;
use crate::steps::Outcome;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Something that answers when it is there, the Debian package that has it, and what for.
struct Program {
    question: &'static [&'static str],
    package: &'static str,
    why: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program {
        question: &["chromium", "--version"],
        package: "chromium",
        why: "the page and the official client run in a real browser",
    },
    Program {
        question: &["redis-server", "--version"],
        package: "redis-server",
        why: "async handlers await a real server",
    },
    Program {
        question: &["python3", "--version"],
        package: "python3",
        why: "python-socketio is a client of the compatibility tests",
    },
    Program {
        question: &["python3", "-c", "import ensurepip, venv"],
        package: "python3-venv",
        why: "python-socketio is installed into an environment of its own",
    },
    Program {
        question: &["valgrind", "--version"],
        package: "valgrind",
        why: "callgrind counts the instructions of the engine's paths",
    },
];

/// Installs what is missing, as root on Debian and its kin; elsewhere says what to install.
pub(crate) fn install(_workspace: &Workspace) -> Result<Outcome> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(Outcome::Ran(Tally::one(true)));
    }
    for Program { question, package, why } in &missing {
        println!("{} is missing ({why}); the Debian package is {package}", question[0]);
    }
    if succeeds("apt-get", &["update", "-qq"]) {
        let words =
            [&["install", "-y", "-qq", "--no-install-recommends"], names(&missing).as_slice()].concat();
        succeeds("apt-get", &words);
    }
    match self::missing() {
        left if left.is_empty() => Ok(Outcome::Ran(Tally::one(true))),
        left => Ok(Outcome::Missing(format!("install them: apt-get install {}", names(&left).join(" ")))),
    }
}

fn missing() -> Vec<&'static Program> {
    PROGRAMS.iter().filter(|program| !answers(program.question)).collect()
}

fn names(programs: &[&Program]) -> Vec<&'static str> {
    programs.iter().map(|program| program.package).collect()
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
        assert!(answers(&["cargo", "--version"]));
        assert!(!answers(&["no-such-program-in-any-town"]));
    }
}
