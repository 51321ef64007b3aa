//! The standalone server: Socket.IO for browsers, one HTTP endpoint for backends, no code to write.
//!
//! Not an engine: everything here goes through the public API of the library, as any user's program would.

mod announcement;
mod events;
mod key;
mod options;
mod pages;
mod publication;
mod publish;
mod serve;
mod signals;
mod town;

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// Faster and smaller than the system's for many short-lived buffers of few sizes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let options = options::parse();
    log_to_stderr();
    match serve::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Logs go to standard error, so that standard output holds what a person or a script asked for. `RUST_LOG` selects them.
fn log_to_stderr() {
    let (filter, complaint) = match std::env::var("RUST_LOG") {
        Ok(wanted) => match EnvFilter::try_new(&wanted) {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new("info"), Some(error)),
        },
        Err(_) => (EnvFilter::new("info"), None),
    };
    let stderr = std::io::stderr;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .init();
    if let Some(error) = complaint {
        tracing::warn!(%error, "RUST_LOG is not understood; logging at info");
    }
}
