//! `paths`: how long are the engine's two paths, in instructions? It only walks them; `cargo xtask instructions` counts,
//! with callgrind.

#![forbid(unsafe_code)]

use anyhow::Result;
use clap::Parser;
use socketville_bench::paths::{self, Path};

/// Walks the outbound or the inbound path through the engine, without a kernel.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Which path
    #[arg(value_enum)]
    path: Path,
    /// Sockets that are connected
    #[arg(long, default_value_t = 1000)]
    sockets: u32,
    /// How often: broadcasts, or messages
    #[arg(long)]
    count: u32,
}

fn main() -> Result<()> {
    let Options { path, sockets, count } = Options::parse();
    println!("{}", paths::walk(path, sockets, count)?);
    Ok(())
}
