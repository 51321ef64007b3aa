//! Cores and descriptors of this process: which are allowed, pinning, the descriptor limit. It is not a scheduler and does
//! not count memory.

use std::io;

/// The cores this process may run on, in order: the affinity mask, so that a container's share is respected. At least one.
#[must_use]
pub fn available_cores() -> Vec<usize> {
    let mut mask = empty_mask();
    // SAFETY: the kernel writes at most the given size through the pointer; `mask` is a set of exactly that size.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut mask) };
    if result != 0 {
        return vec![0];
    }
    let limit = libc::CPU_SETSIZE as usize;
    // SAFETY: `core` is below CPU_SETSIZE, the number of bits in the set.
    (0..limit).filter(|&core| unsafe { libc::CPU_ISSET(core, &mask) }).collect()
}

/// Pins the calling thread to one core.
///
/// # Errors
/// `InvalidInput` for a number beyond the kernel's set, or the kernel's refusal (a core outside of the mask).
pub fn pin_to_core(core: usize) -> io::Result<()> {
    if core >= libc::CPU_SETSIZE as usize {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut mask = empty_mask();
    // SAFETY: `core` is below CPU_SETSIZE (checked above), the number of bits in the set.
    unsafe { libc::CPU_SET(core, &mut mask) };
    // SAFETY: the kernel reads the given size through the pointer; `mask` is a set of exactly that size.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const mask) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Raises the soft limit of open descriptors to the hard one, and returns the limit that holds now. Call it before the
/// drivers are made: a ring sizes its table by it.
pub fn raise_descriptor_limit() -> u64 {
    let mut limit = descriptor_limit();
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: the kernel reads one rlimit through the pointer; `limit` is one and outlives the call.
        let _refused = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
    descriptor_limit().rlim_cur
}

/// The limit of open descriptors, soft and hard.
pub(crate) fn descriptor_limit() -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit through the pointer; `limit` is one and outlives the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(result, 0, "this limit exists on every Linux");
    limit
}

fn empty_mask() -> libc::cpu_set_t {
    // SAFETY: cpu_set_t is an array of integers, for which all zeros is a value: the empty set.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_can_be_pinned_to_each_available_core() {
        let cores = available_cores();
        assert!(!cores.is_empty());
        for &core in &cores {
            let seen = std::thread::spawn(move || {
                pin_to_core(core).expect("an available core");
                available_cores()
            });
            assert_eq!(seen.join().expect("no panic"), [core]);
        }
        assert_eq!(available_cores(), cores, "only the spawned threads were pinned");
        assert!(pin_to_core(usize::MAX).is_err());
    }

    #[test]
    fn the_descriptor_limit_is_the_hard_one_afterwards() {
        let raised = raise_descriptor_limit();
        assert_eq!(raised, descriptor_limit().rlim_max);
    }
}
