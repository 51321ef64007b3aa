//! The clocks: monotonic time of a core and CPU time. They are not wall time; nobody here knows the date.

use std::time::{Duration, Instant};

/// Monotonic milliseconds since the clock was made. Copies of one clock agree, so all cores share one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that shows 0.
    #[must_use]
    pub fn new() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Milliseconds since the clock was made.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.ms_at(Instant::now())
    }

    /// Time since the clock was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Milliseconds from when the clock was made to a moment; 0 for an earlier one.
    #[must_use]
    pub fn ms_at(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.start);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

/// CPU time of the calling thread in nanoseconds, kernel and user together.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    cpu_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time of the whole process in nanoseconds, kernel and user together.
#[must_use]
pub fn process_cpu_ns() -> u64 {
    cpu_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of another process in nanoseconds: of all its threads, of those too that have ended. `None` if it is
/// gone.
#[must_use]
pub fn cpu_ns_of(pid: u32) -> Option<u64> {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: the call writes one clock id through the pointer; `clock` is one and outlives the call.
    let result = unsafe { libc::clock_getcpuclockid(pid.try_into().ok()?, &raw mut clock) };
    if result == 0 { read_ns(clock) } else { None }
}

fn cpu_ns(clock: libc::clockid_t) -> u64 {
    read_ns(clock).expect("the two CPU clocks exist on every Linux")
}

/// What a CPU clock shows; `None` if there is no such clock.
fn read_ns(clock: libc::clockid_t) -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec through the pointer; `time` is one and outlives the call.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if result != 0 {
        return None;
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Some(seconds * 1_000_000_000 + nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_cpu_time_and_time_goes_on() {
        let clock = Clock::new();
        let (thread, process, before_ms) = (thread_cpu_ns(), process_cpu_ns(), clock.now_ms());
        let mut sum = 0_u64;
        while thread_cpu_ns() < thread + 2_000_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(process_cpu_ns() > process);
        assert!(cpu_ns_of(std::process::id()).is_some_and(|own| own > process), "it is this process's clock");
        assert_eq!(cpu_ns_of(u32::MAX), None);
        assert!(clock.now_ms() > before_ms);
    }
}
