//! The comparison: contestants take turns, round after round and within a round part after part, so that a machine that
//! grows busy is busy for everybody. It measures nothing itself and prints what happens while it happens.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use anyhow::Result;

use crate::answers;
use crate::contestants::{Contestant, Cores};
use crate::idle::{self, Plan};
use crate::outcome::{Outcome, Unit, Verdict};
use crate::plan::{Chapter, Row, Trial};
use crate::results::{CellResult, RowResult};
use crate::scenario::{self, Load, Worker};
use crate::swarm::Faults;

/// Who takes part, where, how often.
pub struct Comparison {
    /// Everybody who is needed, built, by name.
    pub contestants: HashMap<String, Contestant>,
    /// Rounds.
    pub rounds: usize,
    /// Cores of the servers, as taskset has it.
    pub server_cores: String,
    /// Core of the swarm.
    pub swarm_cores: String,
}

impl Comparison {
    /// Builds everybody who takes part in these chapters and is wanted (all, if nobody is named).
    ///
    /// # Errors
    /// When somebody cannot be built.
    pub fn build(chapters: &[Chapter], wanted: &[String], rounds: usize) -> Result<Comparison> {
        let names: HashSet<&str> =
            chapters.iter().flat_map(|chapter| &chapter.rows).flat_map(|row| row.names).copied().collect();
        let is_wanted = |name: &str| {
            let is_it = |word: &String| {
                name == word || name.strip_prefix(word.as_str()).is_some_and(|rest| rest.starts_with('-'))
            };
            wanted.is_empty() || wanted.iter().any(is_it)
        };
        let mut contestants = HashMap::new();
        for name in names.into_iter().filter(|name| is_wanted(name)) {
            contestants.insert(name.to_owned(), Contestant::named(name)?);
        }
        let (server_cores, swarm_cores) = ("0".to_owned(), "1".to_owned());
        Ok(Comparison { contestants, rounds, server_cores, swarm_cores })
    }

    /// Asks everybody once whether they answer rightly, before anybody measures how fast.
    ///
    /// # Errors
    /// Whoever does not.
    pub fn check_answers(&self) -> Result<()> {
        let mut all: Vec<&Contestant> = self.contestants.values().collect();
        all.sort_by_key(|contestant| &contestant.name);
        all.into_iter()
            .try_for_each(|contestant| answers::check_contestant(contestant, &self.cores_of(contestant)))
    }

