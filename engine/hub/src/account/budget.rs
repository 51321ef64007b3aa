//! How much one core may hold, and what the marks below that are.

use crate::limits::BURSTS_BYTES_MAX;

/// The bytes that one core may hold for its peers, and how they are divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// The hard mark, in bytes: above it, connections that owe most are cut until seven eighths are held.
    pub hard_bytes: usize,
}

impl Budget {
    /// No mark at all: for tests, and for hubs that are given no share of a machine.
    pub const UNLIMITED: Self = Self { hard_bytes: usize::MAX };

    /// Above this no session is opened: three quarters.
    pub const fn soft_bytes(self) -> usize {
        self.hard_bytes / 4 * 3
    }

    /// What slow readers may owe beyond their own limits, all together: a quarter, and no more than [`BURSTS_BYTES_MAX`].
    pub const fn bursts_bytes(self) -> usize {
        let quarter = self.hard_bytes / 4;
        if quarter < BURSTS_BYTES_MAX { quarter } else { BURSTS_BYTES_MAX }
    }
}
