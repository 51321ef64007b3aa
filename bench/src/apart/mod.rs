//! Server and swarm in network namespaces of their own, with receive processing steered to the core of who receives: what
//! loopback cannot show. It plans nothing and keeps nothing; a chapter of [`crate::plan`] comes in, rows of results go
//! out.
//!
//! On loopback a send does the receiver's TCP as well, on the sender's core and at the sender's expense, so that servers
//! differ by less than they would on a network. Here a send ends where the packet is handed to the swarm's core; and
//! acknowledgements, which a network card would bring to the server's core, are processed there.
//!
//! ```text
//! compare ── makes both namespaces, steers, reads rows of JSON, removes them
//!   └─ compare within ── in the swarm's namespace, on the swarm's core: the comparison of one chapter
//!        └─ server ── in the server's namespace, on the server's core
//! ```

mod home;
mod namespaces;
mod traffic;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

pub use self::home::Home;
use self::namespaces::{End, Namespaces};
use self::traffic::Traffic;
use crate::comparison::Comparison;
use crate::machine;
use crate::plan::{self, Chapter, Size};
use crate::results::{CellResult, RowResult};

/// The comparison of one chapter in a swarm's namespace: what `compare` starts by itself, and how.
#[derive(clap::Args, Clone, Debug)]
pub struct Within {
    /// The process that made the namespaces
    #[arg(long)]
    pub maker: u32,
    /// The chapter
    #[arg(long)]
    pub chapter: String,
    /// Only these contestants
    #[arg(long, value_delimiter = ',')]
    pub servers: Vec<String>,
    /// Rounds
    #[arg(long)]
    pub rounds: usize,
    /// Few clients
    #[arg(long)]
    pub smoke: bool,
    /// Cores of the servers
    #[arg(long)]
    pub server_cores: String,
    /// Core of the swarm
    #[arg(long)]
    pub swarm_core: String,
    /// How TCP paces itself in both namespaces
    #[arg(long)]
    pub congestion_control: String,
}

/// Measures a chapter, and gives each row to `keep` as soon as it is there.
///
/// # Errors
/// What is missing, when namespaces cannot be had; or what `keep` says.
pub fn measure(within: &Within, keep: impl FnMut(RowResult) -> Result<()>) -> Result<()> {
    let namespaces =
        Namespaces::create(&within.server_cores, &within.swarm_core, &within.congestion_control)?;
    eprintln!("  {}: {}", namespaces.server.device, namespaces.server.settings());
    let mut child = start(within, &namespaces.swarm)?;
    let rows = relay(&mut child, keep);
    if rows.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    rows?;
    ensure!(status.success(), "the swarm in its namespace ended with {status}; its complaint is above");
    Ok(())
}

fn start(within: &Within, swarm: &End) -> Result<Child> {
    let program = std::env::current_exe().context("where is this program?")?;
    let mut program = vec![program.to_string_lossy().into_owned()];
    program.extend(within.arguments());
    let command = swarm.home.command(&program);
    let (name, arguments) = command.split_first().context("an empty command")?;
    Command::new(name).args(arguments).stdout(Stdio::piped()).spawn().context("starting the swarm")
}

fn relay(child: &mut Child, mut keep: impl FnMut(RowResult) -> Result<()>) -> Result<()> {
    let output = child.stdout.take().context("no output of the swarm")?;
    for line in BufReader::new(output).lines() {
        keep(serde_json::from_str(&line?).context("the swarm said something that is no row")?)?;
    }
    Ok(())
}

/// Is the swarm: measures the chapter against servers in the other namespace, and prints each row as a line of JSON.
///
/// # Errors
/// As the comparison.
pub fn within(within: &Within) -> Result<()> {
    let size = if within.smoke { Size::Smoke } else { Size::Whole };
    let mut chapters = plan::chapters(size);
    chapters.retain(|chapter| chapter.name == within.chapter);
    let home = End::server(within.maker).home;
    let mut comparison = Comparison::build(&chapters, &within.servers, within.rounds)?;
    comparison.server_cores.clone_from(&within.server_cores);
    comparison.swarm_cores.clone_from(&within.swarm_core);
    comparison.contestants.values_mut().for_each(|contestant| contestant.home = Some(home.clone()));
    machine::pin_self(&within.swarm_core);
    comparison.check_answers()?;
    chapters.iter().try_for_each(|chapter| within.measure_chapter(&comparison, chapter))
}

impl Within {
    fn measure_chapter(&self, comparison: &Comparison, chapter: &Chapter) -> Result<()> {
        for row in &chapter.rows {
            eprintln!("\n{}: {}", chapter.name, row.title);
            let before = self.traffic()?;
            let result = comparison.measure(chapter, row);
            let traffic = self.traffic()?.since(before);
            println!("{}", serde_json::to_string(&proven(result, traffic))?);
        }
        Ok(())
    }

    fn traffic(&self) -> Result<Traffic> {
        Traffic::now(End::swarm(self.maker).device, &self.server_cores, &self.swarm_core)
    }

    fn arguments(&self) -> Vec<String> {
        let (maker, rounds) = (self.maker.to_string(), self.rounds.to_string());
        let mut words = vec!["within", "--maker", &maker, "--chapter", &self.chapter, "--rounds", &rounds];
        words.extend(["--congestion-control", &self.congestion_control]);
        words.extend(["--server-cores", &self.server_cores, "--swarm-core", &self.swarm_core]);
        let servers = self.servers.join(",");
        if !servers.is_empty() {
            words.extend(["--servers", &servers]);
        }
        words.extend(self.smoke.then_some("--smoke"));
        words.into_iter().map(str::to_owned).collect()
    }
}

/// A row with the proof of steering; without one it has no figures.
fn proven(row: RowResult, traffic: Traffic) -> RowResult {
    if traffic.is_steered() {
        return RowResult { note: Some(traffic.to_string()), ..row };
    }
    let note = Some(format!(
        "VOID: that receiving was steered is not proven (is somebody else busy here?): {traffic}"
    ));
    RowResult { note, cells: row.cells.into_iter().map(CellResult::voided).collect(), ..row }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::results::tests::made;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        within: Within,
    }

    #[test]
    fn the_swarm_understands_what_it_is_started_with() {
        let asked = Within {
            maker: 7,
            chapter: "apart".to_owned(),
            servers: vec!["ours".to_owned(), "node".to_owned()],
            rounds: 3,
            smoke: true,
            server_cores: "0".to_owned(),
            swarm_core: "1".to_owned(),
            congestion_control: "cubic".to_owned(),
        };
        let read = Line::parse_from(asked.arguments()).within;
        assert_eq!(format!("{read:?}"), format!("{asked:?}"));
    }

    #[test]
    fn a_row_without_a_proof_of_steering_has_no_figures() {
        let row = |strays| proven(made().rows[0].clone(), Traffic::of_swarm(100, strays));
        assert!(row(0).cells.iter().all(|cell| cell.verdict == "valid" && !cell.medians.is_empty()));
        let void = row(50);
        assert!(void.cells.iter().all(|cell| cell.verdict == "void" && cell.medians.is_empty()));
        assert!(void.note.is_some_and(|note| note.contains("VOID")));
    }
}
