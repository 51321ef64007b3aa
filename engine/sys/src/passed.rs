//! A connection between two drivers. It is not readable or writable: only a driver can use it again.

use std::os::fd::OwnedFd;

/// A connection on its way to another core. Dropping it closes the connection.
#[derive(Debug)]
pub struct Passed {
    file: OwnedFd,
}

impl From<OwnedFd> for Passed {
    /// Any connected stream socket may join a driver.
    fn from(file: OwnedFd) -> Passed {
        Passed { file }
    }
}

impl From<Passed> for OwnedFd {
    /// A connection may also leave the drivers for good.
    fn from(passed: Passed) -> OwnedFd {
        passed.file
    }
}
