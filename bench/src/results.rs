//! What is kept of a comparison, as JSON: every run, the medians, and on what machine with which versions.
//! Tables, plot and README are made from it and from nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::comparison::median;
use crate::outcome::{Outcome, QUOTABLE, Verdict};
use crate::pulse::Readings;

/// One comparison.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct Results {
    /// The day it was made.
    pub date: String,
    /// The command that makes it again.
    pub command: String,
    /// Rounds; figures are their medians.
    pub rounds: usize,
    /// The machine, in words: kernel, CPU, cores, memory.
    pub machine: BTreeMap<String, String>,
    /// Who took part, in which version, and the commit of this house.
    pub versions: BTreeMap<String, String>,
    /// One for each load.
    pub rows: Vec<RowResult>,
}

/// One load.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct RowResult {
    /// Its chapter.
    pub chapter: String,
    /// The chapter's question.
    pub question: String,
    /// What it is, in a few words.
    pub title: String,
    /// What is compared: `cpu`, `age`, `lateness` or `memory`.
    pub figure: String,
    /// What is counted: delivery, round trip, …
    pub unit: String,
    /// What else a reader should know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who faced it; the first is the base of ratios.
    pub cells: Vec<CellResult>,
}

/// One contestant in one row.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct CellResult {
    /// Its name.
    pub name: String,
    /// `floor`, `ours`, `peer` or `runtime`.
    pub kind: String,
    /// What its figures are worth: `valid`, `at most`, `void` or `failed`.
    pub verdict: String,
    /// Runs that may be quoted, of how many.
    pub quotable: usize,
    /// Medians by name; none if no run may be quoted.
    pub medians: BTreeMap<String, f64>,
    /// All runs.
    pub runs: Vec<Value>,
}

impl CellResult {
    /// The medians of what may be quoted.
    #[must_use]
    pub fn of(name: &str, kind: &str, outcomes: &[Outcome]) -> CellResult {
        let verdict = worth(outcomes);
        let quoted: Vec<&Outcome> =
            outcomes.iter().filter(|outcome| QUOTABLE.contains(&outcome.verdict())).collect();
        let is_quotable = QUOTABLE.contains(&verdict);
        let medians = if is_quotable { medians(&quoted) } else { BTreeMap::new() };
        CellResult {
            name: name.to_owned(),
            kind: kind.to_owned(),
            verdict: verdict.name().to_owned(),
            quotable: if is_quotable { quoted.len() } else { 0 },
            medians,
            runs: outcomes.iter().map(Outcome::to_json).collect(),
        }
    }

    /// The same with the round of each run, in their order: what was measured in one round may be compared.
    #[must_use]
    pub fn in_rounds(mut self, rounds: &[usize]) -> CellResult {
        for (run, round) in self.runs.iter_mut().zip(rounds) {
            run["round"] = (*round).into();
        }
        self
    }

    /// What may be quoted of a round.
    fn quoted_in(&self, round: u64, name: &str) -> Option<f64> {
        let is_quotable = |run: &Value| QUOTABLE.iter().any(|verdict| run["verdict"] == verdict.name());
        let is_it = |run: &&Value| run["round"] == round && is_quotable(run);
        self.runs.iter().find(is_it)?[name].as_f64()
    }

    /// The same of somebody who could not be measured to the end: nothing may be quoted.
    #[must_use]
    pub fn failed(self) -> CellResult {
        let verdict = Verdict::Failed.name().to_owned();
        CellResult { verdict, quotable: 0, medians: BTreeMap::new(), ..self }
    }

    /// The same where the conditions turned out not to be those of the row.
    #[must_use]
    pub fn voided(self) -> CellResult {
        let verdict = if self.verdict == "failed" { Verdict::Failed } else { Verdict::Void };
        let verdict = verdict.name().to_owned();
        CellResult { verdict, quotable: 0, medians: BTreeMap::new(), ..self }
    }

