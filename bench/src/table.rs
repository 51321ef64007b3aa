//! Results as tables in Markdown: one row in detail for the terminal, all rows for the README. It computes
//! ratios and nothing else.

use std::fmt::Write as _;

use crate::results::{CellResult, RowResult};

/// One row with everything that was measured.
#[must_use]
pub fn detailed(row: &RowResult) -> String {
    let first = row.cells.first();
    let base = first.and_then(|cell| row.value(cell));
    let base_name = first.map_or("", |cell| cell.name.as_str());
    let mut text = format!("### {}\n\n| server | {} | of {base_name} ", row.title, row.unit_words());
    text.push_str(
        "| per s | p50 us | p99 us | busy (server / swarm) | sends per frame | wire B | memory B | runs |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|---|---|---|---|\n");
    for cell in &row.cells {
        let of = |name: &str, digits| shown(cell.median(name), digits);
        let ratio = row.value(cell).zip(base).map(|(value, base)| value / base);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} / {} | {} | {} | {} | {}/{}{} |",
            cell.name,
            value(row, cell, 3),
            shown(ratio, 2),
            of("rate_per_s", 0),
            of("p50_us", 0),
            of("p99_us", 0),
            of("server_busy", 2),
            of("swarm_busy", 2),
            of("sends_per_frame", 3),
            of("wire_bytes", 0),
            of("user_bytes", 0),
            cell.quotable,
            cell.runs.len(),
            if cell.verdict == "valid" { String::new() } else { format!(" {}", cell.verdict) },
        );
    }
    text
}

/// One line a row: the floor, ours and the peers.
#[must_use]
pub fn overview(rows: &[&RowResult]) -> String {
    let mut text = String::from(
        "| work | counted in | floor | **ours** | of the floor | socketioxide | Bun | Node |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let shown_cell =
            |cell: Option<&CellResult>| cell.map_or("".to_owned(), |cell| value(row, cell, digits(row)));
        let (floor, ours) = (row.first_of("floor"), row.first_of("ours"));
        let ratio = ours.and_then(|ours| row.value(ours)).zip(floor.and_then(|floor| row.value(floor)));
        let _ = writeln!(
            text,
            "| {} | {} | {} | **{}** | {} | {} | {} | {} |",
            row.title,
            row.unit_words(),
            shown_cell(floor),
            shown_cell(ours),
            ratio.map_or(String::new(), |(ours, floor)| format!("{:.2}", ours / floor)),
            shown_cell(row.named("socketioxide")),
            shown_cell(row.named("bun")),
            shown_cell(row.named("node")),
        );
    }
    text
}

/// One line a row, a column for everybody who faced any of them; in brackets bytes on the wire where they
/// are the question.
#[must_use]
pub fn everybody(rows: &[&RowResult], with_wire: WireBytes) -> String {
    let mut names: Vec<&str> = Vec::new();
    for cell in rows.iter().flat_map(|row| &row.cells) {
        if !names.contains(&cell.name.as_str()) {
            names.push(&cell.name);
        }
    }
    let mut text = format!("| work | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for row in rows {
        let _ = write!(text, "| {} |", row.title);
        for name in &names {
            let cell = row.cells.iter().find(|cell| cell.name == *name);
            let wire =
                cell.and_then(|cell| cell.median("wire_bytes")).filter(|_| with_wire == WireBytes::Shown);
            let wire = wire.map_or(String::new(), |bytes| format!(" ({bytes:.0} B)"));
            let _ =
                write!(text, " {}{wire} |", cell.map_or(String::new(), |cell| value(row, cell, digits(row))));
        }
        text.push('\n');
    }
    text
}

/// Whether a table says how many bytes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireBytes {
    /// In brackets.
    Shown,
    /// No.
    Left,
}

/// A row's figure of somebody, or why there is none.
fn value(row: &RowResult, cell: &CellResult, digits: usize) -> String {
    match row.value(cell) {
        Some(value) if cell.verdict == "at most" => format!("≤ {value:.digits$}"),
        Some(value) => format!("{value:.digits$}"),
        None => format!("({})", if cell.verdict.is_empty() { "unknown" } else { &cell.verdict }),
    }
}

fn digits(row: &RowResult) -> usize {
    match row.figure.as_str() {
        "memory" => 0,
        "age" | "lateness" => 1,
        _ => 2,
    }
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::made;

    #[test]
    fn the_detailed_table_has_ratios_against_the_first() {
        let results = made();
        let text = detailed(&results.rows[0]);
        assert!(text.contains("| ours | 5.500 | 1.10 |"), "{text}");
        assert!(text.contains("| node | 11.000 | 2.20 |"), "{text}");
    }

    #[test]
    fn the_overview_has_a_column_for_each_peer_and_says_what_is_void() {
        let results = made();
        let text = overview(&results.rows.iter().collect::<Vec<_>>());
        assert!(
            text.contains("| 50 a second | CPU us per delivery | 5.00 | **5.50** | 1.10 |  |  | 11.00 |"),
            "{text}"
        );
        assert!(text.contains("| 1.10 |  |  | (void) |"), "{text}");
    }

    #[test]
    fn everybody_who_faced_a_row_has_a_column() {
        let results = made();
        let text = everybody(&results.rows.iter().collect::<Vec<_>>(), WireBytes::Shown);
        assert!(text.starts_with("| work | floor-ring | ours | node | socketioxide |"), "{text}");
        assert!(text.contains("| 50 a second | 5.00 (400 B) | 5.50 (400 B) | 11.00 (400 B) |  |"), "{text}");
    }
}
