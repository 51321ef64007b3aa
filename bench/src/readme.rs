//! The README's numbers: written between two markers from the results, and never by hand. It knows no other part
//! of the README.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use crate::results::{Results, RowResult};
use crate::table::{self, Aside};
use crate::{goals, interval, pulse};

/// Where the results lie, below bench/.
pub const RESULTS: &str = "results/comparison.json";
/// Where the plot lies, below bench/.
pub const PLOT: &str = "results/comparison.svg";
/// Where the plot of the flush interval lies, below bench/.
pub const INTERVAL_PLOT: &str = "results/interval.svg";

/// The README with its numbers made anew.
///
/// # Errors
/// When the markers are not there, in their order.
pub fn with_numbers(readme: &str, results: &Results) -> Result<String> {
    between(readme, &numbers(results))
}

fn between(readme: &str, text: &str) -> Result<String> {
    let (before, rest) = readme.split_once(BEGIN).context("the README lacks its marker of the begin")?;
    let (_, after) = rest.split_once(END).context("the README lacks its marker of the end")?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", text.trim_end()))
}

/// Everything between the markers.
#[must_use]
pub fn numbers(results: &Results) -> String {
    let of = |chapters: &[&str]| -> Vec<&RowResult> {
        results.rows.iter().filter(|row| chapters.contains(&row.chapter.as_str())).collect()
    };
    let others: Vec<&RowResult> =
        results.rows.iter().filter(|row| !APART.contains(&row.chapter.as_str())).collect();
    let mut text =
        format!("![What each server costs, work by work](bench/{PLOT})\n\n{}\n", provenance(results));
    text.push_str(&table::overview(&others, results.rounds));
    for (title, chapters, aside) in TABLES {
        let rows = of(chapters);
        if !rows.is_empty() {
            text.push_str(&format!("\n{title}\n\n{}", table::everybody(&rows, *aside, results.rounds)));
        }
    }
    text
}

/// The README of the bench house with the measured intervals and pulses, and which goals hold.
///
/// # Errors
/// When the markers are not there, in their order.
pub fn with_timing(readme: &str, results: &Results) -> Result<String> {
    let rows: Vec<&RowResult> = results.rows.iter().filter(|row| row.chapter == "pulse").collect();
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str(&pulse::table(&rows));
    }
    if interval::svg(results).is_some() {
        let _ = write!(
            text,
            "\n![What a message saves that may wait]({INTERVAL_PLOT})\n\n{}",
            interval::table(results)
        );
    }
    if !results.rows.is_empty() {
        let _ = write!(text, "\n{GOALS_TITLE}\n\n{}", goals::page(std::slice::from_ref(results)));
    }
    between(readme, &text)
}

fn provenance(results: &Results) -> String {
    let machine = |name: &str| results.machine.get(name).map_or("?", String::as_str);
    let versions: Vec<String> =
        results.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "Medians of {} alternating rounds (where hundredths count, up to three times as many of floor and ours, twice as many of one peer in echo), of fewer where a raised figure \
         says how many, {}: {} cores of {}, {}, Linux {}, TCP by {}; {}.\n",
        results.rounds,
        results.date,
        machine("cores"),
        machine("cpu"),
        machine("memory"),
        machine("kernel"),
        machine("congestion control"),
        versions.join(", ")
    )
}

const GOALS_TITLE: &str = "What must be reached, and what this comparison found (`~`: the swarm was the bottleneck for one of the two, whose figure is \
                           a bound; `-`: void, or not measured):";

const BEGIN: &str = "<!-- numbers: written by `compare numbers`, from bench/results -->";
const END: &str = "<!-- end of numbers -->";

/// Chapters whose contestants are others: each has a table of its own.
const APART: &[&str] = &["deflate", "windows", "runtimes", "ceiling", "cores", "apart", "interval"];

type Table = (&'static str, &'static [&'static str], Aside);

const TABLES: &[Table] = &[
    (
        "permessage-deflate, every event different; CPU us per delivery, in brackets bytes on the wire \
         (`-deflate` compresses, `-fresh` without context takeover):",
        &["deflate"],
        Aside::WireBytes,
    ),
    (
        "What compression holds for a client that has sent and got a message: bytes of memory per client, beside the same \
         without it:",
        &["windows"],
        Aside::Nothing,
    ),
    (
        "The kernel alone, and the same fan-out as tasks of a runtime; CPU us per delivery:",
        &["ceiling", "runtimes"],
        Aside::Nothing,
    ),
    (
        "Two cores against one, the swarm asleep while they send; CPU us per delivery, in brackets thousands of deliveries \
         a second:",
        &["cores"],
        Aside::Rate,
    ),
    (
        "Server and swarm in network namespaces, receiving steered to the core of who receives; CPU us per delivery, in \
         brackets the busy time of the server's core:",
        &["apart"],
        Aside::CoreTime,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::made;

    #[test]
    fn numbers_are_written_between_the_markers_and_twice_is_once() {
        let readme = format!("# Top\n{BEGIN}\nold\n{END}\nbottom\n");
        let once = with_numbers(&readme, &made()).expect("markers");
        assert!(once.starts_with("# Top\n") && once.ends_with("\nbottom\n") && !once.contains("old"));
        assert!(once.contains("| 50 a second |") && once.contains("permessage-deflate"));
        assert_eq!(with_numbers(&once, &made()).expect("markers"), once);
    }

    #[test]
    fn the_house_has_its_own_numbers_where_they_were_measured() {
        let readme = format!("{BEGIN}\n{END}\n");
        let nothing = with_timing(&readme, &Results::default()).expect("markers");
        assert_eq!(nothing, format!("{BEGIN}\n\n{END}\n"));
        assert!(with_timing(&readme, &made()).expect("markers").contains(GOALS_TITLE));
        let measured = with_timing(&readme, &crate::interval::tests::made()).expect("markers");
        assert!(measured.contains(INTERVAL_PLOT) && measured.contains("| 200 | 50 ms |"), "{measured}");
    }

    #[test]
    fn a_readme_without_markers_is_an_error() {
        assert!(with_numbers("# Top\n", &made()).is_err());
        assert!(with_numbers(&format!("{END} {BEGIN}"), &made()).is_err());
    }
}
