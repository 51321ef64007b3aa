//! `idle`: how many bytes does a connection cost that says nothing, in the server and in the kernel? And how
//! many descriptors? It measures no time.

#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use socketville_bench::contestants::Contestant;
use socketville_bench::floor;
use socketville_bench::idle::{self, Plan, Prelude};
use socketville_bench::machine;

/// Bytes per idle connection: joined to the default namespace, silent but for heartbeats.
///
/// User bytes are the growth of the server's resident memory divided by the clients. Kernel bytes are the
/// growth of slabs, without the swarm's end: half of a bare socket pair and one epoll registration, both
/// measured first in this process.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Servers, built if need be: ours, socketioxide, node, bun, floor-send, floor-ring, floor-epoll
    #[arg(long, value_delimiter = ',', default_value = "ours")]
    name: Vec<String>,
    /// A program that speaks the measured app, instead
    #[arg(long, value_name = "COMMAND", conflicts_with = "name")]
    server: Option<String>,
    /// Idle clients. A server on ordinary descriptors cannot hold 20000 with a limit of 20000
    #[arg(long, short = 'n', default_value_t = 20_000)]
    clients: usize,
    /// Clients of one holding process
    #[arg(long, default_value_t = 10_000)]
    per_process: usize,
    /// Quiet seconds before the figures are read
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Cores of the server, as taskset has it
    #[arg(long, default_value = "0", value_name = "LIST")]
    server_cores: String,
    /// Cores of the clients
    #[arg(long, default_value = "1", value_name = "LIST")]
    swarm_core: String,
    /// Each client says and hears one message before it falls silent
    #[arg(long)]
    exchange: bool,
    /// One line of JSON for each server instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Hold connections (what this program starts by itself)
    #[command(hide = true)]
    Hold(idle::Hold),
    /// Be the floor's server (what this program starts by itself)
    #[command(hide = true)]
    Serve(floor::Serve),
}

const EXAMPLES: &str = "Examples:
  idle --clients 20000
  idle --name socketioxide,node,floor-ring --clients 10000
  idle --name ours,ours-deflate --clients 4000 --exchange
  idle --name floor-ring --clients 50 --seconds 1";

fn main() -> Result<()> {
    let options = Options::parse();
    match options.command {
        Some(Command::Hold(hold)) => idle::hold(hold),
        Some(Command::Serve(serve)) => floor::serve(serve),
        None => measure(&options),
    }
}

fn measure(options: &Options) -> Result<()> {
    machine::raise_descriptor_limit();
    let plan = Plan {
        clients: options.clients,
        per_process: options.per_process.max(1),
        server_cores: options.server_cores.clone(),
        swarm_cores: options.swarm_core.clone(),
        settle_s: options.seconds,
        prelude: if options.exchange { Prelude::Exchange } else { Prelude::Silence },
    };
    let contestants: Vec<Contestant> = match &options.server {
        Some(command) => vec![Contestant::custom(command, command)?],
        None => options.name.iter().map(|name| Contestant::named(name)).collect::<Result<_>>()?,
    };
    for contestant in contestants {
        let cost = idle::measure(&contestant, &plan).with_context(|| contestant.name.clone())?;
        if options.json {
            println!("{}", cost.to_json());
        } else {
            println!("{cost}");
        }
    }
    Ok(())
}
