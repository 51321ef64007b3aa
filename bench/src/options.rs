//! The options that `fanout` and `ceiling` share, and what a run with them is. Not a configuration file, and
//! not the comparison's table.

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::answers;
use crate::contestants::Contestant;
use crate::machine;
use crate::outcome::{Outcome, Verdict};
use crate::scenario::{self, Load, Pace};
use crate::served::Served;

/// Which question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// A steady pace, open loop.
    Paced,
    /// Many messages at once.
    Burst,
}

/// The load and where its two sides run.
#[derive(Args, Clone, Debug)]
pub struct LoadOptions {
    /// How messages come
    #[arg(long, value_enum, default_value_t = Scenario::Paced)]
    pub scenario: Scenario,
    /// Clients, each of which gets every message (at most 19900)
    #[arg(long, short = 'n', default_value_t = 1000)]
    pub clients: usize,
    /// Bytes of a message's string (at least 26)
    #[arg(long, short, default_value_t = 128)]
    pub bytes: usize,
    /// Paced: messages a second
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
    /// Paced: seconds of the measured part
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Paced: seconds before the measured part
    #[arg(long, default_value_t = 0.5)]
    pub warmup: f64,
    /// Burst: messages at once
    #[arg(long, default_value_t = 960)]
    pub count: u32,
    /// Burst: the server yields to its loop after so many
    #[arg(long, default_value_t = 16)]
    pub every: u32,
    /// Burst: measured bursts, after one that is not measured
    #[arg(long, default_value_t = 3)]
    pub repeats: u32,
    /// Cores of the server, as taskset has it
    #[arg(long, default_value = "0", value_name = "LIST")]
    pub server_cores: String,
    /// Core of the swarm
    #[arg(long, default_value = "1", value_name = "LIST")]
    pub swarm_core: String,
    /// One line of JSON for each run instead of text
    #[arg(long)]
    pub json: bool,
}

impl LoadOptions {
    /// The run they describe.
    #[must_use]
    pub fn load(&self) -> Load {
        let pace = match self.scenario {
            Scenario::Paced => Pace::Paced { rate: self.rate, seconds: self.seconds },
            Scenario::Burst => Pace::Burst { count: self.count, every: self.every, repeats: self.repeats },
        };
        Load { clients: self.clients, bytes: self.bytes, pace, warmup_s: self.warmup }
    }

    /// Prepares this process to be the swarm.
    pub fn prepare(&self) {
        machine::raise_descriptor_limit();
        machine::pin_self(&self.swarm_core);
    }

    /// Starts a contestant, checks its answers, measures it, ends it.
    ///
    /// # Errors
    /// When it does not start, answers wrongly, or the swarm cannot connect.
    pub fn measure(&self, contestant: &Contestant) -> Result<Outcome> {
        let served = contestant.start(&self.server_cores)?;
        answers::check(&served, contestant.depth)?;
        scenario::run(&served, &contestant.name, self.load())
    }

    /// The same for a server that runs elsewhere.
    ///
    /// # Errors
    /// As [`LoadOptions::measure`].
    pub fn measure_served(&self, served: &Served, name: &str) -> Result<Outcome> {
        answers::check(served, answers::Depth::App)?;
        scenario::run(served, name, self.load())
    }

    /// Prints an outcome. Returns whether the run was correct (a void one is).
    #[must_use]
    pub fn show(&self, outcome: &Outcome) -> bool {
        if self.json {
            println!("{}", outcome.to_json());
        } else {
            println!("{outcome}");
        }
        outcome.verdict() != Verdict::Failed
    }
}
