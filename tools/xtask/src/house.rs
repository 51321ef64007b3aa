//! The rules of the house that code can check, each a test of its own over the files that git knows.
//!
//! It judges form: what belongs where, what may not stand in a file. Whether a name is a good one stays for readers.

mod layout;
mod manifest;
mod rust_text;
mod source;
mod text;
mod tracked;

use anyhow::Result;

use crate::child::answers;
use crate::steps::Outcome;
use crate::tally::Tally;
use crate::workspace::Workspace;
use tracked::Tracked;

/// One rule: a sentence that holds, and what finds the places where it does not.
struct Rule {
    says: &'static str,
    faults: fn(&[Tracked]) -> Vec<String>,
}

const RULES: &[Rule] = &[
    Rule { says: "the top level is what the house plan says, no more", faults: layout::top_level },
    Rule { says: "nothing is called utils, helpers or common", faults: layout::nameless },
    Rule { says: "every Rust file opens by saying what it is", faults: source::unopened },
    Rule { says: "a file is a chapter: 500 lines at most", faults: source::giants },
    Rule { says: "`unsafe` stands in engine/sys only", faults: source::unsafe_elsewhere },
    Rule {
        says: "the server catches panics where it calls the application",
        faults: source::catching_elsewhere,
    },
    Rule { says: "every dependency of the workspace has its reason beside it", faults: manifest::unreasoned },
    Rule { says: "crates take their dependencies from the workspace", faults: manifest::uninherited },
    Rule { says: "every crate but engine/sys has the workspace's lints", faults: manifest::unlinted },
    Rule { says: "no file names a package registry", faults: text::registries },
    Rule { says: "no file names a path of somebody's machine", faults: text::machine_paths },
    Rule { says: "package-lock.json has no download addresses", faults: text::resolved_locks },
];

/// Checks every rule; each counts as one test.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    if !answers(&["git", "--version"]) {
        return Ok(Outcome::Missing("install git: the rules hold for the files it knows".into()));
    }
    let files = tracked::all(workspace)?;
    let mut tally = Tally::default();
    for rule in RULES {
        let faults = (rule.faults)(&files);
        println!("{} {}", if faults.is_empty() { "ok    " } else { "FAILED" }, rule.says);
        for fault in &faults {
            println!("         {fault}");
        }
        tally += Tally::one(faults.is_empty());
    }
    Ok(Outcome::Ran(tally))
}
