//! The flush interval as a picture and as a table: sends per frame, CPU and age against how long a message may wait, at
//! each rate, beside what arithmetic says. It measures nothing, and draws nothing else.

mod chart;

use std::fmt::Write as _;

use crate::results::{CellResult, Results, RowResult};

/// One rate: its floor, and what was measured for each interval.
struct Series {
    /// Messages a second.
    rate: f64,
    points: Vec<Point>,
    /// CPU of the floor with a send a frame, us per delivery.
    floor_cpu_us: Option<f64>,
}

/// What one interval cost.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    interval_ms: f64,
    sends_per_frame: f64,
    cpu_us: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// The picture; `None` if nothing of it was measured.
#[must_use]
pub fn svg(results: &Results) -> Option<String> {
    let all = series(&results.rows);
    (!all.is_empty()).then(|| chart::draw(&all, results))
}

/// A line for each interval and rate, measured beside expected.
#[must_use]
pub fn table(results: &Results) -> String {
    let mut text = String::from(
        "| messages a second | flush interval | sends per frame | 1/(1+⌊rT⌋) | 1/(1+rT) | CPU us per delivery | age p50 | p99 |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for Series { rate, points, .. } in &series(&results.rows) {
        for point in points {
            let waiting = rate * point.interval_ms / 1e3;
            let _ = writeln!(
                text,
                "| {rate} | {} ms | **{:.3}** | {:.3} | {:.3} | {:.2} | {:.1} ms | {:.1} ms |",
                point.interval_ms,
                point.sends_per_frame,
                expected(waiting.floor()),
                expected(waiting),
                point.cpu_us,
                point.p50_ms,
                point.p99_ms
            );
        }
    }
    text
}

/// Sends per frame where so many more messages come, in the mean, while the first one waits.
fn expected(more: f64) -> f64 {
    1.0 / (1.0 + more)
}

fn series(rows: &[RowResult]) -> Vec<Series> {
    rows.iter().filter(|row| row.chapter == CHAPTER).filter_map(Series::of).collect()
}

impl Series {
    fn of(row: &RowResult) -> Option<Series> {
        let rate = row.title.split_whitespace().next()?.parse().ok()?;
        let points: Vec<Point> = row.cells.iter().filter_map(Point::of).collect();
        let floor_cpu_us = row.first_of("floor").and_then(|floor| floor.median("cpu_us"));
        (!points.is_empty()).then_some(Series { rate, points, floor_cpu_us })
    }
}

impl Point {
    /// `None` for floors, and for what may not be quoted.
    fn of(cell: &CellResult) -> Option<Point> {
        let interval_ms = match cell.name.strip_prefix("ours-flush-") {
            Some(milliseconds) => milliseconds.parse().ok()?,
            None if cell.name == "ours" => 0.0,
            None => return None,
        };
        Some(Point {
            interval_ms,
            sends_per_frame: cell.median("sends_per_frame")?,
            cpu_us: cell.median("cpu_us")?,
            p50_ms: cell.median("p50_us")? / 1e3,
            p99_ms: cell.median("p99_us")? / 1e3,
        })
    }
}

/// The chapter that this is about.
pub const CHAPTER: &str = "interval";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Two rates made up, at one of them a run that may not be quoted.
    pub(crate) fn made() -> Results {
        let cell = |name: &str, kind: &str, figures: [f64; 4]| {
            let names = ["sends_per_frame", "cpu_us", "p50_us", "p99_us"].map(str::to_owned);
            let medians = BTreeMap::from_iter(names.into_iter().zip(figures));
            CellResult { name: name.into(), kind: kind.into(), medians, ..CellResult::default() }
        };
        let void = CellResult { name: "ours-flush-50".into(), kind: "ours".into(), ..CellResult::default() };
        let row = |rate: u32, more: CellResult| RowResult {
            chapter: CHAPTER.into(),
            title: format!("{rate} a second to 1000 clients"),
            cells: vec![
                cell("floor-ring", "floor", [1.0, 4.0, 1500.0, 5000.0]),
                cell("ours", "ours", [1.0, 4.2, 2000.0, 6000.0]),
                cell("ours-flush-20", "ours", [0.5, 2.2, 12_000.0, 25_000.0]),
                more,
            ],
            ..RowResult::default()
        };
        let last = cell("ours-flush-50", "ours", [0.09, 0.5, 25_000.0, 56_000.0]);
        Results { rows: vec![row(50, void), row(200, last)], ..Results::default() }
    }

    #[test]
    fn a_line_has_what_was_measured_beside_what_was_expected() {
        let text = table(&made());
        assert!(
            text.contains("| 50 | 0 ms | **1.000** | 1.000 | 1.000 | 4.20 | 2.0 ms | 6.0 ms |"),
            "{text}"
        );
        assert!(
            text.contains("| 200 | 50 ms | **0.090** | 0.091 | 0.091 | 0.50 | 25.0 ms | 56.0 ms |"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 2 + 5, "what may not be quoted has no line");
    }

    #[test]
    fn without_the_chapter_there_is_no_picture() {
        assert!(svg(&Results::default()).is_none());
        assert!(svg(&made()).is_some());
    }
}
