//! Freed memory goes back to the kernel, where the allocator of the program is mimalloc.

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set, mi_option_t};

/// The number of mimalloc's option `purge_delay`, for which the crate has no name: the time for which freed pages stay, in milliseconds.
/// Source: `mi_option_e` of mimalloc.h, the same in versions 2 and 3.
const PURGE_DELAY: mi_option_t = 15;

/// How long freed pages stay from now on, in milliseconds: not at all.
const PURGE_DELAY_MS: c_long = 0;

/// Gives back what the allocator keeps for later. The cost is some microseconds, and one page fault for each page that is needed again;
/// memory in use is not touched. Any thread may call it, at any time.
pub fn release_free_memory() {
    // SAFETY: mi_collect takes a flag and may be called by any thread at any time; it touches no block that is in use.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

/// From now on the allocator gives freed pages back at once, instead of a second later. Backlogs that grow and are cut within
/// one flush then hold little more than what is charged for them: a budget of 128 MiB took the process to 184 MiB instead of 294. To be called once, at start.
pub fn release_freed_memory_at_once() {
    // SAFETY: mi_option_set takes two numbers and stores one of them; the option exists in every version that the crate builds.
    unsafe { mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) }
}
