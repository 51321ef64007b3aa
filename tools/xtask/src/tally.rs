//! How many tests passed, failed and were skipped, and how to read that from what a runner printed.
//!
//! It reads closing lines only; which test failed is for the reader of the output above them.

use std::ops::AddAssign;

/// What a runner counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that held.
    pub(crate) passed: u64,
    /// Tests that did not, or were cancelled.
    pub(crate) failed: u64,
    /// Tests that said why they could not run.
    pub(crate) skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Tally {
    /// One check that holds or does not: what a step without tests counts as.
    pub(crate) fn one(holds: bool) -> Self {
        Self { passed: u64::from(holds), failed: u64::from(!holds), skipped: 0 }
    }

    /// `cargo test`: the sum over its `test result:` lines, one for each test program and doc test run.
    pub(crate) fn of_cargo_test(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines().filter(|line| line.starts_with("test result:")) {
            sum += Self {
                passed: number_before(line, "passed").unwrap_or(0),
                failed: number_before(line, "failed").unwrap_or(0),
                skipped: number_before(line, "ignored").unwrap_or(0),
            };
        }
        sum
    }

    /// Node's runner: the summary of its `tap` (`# pass 3`) or `spec` (`ℹ pass 3`) reporter. Cancelled is failed.
    pub(crate) fn of_node_test(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines() {
            let Some((mark, rest)) = line.split_once(' ') else { continue };
            let Some((word, count)) = rest.split_once(' ') else { continue };
            let Ok(count) = count.trim().parse::<u64>() else { continue };
            match (mark, word) {
                ("#" | "ℹ", "pass") => sum.passed += count,
                ("#" | "ℹ", "fail" | "cancelled") => sum.failed += count,
                ("#" | "ℹ", "skipped" | "todo") => sum.skipped += count,
                _ => {}
            }
        }
        sum
    }

    /// A program of ours: its last line of the form `N passed, N failed`, perhaps with `, N skipped`.
    pub(crate) fn of_closing_line(output: &str) -> Option<Self> {
        output.lines().rev().find_map(|line| {
            let parts: Vec<&str> = line.trim().split(", ").collect();
            let (passed, failed, skipped) = match parts[..] {
                [passed, failed] => (passed, failed, "0 skipped"),
                [passed, failed, skipped] => (passed, failed, skipped),
                _ => return None,
            };
            Some(Self {
                passed: counted(passed, "passed")?,
                failed: counted(failed, "failed")?,
                skipped: counted(skipped, "skipped")?,
            })
        })
    }

    /// Holds the count against the runner's exit: a runner that failed has failed something, and one that ran nothing
    /// has proved nothing.
    pub(crate) fn checked(mut self, runner_ok: bool) -> Self {
        if self.failed == 0 && (!runner_ok || self.passed == 0) {
            self.failed = 1;
        }
        self
    }

    /// The line that closes a run.
    pub(crate) fn closing_line(self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }
}

/// `7` of `7 passed`, if the word is that.
fn counted(part: &str, word: &str) -> Option<u64> {
    let (count, found) = part.split_once(' ')?;
    if found == word { count.parse().ok() } else { None }
}

/// The number that stands before `word` in a line of `N word; N word` parts.
fn number_before(line: &str, word: &str) -> Option<u64> {
    let words: Vec<&str> = line.split([' ', ';']).filter(|part| !part.is_empty()).collect();
    let position = words.iter().position(|found| *found == word)?;
    words.get(position.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally { passed, failed, skipped }
    }

    #[test]
    fn cargo_test_is_summed_over_its_programs() {
        let output = "running 3 tests\ntest a ... ok\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n\
            test that prints 9 passed; 9 failed\n";
        assert_eq!(Tally::of_cargo_test(output), tally(6, 1, 1));
        assert_eq!(Tally::of_cargo_test("error: could not compile"), tally(0, 0, 0));
    }

    #[test]
    fn node_is_read_from_both_reporters() {
        let tap =
            "ok 1 - a\n# tests 4\n# suites 0\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 0\n";
        assert_eq!(Tally::of_node_test(tap), tally(2, 2, 1));
        let spec =
            "✔ a (1.2ms)\nℹ tests 5\nℹ pass 5\nℹ fail 0\nℹ cancelled 0\nℹ skipped 0\nℹ duration_ms 77.1\n";
        assert_eq!(Tally::of_node_test(spec), tally(5, 0, 0));
    }

    #[test]
    fn node_talk_that_looks_like_a_summary_is_not_one() {
        assert_eq!(
            Tally::of_node_test("pass 3\n# pass the ball\n# passengers 3\n- fail 1\n"),
            tally(0, 0, 0)
        );
    }

    #[test]
    fn the_last_closing_line_counts() {
        let output = "seed 1\n1 passed, 0 failed\nseed 2\n199 passed, 1 failed\nreplay with --seed 2\n";
        assert_eq!(Tally::of_closing_line(output), Some(tally(199, 1, 0)));
        assert_eq!(Tally::of_closing_line("5 passed, 0 failed, 2 skipped"), Some(tally(5, 0, 2)));
        for other in
            ["", "5 passed", "five passed, 0 failed", "5 failed, 5 passed", "5 passed, 0 failed, or so"]
        {
            assert_eq!(Tally::of_closing_line(other), None, "{other}");
        }
    }

    #[test]
    fn a_runner_that_failed_or_ran_nothing_has_not_passed() {
        assert_eq!(tally(3, 0, 0).checked(true), tally(3, 0, 0));
        assert_eq!(tally(3, 0, 0).checked(false), tally(3, 1, 0));
        assert_eq!(tally(3, 2, 0).checked(false), tally(3, 2, 0));
        assert_eq!(tally(0, 0, 4).checked(true), tally(0, 1, 4));
    }
}
