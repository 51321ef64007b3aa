//! What this engine wants to reach, work by work, and whether it did: one line a goal, one column a comparison. The only
//! place where the bounds stand. It measures nothing, and rounds nothing in anybody's favour.

use std::fmt::Write as _;

use crate::results::{CellResult, Results, RowResult};

/// A bound on one figure of one row.
struct Goal {
    chapter: &'static str,
    /// Which of the chapter's rows, from 0, in the order of the plan.
    row: usize,
    figure: Figure,
    bound: Bound,
}

/// What is bounded.
#[derive(Clone, Copy)]
enum Figure {
    /// The first one's figure against the second one's.
    Ratio(&'static str, &'static str),
    /// The first one's deliveries per second against the second one's.
    Rates(&'static str, &'static str),
    /// How much more the first one's is than the second one's.
    Excess(&'static str, &'static str),
    /// The figure itself.
    Value(&'static str),
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    /// That much, or as much as somebody else's figure.
    NoDearer(f64, &'static str),
    /// That much, or [nearly](OF_FLOOR_MIN) as much as the floor's first figure is of its second.
    NoSlower(f64, &'static str, &'static str),
}

/// A figure as it was found.
struct Found {
    value: f64,
    /// The figure of whom the bound names.
    other: Option<f64>,
    /// Whether the swarm was the bottleneck for one of those compared, so that its figure is a bound.
    is_bound: bool,
}

const fn goal(chapter: &'static str, row: usize, figure: Figure, bound: Bound) -> Goal {
    Goal { chapter, row, figure, bound }
}

const fn ratio(chapter: &'static str, row: usize, to: &'static str, most: f64) -> Goal {
    goal(chapter, row, Figure::Ratio("ours", to), Bound::AtMost(most))
}

const fn deflated(row: usize, to: &'static str, most: f64) -> Goal {
    goal("deflate", row, Figure::Ratio("ours-deflate", to), Bound::AtMost(most))
}

/// The goals, in the order of the plan.
const GOALS: &[Goal] = &[
    ratio("fanout", 0, "floor-ring", 1.05),
    ratio("fanout", 0, "socketioxide", 0.75),
    ratio("fanout", 0, "node", 0.45),
    ratio("fanout", 1, "floor-ring", 1.05),
    ratio("fanout", 1, "socketioxide", 0.75),
    ratio("fanout", 1, "node", 0.45),
    ratio("burst", 0, "floor-ring-x16", 1.15),
    ratio("burst", 0, "socketioxide", 0.5),
    ratio("burst", 1, "floor-ring-x16", 1.15),
    ratio("rooms", 0, "floor-ring", 1.10),
    ratio("rooms", 1, "floor-ring", 1.10),
    ratio("large", 0, "floor-ring", 1.10),
    ratio("large", 0, "socketioxide", 0.65),
    ratio("large", 1, "floor-ring-x16", 1.10),
    ratio("large", 1, "socketioxide", 0.35),
    goal("echo", 0, Figure::Value("ours"), Bound::NoDearer(1.0, "uwebsockets")),
    ratio("echo", 0, "socketioxide", 0.35),
    ratio("connect", 0, "floor-ring", 1.4),
    ratio("connect", 0, "socketioxide", 0.25),
    deflated(0, "floor-ring-deflate", 1.15),
    deflated(0, "node-deflate", 0.1),
    deflated(1, "floor-ring-deflate", 1.15),
    deflated(1, "node-deflate", 0.1),
    deflated(2, "floor-ring-x16-deflate", 1.15),
    deflated(2, "node-deflate", 0.1),
    deflated(3, "floor-ring-deflate", 1.15),
    deflated(3, "node-deflate", 0.1),
    deflated(4, "floor-ring-deflate", 1.15),
    deflated(4, "node-deflate", 0.1),
    deflated(5, "floor-ring-x16-deflate", 1.15),
    deflated(5, "node-deflate", 0.1),
    ratio("polling", 0, "socketioxide", 0.6),
    ratio("polling", 0, "node", 0.3),
    ratio("polling", 1, "socketioxide", 0.6),
    ratio("polling", 1, "node", 0.3),
    ratio("polling", 2, "socketioxide", 0.6),
    ratio("polling", 2, "node", 0.3),
    ratio("polling", 3, "socketioxide", 0.6),
    ratio("polling", 3, "node", 0.3),
    goal("idle", 0, Figure::Value("ours"), Bound::AtMost(512.0)),
    goal("windows", 0, Figure::Excess("ours-deflate", "ours"), Bound::AtMost(2048.0)),
    goal("cores", 0, Figure::Ratio("ours-2-cores", "ours"), Bound::AtMost(1.10)),
    goal(
        "cores",
        0,
        Figure::Rates("ours-2-cores", "ours"),
        Bound::NoSlower(1.8, "floor-ring-2-cores", "floor-ring"),
    ),
    goal("cores", 1, Figure::Ratio("ours-2-cores", "ours"), Bound::AtMost(1.10)),
    goal(
        "cores",
        1,
        Figure::Rates("ours-2-cores", "ours"),
        Bound::NoSlower(1.8, "floor-ring-x16-2-cores", "floor-ring-x16"),
    ),
    goal("cores", 2, Figure::Ratio("ours-2-cores", "ours"), Bound::AtMost(1.10)),
    goal("pulse", 0, Figure::Value("ours"), Bound::AtMost(1000.0)),
    goal("pulse", 1, Figure::Value("ours"), Bound::AtMost(1000.0)),
];

/// Where two cores bring the floor itself less than the figure, so much of what they bring the floor; as with what is dear, a twentieth is granted.
const OF_FLOOR_MIN: f64 = 0.95;

/// The page: every goal against every comparison.
#[must_use]
pub fn page(runs: &[Results]) -> String {
    let numbers: Vec<String> = (1..=runs.len()).map(|number| format!(" run {number} |")).collect();
    let mut text = format!("| work | compared | bound |{} holds |\n", numbers.concat());
    let _ = writeln!(text, "|---|---|---|{}---|", "---|".repeat(runs.len()));
    for goal in GOALS {
        let found: Vec<Option<Found>> = runs.iter().map(|run| goal.found(run)).collect();
        let title = runs.iter().find_map(|run| goal.row(run)).map_or(goal.chapter, |row| row.title.as_str());
        let cells: Vec<String> = found.iter().map(|found| format!(" {} |", shown(found.as_ref()))).collect();
        let held = found.iter().flatten().filter(|found| goal.bound.holds(found)).count();
        let _ = writeln!(
            text,
            "| {title} | {} | {} |{} {} |",
            goal.figure.words(),
            goal.bound.words(),
            cells.concat(),
            if held == runs.len() { "yes".to_owned() } else { format!("**{held} of {}**", runs.len()) }
        );
    }
    text
}

impl Goal {
    fn row<'a>(&self, results: &'a Results) -> Option<&'a RowResult> {
        results.rows.iter().filter(|row| row.chapter == self.chapter).nth(self.row)
    }

