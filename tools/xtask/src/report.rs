//! What a person sees of a run: a line for each step, a table at the end.
//!
//! It formats; it decides nothing but that a step which could not run at all counts as one failure.

use std::time::Duration;

use crate::tally::Tally;

/// How a step stands in the table.
pub(crate) enum Verdict {
    /// Its runner counted.
    Counted(Tally),
    /// It could not run here, which is allowed; the sentence says what to install.
    Skipped(String),
    /// It could not run, which is a failure; the sentence says why.
    Broken(String),
}

impl Verdict {
    /// What it adds to the total.
    pub(crate) fn tally(&self) -> Tally {
        match self {
            Self::Counted(tally) => *tally,
            Self::Skipped(_) => Tally { skipped: 1, ..Tally::default() },
            Self::Broken(_) => Tally::one(false),
        }
    }

    fn remark(&self) -> &str {
        match self {
            Self::Counted(_) => "",
            Self::Skipped(what) | Self::Broken(what) => what,
        }
    }
}

/// One finished step.
pub(crate) struct Row {
    /// The step's name.
    pub(crate) name: &'static str,
    /// How it ended.
    pub(crate) verdict: Verdict,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Row {
    /// The line that closes a step.
    pub(crate) fn line(&self) -> String {
        let seconds = self.took.as_secs_f64();
        match &self.verdict {
            Verdict::Counted(tally) => format!("{}: {} in {seconds:.1} s", self.name, tally.closing_line()),
            Verdict::Skipped(what) => format!("{}: skipped: {what}", self.name),
            Verdict::Broken(why) => format!("{}: failed after {seconds:.1} s: {why}", self.name),
        }
    }
}

/// The sum over all steps.
pub(crate) fn total(rows: &[Row]) -> Tally {
    let mut sum = Tally::default();
    for row in rows {
        sum += row.verdict.tally();
    }
    sum
}

/// One line a step: counts, seconds, and a remark where a step did not run.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text =
        format!("\n{:<12} {:>7} {:>7} {:>8} {:>8}\n", "step", "passed", "failed", "skipped", "seconds");
    for row in rows {
        let Tally { passed, failed, skipped } = row.verdict.tally();
        let seconds = row.took.as_secs_f64();
        let line = format!(
            "{:<12} {passed:>7} {failed:>7} {skipped:>8} {seconds:>8.1}  {}",
            row.name,
            row.verdict.remark()
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let took = Duration::from_millis(1250);
        let counted = Verdict::Counted(Tally { passed: 41, failed: 0, skipped: 2 });
        vec![
            Row { name: "unit", verdict: counted, took },
            Row { name: "compat", verdict: Verdict::Skipped("install Node.js".into()), took },
            Row { name: "sim", verdict: Verdict::Broken("no such program".into()), took },
        ]
    }

    #[test]
    fn the_total_counts_a_broken_step_once() {
        assert_eq!(total(&rows()), Tally { passed: 41, failed: 1, skipped: 3 });
        assert_eq!(total(&rows()).closing_line(), "41 passed, 1 failed");
    }

    #[test]
    fn the_table_has_a_line_a_step_and_the_remarks() {
        let table = table(&rows());
        assert_eq!(table.trim().lines().count(), 4);
        assert!(table.contains("install Node.js") && table.contains("1.2"));
        assert!(table.lines().all(|line| line == line.trim_end()));
    }

    #[test]
    fn a_closed_step_says_what_happened() {
        let lines: Vec<String> = rows().iter().map(Row::line).collect();
        assert_eq!(lines[0], "unit: 41 passed, 0 failed in 1.2 s");
        assert_eq!(lines[1], "compat: skipped: install Node.js");
        assert!(lines[2].starts_with("sim: failed after"));
    }
}
