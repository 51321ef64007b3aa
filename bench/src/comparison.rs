//! The comparison: rows of loads, columns of servers, several rounds in which the servers take turns,
//! medians. It measures nothing itself; taking turns is what makes two figures of a noisy machine comparable.

use std::fmt::Write as _;

use crate::contestants::Contestant;
use crate::outcome::{Outcome, Verdict};
use crate::scenario::{Load, Pace};

/// One line of the table: a load and who faces it.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is, in a few words.
    pub title: String,
    /// The load.
    pub load: Load,
    /// Who faces it; ratios are against the first.
    pub contestants: Vec<Contestant>,
}

/// The outcomes of one contestant in one row, one for each round.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The contestant's name.
    pub name: String,
    /// Its outcomes.
    pub outcomes: Vec<Outcome>,
}

/// The loads of the standard comparison. The floors that belong to each are `floors`: plain ones, and those
/// that coalesce.
#[must_use]
pub fn standard_loads(is_small: bool) -> Vec<(String, Load, u32)> {
    let paced = |clients, rate, seconds| Load {
        clients,
        bytes: 128,
        pace: Pace::Paced { rate, seconds },
        warmup_s: 0.5,
    };
    let burst = |clients, count, repeats| Load {
        clients,
        bytes: 128,
        pace: Pace::Burst { count, every: 16, repeats },
        warmup_s: 0.0,
    };
    if is_small {
        let loads = [paced(50, 20.0, 0.5), burst(50, 64, 1)];
        return loads
            .into_iter()
            .zip([1, 16])
            .map(|(load, coalesce)| ("small".to_owned(), load, coalesce))
            .collect();
    }
    vec![
        ("paced 50/s to 1000 clients, 128 B".to_owned(), paced(1000, 50.0, 4.0), 1),
        ("paced 5/s to 10 000 clients, 128 B".to_owned(), paced(10_000, 5.0, 4.0), 1),
        ("bursts of 960, yield after 16, 1000 clients, 128 B".to_owned(), burst(1000, 960, 3), 16),
    ]
}

/// The median of `value` over the rounds that may be quoted, or over those that were at least correct if none
/// may.
#[must_use]
pub fn median(outcomes: &[Outcome], value: impl Fn(&Outcome) -> Option<f64>) -> Option<f64> {
    let of = |verdict: Verdict| {
        let chosen = outcomes.iter().filter(|outcome| outcome.verdict() == verdict);
        let mut values: Vec<f64> = chosen.filter_map(&value).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let valid = of(Verdict::Valid);
    middle(&if valid.is_empty() { of(Verdict::Void) } else { valid })
}

fn middle(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    sorted.get(sorted.len() / 2 - 1).map(|lower| f64::midpoint(*lower, upper))
}

/// One row as a table in Markdown. Ratios are CPU per delivery against the first cell and against `other` (if
/// it is there).
#[must_use]
pub fn table(title: &str, cells: &[Cell], other: &str) -> String {
    let cpu = |cell: &Cell| median(&cell.outcomes, Outcome::cpu_us);
    let first = cells.first();
    let (base, base_name) = (first.and_then(cpu), first.map_or("", |cell| cell.name.as_str()));
    let other_base = cells.iter().find(|cell| cell.name == other).and_then(cpu);
    let mut text = format!("### {title}\n\n");
    let _ = writeln!(
        text,
        "| server | CPU us per delivery | of {base_name} | of {other} | deliveries/s | p50 us | p99 us \
         | busy (server / swarm) | sends per frame | runs |"
    );
    text.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
    for cell in cells {
        let of = |value: fn(&Outcome) -> Option<f64>| median(&cell.outcomes, value);
        let ratio = |base: Option<f64>| shown(cpu(cell).zip(base).map(|(cpu, base)| cpu / base), 2);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} / {} | {} | {} |",
            cell.name,
            shown(cpu(cell), 3),
            ratio(base),
            ratio(other_base),
            shown(of(|outcome| Some(outcome.deliveries_per_s())), 0),
            shown(of(|outcome| Some(outcome.p50_us)), 0),
            shown(of(|outcome| Some(outcome.p99_us)), 0),
            shown(of(Outcome::server_busy), 2),
            shown(of(|outcome| Some(outcome.swarm_busy())), 2),
            shown(of(|outcome| outcome.sends_per_frame), 3),
            runs(&cell.outcomes),
        );
    }
    text
}

/// How many runs there were, and how many of them may not be quoted.
fn runs(outcomes: &[Outcome]) -> String {
    let count = |verdict| outcomes.iter().filter(|outcome| outcome.verdict() == verdict).count();
    let mut text = outcomes.len().to_string();
    for (verdict, word) in [(Verdict::Void, "void"), (Verdict::Failed, "FAILED")] {
        if count(verdict) > 0 {
            let _ = write!(text, ", {} {word}", count(verdict));
        }
    }
    text
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::Faults;

    fn outcome(cpu_us: f64, faults: Faults) -> Outcome {
        Outcome {
            name: "x".to_owned(),
            scenario: String::new(),
            clients: 1,
            bytes: 26,
            deliveries: 1_000_000,
            wall_s: 10.0,
            server_cpu_s: Some(cpu_us),
            swarm_cpu_s: 0.1,
            p50_us: 1.0,
            p99_us: 2.0,
            sends_per_frame: None,
            connect_s: 0.0,
            faults,
        }
    }

    #[test]
    fn a_median_leaves_failed_runs_out() {
        let failed = Faults { lost: 1, ..Faults::default() };
        let outcomes: Vec<Outcome> = [5.0, 1.0, 3.0].map(|cpu| outcome(cpu, Faults::default())).to_vec();
        assert_eq!(median(&outcomes, Outcome::cpu_us), Some(3.0));
        assert_eq!(median(&outcomes[..2], Outcome::cpu_us), Some(3.0));
        assert_eq!(median(&[outcome(1.0, failed)], Outcome::cpu_us), None);
    }

    #[test]
    fn the_table_has_ratios_against_the_first_and_the_named() {
        let cell =
            |name: &str, cpu| Cell { name: name.to_owned(), outcomes: vec![outcome(cpu, Faults::default())] };
        let text = table("t", &[cell("floor", 2.0), cell("ours", 3.0), cell("rival", 6.0)], "rival");
        assert!(text.contains("| ours | 3.000 | 1.50 | 0.50 |"), "{text}");
    }

    #[test]
    fn failed_runs_are_said_in_the_table() {
        let failed = outcome(1.0, Faults { lost: 1, ..Faults::default() });
        let cells = [Cell { name: "a".to_owned(), outcomes: vec![failed] }];
        assert!(table("t", &cells, "b").contains("1, 1 FAILED"));
    }
}
