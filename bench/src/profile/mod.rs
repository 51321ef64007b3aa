//! Where does the server's time go? One recording for each scene, and what it says: how much is the kernel's, which
//! functions of user space are the largest, and what each costs a unit. It is no comparison: sampling costs a little
//! itself, so its absolute figures are a few per cent above those of `compare`.
//!
//! - `scenes`: what is profiled; `recorder`: `perf` around the measured part;
//! - `samples`: what it printed, as counts; `lines`: which function an address is in;
//! - `items`: counts by name, the largest first; `reasons`: why the largest are there; `page`: how people read it.

mod items;
mod lines;
mod page;
mod reasons;
mod recorder;
mod samples;
mod scenes;

use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use self::items::Item;
use self::recorder::Recorder;
use self::samples::Samples;
use crate::answers;
use crate::contestants::{Contestant, bench_folder};
use crate::outcome::{Outcome, Verdict};
use crate::provenance;
use crate::results::Results;
use crate::scenario::{self, Load};
use crate::served::Served;
use crate::swarm::Transport;

pub use page::{detailed, page};
pub use scenes::{Scene, scenes};

/// All profiles of one day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Profiles {
    /// The machine, the versions; of rows it has none.
    pub provenance: Results,
    /// One for each scene.
    pub profiles: Vec<Profile>,
}

/// What one recording says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Profile {
    /// The scene's name on the command line.
    pub name: String,
    /// What was done, in a few words.
    pub title: String,
    /// What is counted: delivery, round trip, …
    pub unit: String,
    /// CPU of the server per unit, ns, while it was sampled.
    pub cpu_ns: f64,
    /// Samples in all.
    pub samples: u64,
    /// Share of them in user space, of 1.
    pub user_share: f64,
    /// The largest of user space.
    pub user: Vec<Item>,
    /// The largest of the kernel.
    pub kernel: Vec<Item>,
}

/// Where the profiles lie, below bench/: as JSON and as a page.
pub const RESULTS: [&str; 2] = ["results/profile.json", "results/profile.md"];

impl Profiles {
    /// No profiles yet, of this machine and these versions.
    #[must_use]
    pub fn new() -> Profiles {
        let provenance = provenance::results(Results::default());
        Profiles { provenance: Results { command: COMMAND.to_owned(), ..provenance }, profiles: Vec::new() }
    }

    /// Writes JSON and page where they are kept.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let [json, markdown] = RESULTS.map(|name| folder.join(name));
        std::fs::create_dir_all(folder.join("results"))?;
        std::fs::write(&json, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("writing {}", json.display()))?;
        std::fs::write(&markdown, page(self)).with_context(|| format!("writing {}", markdown.display()))
    }
}

/// Starts our server, lets the scene play, and tells where the time went.
///
/// # Errors
/// When the server answers wrongly or loses something, or `perf` cannot sample.
pub fn record(scene: &Scene, contestant: &Contestant, cores: &str) -> Result<Profile> {
    let mut served = contestant.start(cores)?;
    answers::check(&served, contestant.transport)?;
    let process = served.process().context("the server was not started here")?;
    let program = contestant.command.first().context("a server without a program")?;
    let name = program.rsplit('/').next().unwrap_or(program);
    let base = samples::base(&process.mappings().unwrap_or_default(), name)
        .with_context(|| format!("{name} is not mapped in its own process"))?;
    let data = std::env::temp_dir().join(format!("profile-{}-{}.data", std::process::id(), scene.name));
    let recorder = Rc::new(Recorder::attach(process, &data)?);
    served.watch(Rc::<Recorder>::clone(&recorder));
    let outcome = play(&served, contestant, scene.load)?;
    let samples = Samples::read(&recorder.finish()?, name, base);
    ensure!(samples.all() > 0, "perf saw nothing of {}", scene.name);
    profile(scene, &outcome, &samples, program)
}

fn play(served: &Served, contestant: &Contestant, load: Load) -> Result<Outcome> {
    let transport = if load.transport == Transport::Polling { load.transport } else { contestant.transport };
    let outcome = scenario::run(served, &contestant.name, Load { transport, ..load })?;
    ensure!(outcome.verdict() != Verdict::Failed, "{}: {}", contestant.name, outcome.faults);
    Ok(outcome)
}

fn profile(scene: &Scene, outcome: &Outcome, samples: &Samples, program: &str) -> Result<Profile> {
    let house = bench_folder().parent().context("the bench house stands alone")?.to_owned();
    let places = lines::places(program, &house, samples.program.keys().copied())?;
    let scale = items::Scale {
        all: samples.all(),
        user: samples.user(),
        cpu_ns: outcome.cpu_us().context("the server's CPU time is unknown")? * 1e3,
    };
    Ok(Profile {
        name: scene.name.to_owned(),
        title: scene.title.to_owned(),
        unit: outcome.unit.name().to_owned(),
        cpu_ns: scale.cpu_ns.round(),
        samples: scale.all,
        user_share: items::rounded(scale.user as f64 / scale.all as f64),
        user: items::user(samples, &places, scale),
        kernel: items::kernel(samples, scale),
    })
}

const COMMAND: &str = "cargo run --release -p socketville-bench --bin profile";
