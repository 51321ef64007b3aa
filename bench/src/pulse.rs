//! What was read of a saturated server's heart: how late its pings came and how long newcomers waited, as figures and
//! as a table. It measures nothing; [`crate::scenario`] does.

use std::fmt::Write as _;

use serde::Serialize;

use crate::results::{CellResult, RowResult};
use crate::swarm::Histogram;

/// Lateness of pings, and the time from a newcomer's first packet to its place in the namespace, us.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Readings {
    /// Pings that came or were due.
    pub pings: u64,
    /// Half of them were not later.
    pub late_p50_us: f64,
    /// 99 of 100 were not later.
    pub late_p99_us: f64,
    /// None was later.
    pub late_max_us: f64,
    /// Newcomers that were let in.
    pub newcomers: u64,
    /// Half of them did not wait longer.
    pub join_p50_us: f64,
    /// 99 of 100 did not wait longer.
    pub join_p99_us: f64,
}

impl Readings {
    /// Of what was collected.
    #[must_use]
    pub fn of(late: &Histogram, took: &Histogram) -> Readings {
        let us = |histogram: &Histogram, share| histogram.quantile_ns(share) as f64 / 1e3;
        Readings {
            pings: late.len(),
            late_p50_us: us(late, 0.5),
            late_p99_us: us(late, 0.99),
            late_max_us: us(late, 1.0),
            newcomers: took.len(),
            join_p50_us: us(took, 0.5),
            join_p99_us: us(took, 0.99),
        }
    }

    /// Its figures with the names that medians have.
    #[must_use]
    pub fn figures(&self) -> [(&'static str, f64); 5] {
        [
            ("late_p50_us", self.late_p50_us),
            ("late_p99_us", self.late_p99_us),
            ("late_max_us", self.late_max_us),
            ("join_p50_us", self.join_p50_us),
            ("join_p99_us", self.join_p99_us),
        ]
    }
}

/// Everybody's readings, row by row.
#[must_use]
pub fn table(rows: &[&RowResult]) -> String {
    let mut text = String::from(
        "| work | server | busy: server, swarm | deliveries a second | ping late p50 | p99 | max | newcomer in p50 | p99 |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for (row, cell) in rows.iter().flat_map(|row| row.cells.iter().map(move |cell| (row, cell))) {
        let _ = writeln!(text, "| {} | {} | {} |", row.title, cell.name, figures(cell));
    }
    text
}

fn figures(cell: &CellResult) -> String {
    let plain = |name: &str, digits| {
        cell.median(name).map_or("-".to_owned(), |value: f64| format!("{value:.digits$}"))
    };
    let ms = |name: &str| cell.median(name).map_or("-".to_owned(), |us: f64| format!("{:.1} ms", us / 1e3));
    if cell.medians.is_empty() {
        return format!("({}) | | | | | |", cell.verdict);
    }
    [
        format!("{}, {}", plain("server_busy", 2), plain("swarm_busy", 2)),
        plain("rate_per_s", 0),
        ms("late_p50_us"),
        ms("late_p99_us"),
        ms("late_max_us"),
        ms("join_p50_us"),
        ms("join_p99_us"),
    ]
    .join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn readings_are_quantiles() {
        let (mut late, mut took) = (Histogram::default(), Histogram::default());
        (0..99).for_each(|_| late.record(1000));
        late.record(9_000_000);
        took.record(2000);
        let readings = Readings::of(&late, &took);
        assert_eq!((readings.pings, readings.newcomers), (100, 1));
        assert!(readings.late_p99_us < 1.1 && readings.late_max_us >= 9000.0, "{readings:?}");
        assert!((2.0..2.1).contains(&readings.join_p99_us), "{readings:?}");
    }

    #[test]
    fn a_line_has_a_cell_for_each_head() {
        let cell = |name: &str, medians: BTreeMap<String, f64>| CellResult {
            name: name.into(),
            verdict: "void".into(),
            medians,
            ..CellResult::default()
        };
        let known = BTreeMap::from([("late_p99_us".to_owned(), 1500.0), ("server_busy".to_owned(), 0.994)]);
        let cells = vec![cell("ours", known), cell("node", BTreeMap::new())];
        let row = RowResult { title: "flood".into(), cells, ..RowResult::default() };
        let text = table(&[&row]);
        assert!(text.contains("| flood | ours | 0.99, - | - | - | 1.5 ms |"), "{text}");
        assert!(text.contains("| flood | node | (void) |"), "{text}");
        let bars: Vec<usize> = text.lines().map(|line| line.matches('|').count()).collect();
        assert!(bars.iter().all(|count| *count == bars[0]), "{bars:?}");
    }
}
