//! What can go wrong for a caller of the library, as small enums.

use std::{fmt, io};

use crate::args::EncodeError;
use crate::rarely::rarely;

/// The result of things that can fail at start.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a server does not start or run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The address is not one: expected `host:port`.
    Address(String),
    /// The address cannot be listened on.
    Listen(String, io::Error),
    /// io_uring was demanded and is not possible here.
    Driver(String),
    /// The number of cores is not 1 to [`CORES_MAX`](socketville_hub::limits::CORES_MAX).
    Cores(usize),
    /// The process may not open as many descriptors as its cores and a few clients need.
    Descriptors {
        /// How many are needed beside those that are open.
        needed: usize,
        /// For so many cores.
        cores: usize,
        /// How many may be open.
        limit: u64,
    },
    /// Each core would have so many bytes of [`memory_max`](crate::Builder::memory_max), less than
    /// [`BUDGET_BYTES_MIN`](socketville_hub::limits::BUDGET_BYTES_MIN).
    Memory(usize),
    /// A core's loop or the runtime of handlers could not start, or failed.
    Core(io::Error),
    /// The client's files cannot be read from this directory.
    Client(std::path::PathBuf, io::Error),
    /// The operating system gave no randomness.
    Seed(String),
    /// The builder has made a server already: what was put together is with it.
    Listening,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(found) => write!(f, "expected an address like 0.0.0.0:3000, found {found:?}"),
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "cannot listen on {address}, which is in use by another server: {error}")
            }
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Driver(obstacle) => {
                write!(f, "io_uring was asked for, but {obstacle}; try the driver `auto`")
            }
            Self::Cores(found) => {
                write!(f, "expected 1 to {} cores, found {found}", socketville_hub::limits::CORES_MAX)
            }
            Self::Memory(found) => {
                let mib = socketville_hub::limits::BUDGET_BYTES_MIN >> 20;
                write!(f, "expected a memory limit of {mib} MiB a core or more, found {found} bytes a core")
            }
            Self::Client(directory, error) => {
                write!(
                    f,
                    "no client files in {}, the `dist` of an installed socket.io-client: {error}",
                    directory.display()
                )
            }
            Self::Descriptors { needed, cores, limit } => write!(
                f,
                "expected room for {needed} descriptors more, for {cores} cores and a few clients, found a limit of {limit} in all: raise it \
                 (ulimit -n, LimitNOFILE of systemd), or take fewer cores"
            ),
            Self::Core(error) => write!(f, "a core failed: {error}"),
            Self::Listening => {
                f.write_str("this builder has made a server already: another one needs another builder")
            }
            Self::Seed(error) => write!(f, "no random seed from the operating system: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen(_, error) | Self::Core(error) | Self::Client(_, error) => Some(error),
            Self::Address(_)
            | Self::Driver(_)
            | Self::Cores(_)
            | Self::Descriptors { .. }
            | Self::Memory(_)
            | Self::Seed(_)
            | Self::Listening => None,
        }
    }
}

/// Why an event was not emitted.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The arguments cannot be written as JSON.
    Encode(EncodeError),
    /// A core is far behind, and its mailbox takes no more. No core has got the event: it may be emitted again.
    Full,
    /// The server has ended, or is ending.
    Ended,
    /// The event was emitted, but a core has not said within [`QUERY_TIMEOUT`](crate::limits::QUERY_TIMEOUT) how many clients it was for: it
    /// delivers late, or cuts its clients. Those of the other cores were so many. It must not be emitted again.
    Uncounted(usize),
    /// There is no such namespace.
    Namespace(String),
    /// Its client is not let in yet, and [`EARLY_BYTES_MAX`](crate::limits::EARLY_BYTES_MAX) were emitted to it already.
    TooEarly,
    /// The event has a name that the protocol keeps for itself, see [`is_reserved_event`](crate::is_reserved_event). Nothing was sent.
    ReservedEvent(String),
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => write!(f, "the arguments cannot be written as JSON: {error}"),
            Self::Full => write!(f, "a core takes no more: it is far behind"),
            Self::Ended => write!(f, "the server has ended"),
            Self::Uncounted(counted) => write!(
                f,
                "it was emitted to {counted} clients, but a core stands still that has not said how many it was for"
            ),
            Self::TooEarly => write!(f, "its client is not let in yet, and no more is kept for it"),
            Self::ReservedEvent(found) => {
                write!(f, "expected an event's name that is not reserved, found {found:?}")
            }
            Self::Namespace(found) => {
                write!(f, "expected a namespace that was declared with `of`, found {found:?}")
            }
        }
    }
}

impl std::error::Error for EmitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Full
            | Self::Ended
            | Self::Uncounted(_)
            | Self::TooEarly
            | Self::Namespace(_)
            | Self::ReservedEvent(_) => None,
        }
    }
}

impl From<EncodeError> for EmitError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// Why a query of all cores has no whole answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum QueryError<T> {
    /// Cores have not answered within [`QUERY_TIMEOUT`](crate::limits::QUERY_TIMEOUT): a handler of theirs does not return, or the machine does not
    /// let them run.
    Incomplete {
        /// How many were asked.
        cores: usize,
        /// How many have answered.
        answered: usize,
        /// What those know.
        found: T,
    },
}

impl<T> QueryError<T> {
    /// What the cores that answered know.
    pub fn into_found(self) -> T {
        match self {
            Self::Incomplete { found, .. } => found,
        }
    }
}

impl<T> fmt::Display for QueryError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete { cores, answered, .. } => {
                write!(
                    f,
                    "expected {cores} cores to answer in time, found {answered}: the others stand still"
                )
            }
        }
    }
}

impl<T: fmt::Debug> std::error::Error for QueryError<T> {}

/// Where an emit's error goes if the caller does not want it.
#[inline]
pub(crate) fn report(event: &str, result: std::result::Result<(), EmitError>) {
    if let Err(error) = result {
        log_unsent(event, &error);
    }
}

#[cold]
fn log_unsent(event: &str, error: &EmitError) {
    rarely!(error, event, %error, "an event was not emitted");
}
