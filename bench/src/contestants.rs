//! The names that a comparison knows: how each is built, started and asked. It decides nothing about figures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::answers::Depth;
use crate::floor::Wire;
use crate::served::{Served, Start};

/// Somebody to measure.
#[derive(Clone, Debug)]
pub struct Contestant {
    /// Its name in tables.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it promises to answer.
    pub depth: Depth,
}

impl Contestant {
    /// The floor, served by this very program: its `serve` subcommand must be [`crate::floor::serve`].
    ///
    /// # Errors
    /// When the path of this program is unknown.
    pub fn floor(wire: Wire, coalesce: u32) -> Result<Contestant> {
        let program = std::env::current_exe().context("where is this program?")?;
        let name = if coalesce > 1 {
            format!("floor {} x{coalesce}", wire.name())
        } else {
            format!("floor {}", wire.name())
        };
        let coalesce = coalesce.to_string();
        let command =
            [&program.to_string_lossy(), "serve", "--wire", wire.name(), "--coalesce", coalesce.as_str()];
        Ok(Contestant { name, command: command.map(str::to_owned).to_vec(), depth: Depth::Broadcasts })
    }

    /// `ours`, `socketioxide` or `node`, built first.
    ///
    /// # Errors
    /// An unknown name, or a build that fails.
    pub fn named(name: &str) -> Result<Contestant> {
        let command = match name {
            "ours" => vec![build_ours()?],
            "socketioxide" => vec![build_socketioxide()?],
            "node" => vec!["node".to_owned(), install_node()?],
            _ => bail!("unknown server {name}: ours, socketioxide or node"),
        };
        Ok(Contestant { name: name.to_owned(), command, depth: Depth::App })
    }

    /// A program given on the command line, its arguments separated by spaces.
    ///
    /// # Errors
    /// An empty command.
    pub fn custom(name: &str, command: &str) -> Result<Contestant> {
        let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        ensure!(!command.is_empty(), "an empty command cannot be started");
        Ok(Contestant { name: name.to_owned(), command, depth: Depth::App })
    }

    /// Starts it on its cores.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub fn start(&self, cores: &str) -> Result<Served> {
        let start =
            Start { command: self.command.clone(), cores: cores.to_owned(), cores_count: count_cores(cores) };
        Served::start(&start).with_context(|| format!("starting {}", self.name))
    }
}

/// How many cores a list such as `0`, `0-1` or `0,2` names.
#[must_use]
pub fn count_cores(cores: &str) -> usize {
    let part = |part: &str| match part.split_once('-') {
        Some((first, last)) => {
            let (first, last) = (first.trim().parse::<usize>().ok()?, last.trim().parse::<usize>().ok()?);
            Some(last.saturating_sub(first) + 1)
        }
        None => part.trim().parse::<usize>().ok().map(|_| 1),
    };
    cores.split(',').filter_map(part).sum::<usize>().max(1)
}

fn build_ours() -> Result<String> {
    let target = target_folder()?;
    cargo_build(&bench_folder(), &target, &["--bin", "bench-server"])?;
    program(&target.join("release/bench-server"))
}

/// A rival's build lies beside ours, in a folder of its own: they share no dependency.
fn build_socketioxide() -> Result<String> {
    let target = target_folder()?.join("rivals");
    cargo_build(&bench_folder().join("rivals/socketioxide"), &target, &[])?;
    program(&target.join("release/rival-socketioxide"))
}

fn install_node() -> Result<String> {
    let folder = bench_folder().join("rivals/node");
    if !folder.join("node_modules/socket.io").is_dir() {
        step(
            Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder),
            "npm ci in bench/rivals/node",
        )?;
    }
    program(&folder.join("server.mjs"))
}

fn cargo_build(folder: &Path, target: &Path, more: &[&str]) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--release", "--quiet", "--target-dir"])
        .arg(target)
        .args(more)
        .current_dir(folder);
    step(&mut command, &format!("cargo build in {}", folder.display()))
}

fn step(command: &mut Command, what: &str) -> Result<()> {
    eprintln!("  {what} …");
    let status =
        command.stdin(Stdio::null()).stdout(Stdio::null()).status().with_context(|| what.to_owned())?;
    ensure!(status.success(), "{what} ended with {status}");
    Ok(())
}

/// The target folder that this program was built in: it lies in a profile's folder of it.
fn target_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().context("where is this program?")?;
    let folder = program.parent().and_then(Path::parent).context("this program lies in no target folder")?;
    Ok(folder.to_owned())
}

fn program(path: &Path) -> Result<String> {
    ensure!(path.exists(), "{} is not there after its build", path.display());
    Ok(path.to_string_lossy().into_owned())
}

/// The folder of this crate's sources: comparisons run where the house was built.
fn bench_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_counted() {
        assert_eq!(count_cores("0"), 1);
        assert_eq!(count_cores("0-3"), 4);
        assert_eq!(count_cores("0,2-3"), 3);
        assert_eq!(count_cores("nonsense"), 1);
    }

    #[test]
    fn a_custom_command_is_split_at_spaces() {
        let contestant = Contestant::custom("x", "node server.mjs --flag").expect("a command");
        assert_eq!(contestant.command, ["node", "server.mjs", "--flag"]);
        assert!(Contestant::custom("x", "  ").is_err());
        assert!(Contestant::named("nobody").is_err());
    }
}
