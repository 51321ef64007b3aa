//! One process seen from outside: CPU time, resident memory, descriptors. Not a sampler: each question asks the
//! kernel once.

use std::fs;
use std::path::PathBuf;

/// A process by its id. All answers are `None` when it is gone or the kernel does not tell.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    pid: u32,
}

impl Process {
    /// The process with this id.
    #[must_use]
    pub fn new(pid: u32) -> Process {
        Process { pid }
    }

    /// Its id.
    #[must_use]
    pub fn id(self) -> u32 {
        self.pid
    }

    /// User and system time of all its threads, of those too that have ended, ns, as the scheduler accounts it.
    #[must_use]
    pub fn cpu_ns(self) -> Option<u64> {
        socketville_sys::cpu_ns_of(self.pid)
    }

    /// Resident memory in bytes: the exact sum of its pages where the kernel gives it, else the rounded
    /// counter.
    #[must_use]
    pub fn resident_bytes(self) -> Option<u64> {
        let exact = fs::read_to_string(self.path("smaps_rollup")).ok();
        let exact = exact.and_then(|text| kibibytes(&text, "Rss:"));
        exact.or_else(|| kibibytes(&fs::read_to_string(self.path("status")).ok()?, "VmRSS:"))
    }

    /// How many descriptors it has open.
    #[must_use]
    pub fn descriptors(self) -> Option<usize> {
        Some(fs::read_dir(self.path("fd")).ok()?.count())
    }

    /// What is mapped where, as the kernel lists it.
    #[must_use]
    pub fn mappings(self) -> Option<String> {
        fs::read_to_string(self.path("maps")).ok()
    }

    fn path(self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid))
    }
}

/// CPU time of the calling thread, ns.
#[must_use]
pub fn own_thread_cpu_ns() -> u64 {
    fs::read_to_string("/proc/thread-self/schedstat").ok().and_then(|text| run_time_ns(&text)).unwrap_or(0)
}

/// The first number of a `schedstat` line: time spent on a CPU, ns.
pub(super) fn run_time_ns(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

/// The value in bytes of a `Name:   123 kB` line.
pub(super) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let value: u64 = rest.split_whitespace().next()?.parse().ok()?;
    Some(value * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_understood() {
        assert_eq!(run_time_ns("1324891 138729 3\n"), Some(1_324_891));
        assert_eq!(kibibytes("Name:\tx\nVmRSS:\t    2048 kB\n", "VmRSS:"), Some(2048 * 1024));
        assert_eq!(kibibytes("", "Rss:"), None);
    }

    #[test]
    fn this_process_has_a_cpu_time_memory_and_descriptors() {
        let own = Process::new(std::process::id());
        assert!(own.cpu_ns().is_some());
        assert!(own.resident_bytes().is_some_and(|bytes| bytes > 64 * 1024));
        assert!(own.descriptors().is_some_and(|count| count >= 3));
    }

    #[test]
    fn a_process_that_is_not_there_has_no_figures() {
        assert_eq!(Process::new(u32::MAX).cpu_ns(), None);
        assert_eq!(Process::new(u32::MAX).resident_bytes(), None);
    }
}
