//! The steps that are one cargo command: formatting, lints, documentation, tests, the release build.
//!
//! What they count is what cargo counts; the rules themselves stand in rustfmt.toml, clippy.toml and the manifests.

use anyhow::Result;

use crate::child::answers;
use crate::steps::Outcome;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// `cargo fmt --check`: nothing to change.
pub(crate) fn fmt(workspace: &Workspace) -> Result<Outcome> {
    if !answers(&["cargo", "fmt", "--version"]) {
        return Ok(Outcome::Missing("install rustfmt: rustup component add rustfmt".into()));
    }
    let mut cargo = workspace.command("cargo");
    let finished = workspace.run(cargo.args(["fmt", "--all", "--check"]))?;
    Ok(Outcome::Ran(Tally::one(finished.ok)))
}

/// `cargo clippy`: every target, warnings are errors.
pub(crate) fn clippy(workspace: &Workspace) -> Result<Outcome> {
    if !answers(&["cargo", "clippy", "--version"]) {
        return Ok(Outcome::Missing("install clippy: rustup component add clippy".into()));
    }
    let mut cargo = workspace.cargo("clippy");
    let finished = workspace.run(cargo.args([
        "--workspace",
        "--all-features",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(Outcome::Ran(Tally::one(finished.ok)))
}

/// `cargo doc`: our own crates, warnings are errors. Doc tests run with `unit`.
pub(crate) fn doc(workspace: &Workspace) -> Result<Outcome> {
    let mut cargo = workspace.cargo("doc");
    cargo.args(["--workspace", "--all-features", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings");
    Ok(Outcome::Ran(Tally::one(workspace.run(&mut cargo)?.ok)))
}

/// `cargo test`: all crates to the end, though one fails, so that the count is whole.
pub(crate) fn unit(workspace: &Workspace) -> Result<Outcome> {
    let mut cargo = workspace.cargo("test");
    let finished = workspace.run(cargo.args(["--workspace", "--all-features", "--no-fail-fast"]))?;
    Ok(Outcome::Ran(Tally::of_cargo_test(&finished.output).checked(finished.ok)))
}

/// `cargo build --release`: every program.
pub(crate) fn build(workspace: &Workspace) -> Result<Outcome> {
    Ok(Outcome::Ran(Tally::one(workspace.build_all()?)))
}