    fn found(&self, results: &Results) -> Option<Found> {
        let row = self.row(results)?;
        let cell = |name: &str| row.cells.iter().find(|cell| cell.name == name);
        let figure = |cell: &CellResult| row.value(cell);
        let rates = |first: &CellResult, second: &CellResult| row.ratio_of("rate_per_s", first, second);
        let other = match self.bound {
            Bound::AtMost(_) => None,
            Bound::NoDearer(_, other) => cell(other).and_then(figure),
            Bound::NoSlower(_, of, to) => cell(of).zip(cell(to)).and_then(|(of, to)| rates(of, to)),
        };
        let two = |of, to, what: &dyn Fn(&CellResult, &CellResult) -> Option<f64>| {
            let (first, second) = (cell(of)?, cell(to)?);
            let value = what(first, second)?;
            Some(Found { value, other, is_bound: is_bound(first) || is_bound(second) })
        };
        match self.figure {
            Figure::Value(of) => {
                let cell = cell(of)?;
                Some(Found { value: row.value(cell)?, other, is_bound: is_bound(cell) })
            }
            Figure::Ratio(of, to) => two(of, to, &|first, second| row.ratio(first, second)),
            Figure::Excess(of, to) => two(of, to, &|first, second| Some(figure(first)? - figure(second)?)),
            Figure::Rates(of, to) => two(of, to, &rates),
        }
    }
}

fn is_bound(cell: &CellResult) -> bool {
    cell.verdict == "at most"
}

impl Figure {
    fn words(self) -> String {
        match self {
            Figure::Ratio(of, to) => format!("{of} / {to}"),
            Figure::Rates(of, to) => format!("{of} / {to}, a second"),
            Figure::Excess(of, to) => format!("{of} - {to}"),
            Figure::Value(of) => of.to_owned(),
        }
    }
}

