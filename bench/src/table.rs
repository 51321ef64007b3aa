//! Results as tables in Markdown: one row in detail for the terminal, all rows for the README. It computes
//! ratios and nothing else.

use std::fmt::Write as _;

use crate::results::{CellResult, RowResult};

/// One row with everything that was measured.
#[must_use]
pub fn detailed(row: &RowResult) -> String {
    let first = row.cells.first();
    let base_name = first.map_or("", |cell| cell.name.as_str());
    let mut text = format!("### {}\n\n| server | {} | of {base_name} ", row.title, row.unit_words());
    text.push_str(
        "| core us | per s | p50 us | p99 us | busy (server / swarm) | sends per frame | wire B | memory B | runs |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for cell in &row.cells {
        let of = |name: &str, digits| shown(cell.median(name), digits);
        let ratio = first.and_then(|first| row.ratio(cell, first));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} / {} | {} | {} | {} | {}/{}{} |",
            cell.name,
            value(row, cell, 3),
            shown(ratio, 2),
            of("core_us", 3),
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
    if let Some(note) = &row.note {
        let _ = writeln!(text, "\n{note}.");
    }
    text
}

/// One line a row: the floor, ours and the peers that any row has. Who took part in fewer than `rounds` is marked with how many.
#[must_use]
pub fn overview(rows: &[&RowResult], rounds: usize) -> String {
    let is_there = |name: &str| rows.iter().any(|row| row.named(name).is_some());
    let peers: Vec<(&str, &str)> = PEERS.iter().copied().filter(|(name, _)| is_there(name)).collect();
    let titles: String = peers.iter().map(|(_, title)| format!(" {title} |")).collect();
    let mut text = format!(
        "| work | counted in | floor | **ours** | of the floor |{titles}\n|---|---|---|---|---|{}\n",
        "---|".repeat(peers.len())
    );
    for row in rows {
        let shown_cell =
            |cell: Option<&CellResult>| cell.map_or("".to_owned(), |cell| marked(row, cell, rounds));
        let (floor, ours) = (row.first_of("floor"), row.first_of("ours"));
        let ratio = ours.zip(floor).and_then(|(ours, floor)| row.ratio(ours, floor));
        let cells: String =
            peers.iter().map(|(name, _)| format!(" {} |", shown_cell(row.named(name)))).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | **{}** | {} |{cells}",
            row.title,
            row.unit_words(),
            shown_cell(floor),
            shown_cell(ours),
            ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
        );
    }
    text
}

/// The peers of the overview, and what they are called there.
const PEERS: &[(&str, &str)] =
    &[("uwebsockets", "uWebSockets"), ("socketioxide", "socketioxide"), ("bun", "Bun"), ("node", "Node")];

/// One line a row, a column for everybody who faced any of them; in brackets what else is the question.
/// Who took part in fewer than `rounds` is marked with how many.
#[must_use]
pub fn everybody(rows: &[&RowResult], aside: Aside, rounds: usize) -> String {
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
            let words = cell.and_then(|cell| aside.words(cell));
            let words = words.map_or(String::new(), |words| format!(" ({words})"));
            let _ =
                write!(text, " {}{words} |", cell.map_or(String::new(), |cell| marked(row, cell, rounds)));
        }
        text.push('\n');
    }
    text
}

/// What a figure has beside it, in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// Bytes on the wire.
    WireBytes,
    /// Thousands a second.
    Rate,
    /// The busy time of the server's cores, us per unit.
    CoreTime,
    /// Nothing.
    Nothing,
}

impl Aside {
    /// What stands beside the figures of a chapter.
    #[must_use]
    pub fn of_chapter(chapter: &str) -> Aside {
        match chapter {
            "deflate" => Aside::WireBytes,
            "cores" => Aside::Rate,
            "apart" => Aside::CoreTime,
            _ => Aside::Nothing,
        }
    }

    /// The words in the brackets, if they are known.
    #[must_use]
    pub fn words(self, cell: &CellResult) -> Option<String> {
        match self {
            Aside::WireBytes => Some(format!("{:.0} B", cell.median("wire_bytes")?)),
            Aside::Rate => Some(format!("{:.0} k/s", cell.median("rate_per_s")? / 1e3)),
            Aside::CoreTime => Some(format!("{:.2}", cell.median("core_us")?)),
            Aside::Nothing => None,
        }
    }
}

/// A row's figure of somebody, raised behind it the number of rounds if they were fewer.
fn marked(row: &RowResult, cell: &CellResult, rounds: usize) -> String {
    let figure = value(row, cell, digits(row));
    match cell.runs.len() {
        fewer if (1..rounds).contains(&fewer) => format!("{figure}<sup>{fewer}</sup>"),
        _ => figure,
    }
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
        let text = overview(&results.rows.iter().collect::<Vec<_>>(), 5);
        assert!(
            text.contains("| 50 a second | CPU us per delivery | 5.00 | **5.50** | 1.10 |  | 11.00 |"),
            "{text}"
        );
        assert!(text.contains("| 1.10 |  | (void) |"), "{text}");
    }

    #[test]
    fn a_peer_that_no_row_has_is_no_column() {
        let results = made();
        let heads = |rows: &[&RowResult]| overview(rows, 5).lines().next().map(str::to_owned);
        let all = heads(&results.rows.iter().collect::<Vec<_>>()).expect("a first line");
        assert!(all.ends_with("| of the floor | socketioxide | Node |"), "{all}");
        let one = heads(&[&results.rows[0]]).expect("a first line");
        assert!(one.ends_with("| of the floor | Node |"), "{one}");
    }

    #[test]
    fn cores_have_their_rate_beside_the_cost() {
        let mut results = made();
        results.rows[0].cells[1].medians.insert("rate_per_s".to_owned(), 215_400.0);
        let text = everybody(&[&results.rows[0]], Aside::of_chapter("cores"), 5);
        assert!(text.contains("| 50 a second | 5.00 | 5.50 (215 k/s) | 11.00 |"), "{text}");
    }

    #[test]
    fn five_rounds_were_claimed_of_figures_that_had_two() {
        let mut results = made();
        results.rows[0].cells[0].runs = vec![serde_json::Value::Null; 5];
        results.rows[0].cells[2].runs = vec![serde_json::Value::Null; 2];
        let rows = [&results.rows[0]];
        let (short, long) = (overview(&rows, 5), everybody(&rows, Aside::Nothing, 5));
        assert!(short.contains("| 5.00 | **5.50** | 1.10 | 11.00<sup>2</sup> |"), "{short}");
        assert!(long.contains("| 5.00 | 5.50 | 11.00<sup>2</sup> |"), "{long}");
    }

    #[test]
    fn everybody_who_faced_a_row_has_a_column() {
        let results = made();
        let text = everybody(&results.rows.iter().collect::<Vec<_>>(), Aside::WireBytes, 5);
        assert!(text.starts_with("| work | floor-ring | ours | node | socketioxide |"), "{text}");
        assert!(text.contains("| 50 a second | 5.00 (400 B) | 5.50 (400 B) | 11.00 (400 B) |  |"), "{text}");
    }
}
