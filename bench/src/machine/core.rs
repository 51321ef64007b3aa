//! One core seen from outside: how long it had nothing to do. Not who was on it: that is [`super::Process`]'s.

use std::fs;

/// How long these cores (`0`, `0-1`, `0,2`) were idle since the machine started, all together, ns; `None` if the kernel
/// does not tell. In steps of 10 ms.
#[must_use]
pub fn idle_ns(cores: &str) -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let cores = core_numbers(cores)?;
    cores.into_iter().map(|core| idle_ticks(&stat, core)).sum::<Option<u64>>().map(|ticks| ticks * TICK_NS)
}

/// The cores that the calling thread may run on, as a list.
#[must_use]
pub fn own_cores() -> Option<String> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(list.trim().to_owned())
}

/// The cores that a list names; `None` if it is no list.
#[must_use]
pub fn core_numbers(cores: &str) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in cores.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        numbers.extend(first.trim().parse::<usize>().ok()?..=last.trim().parse().ok()?);
    }
    (!numbers.is_empty()).then_some(numbers)
}

/// `idle` and `iowait` of a core's line: nothing ran in either.
fn idle_ticks(stat: &str, core: usize) -> Option<u64> {
    let name = format!("cpu{core}");
    let mut words =
        stat.lines().map(str::split_whitespace).find(|words| words.clone().next() == Some(&name))?;
    let idle: u64 = words.nth(4)?.parse().ok()?;
    Some(idle + words.next()?.parse::<u64>().ok()?)
}

/// The unit of `/proc/stat`: the kernel tells programs of 100 ticks a second, whatever its own are.
const TICK_NS: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "cpu  9 9 9 9 9 9\ncpu0 1 2 3 400 5 6 7 8 0 0\ncpu1 1 2 3 4 5 6 7 8 0 0\ncpu10 1 1 1 7 7\n";

    #[test]
    fn idle_is_what_the_line_of_the_core_says() {
        assert_eq!(idle_ticks(STAT, 0), Some(405));
        assert_eq!(idle_ticks(STAT, 1), Some(9));
        assert_eq!(idle_ticks(STAT, 10), Some(14));
        assert_eq!(idle_ticks(STAT, 2), None);
    }

    #[test]
    fn this_thread_may_run_somewhere() {
        assert!(own_cores().and_then(|list| core_numbers(&list)).is_some_and(|cores| !cores.is_empty()));
    }

    #[test]
    fn lists_of_cores_are_read() {
        assert_eq!(core_numbers("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(core_numbers("1"), Some(vec![1]));
        assert_eq!(core_numbers("none"), None);
        assert_eq!(core_numbers("3-1"), None);
    }
}
