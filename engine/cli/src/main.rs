//! The standalone server: Socket.IO for browsers, one HTTP endpoint for backends, no code to write.
//!
//! Not an engine: everything here goes through the public API of the library, as any user's program would.

mod announcement;
mod events;
mod key;
mod limit_options;
mod memory;
mod options;
mod output;
mod pages;
mod publication;
mod publish;
mod serve;
mod signals;
mod town;

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::output::Output;

/// Faster and smaller than the system's for many short-lived buffers of few sizes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let options = options::parse();
    let output = match Output::start() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("error: no thread for the log: {error}");
            return ExitCode::FAILURE;
        }
    };
    log_to(&output);
    let result = serve::run(&options, &output);
    if let Err(error) = &result {
        output.complain(&format!("error: {error:#}\n"));
    }
    output.finish();
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Logs go to standard error, so that standard output holds what a person or a script asked for. `RUST_LOG` selects them.
fn log_to(output: &Output) {
    let (filter, complaint) = match std::env::var("RUST_LOG") {
        Ok(wanted) => match EnvFilter::try_new(&wanted) {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new("info"), Some(error)),
        },
        Err(_) => (EnvFilter::new("info"), None),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(output.clone())
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    output.take_panics();
    if let Some(error) = complaint {
        tracing::warn!(%error, "RUST_LOG is not understood; logging at info");
    }
}
