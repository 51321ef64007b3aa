//! `ceiling`: what does the kernel alone cost? The same frames to the same swarm over the same sockets as
//! `fanout`, with nothing between but one nonblocking send per socket. No engine can be cheaper on this
//! machine without sending less often.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use socketville_bench::contestants::Contestant;
use socketville_bench::floor::{self, Ceiling, Wire};
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
    #[command(flatten)]
    ceiling: Ceiling,
    #[command(flatten)]
    load: LoadOptions,
}

#[derive(Subcommand)]
enum Command {
    /// Be the floor's server (what this program starts by itself)
    #[command(hide = true)]
    Serve(floor::Serve),
}

const EXAMPLES: &str = "Examples:
  ceiling --clients 1000 --rate 50
  ceiling --wire ring --coalesce 16 --scenario burst
  ceiling --deflate --bytes 1024 --json-text --rate 20
  ceiling --clients 10000 --rooms-of 10 --rate 3000
  ceiling --clients 50 --seconds 1";

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if let Some(Command::Serve(serve)) = options.command {
        floor::serve(serve)?;
        return Ok(ExitCode::SUCCESS);
    }
    options.load.prepare();
    let mut correct = true;
    for wire in &options.wire {
        let name = format!("floor-{}", wire.name());
        let contestant = Contestant::floor_on(&name, *wire, options.ceiling)?;
        let outcome = options.load.measure(&contestant).with_context(|| contestant.name.clone())?;
        correct &= options.load.show(&outcome);
    }
    Ok(if correct { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