    /// A median by its name.
    #[must_use]
    pub fn median(&self, name: &str) -> Option<f64> {
        self.medians.get(name).copied()
    }
}

impl RowResult {
    /// The figure that this row compares, of one contestant.
    #[must_use]
    pub fn value(&self, cell: &CellResult) -> Option<f64> {
        let (name, unit) = self.compared();
        cell.median(name).map(|value| value / unit)
    }

    /// The name of what is compared, and what one of it is shown as.
    fn compared(&self) -> (&'static str, f64) {
        match self.figure.as_str() {
            "age" => ("p99_us", 1e3),
            "memory" => ("user_bytes", 1.0),
            "lateness" => ("late_p99_us", 1e3),
            _ => ("cpu_us", 1.0),
        }
    }

    /// The first one's figure against the second one's; see [`RowResult::ratio_of`].
    #[must_use]
    pub fn ratio(&self, first: &CellResult, second: &CellResult) -> Option<f64> {
        self.ratio_of(self.compared().0, first, second)
    }

    /// The median of the ratios within each round: its figures are of the same moments of a machine that is now faster, now slower. Of
    /// those who share no round, the ratio of the medians.
    #[must_use]
    pub fn ratio_of(&self, name: &str, first: &CellResult, second: &CellResult) -> Option<f64> {
        let of_medians = first.median(name)? / second.median(name)?;
        let rounds = first.runs.iter().filter_map(|run| run["round"].as_u64());
        let ratios =
            rounds.filter_map(|round| Some(first.quoted_in(round, name)? / second.quoted_in(round, name)?));
        Some(median(ratios).unwrap_or(of_medians))
    }

    /// What it is counted in.
    #[must_use]
    pub fn unit_words(&self) -> String {
        match self.figure.as_str() {
            "age" => "p99 of the broadcast's age, ms".to_owned(),
            "memory" => "bytes of memory per client".to_owned(),
            "lateness" => "p99 of a ping's lateness, ms".to_owned(),
            _ => format!("CPU us per {}", self.unit),
        }
    }

    /// The first cell of a kind.
    #[must_use]
    pub fn first_of(&self, kind: &str) -> Option<&CellResult> {
        self.cells.iter().find(|cell| cell.kind == kind)
    }

    /// The first cell whose name is this, or this with settings.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&CellResult> {
        let is_it = |cell: &&CellResult| {
            cell.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        self.cells.iter().find(is_it)
    }
}

impl Results {
    /// Reads results.
    ///
    /// # Errors
    /// When the file is not there or is no results.
    pub fn read(path: &Path) -> Result<Results> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no results", path.display()))
    }

    /// Writes them, folders included.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// Puts rows in the place of those of the same chapter and title, or behind: a part of the plan may be
    /// measured again.
    pub fn replace_rows(&mut self, rows: Vec<RowResult>) {
        for row in rows {
            let is_it = |old: &&mut RowResult| (&old.chapter, &old.title) == (&row.chapter, &row.title);
            match self.rows.iter_mut().find(is_it) {
                Some(old) => *old = row,
                None => self.rows.push(row),
            }
        }
    }
}

/// Any failed run fails it all: a server that loses a message now and then loses messages. Any upper bound makes the median one: those rounds alone
/// that were no bounds are the ones in which the server was slow.
fn worth(outcomes: &[Outcome]) -> Verdict {
    let has = |verdict| outcomes.iter().any(|outcome| outcome.verdict() == verdict);
    [Verdict::Failed, Verdict::AtMost, Verdict::Valid].into_iter().find(|v| has(*v)).unwrap_or(Verdict::Void)
}

