//! Where results come from: the machine, the versions of everybody, the commit, the command. It asks programs and
//! files, and leaves out what does not answer.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::contestants::bench_folder;
use crate::machine::congestion_control;
use crate::results::Results;

/// Results that carry today's provenance and `before`'s rows.
#[must_use]
pub fn results(before: Results) -> Results {
    Results { date: today(), command: COMMAND.to_owned(), machine: machine(), versions: versions(), ..before }
}

pub(crate) fn today() -> String {
    said("date", &["-u", "+%Y-%m-%d"]).unwrap_or_default()
}

pub(crate) fn machine() -> BTreeMap<String, String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    let facts = [
        ("kernel", kernel.map(|text| text.trim().to_owned())),
        ("cpu", field(&cpuinfo, "model name")),
        ("cores", Some(cpuinfo.lines().filter(|line| line.starts_with("processor")).count().to_string())),
        ("congestion control", congestion_control()),
        ("memory", field(&meminfo, "MemTotal").and_then(|text| gibibytes(&text))),
    ];
    known(facts)
}

pub(crate) fn versions() -> BTreeMap<String, String> {
    let commit = said("git", &["rev-parse", "--short", "HEAD"]).map(|commit| {
        let is_clean = said("git", &["status", "--porcelain", "--untracked-files=no"])
            .is_some_and(|text| text.is_empty());
        if is_clean { commit } else { format!("{commit} and changes") }
    });
    let facts = [
        ("commit", commit),
        ("rustc", said("rustc", &["--version"]).and_then(|text| second_word(&text))),
        ("node", said("node", &["--version"])),
        ("socket.io", pinned("node", "socket.io")),
        ("ws", pinned("node", "ws")),
        ("bun", pinned("bun", "bun")),
        ("bun-engine", pinned("bun", "@socket.io/bun-engine")),
        ("uWebSockets", carried()),
        ("socketioxide", locked("socketioxide", "socketioxide")),
        ("tokio", locked("runtimes", "tokio")),
        ("monoio", locked("runtimes", "monoio")),
        ("tokio-uring", locked("runtimes", "tokio-uring")),
    ];
    known(facts)
}

fn known<const N: usize>(facts: [(&str, Option<String>); N]) -> BTreeMap<String, String> {
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The value of the first `name : value` line.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn gibibytes(kibibytes: &str) -> Option<String> {
    let value: f64 = kibibytes.split_whitespace().next()?.parse().ok()?;
    Some(format!("{:.0} GiB", value / 1024.0 / 1024.0))
}

fn second_word(text: &str) -> Option<String> {
    text.split_whitespace().nth(1).map(str::to_owned)
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(bench_folder()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The version that a rival's package.json pins.
fn pinned(rival: &str, package: &str) -> Option<String> {
    let text = fs::read_to_string(bench_folder().join("rivals").join(rival).join("package.json")).ok()?;
    let manifest: Value = serde_json::from_str(&text).ok()?;
    manifest["dependencies"][package].as_str().map(str::to_owned)
}

/// The version that a rival's Cargo.lock has.
fn locked(rival: &str, package: &str) -> Option<String> {
    let text = fs::read_to_string(bench_folder().join("rivals").join(rival).join("Cargo.lock")).ok()?;
    locked_in(&text, package)
}

/// The version of uWebSockets: its sources do not name it, but they are those of this tag.
fn carried() -> Option<String> {
    let carrier = locked("uwebsockets", "libuwebsockets-sys")?;
    (carrier == "0.0.10").then(|| "20.58.0".to_owned())
}

fn locked_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    Some(version.trim_end_matches('"').to_owned())
}

const COMMAND: &str = "cargo run --release -p socketville-bench --bin compare";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_locks_and_manifests() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"b\"\nversion = \"4.0\"\n";
        assert_eq!(locked_in(lock, "b").as_deref(), Some("4.0"));
        assert_eq!(locked_in(lock, "c"), None);
        assert_eq!(pinned("node", "socket.io").as_deref(), Some("4.8.4"));
        assert!(carried().is_some(), "which uWebSockets does its new carrier carry?");
    }

    #[test]
    fn this_machine_has_a_kernel_and_memory() {
        let machine = machine();
        assert!(machine.get("kernel").is_some_and(|kernel| kernel.contains('.')));
        assert!(machine.get("memory").is_some_and(|memory| memory.ends_with(" GiB")));
    }
}
