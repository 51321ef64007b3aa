//! `profile`: where does our server's time go, load by load? It plays the loads of the comparison with `perf` around
//! them, prints the largest functions of user space and kernel, and keeps them. It compares nothing; `compare` does.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;
use socketville_bench::contestants::{Contestant, bench_folder};
use socketville_bench::machine::{self, Loopback};
use socketville_bench::profile::{self, Profiles, Scene};

/// Where user-space time goes: the ten largest functions of each load, with the kernel's beside them.
///
/// It needs `perf` (any that takes orders, 5.10 or newer) with the right to sample, and `addr2line`.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Options {
    /// Scenes; all if none is named, and only then the results are kept
    scenes: Vec<String>,
    /// Print the scenes, and end
    #[arg(long)]
    list: bool,
    /// Where results/ lies, instead of bench/
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Cores of the server, as taskset has it
    #[arg(long, default_value = "0", value_name = "LIST")]
    server_cores: String,
    /// Core of the swarm
    #[arg(long, default_value = "1", value_name = "LIST")]
    swarm_core: String,
    #[command(flatten)]
    loopback: Loopback,
}

const EXAMPLES: &str = "Examples:
  profile                      (all of it, in under three minutes after building)
  profile rooms-closed polling
  profile --list";

fn main() -> Result<()> {
    let options = Options::parse();
    let scenes = scenes(&options.scenes)?;
    if options.list {
        scenes.iter().for_each(|scene| println!("{:<13} {}", scene.name, scene.title));
        return Ok(());
    }
    machine::raise_descriptor_limit();
    let (plain, deflate) = (Contestant::named("ours")?, Contestant::named("ours-deflate")?);
    options.loopback.settle();
    machine::pin_self(&options.swarm_core);
    let mut profiles = Profiles::new();
    for scene in &scenes {
        let contestant = if scene.contestant == plain.name { &plain } else { &deflate };
        let recorded =
            profile::record(scene, contestant, &options.server_cores).with_context(|| scene.name)?;
        profiles.profiles.push(recorded);
        profiles.profiles.last().into_iter().for_each(|recorded| println!("{}", profile::detailed(recorded)));
    }
    if options.scenes.is_empty() || options.out.is_some() {
        profiles.write(&options.out.unwrap_or_else(bench_folder))?;
    }
    Ok(())
}

fn scenes(wanted: &[String]) -> Result<Vec<Scene>> {
    let mut scenes = profile::scenes();
    if let Some(strange) = wanted.iter().find(|name| !scenes.iter().any(|scene| scene.name == **name)) {
        let names: Vec<&str> = scenes.iter().map(|scene| scene.name).collect();
        bail!("no scene is called {strange}: {}", names.join(", "));
    }
    scenes.retain(|scene| wanted.is_empty() || wanted.iter().any(|name| name == scene.name));
    Ok(scenes)
}
