//! What we depend on: its licences, where it comes from, and which of it we have twice.
//!
//! cargo-deny does this better and is used when it is installed; building it costs about four minutes on two cores,
//! more than the rest of such a check is worth in CI, so the essentials of `deny.toml` are also checked here, from
//! cargo's own account. It does not look for known vulnerabilities: that needs a list from elsewhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::child::answers;
use crate::licence;
use crate::steps::Outcome;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The platform whose dependencies are judged; what other platforms would add is never built.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// How cargo names its default registry, the one allowed source.
const REGISTRY: &str = concat!("registry+https://github.com/rust-lang/crates", ".io-index");

/// Runs cargo-deny if it is there, else checks the essentials.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    if answers(&["cargo", "deny", "--version"]) {
        let mut deny = workspace.command("cargo");
        let finished = workspace.run(deny.args(["deny", "check", "bans", "licenses", "sources"]))?;
        return Ok(Outcome::Ran(Tally::one(finished.ok)));
    }
    println!("cargo-deny is not installed (cargo install --locked cargo-deny): checking the essentials");
    let policy = std::fs::read_to_string(workspace.root.join("deny.toml")).context("reading deny.toml")?;
    let allow = allow_list(&policy).context("deny.toml has no `allow` list under [licenses]")?;
    let packages = packages(workspace)?;
    for line in duplicates(&packages) {
        println!("warning: {line}");
    }
    let faults = faults(&packages, &allow, &workspace.root);
    for fault in &faults {
        println!("{fault}");
    }
    println!("{} packages, {} faults", packages.len(), faults.len());
    Ok(Outcome::Ran(Tally::one(faults.is_empty())))
}

/// A package of the dependency tree, as cargo describes it.
struct Package {
    name: String,
    version: String,
    licence: Option<String>,
    source: Option<String>,
    manifest: String,
}

fn packages(workspace: &Workspace) -> Result<Vec<Package>> {
    let mut cargo = workspace.cargo("metadata");
    cargo.args(["--format-version", "1", "--all-features", "--filter-platform", PLATFORM]);
    let output = cargo.stderr(Stdio::inherit()).output().context("`cargo metadata` does not start")?;
    ensure!(output.status.success(), "`cargo metadata` failed");
    read_packages(&serde_json::from_slice(&output.stdout).context("reading what `cargo metadata` printed")?)
}

fn read_packages(metadata: &Value) -> Result<Vec<Package>> {
    let Some(packages) = metadata["packages"].as_array() else { bail!("`cargo metadata` lists no packages") };
    let text = |value: &Value| value.as_str().map(String::from);
    packages
        .iter()
        .map(|package| {
            Ok(Package {
                name: text(&package["name"]).context("a package without a name")?,
                version: text(&package["version"]).context("a package without a version")?,
                licence: text(&package["license"]),
                source: text(&package["source"]),
                manifest: text(&package["manifest_path"]).context("a package without a manifest")?,
            })
        })
        .collect()
}

/// Everything that may not stand: unread, unknown or unwanted licences, and sources other than the default registry
/// and this checkout.
fn faults(packages: &[Package], allow: &[String], root: &Path) -> Vec<String> {
    let judged = packages.iter().flat_map(|package| {
        let faults = [licence_fault(package, allow), source_fault(package, root)];
        faults
            .into_iter()
            .flatten()
            .map(move |fault| format!("{} {}: {fault}", package.name, package.version))
    });
    judged.collect()
}

fn licence_fault(package: &Package, allow: &[String]) -> Option<String> {
    let Some(expression) = &package.licence else { return Some("states no licence".into()) };
    match licence::allowed(expression, allow) {
        Some(true) => None,
        Some(false) => Some(format!("its licence is not allowed by deny.toml: {expression}")),
        None => Some(format!("its licence is not an expression: {expression}")),
    }
}

fn source_fault(package: &Package, root: &Path) -> Option<String> {
    match &package.source {
        Some(source) if source == REGISTRY => None,
        Some(source) => Some(format!("its source is not the default registry: {source}")),
        None if Path::new(&package.manifest).starts_with(root) => None,
        None => Some("it is a path outside of this checkout".into()),
    }
}

/// A line for each package that is there in several versions.
fn duplicates(packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    several.map(|(name, versions)| format!("{name} is there in versions {}", versions.join(", "))).collect()
}

/// The strings of `allow = [..]` under `[licenses]`.
fn allow_list(policy: &str) -> Option<Vec<String>> {
    let (_, section) = policy.split_once("[licenses]")?;
    let (_, list) = section.split_once("allow = [")?;
    let (list, _) = list.split_once(']')?;
    let code = list.lines().map(|line| line.split('#').next().unwrap_or(line));
    Some(code.flat_map(|line| line.split('"').skip(1).step_by(2)).map(String::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, licence: Option<&str>, source: Option<&str>) -> Package {
        let [name, version] = [name, version].map(String::from);
        let manifest = "/checkout/engine/Cargo.toml".into();
        Package {
            name,
            version,
            licence: licence.map(String::from),
            source: source.map(String::from),
            manifest,
        }
    }

    fn judged(package: Package) -> Vec<String> {
        faults(&[package], &["MIT".into()], Path::new("/checkout"))
    }

    #[test]
    fn the_allow_list_is_read_without_its_comments() {
        let policy = "[graph]\nallow = [\"no\"]\n[licenses]\n# why\nallow = [\n  \"MIT\", # \"not this\"\n  \"A WITH B\",\n]\n";
        assert_eq!(allow_list(policy), Some(vec!["MIT".into(), "A WITH B".into()]));
        assert_eq!(allow_list("[licenses]\n"), None);
    }

    #[test]
    fn a_licence_must_be_stated_readable_and_allowed() {
        assert!(judged(package("a", "1.0.0", Some("MIT OR ISC"), Some(REGISTRY))).is_empty());
        for licence in [None, Some("ISC"), Some("MIT OR")] {
            assert_eq!(judged(package("a", "1.0.0", licence, Some(REGISTRY))).len(), 1, "{licence:?}");
        }
    }

    #[test]
    fn only_the_default_registry_and_this_checkout_are_sources() {
        assert!(judged(package("ours", "0.1.0", Some("MIT"), None)).is_empty());
        assert_eq!(judged(package("a", "1.0.0", Some("MIT"), Some("git+https://example.org/a"))).len(), 1);
        let elsewhere = package("a", "1.0.0", Some("MIT"), None);
        assert_eq!(faults(&[elsewhere], &["MIT".into()], Path::new("/other")).len(), 1);
    }

    #[test]
    fn two_versions_are_a_warning_with_both() {
        let tree = ["1.0.0", "2.0.0"].map(|version| package("twice", version, Some("MIT"), None));
        assert_eq!(duplicates(&tree), ["twice is there in versions 1.0.0, 2.0.0"]);
        assert!(duplicates(&tree[..1]).is_empty());
    }

    #[test]
    fn cargo_metadata_is_read() {
        let metadata = serde_json::json!({"packages": [
            {"name": "a", "version": "1.0.0", "license": null, "source": null, "manifest_path": "/a/Cargo.toml"}
        ]});
        assert_eq!(read_packages(&metadata).expect("a package").len(), 1);
        assert!(read_packages(&serde_json::json!({})).is_err());
    }
}