impl Bound {
    /// A bound of two digits is met by what is that bound in two digits.
    fn holds(self, found: &Found) -> bool {
        match self {
            Bound::AtMost(most) => found.value < most + 0.005,
            Bound::NoDearer(most, _) => {
                found.value < found.other.map_or(most, |other| most.max(other)) + 0.005
            }
            Bound::NoSlower(least, ..) => {
                let floor = found.other.map_or(least, |floor| floor * OF_FLOOR_MIN);
                found.value >= least.min(floor) - 0.005
            }
        }
    }

    /// Whose figures it names.
    #[cfg(test)]
    fn others(self) -> Vec<&'static str> {
        match self {
            Bound::AtMost(_) => Vec::new(),
            Bound::NoDearer(_, other) => vec![other],
            Bound::NoSlower(_, of, to) => vec![of, to],
        }
    }

    fn words(self) -> String {
        match self {
            Bound::AtMost(most) => format!("≤ {most}"),
            Bound::NoDearer(most, other) => format!("≤ {most}, or {other}"),
            Bound::NoSlower(least, of, to) => format!("≥ {least}, or {OF_FLOOR_MIN} of {of} / {to}"),
        }
    }
}

fn shown(found: Option<&Found>) -> String {
    match found {
        None => "-".to_owned(),
        Some(Found { value, other, is_bound }) => {
            let digits = if *value >= 100.0 { 0 } else { 2 };
            let other = other.map_or(String::new(), |other| format!(" ({other:.digits$})"));
            format!("{}{value:.digits$}{other}", if *is_bound { "~ " } else { "" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{self, Size};
    use crate::results::tests::made;

    #[test]
    fn every_goal_is_of_a_row_and_of_contestants_that_the_plan_has() {
        let chapters = plan::chapters(Size::Whole);
        for goal in GOALS {
            let chapter = chapters.iter().find(|chapter| chapter.name == goal.chapter).expect(goal.chapter);
            let row = chapter.rows.get(goal.row).expect(goal.chapter);
            let names = match goal.figure {
                Figure::Value(of) => vec![of],
                Figure::Ratio(of, to) | Figure::Rates(of, to) | Figure::Excess(of, to) => vec![of, to],
            };
            let mut names = names.into_iter().chain(goal.bound.others());
            assert!(names.all(|name| row.names.contains(&name)), "{}", row.title);
        }
    }

    #[test]
    fn a_goal_that_one_run_missed_does_not_hold() {
        let (good, mut bad) = (made(), made());
        bad.rows.clear();
        let text = page(&[good, bad]);
        assert!(text.starts_with("| work | compared | bound | run 1 | run 2 | holds |\n"), "{text}");
        assert!(text.contains("| **1 of 2** |"), "half of ours against socketioxide is enough: {text}");
        assert!(!text.contains("| yes |"), "the second run lacks every row: {text}");
        assert!(page(&[made(), made()]).contains("| yes |"));
    }

    #[test]
    fn bounds_are_met_in_two_digits() {
        let found = |value| Found { value, other: None, is_bound: false };
        assert!(Bound::AtMost(1.05).holds(&found(1.0549)) && !Bound::AtMost(1.05).holds(&found(1.0551)));
        let bound = Bound::NoSlower(1.8, "two", "one");
        assert!(bound.holds(&found(1.796)) && !bound.holds(&found(1.79)), "without a floor it is the figure");
    }

    #[test]
    fn where_the_machine_gives_less_the_floor_says_how_much() {
        let bound = Bound::NoSlower(1.8, "two", "one");
        let found = |value, floor| Found { value, other: Some(floor), is_bound: false };
        assert!(bound.holds(&found(1.6, 1.65)) && !bound.holds(&found(1.5, 1.65)));
        assert!(bound.holds(&found(1.8, 2.0)), "more than the figure is never asked for");
    }

    #[test]
    fn what_is_no_dearer_than_somebody_may_exceed_the_number() {
        let bound = Bound::NoDearer(1.0, "somebody");
        let found = |value, other| Found { value, other, is_bound: false };
        assert!(bound.holds(&found(1.9, Some(2.0))) && !bound.holds(&found(2.1, Some(2.0))));
        assert!(bound.holds(&found(0.9, Some(0.5))), "the number is enough");
        assert!(bound.holds(&found(1.0, None)) && !bound.holds(&found(1.1, None)));
    }
}
