//! The names that a comparison knows: what each is, how it is built, started and told what to do. It decides
//! nothing about figures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::apart::Home;
use crate::floor::{Ceiling, Wire};
use crate::served::{Served, Start};
use crate::swarm::Transport;

/// Which side somebody is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The kernel alone.
    Floor,
    /// This engine.
    Ours,
    /// Somebody else's server.
    Peer,
    /// What the engine might have been built on: a plain program on a runtime.
    Runtime,
}

/// Where somebody runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// Where servers run.
    Servers,
    /// There and on the swarm's core: `-2-cores`.
    All,
}

/// Somebody to measure.
#[derive(Clone, Debug)]
pub struct Contestant {
    /// Its name in tables and on command lines.
    pub name: String,
    /// Which side it is on.
    pub kind: Kind,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it is told beside `BIND`, `PORT` and `CORES`.
    pub environment: Vec<(&'static str, String)>,
    /// How clients connect if they are to use WebSocket.
    pub transport: Transport,
    /// Where it runs.
    pub cores: Cores,
    /// Whether it counts its sends under `/metrics`; others might never answer the question.
    pub counts_sends: bool,
    /// Where it lives, if not on loopback.
    pub home: Option<Home>,
}

/// Everybody, in the order in which tables show them; with `-deflate` those that compress, with `-2-cores` those
/// that have the swarm's core too.
pub const NAMES: &[&str] = &[
    "floor-ring",
    "floor-ring-2-cores",
    "floor-send",
    "floor-epoll",
    "floor-ring-x16",
    "floor-ring-x16-2-cores",
    "floor-send-x16",
    "floor-ring-deflate",
    "floor-ring-x16-deflate",
    "ours",
    "ours-2-cores",
    "ours-deflate",
    "ours-flush-5",
    "ours-flush-10",
    "ours-flush-20",
    "ours-flush-50",
    "uwebsockets",
    "socketioxide",
    "socketioxide-2-cores",
    "node",
    "node-deflate",
    "node-deflate-fresh",
    "bun",
    "tokio",
    "monoio",
    "tokio-uring",
];

impl Contestant {
    /// One of [`NAMES`], built first.
    ///
    /// # Errors
    /// An unknown name, or a build that fails.
    pub fn named(name: &str) -> Result<Contestant> {
        if let Some(floor) = name.strip_prefix("floor-") {
            return Contestant::floor(name, floor);
        }
        if let Some(interval_ms) = name.strip_prefix("ours-flush-") {
            return Contestant::flushed(name, interval_ms);
        }
        let (rest, cores) = split_cores(name);
        let (base, settings) = rest.split_once("-deflate").unwrap_or((rest, ""));
        let (kind, command) = match base {
            "ours" => (Kind::Ours, vec![build_ours()?]),
            "uwebsockets" => (Kind::Peer, vec![build_rival("uwebsockets", "rival-uwebsockets")?]),
            "socketioxide" => (Kind::Peer, vec![build_rival("socketioxide", "rival-socketioxide")?]),
            "node" => (Kind::Peer, vec!["node".to_owned(), install("node")?]),
            "bun" => (Kind::Peer, bun()?),
            "tokio" | "monoio" | "tokio-uring" => {
                (Kind::Runtime, vec![build_rival("runtimes", &format!("runtime-{base}"))?])
            }
            _ => bail!("unknown server {name}: one of {}", NAMES.join(", ")),
        };
        let mut contestant = Contestant { cores, ..Contestant::new(name, kind, command) };
        if name.contains("-deflate") {
            contestant.transport = Transport::Deflate;
            contestant.environment.push(("DEFLATE", "1".to_owned()));
        }
        if settings == "-fresh" {
            contestant.environment.push(("CONTEXT_TAKEOVER", "0".to_owned()));
        }
        Ok(contestant)
    }

    /// The engine with a flush interval.
    fn flushed(name: &str, interval_ms: &str) -> Result<Contestant> {
        ensure!(interval_ms.parse::<u32>().is_ok(), "{name}: an interval is a number of milliseconds");
        let mut contestant = Contestant { name: name.to_owned(), ..Contestant::named("ours")? };
        contestant.environment.push(("FLUSH_INTERVAL_MS", interval_ms.to_owned()));
        Ok(contestant)
    }

    /// The floor, served by this very program: its `serve` subcommand must be [`crate::floor::Serve`].
    fn floor(name: &str, settings: &str) -> Result<Contestant> {
        let (settings, cores) = split_cores(settings);
        let mut words = settings.split('-');
        let wire = words.next().and_then(Wire::named).with_context(|| format!("{name}: which wire?"))?;
        ensure!(
            wire != Wire::Send || matches!(cores, Cores::Servers),
            "{name}: the plain write loop has one core"
        );
        let mut ceiling = Ceiling::default();
        for word in words {
            match word.strip_prefix('x').map(str::parse) {
                Some(Ok(frames)) => ceiling.coalesce = frames,
                _ if word == "deflate" => ceiling.deflate = true,
                _ => bail!("{name}: a floor has -xN and -deflate, not {word}"),
            }
        }
        Ok(Contestant { cores, ..Contestant::floor_on(name, wire, ceiling)? })
    }

