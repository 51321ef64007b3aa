//! The options that `fanout` and `ceiling` share, and what a run with them is. Not a configuration file, and
//! not the comparison's table.

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::answers;
use crate::contestants::Contestant;
use crate::machine;
use crate::outcome::{Outcome, Verdict};
use crate::scenario::{self, Audience, Content, Load, Work};
use crate::served::Served;
use crate::swarm::Transport;

/// How messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pace {
    /// A steady pace, open loop.
    Paced,
    /// Many messages that the server makes at once.
    Burst,
    /// Bursts while the swarm sleeps: both cores may be the server's.
    Phased,
    /// Many messages that a client sends at once.
    Volley,
    /// So many are always under way.
    Closed,
}

/// The load and where its two sides run.
#[derive(Args, Clone, Debug)]
pub struct LoadOptions {
    /// How messages come
    #[arg(long, value_enum, default_value_t = Pace::Paced)]
    pub scenario: Pace,
    /// Clients, each of which gets every message (at most 19900)
    #[arg(long, short = 'n', default_value_t = 1000)]
    pub clients: usize,
    /// Clients of a room; a message then goes to one room (0: to all)
    #[arg(long, default_value_t = 0)]
    pub rooms_of: usize,
    /// Bytes of a message's string (at least 26)
    #[arg(long, short, default_value_t = 128)]
    pub bytes: usize,
    /// JSON text, every message different, instead of dots
    #[arg(long)]
    pub json_text: bool,
    /// The clients long-poll
    #[arg(long)]
    pub polling: bool,
    /// Paced: messages a second
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
    /// Paced and closed: seconds of the measured part
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Paced and closed: seconds before the measured part
    #[arg(long, default_value_t = 0.5)]
    pub warmup: f64,
    /// Burst, phased and volley: messages at once
    #[arg(long, default_value_t = 960)]
    pub count: u32,
    /// Burst and phased: the server yields to its loop after so many
    #[arg(long, default_value_t = 16)]
    pub every: u32,
    /// Burst, phased and volley: how many are measured, after a short one that is not
    #[arg(long, default_value_t = 3)]
    pub repeats: u32,
    /// Closed: messages under way
    #[arg(long, default_value_t = 4)]
    pub outstanding: u32,
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
        let (seconds, count, repeats) = (self.seconds, self.count, self.repeats);
        let work = match self.scenario {
            Pace::Paced => Work::Paced { rate: self.rate, seconds },
            Pace::Burst => Work::Burst { count, every: self.every, repeats },
            Pace::Phased => Work::Phased { count, every: self.every, phases: repeats },
            Pace::Volley => Work::Volley { count, repeats },
            Pace::Closed => Work::Closed { outstanding: self.outstanding, seconds },
        };
        let audience = match self.rooms_of {
            0 => Audience::All,
            members => Audience::Rooms(members),
        };
        let content = if self.json_text { Content::Json } else { Content::Filler };
        let transport = if self.polling { Transport::Polling } else { Transport::WebSocket };
        let (clients, bytes, warmup_s) = (self.clients, self.bytes, self.warmup);
        Load { clients, bytes, content, audience, transport, work, warmup_s }
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
        answers::check_contestant(contestant, &self.server_cores)?;
        scenario::run_against(contestant, &self.server_cores, self.load())
    }

    /// The same for a server that runs elsewhere.
    ///
    /// # Errors
    /// As [`LoadOptions::measure`].
    pub fn measure_served(&self, served: &Served, name: &str) -> Result<Outcome> {
        answers::check(served, Transport::WebSocket)?;
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
