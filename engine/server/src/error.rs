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
            Self::Client(directory, error) => {
                write!(
                    f,
                    "no client files in {}, the `dist` of an installed socket.io-client: {error}",
                    directory.display()
                )
            }
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
            Self::Address(_) | Self::Driver(_) | Self::Cores(_) | Self::Seed(_) | Self::Listening => None,
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
            Self::Full | Self::Ended | Self::TooEarly | Self::Namespace(_) | Self::ReservedEvent(_) => None,
        }
    }
}

impl From<EncodeError> for EmitError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// Where an emit's error goes if the caller does not want it.
pub(crate) fn report(event: &str, result: std::result::Result<(), EmitError>) {
    if let Err(error) = result {
        rarely!(error, event, %error, "an event was not emitted");
    }
}
