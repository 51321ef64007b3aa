//! What the caller asked for: which steps, with how many seeds, whether records are renewed, which fault cases.
//!
//! It knows names only; what a step does is `steps`' business.

use crate::steps::{STEPS, Step};
use crate::workspace::Record;

/// Seeds of the simulation when none are asked for: what CI runs.
const SEEDS_DEFAULT: u32 = 200;

/// A command line, understood.
pub(crate) enum Request {
    /// Print the usage.
    Help,
    /// Run these steps in this order.
    Run {
        /// One step, or all of them for `test`.
        steps: Vec<&'static Step>,
        /// How many seeds `sim` replays.
        seeds: u32,
        /// What `instructions` does with its records.
        record: Record,
        /// What is said to the runner of the fault cases: `--all`, names, or nothing for the quick ones.
        faults: Vec<String>,
    },
}

impl Request {
    /// Reads the arguments after the program's name; the error is a sentence for the caller.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let Some((name, options)) = arguments.split_first() else { return Ok(Self::Help) };
        if matches!(name.as_str(), "help" | "--help" | "-h") {
            return Ok(Self::Help);
        }
        let steps = match name.as_str() {
            "test" => STEPS.iter().collect(),
            name => vec![step_named(name)?],
        };
        if name == "instructions" && options == ["--renew"] {
            return Ok(Self::of(steps, SEEDS_DEFAULT, Record::Renew, Vec::new()));
        }
        if name == "faults" {
            return Ok(Self::of(steps, SEEDS_DEFAULT, Record::Check, faults_of(options)?));
        }
        Ok(Self::of(steps, seeds_of(options)?, Record::Check, Vec::new()))
    }

    fn of(steps: Vec<&'static Step>, seeds: u32, record: Record, faults: Vec<String>) -> Self {
        Self::Run { steps, seeds, record, faults }
    }
}

fn step_named(name: &str) -> Result<&'static Step, String> {
    STEPS.iter().find(|step| step.name == name).ok_or_else(|| format!("xtask: there is no step `{name}`"))
}

fn seeds_of(options: &[String]) -> Result<u32, String> {
    match options {
        [] => Ok(SEEDS_DEFAULT),
        [flag, count] if flag == "--seeds" => match count.parse() {
            Ok(seeds) if seeds > 0 => Ok(seeds),
            _ => Err(format!("xtask: --seeds expects a number above 0, found `{count}`")),
        },
        [other, ..] => Err(format!("xtask: expected `--seeds N` or nothing, found `{other}`")),
    }
}

/// What the runner of the fault cases understands: whether a name is one is for it to say.
fn faults_of(options: &[String]) -> Result<Vec<String>, String> {
    match options.iter().find(|option| option.starts_with('-') && *option != "--all") {
        Some(other) => Err(format!("xtask: expected `--all` or names of fault cases, found `{other}`")),
        None => Ok(options.to_vec()),
    }
}

/// The names of all steps, one a line.
pub(crate) fn usage() -> String {
    let mut text = String::from(
        "cargo xtask NAME [--seeds N]\ncargo xtask instructions --renew\ncargo xtask faults [--all | NAME...]\n\n  test         all of these, in this order\n",
    );
    for step in STEPS {
        text.push_str(&format!("  {:<12} {}\n", step.name, step.about));
    }
    text.push_str(
        "\nWith CI=true in the environment a missing tool fails its step; otherwise the step is skipped.",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, String> {
        Request::parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn test_means_every_step_in_order() {
        let Ok(Request::Run { steps, seeds, .. }) = parse("test") else { panic!("`test` is a request") };
        assert!(steps.iter().map(|step| step.name).eq(STEPS.iter().map(|step| step.name)));
        assert_eq!(seeds, SEEDS_DEFAULT);
    }

    #[test]
    fn seeds_are_a_number_above_zero() {
        assert!(matches!(parse("sim --seeds 7"), Ok(Request::Run { seeds: 7, .. })));
        for line in ["sim --seeds 0", "sim --seeds many", "sim --seeds", "sim --speed 1"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn records_are_renewed_only_when_asked() {
        let record = |line| match parse(line) {
            Ok(Request::Run { record, .. }) => Some(record),
            _ => None,
        };
        assert_eq!(record("instructions"), Some(Record::Check));
        assert_eq!(record("instructions --renew"), Some(Record::Renew));
        assert_eq!(record("test --renew"), None);
    }

    #[test]
    fn fault_cases_are_the_quick_ones_all_or_named() {
        let faults = |line| match parse(line) {
            Ok(Request::Run { faults, .. }) => Some(faults.join(" ")),
            _ => None,
        };
        assert_eq!(faults("test").as_deref(), Some(""));
        assert_eq!(faults("faults").as_deref(), Some(""));
        assert_eq!(faults("faults --all").as_deref(), Some("--all"));
        assert_eq!(faults("faults pause stop").as_deref(), Some("pause stop"));
        assert_eq!(faults("faults --none"), None);
        assert_eq!(faults("compat --all"), None);
    }

    #[test]
    fn an_unknown_step_is_named_in_the_complaint() {
        assert!(parse("tset").is_err_and(|complaint| complaint.contains("`tset`")));
        assert!(matches!(parse(""), Ok(Request::Help)));
    }

    #[test]
    fn the_usage_names_every_step() {
        assert!(STEPS.iter().all(|step| usage().contains(step.name)));
    }
}