    /// All rounds of one row: in each round everybody takes part once. Who cannot be measured has failed, and is not
    /// asked again; the others go on. Those of whom some rounds were void are asked so many times more, as far as `AGAIN_MAX` goes.
    #[must_use]
    pub fn measure(&self, chapter: &Chapter, row: &Row) -> RowResult {
        let present = row.names.iter().filter_map(|name| self.contestants.get(*name));
        let mut entrants: Vec<Entrant<'_>> = present.map(Entrant::new).collect();
        let rounds = entrants
            .iter()
            .map(|entrant| row.rounds(&entrant.contestant.name, self.rounds))
            .max()
            .unwrap_or(0);
        for round in 1..=rounds {
            let is_there = |entrant: &&mut Entrant<'_>| {
                let own = row.rounds(&entrant.contestant.name, self.rounds);
                takes_part(own, (round, rounds)) && !entrant.has_failed
            };
            self.go_round(entrants.iter_mut().filter(is_there).collect(), row, (round, rounds));
        }
        for again in 1..=AGAIN_MAX.min(rounds.saturating_sub(1)) {
            let lacks = |entrant: &&mut Entrant<'_>| !entrant.has_failed && entrant.count_void() >= again;
            let lacking: Vec<&mut Entrant<'_>> = entrants.iter_mut().filter(lacks).collect();
            self.go_round(lacking, row, (rounds + again, rounds + AGAIN_MAX));
        }
        let mut outcomes = entrants.iter().flat_map(|entrant| &entrant.outcomes);
        let unit = outcomes.next().map_or(Unit::Delivery, |outcome| outcome.unit);
        RowResult {
            chapter: chapter.name.to_owned(),
            question: chapter.question.to_owned(),
            title: row.title.clone(),
            figure: row.figure.name().to_owned(),
            unit: unit.name().to_owned(),
            note: None,
            cells: entrants.iter().map(Entrant::cell).collect(),
        }
    }

    fn go_round(&self, present: Vec<&mut Entrant<'_>>, row: &Row, round: (usize, usize)) {
        match row.trial {
            Trial::Load(load) if let Some(parts) = load.parts() => {
                self.share_round(present, load, parts, round)
            }
            _ => present.into_iter().for_each(|entrant| self.take_turn(entrant, row, round)),
        }
    }

    /// Everybody is there at once, and works in turns for a part of the round.
    fn share_round(&self, present: Vec<&mut Entrant<'_>>, load: Load, parts: u32, round: (usize, usize)) {
        let started = Instant::now();
        let mut workers: Vec<(usize, Result<Worker>)> = turns(present.len(), round.0, round.0)
            .into_iter()
            .filter_map(|turn| Some((turn, present.get(turn)?.contestant)))
            .map(|(turn, contestant)| (turn, Worker::start(contestant, &self.cores_of(contestant), load)))
            .collect();
        workers.sort_by_key(|(turn, _)| *turn);
        for part in 0..parts as usize {
            let in_turn =
                turns(workers.len(), part, round.0).into_iter().filter_map(|turn| workers.get(turn));
            in_turn.flat_map(|(_, worker)| worker).for_each(|worker| worker.work(parts));
        }
        for (entrant, (_, worker)) in present.into_iter().zip(workers) {
            entrant.note(worker.and_then(Worker::finish), started, round);
        }
    }

    fn cores_of(&self, contestant: &Contestant) -> String {
        match contestant.cores {
            Cores::Servers => self.server_cores.clone(),
            Cores::All => format!("{},{}", self.server_cores, self.swarm_cores),
        }
    }

    fn take_turn(&self, entrant: &mut Entrant<'_>, row: &Row, round: (usize, usize)) {
        let started = Instant::now();
        let outcome = self.measure_one(entrant.contestant, row.trial);
        entrant.note(outcome, started, round);
    }

    fn measure_one(&self, contestant: &Contestant, trial: Trial) -> Result<Outcome> {
        match trial {
            Trial::Load(load) => scenario::run_against(contestant, &self.cores_of(contestant), load),
            Trial::Idle(clients, prelude) => {
                let plan = Plan {
                    clients,
                    per_process: IDLE_PER_PROCESS,
                    server_cores: self.cores_of(contestant),
                    swarm_cores: self.swarm_cores.clone(),
                    settle_s: 1.0,
                    prelude,
                };
                Ok(held(&idle::measure(contestant, &plan)?))
            }
        }
    }
}

/// Whether somebody with so many rounds of its own takes part in this round of all: those with fewer do so all along, so
/// that a spell of the machine is nobody's alone.
fn takes_part(own: usize, (round, rounds): (usize, usize)) -> bool {
    round * own / rounds > (round - 1) * own / rounds
}

/// Who works, or starts, after whom in a part of a round: another one begins in each part, and every other round goes backwards, for whoever works
/// finds what the one before left in the caches, and in the time that the machine gives.
fn turns(count: usize, part: usize, round: usize) -> Vec<usize> {
    let mut turns: Vec<usize> = (0..count).map(|turn| (turn + part) % count).collect();
    if round.is_multiple_of(2) {
        turns.reverse();
    }
    turns
}

/// Somebody in a row.
struct Entrant<'a> {
    contestant: &'a Contestant,
    outcomes: Vec<Outcome>,
    /// In which round each outcome was.
    rounds: Vec<usize>,
    has_failed: bool,
}

impl<'a> Entrant<'a> {
    fn new(contestant: &'a Contestant) -> Entrant<'a> {
        Entrant { contestant, outcomes: Vec::new(), rounds: Vec::new(), has_failed: false }
    }

    fn count_void(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.verdict() == Verdict::Void).count()
    }

    /// Keeps an outcome and says what it was.
    fn note(&mut self, outcome: Result<Outcome>, started: Instant, (round, rounds): (usize, usize)) {
        match outcome {
            Ok(outcome) => {
                let took_s = started.elapsed().as_secs_f64();
                eprintln!("  {round}/{rounds} {} ({took_s:.1} s)", progress(&outcome));
                self.outcomes.push(outcome);
                self.rounds.push(round);
            }
            Err(error) => {
                eprintln!("  {round}/{rounds} {}: FAILED: {error:#}", self.contestant.name);
                self.has_failed = true;
            }
        }
    }

    fn cell(&self) -> CellResult {
        let Contestant { name, kind, .. } = self.contestant;
        let cell = CellResult::of(name, kind.name(), &self.outcomes).in_rounds(&self.rounds);
        if self.has_failed { cell.failed() } else { cell }
    }
}