    /// A floor by its settings.
    ///
    /// # Errors
    /// When the path of this program is unknown.
    pub fn floor_on(name: &str, wire: Wire, ceiling: Ceiling) -> Result<Contestant> {
        let program = std::env::current_exe().context("where is this program?")?;
        let mut command = vec![program.to_string_lossy().into_owned()];
        let coalesce = ceiling.coalesce.to_string();
        command.extend(["serve", "--wire", wire.name(), "--coalesce", &coalesce].map(str::to_owned));
        command.extend(ceiling.deflate.then(|| "--deflate".to_owned()));
        let transport = if ceiling.deflate { Transport::Deflate } else { Transport::WebSocket };
        Ok(Contestant { transport, ..Contestant::new(name, Kind::Floor, command) })
    }

    /// A program given on the command line, its arguments separated by spaces.
    ///
    /// # Errors
    /// An empty command.
    pub fn custom(name: &str, command: &str) -> Result<Contestant> {
        let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        ensure!(!command.is_empty(), "an empty command cannot be started");
        Ok(Contestant { counts_sends: true, ..Contestant::new(name, Kind::Peer, command) })
    }

    fn new(name: &str, kind: Kind, command: Vec<String>) -> Contestant {
        let (environment, transport) = (Vec::new(), Transport::WebSocket);
        let counts_sends = matches!(kind, Kind::Floor | Kind::Ours);
        let (name, cores) = (name.to_owned(), Cores::Servers);
        Contestant { name, kind, command, environment, transport, cores, counts_sends, home: None }
    }

    /// Starts it on its cores.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub fn start(&self, cores: &str) -> Result<Served> {
        let start = Start {
            command: self.command.clone(),
            environment: self.environment.clone(),
            cores: cores.to_owned(),
            cores_count: count_cores(cores),
            counts_sends: self.counts_sends,
            home: self.home.clone(),
        };
        Served::start(&start).with_context(|| format!("starting {}", self.name))
    }
}

impl Kind {
    /// In a word, as results have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Floor => "floor",
            Kind::Ours => "ours",
            Kind::Peer => "peer",
            Kind::Runtime => "runtime",
        }
    }
}

/// A name, and where it is served.
fn split_cores(name: &str) -> (&str, Cores) {
    match name.strip_suffix("-2-cores") {
        Some(rest) => (rest, Cores::All),
        None => (name, Cores::Servers),
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
    program(&target.join(profile()).join("bench-server"))
}

/// A rival's build lies beside ours, in a folder of its own: they share no dependency.
fn build_rival(folder: &str, name: &str) -> Result<String> {
    let target = target_folder()?.join("rivals");
    cargo_build(&rivals_folder().join(folder), &target, &["--bin", name])?;
    program(&target.join(profile()).join(name))
}

fn install(folder: &str) -> Result<String> {
    let folder = rivals_folder().join(folder);
    if !folder.join("node_modules/socket.io").is_dir() {
        step(
            Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder),
            &format!("npm ci in {}", folder.display()),
        )?;
    }
    program(&folder.join("server.mjs"))
}

/// Bun comes as a package, its program inside the package for this platform, until a first call moves it to the
/// place that npm links to.
fn bun() -> Result<Vec<String>> {
    let server = install("bun")?;
    let modules = rivals_folder().join("bun/node_modules");
    let moved = || program(&modules.join("bun/bin/bun.exe"));
    let program = program(&modules.join("@oven/bun-linux-x64/bin/bun")).or_else(|_| moved())?;
    Ok(vec![program, server])
}

fn cargo_build(folder: &Path, target: &Path, more: &[&str]) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--target-dir"]).arg(target).args(more).current_dir(folder);
    if profile() == "release" {
        command.arg("--release");
    }
    step(&mut command, &format!("cargo build {} in {}", more.join(" "), folder.display()))
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

/// A generator that was built for debugging measures servers that were.
fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

fn program(path: &Path) -> Result<String> {
    ensure!(path.exists(), "{} is not there after its build", path.display());
    Ok(path.to_string_lossy().into_owned())
}

fn rivals_folder() -> PathBuf {
    bench_folder().join("rivals")
}

/// The folder of this crate's sources: comparisons run where the house was built.
#[must_use]
pub fn bench_folder() -> PathBuf {
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
    fn two_cores_are_a_setting_of_those_who_can() {
        let names: Vec<&str> = NAMES.iter().copied().filter(|name| name.ends_with("-2-cores")).collect();
        let expected =
            ["floor-ring-2-cores", "floor-ring-x16-2-cores", "ours-2-cores", "socketioxide-2-cores"];
        assert_eq!(names, expected);
        assert!(Contestant::named("floor-send-2-cores").is_err(), "the plain write loop is one thread");
    }

    #[test]
    fn a_custom_command_is_split_at_spaces() {
        let contestant = Contestant::custom("x", "node server.mjs --flag").expect("a command");
        assert_eq!(contestant.command, ["node", "server.mjs", "--flag"]);
        assert!(Contestant::custom("x", "  ").is_err());
        assert!(Contestant::named("nobody").is_err());
    }

    #[test]
    fn every_floor_of_the_list_is_understood() {
        for name in NAMES.iter().filter(|name| name.starts_with("floor-")) {
            let floor = Contestant::named(name).expect("a floor");
            assert_eq!(floor.command.contains(&"--deflate".to_owned()), name.contains("deflate"));
            assert_eq!(floor.command.contains(&"16".to_owned()), name.contains("x16"));
        }
        assert!(Contestant::named("floor-pigeon").is_err());
        assert!(Contestant::named("floor-ring-fast").is_err());
    }
}