fn medians(outcomes: &[&Outcome]) -> BTreeMap<String, f64> {
    type Value = fn(&Outcome) -> Option<f64>;
    // Where no time was measured there is no rate, no age, and nobody was busy.
    let values: [(&str, Value); 12] = [
        ("cpu_us", Outcome::cpu_us),
        ("core_us", Outcome::core_us),
        ("rate_per_s", Outcome::rate),
        ("p50_us", |outcome| outcome.rate().map(|_| outcome.p50_us)),
        ("p99_us", |outcome| outcome.rate().map(|_| outcome.p99_us)),
        ("server_busy", Outcome::server_busy),
        ("swarm_busy", |outcome| outcome.rate().map(|_| outcome.swarm_busy())),
        ("sends_per_frame", |outcome| outcome.sends_per_frame),
        ("wire_bytes", |outcome| outcome.wire_bytes),
        ("connect_s", |outcome| Some(outcome.connect_s)),
        ("user_bytes", |outcome| outcome.user_bytes),
        ("kernel_bytes", |outcome| outcome.kernel_bytes),
    ];
    let of = |(name, value): (&str, Value)| {
        let middle = median(outcomes.iter().filter_map(|outcome| value(outcome)))?;
        Some((name.to_owned(), (middle * 1e4).round() / 1e4))
    };
    let read = outcomes.iter().filter_map(|outcome| outcome.pulse).collect::<Vec<_>>();
    let names = read.first().map(Readings::figures).into_iter().flatten().enumerate();
    let pulse = names.filter_map(|(place, (name, _))| {
        let middle = median(read.iter().filter_map(|read| Some(read.figures().get(place)?.1)))?;
        Some((name.to_owned(), (middle * 1e4).round() / 1e4))
    });
    values.into_iter().filter_map(of).chain(pulse).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::outcome::tests::outcome;
    use crate::swarm::Faults;

    /// A small comparison made up for tests: three rows, one of them without a quotable peer.
    pub(crate) fn made() -> Results {
        let cell = |name: &str, kind: &str, cpu_us: f64| {
            let medians = BTreeMap::from([("cpu_us".to_owned(), cpu_us), ("wire_bytes".to_owned(), 400.0)]);
            let verdict = "valid".to_owned();
            CellResult { name: name.into(), kind: kind.into(), verdict, quotable: 5, medians, runs: vec![] }
        };
        let row = |chapter: &str, title: &str, peer: CellResult| RowResult {
            chapter: chapter.into(),
            question: "What?".into(),
            title: title.into(),
            figure: "cpu".into(),
            unit: "delivery".into(),
            note: None,
            cells: vec![cell("floor-ring", "floor", 5.0), cell("ours", "ours", 5.5), peer],
        };
        let void = CellResult {
            name: "node".into(),
            kind: "peer".into(),
            verdict: "void".into(),
            ..CellResult::default()
        };
        Results {
            date: "2026-01-01".into(),
            command: "compare".into(),
            rounds: 5,
            machine: BTreeMap::from([("kernel".into(), "6.18".into()), ("cpu".into(), "x <& y".into())]),
            versions: BTreeMap::from([("node".into(), "20".into())]),
            rows: vec![
                row("fanout", "50 a second", cell("node", "peer", 11.0)),
                row("fanout", "5 a second", cell("socketioxide", "peer", 10.0)),
                row("deflate", "1 KiB", void),
            ],
        }
    }

    #[test]
    fn medians_are_of_what_may_be_quoted() {
        let of = |cpu: f64, swarm: f64| Outcome { server_cpu_s: Some(cpu), swarm_cpu_s: swarm, ..outcome() };
        let cell = CellResult::of("x", "peer", &[of(0.01, 0.0), of(0.03, 0.0), of(1.2, 1.9)]);
        assert_eq!((cell.verdict.as_str(), cell.quotable), ("valid", 2));
        assert_eq!(cell.median("cpu_us"), Some(20.0));
        let void = CellResult::of("x", "peer", &[of(1.2, 1.9)]);
        assert_eq!((void.verdict.as_str(), void.median("cpu_us")), ("void", None));
    }

    #[test]
    fn the_idle_table_had_a_rate_of_a_division_by_no_time() {
        let idle = Outcome { wall_s: 0.0, server_cpu_s: None, user_bytes: Some(500.0), ..outcome() };
        let cell = CellResult::of("x", "ours", &[idle]);
        assert_eq!(cell.median("user_bytes"), Some(500.0));
        for name in ["rate_per_s", "p50_us", "p99_us", "swarm_busy", "server_busy"] {
            assert_eq!(cell.median(name), None, "{name}");
        }
    }

    #[test]
    fn a_machine_that_slowed_down_between_rounds_changed_the_ratio() {
        let of = |cpus: &[f64], rounds: &[usize]| {
            let outcome = |cpu: &f64| Outcome { server_cpu_s: Some(*cpu), swarm_cpu_s: 0.0, ..outcome() };
            CellResult::of("x", "peer", &cpus.iter().map(outcome).collect::<Vec<_>>()).in_rounds(rounds)
        };
        let (first, second) = (of(&[0.01, 0.02, 0.02], &[1, 2, 3]), of(&[0.02, 0.04], &[1, 2]));
        let row = RowResult::default();
        assert_eq!(row.ratio(&first, &second), Some(0.5), "2/3 of the medians");
        let elsewhere = of(&[0.04], &[4]);
        assert_eq!(row.ratio(&first, &elsewhere), Some(0.5), "of the medians: no round is shared");
        assert_eq!(row.ratio(&first, &elsewhere.failed()), None);
    }

    #[test]
    fn the_rounds_that_were_no_bounds_alone_told_of_a_slow_server() {
        let of = |cpu: f64, swarm: f64| {
            let (unit, server_cpu_s) = (crate::outcome::Unit::Connect, Some(cpu));
            Outcome { unit, server_cpu_s, swarm_cpu_s: swarm, ..outcome() }
        };
        let cell = CellResult::of("x", "ours", &[of(0.7, 1.9), of(0.8, 1.9), of(2.0, 1.9)]);
        assert_eq!((cell.verdict.as_str(), cell.quotable), ("at most", 3));
        let middle = CellResult::of("x", "ours", &[of(0.8, 1.9)]).median("cpu_us");
        assert!(middle.is_some() && cell.median("cpu_us") == middle);
    }

    #[test]
    fn one_failed_run_fails_it_all() {
        let failed = Outcome { faults: Faults { lost: 1, ..Faults::default() }, ..outcome() };
        let cell = CellResult::of("x", "peer", &[outcome(), failed]);
        assert_eq!((cell.verdict.as_str(), cell.median("cpu_us")), ("failed", None));
    }

    #[test]
    fn who_could_not_be_measured_has_no_figure() {
        let cell = CellResult::of("x", "peer", &[outcome()]).failed();
        assert_eq!((cell.verdict.as_str(), cell.quotable, cell.runs.len()), ("failed", 0, 1));
        assert_eq!(cell.median("cpu_us"), None);
    }

    #[test]
    fn results_survive_their_file() {
        let path = std::env::temp_dir().join(format!("bench-results-{}/r.json", std::process::id()));
        made().write(&path).expect("written");
        assert_eq!(Results::read(&path).expect("read"), made());
        let _ = std::fs::remove_dir_all(path.parent().expect("a folder"));
    }

    #[test]
    fn a_row_that_was_measured_again_takes_its_place() {
        let mut results = made();
        let again = RowResult { unit: "other".into(), ..results.rows[1].clone() };
        let new = RowResult { title: "new".into(), ..again.clone() };
        results.replace_rows(vec![again, new]);
        assert_eq!(results.rows.len(), 4);
        assert_eq!((results.rows[1].unit.as_str(), results.rows[3].title.as_str()), ("other", "new"));
    }

    #[test]
    fn cells_are_found_by_kind_and_by_name_with_settings() {
        let mut row = made().rows[0].clone();
        row.cells[2].name = "node-deflate".into();
        assert_eq!(row.first_of("ours").map(|cell| cell.name.as_str()), Some("ours"));
        assert!(row.named("node").is_some() && row.named("nod").is_none());
    }
}
