//! Freed memory goes back to the kernel, where the allocator of the program is mimalloc.

/// Gives back what the allocator keeps for later. The cost is some microseconds, and one page fault for each page that is needed again;
/// memory in use is not touched. Any thread may call it, at any time.
pub fn release_free_memory() {
    // SAFETY: mi_collect takes a flag and may be called by any thread at any time; it touches no block that is in use.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