/// An idle cost as an outcome: nothing was sent, so nothing could be lost.
fn held(cost: &idle::Cost) -> Outcome {
    Outcome {
        name: cost.name.clone(),
        scenario: "idle".to_owned(),
        unit: Unit::Client,
        clients: cost.clients,
        bytes: 0,
        count: cost.clients as u64,
        wall_s: 0.0,
        server_cpu_s: None,
        core_busy_s: None,
        swarm_cpu_s: 0.0,
        p50_us: 0.0,
        p99_us: 0.0,
        sends_per_frame: None,
        wire_bytes: None,
        connect_s: 0.0,
        user_bytes: cost.user_bytes,
        kernel_bytes: Some(cost.kernel_bytes),
        pulse: None,
        faults: Faults::default(),
    }
}

fn progress(outcome: &Outcome) -> String {
    let figure = match (outcome.cpu_us(), outcome.user_bytes) {
        (Some(cpu), _) => format!("{cpu:.3} us per {}", outcome.unit.name()),
        (None, Some(bytes)) => format!("{bytes:.0} B per client"),
        (None, None) => "unknown".to_owned(),
    };
    let busy = outcome.server_busy().map_or_else(String::new, |server| {
        format!(", busy: server {server:.2}, swarm {:.2}", outcome.swarm_busy())
    });
    let verdict = match outcome.verdict() {
        Verdict::Valid => String::new(),
        Verdict::AtMost => ", AT MOST (the swarm was the bottleneck)".to_owned(),
        Verdict::Void => ", VOID (the swarm was the bottleneck)".to_owned(),
        Verdict::Failed => format!(", FAILED: {}", outcome.faults),
    };
    format!("{:<18} {figure}{busy}{verdict}", outcome.name)
}

/// The middle of some values, or between the two in the middle.
#[must_use]
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    sorted.get(sorted.len() / 2 - 1).map(|lower| f64::midpoint(*lower, upper))
}

/// More rounds for those of whom some were void, and fewer than the row has. Where it is void by its nature more would not help.
const AGAIN_MAX: usize = 3;
/// Clients of one holding process.
const IDLE_PER_PROCESS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median([5.0, 1.0, 3.0].into_iter()), Some(3.0));
        assert_eq!(median([5.0, 1.0].into_iter()), Some(3.0));
        assert_eq!(median(std::iter::empty()), None);
    }

    #[test]
    fn those_with_fewer_rounds_are_spread_over_all_of_them() {
        let rounds = |own| (1..=10).filter(|round| takes_part(own, (*round, 10))).collect::<Vec<_>>();
        assert_eq!(rounds(10), (1..=10).collect::<Vec<_>>());
        assert_eq!((rounds(5), rounds(3), rounds(1)), (vec![2, 4, 6, 8, 10], vec![4, 7, 10], vec![10]));
        assert!(rounds(0).is_empty());
    }

    #[test]
    fn everybody_begins_once_and_follows_either_neighbour() {
        let rounds = |round| (0..3).map(|part| turns(3, part, round)).collect::<Vec<_>>();
        assert_eq!(rounds(1), [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
        assert_eq!(rounds(2), [[2, 1, 0], [0, 2, 1], [1, 0, 2]]);
        assert!(turns(0, 4, 2).is_empty());
    }

    #[test]
    fn two_cores_are_the_servers_and_the_swarms() {
        let comparison = Comparison::build(&[], &[], 1).expect("nobody to build");
        let one = Contestant::custom("x", "x").expect("a command");
        let two = Contestant { cores: Cores::All, ..one.clone() };
        assert_eq!((comparison.cores_of(&one).as_str(), comparison.cores_of(&two).as_str()), ("0", "0,1"));
    }

    #[test]
    fn who_is_wanted_comes_with_settings() {
        let chapters = crate::plan::chapters(crate::plan::Size::Smoke);
        let wanted = ["floor-ring".to_owned()];
        let built = Comparison::build(&chapters, &wanted, 1).expect("floors are there");
        let mut names: Vec<&str> = built.contestants.keys().map(String::as_str).collect();
        names.sort_unstable();
        let (one, sixteen) = ("floor-ring", "floor-ring-x16");
        let settings = ["", "-2-cores", "-deflate"];
        let expected = [one, sixteen].map(|base| settings.map(|setting| format!("{base}{setting}")));
        assert_eq!(names, expected.concat());
    }
}
