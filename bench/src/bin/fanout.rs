//! `fanout`: what does one delivery of a broadcast cost a server? Starts the server, or is pointed at one,
//! checks its answers, lets a swarm hear everything, and prints CPU per delivery, rates and latencies. It
//! compares nothing; `compare` does.

#![forbid(unsafe_code)]

use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use socketville_bench::contestants::Contestant;
use socketville_bench::options::LoadOptions;
use socketville_bench::outcome::Outcome;
use socketville_bench::served::Served;

/// Fan-out of one server: CPU per delivery, deliveries per second, latency, every answer checked.
///
/// The server is pinned to core 0, the swarm of clients to core 1. A result is VOID if the swarm was the
/// bottleneck (busier than the server, and for more than half of the time), and FAILED (exit status 1) if any
/// client missed a message, got one twice or out of order.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Options {
    /// A server by name, built if need be: ours, ours-deflate, socketioxide, node, node-deflate, bun, tokio, …
    #[arg(long, conflicts_with_all = ["server", "url"])]
    name: Option<String>,
    /// A program that speaks the measured app; PORT and CORES are in its environment
    #[arg(long, value_name = "COMMAND", conflicts_with = "url")]
    server: Option<String>,
    /// A server that runs already, e.g. 127.0.0.1:3000
    #[arg(long, value_name = "HOST:PORT")]
    url: Option<String>,
    /// With --url: the server's process, for its CPU time
    #[arg(long, requires = "url")]
    pid: Option<u32>,
    #[command(flatten)]
    load: LoadOptions,
}

const EXAMPLES: &str = "Examples:
  fanout --name node --clients 1000 --rate 50
  fanout --name ours-deflate --bytes 1024 --json-text --rate 20
  fanout --name ours --clients 10000 --rooms-of 10 --rate 3000
  fanout --name ours --polling --rate 5
  fanout --name socketioxide --scenario burst --count 960 --every 16
  fanout --server 'node my-server.mjs' --clients 50 --seconds 1";

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    options.load.prepare();
    let outcome = measure(&options)?;
    Ok(if options.load.show(&outcome) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(options: &Options) -> Result<Outcome> {
    match (&options.name, &options.server, &options.url) {
        (Some(name), _, _) => options.load.measure(&Contestant::named(name)?),
        (_, Some(command), _) => options.load.measure(&Contestant::custom(command, command)?),
        (_, _, Some(url)) => options.load.measure_served(&Served::at(address(url)?, options.pid), url),
        _ => bail!("which server? --name, --server or --url"),
    }
}

fn address(url: &str) -> Result<SocketAddr> {
    let host = url.trim_start_matches("http://").trim_start_matches("ws://").trim_end_matches('/');
    host.to_socket_addrs().with_context(|| format!("{url} is not HOST:PORT"))?.next().context("no address")
}
