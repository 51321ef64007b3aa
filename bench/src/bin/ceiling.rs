//! `ceiling`: what does the kernel alone cost? The same frames to the same swarm over the same sockets as
//! `fanout`, with nothing between but one nonblocking send per socket. No engine can be cheaper on this
//! machine without sending less often.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use socketville_bench::contestants::Contestant;
use socketville_bench::floor::{self, Wire};
use socketville_bench::options::LoadOptions;

/// The kernel alone: one nonblocking send of ready bytes to each socket, measured like any server.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// How bytes reach the kernel; several are measured one after the other
    #[arg(long, value_enum, value_delimiter = ',', default_value = "send,ring")]
    wire: Vec<Wire>,
    /// Up to so many frames leave in one send
    #[arg(long, default_value_t = 1)]
    coalesce: u32,
    #[command(flatten)]
    load: LoadOptions,
}

#[derive(Subcommand)]
enum Command {
    /// Be the floor's server (what this program starts by itself)
    #[command(hide = true)]
    Serve(Serve),
}

#[derive(Args)]
struct Serve {
    #[arg(long, value_enum)]
    wire: Wire,
    #[arg(long, default_value_t = 1)]
    coalesce: u32,
    #[arg(long, env = "PORT")]
    port: u16,
}

const EXAMPLES: &str = "Examples:
  ceiling --clients 1000 --rate 50
  ceiling --wire ring --coalesce 16 --scenario burst
  ceiling --clients 50 --seconds 1";

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if let Some(Command::Serve(serve)) = options.command {
        floor::serve(serve.wire, serve.coalesce, serve.port)?;
        return Ok(ExitCode::SUCCESS);
    }
    options.load.prepare();
    let mut correct = true;
    for wire in &options.wire {
        let contestant = Contestant::floor(*wire, options.coalesce)?;
        let outcome = options.load.measure(&contestant).with_context(|| contestant.name.clone())?;
        correct &= options.load.show(&outcome);
    }
    Ok(if correct { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
