//! Results as a picture: a section for each question, a panel for each work, a bar for everybody, in an SVG made here.
//! Not a plotting library: it draws bars, and bars start at zero.

use std::fmt::Write as _;

use crate::results::{CellResult, Results, RowResult};
use crate::table::Aside;

/// The whole picture.
#[must_use]
pub fn svg(results: &Results) -> String {
    let mut page = Page { body: String::new(), y: MARGIN };
    page.heading(results);
    // The heading says loopback.
    let on_loopback = results.rows.iter().filter(|row| row.chapter != APART);
    for section in sections(&on_loopback.cloned().collect::<Vec<_>>()) {
        page.section(section);
    }
    page.footing(results);
    let height = page.y + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
         height=\"{height:.0}\" font-family=\"{FONT}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"12\" fill=\"#ffffff\"/>\n{}</svg>\n",
        page.body
    )
}

/// Rows of one chapter lie side by side.
fn sections(rows: &[RowResult]) -> impl Iterator<Item = &[RowResult]> {
    rows.chunk_by(|row, next| row.chapter == next.chapter)
}

/// What is drawn so far, and where the next thing goes.
struct Page {
    body: String,
    y: f64,
}

/// Where and how a text stands.
struct Text {
    x: f64,
    y: f64,
    size: u32,
    colour: &'static str,
    weight: u32,
}

impl Page {
    fn heading(&mut self, results: &Results) {
        self.y += 26.0;
        self.text(
            &Text { x: MARGIN, y: self.y, size: 26, colour: INK, weight: 700 },
            "What a message costs the server",
        );
        self.y += 26.0;
        let words = format!(
            "Shorter is better. Server on one core, swarm on another, loopback; medians of {} alternating rounds; every \
             client checked for loss, repeats and order.",
            results.rounds
        );
        self.text(&Text { x: MARGIN, y: self.y, size: 13, colour: FAINT, weight: 400 }, &words);
        self.y += 22.0;
        self.legend();
    }

    fn legend(&mut self) {
        let entries = [
            ("floor", "the kernel alone"),
            ("ours", "Socketville"),
            ("peer", "peers"),
            ("runtime", "runtimes"),
        ];
        let mut x = MARGIN;
        for (kind, words) in entries {
            let y = self.y;
            self.rectangle(x, y - 10.0, 12.0, 12.0, colour(kind));
            self.text(&Text { x: x + 18.0, y, size: 13, colour: INK, weight: 400 }, words);
            x += 40.0 + words.len() as f64 * 7.2;
        }
        self.y += 14.0;
    }

    fn section(&mut self, rows: &[RowResult]) {
        self.y += 30.0;
        let question = rows.first().map_or("", |row| row.question.as_str());
        self.text(&Text { x: MARGIN, y: self.y, size: 17, colour: INK, weight: 700 }, question);
        self.y += 10.0;
        for pair in rows.chunks(COLUMNS) {
            let top = self.y;
            let mut height: f64 = 0.0;
            for (column, row) in pair.iter().enumerate() {
                let x = MARGIN + column as f64 * (PANEL_WIDTH + GAP);
                height = height.max(self.panel(row, x, top));
            }
            self.y = top + height + GAP / 2.0;
        }
    }

