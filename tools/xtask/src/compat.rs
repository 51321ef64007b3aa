//! Other people's clients against our release programs: node's own runner over `compat-tests/tests`.
//!
//! The tests start and stop the servers themselves; here the programs are built, the packages installed, the summary
//! read.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};

use crate::child::answers;
use crate::steps::Outcome;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The oldest Node.js whose runner prints the summary that is read here.
const NODE_MAJOR_MIN: u32 = 20;

/// Builds, installs what the lock file says, runs every `*.test.mjs`.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    if let Some(missing) = missing_node().or_else(|| missing_browser(workspace.ci)) {
        return Ok(Outcome::Missing(missing));
    }
    let folder = workspace.root.join("compat-tests");
    let tests = tests_in(&folder.join("tests"))?;
    if !workspace.build(&["socketville-cli", "socketville-compat"])? {
        return Ok(Outcome::Ran(Tally::one(false)));
    }
    install(workspace, &folder)?;
    let mut node = workspace.command("node");
    node.args(["--test", "--test-reporter=spec"]).args(&tests).current_dir(&folder);
    node.env("SOCKETVILLE_CONFORMANCE", workspace.program("conformance")?);
    node.env("SOCKETVILLE_BIN", workspace.program("socketville")?);
    let finished = workspace.run(&mut node)?;
    Ok(Outcome::Ran(Tally::of_node_test(&finished.output).checked(finished.ok)))
}

/// Installs what the lock file says, if that has not been done.
pub(crate) fn install(workspace: &Workspace, folder: &Path) -> Result<()> {
    if workspace.ci || stale(folder) {
        let mut npm = workspace.command("npm");
        let installed = workspace.run(npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))?;
        ensure!(installed.ok, "`npm ci` failed in compat-tests");
    }
    Ok(())
}

/// What to install before anything here can run.
pub(crate) fn missing_node() -> Option<String> {
    let found = Command::new("node").arg("--version").output().ok();
    let major = found.and_then(|output| node_major(&String::from_utf8_lossy(&output.stdout)));
    if major.is_none_or(|major| major < NODE_MAJOR_MIN) || !answers(&["npm", "--version"]) {
        return Some(format!("install Node.js {NODE_MAJOR_MIN} or later, with npm"));
    }
    None
}

/// The page's tests skip themselves without a browser: that is for people, not CI.
fn missing_browser(ci: bool) -> Option<String> {
    (ci && !answers(&["chromium", "--version"])).then(|| "install the Debian package chromium".into())
}

/// `20` of `v20.20.2`.
fn node_major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// The test files by name: given a folder, versions of node differ in what they take for a test.
fn tests_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("there is no folder {}", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let is_test = |path: &PathBuf| path.to_string_lossy().ends_with(".test.mjs");
    let mut tests: Vec<PathBuf> = paths.into_iter().filter(is_test).collect();
    tests.sort();
    ensure!(!tests.is_empty(), "there is no *.test.mjs in {}", folder.display());
    Ok(tests)
}

/// Whether the lock file is newer than what was installed from it.
fn stale(folder: &Path) -> bool {
    let changed = |path: &str| -> Option<SystemTime> { folder.join(path).metadata().ok()?.modified().ok() };
    changed("node_modules/.package-lock.json")
        .is_none_or(|installed| changed("package-lock.json") > Some(installed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_node() {
        assert_eq!(node_major("v20.20.2\n"), Some(20));
        assert_eq!(node_major("v9.0.0"), Some(9));
        assert_eq!(node_major(""), None);
        assert_eq!(node_major("20"), None);
    }

    #[test]
    fn nothing_installed_is_stale() {
        assert!(stale(Path::new("no-such-folder")));
        assert!(tests_in(Path::new("no-such-folder")).is_err());
    }
}