    /// Draws one panel and says how high it is.
    fn panel(&mut self, row: &RowResult, x: f64, top: f64) -> f64 {
        let height = PANEL_HEAD + row.cells.len() as f64 * BAR_STEP + 12.0;
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.0}\" y=\"{top:.0}\" width=\"{PANEL_WIDTH}\" height=\"{height:.0}\" rx=\"8\" \
             fill=\"#f6f8fa\"/>"
        );
        self.text(&Text { x: x + 14.0, y: top + 22.0, size: 14, colour: INK, weight: 600 }, &row.title);
        self.text(
            &Text { x: x + 14.0, y: top + 38.0, size: 11, colour: FAINT, weight: 400 },
            &row.unit_words(),
        );
        let most = row.cells.iter().filter_map(|cell| row.value(cell)).fold(0.0, f64::max);
        for (index, cell) in row.cells.iter().enumerate() {
            self.bar(row, cell, most, (x, top + PANEL_HEAD + index as f64 * BAR_STEP));
        }
        height
    }

    fn bar(&mut self, row: &RowResult, cell: &CellResult, most: f64, (x, y): (f64, f64)) {
        let weight = if cell.kind == "ours" { 700 } else { 400 };
        let _ = writeln!(
            self.body,
            "<text x=\"{:.0}\" y=\"{:.1}\" font-size=\"12\" fill=\"{INK}\" font-weight=\"{weight}\" \
             text-anchor=\"end\">{}</text>",
            x + NAME_WIDTH,
            y + 13.0,
            escaped(&cell.name)
        );
        let start = x + NAME_WIDTH + 8.0;
        let Some(value) = row.value(cell) else {
            let words = format!("({})", cell.verdict);
            return self.text(&Text { x: start, y: y + 13.0, size: 12, colour: FAINT, weight: 400 }, &words);
        };
        let length = if most > 0.0 { (value / most * BAR_WIDTH).max(1.5) } else { 1.5 };
        self.rectangle(start, y + 2.0, length, BAR_HEIGHT, colour(&cell.kind));
        let bound = if cell.verdict == "at most" { "≤ " } else { "" };
        let words = format!("{bound}{}{}", number(value), aside_words(row, cell));
        self.text(&Text { x: start + length + 6.0, y: y + 13.0, size: 12, colour: INK, weight }, &words);
    }

    fn footing(&mut self, results: &Results) {
        self.y += 26.0;
        let list = |facts: &std::collections::BTreeMap<String, String>| {
            facts.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(" · ")
        };
        for words in [
            format!("{} · {}", results.date, list(&results.machine)),
            list(&results.versions),
            results.command.clone(),
        ] {
            self.text(&Text { x: MARGIN, y: self.y, size: 11, colour: FAINT, weight: 400 }, &words);
            self.y += 16.0;
        }
    }

    fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\" fill=\"{colour}\"/>"
        );
    }

    fn text(&mut self, text: &Text, words: &str) {
        let _ = writeln!(
            self.body,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{}\" fill=\"{}\" font-weight=\"{}\">{}</text>",
            text.x,
            text.y,
            text.size,
            text.colour,
            text.weight,
            escaped(words)
        );
    }
}

/// What a chapter shows beside its figures.
fn aside_words(row: &RowResult, cell: &CellResult) -> String {
    let words = Aside::of_chapter(&row.chapter).words(cell);
    words.map_or(String::new(), |words| format!("  ({words})"))
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn colour(kind: &str) -> &'static str {
    match kind {
        "floor" => "#aab4bf",
        "ours" => "#e4572e",
        "runtime" => "#8e6bbf",
        _ => "#4a78b0",
    }
}

/// Words as XML takes them.
pub(crate) fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The chapter that is not on loopback; it has a table.
const APART: &str = "apart";
/// What all pictures of the house are written in, and the colours of their words.
pub(crate) const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
pub(crate) const INK: &str = "#1c2733";
pub(crate) const FAINT: &str = "#667380";
const WIDTH: u32 = 1180;
const MARGIN: f64 = 30.0;
const GAP: f64 = 20.0;
const COLUMNS: usize = 2;
const PANEL_WIDTH: f64 = 550.0;
const PANEL_HEAD: f64 = 50.0;
const NAME_WIDTH: f64 = 136.0;
const BAR_WIDTH: f64 = 280.0;
const BAR_HEIGHT: f64 = 14.0;
const BAR_STEP: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::made;

    #[test]
    fn everybody_has_a_bar_or_a_reason() {
        let picture = svg(&made());
        assert_eq!(picture.matches(colour("ours")).count(), 3 + 1, "one bar each, and the legend's");
        assert!(picture.contains("(void)"));
        assert!(picture.contains("(400 B)") && picture.contains("11.0<"));
    }

    #[test]
    fn the_longest_bar_is_the_dearest() {
        let picture = svg(&made());
        assert_eq!(picture.matches(&format!("width=\"{BAR_WIDTH:.1}\"")).count(), 3);
    }

    #[test]
    fn names_cannot_break_the_picture() {
        let picture = svg(&made());
        assert!(picture.contains("x &lt;&amp; y"));
        assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count());
    }

    #[test]
    fn what_is_not_on_loopback_is_not_in_the_picture() {
        let mut results = made();
        results.rows[2].chapter = APART.into();
        let panels = |results: &Results| svg(results).matches("(void)").count();
        assert_eq!((panels(&made()), panels(&results)), (1, 0));
    }

    #[test]
    fn rows_of_a_chapter_share_a_section() {
        let results = made();
        assert_eq!(sections(&results.rows).map(<[RowResult]>::len).collect::<Vec<_>>(), [2, 1]);
    }
}
