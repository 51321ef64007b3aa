//! What is asked of a server in one run: who listens, what is sent, and how it comes. The answer is an
//! [`Outcome`]. It chooses nothing: which loads belong together is [`crate::plan`]'s.
//!
//! Pacing is an open loop: a message is due when the schedule says so, and its age counts from then, however
//! late the generator or the server is. In a closed loop the next message is due when an earlier one is
//! everywhere.

mod crowd;
mod echo;
mod fanout;
mod phased;
mod pulse;
mod run;
mod worker;

pub use worker::Worker;

use std::fmt;

use anyhow::{Result, ensure};

use crate::contestants::Contestant;
use crate::outcome::Outcome;
use crate::payload;
use crate::served::Served;
use crate::swarm::Transport;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// One message so many times a second, for so long.
    Paced {
        /// Messages per second.
        rate: f64,
        /// Seconds of the measured part.
        seconds: f64,
    },
    /// `count` messages that the server makes at once, yielding after each `every`; the next burst when all
    /// have it.
    Burst {
        /// Messages of a burst.
        count: u32,
        /// Messages between two yields.
        every: u32,
        /// Measured bursts, after one that is not measured.
        repeats: u32,
    },
    /// Bursts that the server sends while the swarm sleeps, into the sockets' receive buffers; only then
    /// everybody reads. So both cores of a small machine are the server's while it is measured.
    Phased {
        /// Messages of a burst; the buffers must hold them.
        count: u32,
        /// Messages between two yields.
        every: u32,
        /// Measured bursts, after one that is not measured.
        phases: u32,
    },
    /// `count` messages that a client sends at once; the next volley when all have it.
    Volley {
        /// Messages of a volley.
        count: u32,
        /// Measured volleys.
        repeats: u32,
    },
    /// A closed loop: so many messages are always under way.
    Closed {
        /// Messages under way.
        outstanding: u32,
        /// Seconds of the measured part.
        seconds: f64,
    },
    /// Every client asks for echoes, so many at a time.
    Echo {
        /// Questions of one client under way.
        in_flight: u32,
        /// Seconds of the measured part.
        seconds: f64,
    },
    /// Connects, one after the other's end, 64 at a time, and all stay.
    Connect,
    /// Others come and go while the clients hear a paced broadcast.
    Churn {
        /// Messages per second.
        rate: f64,
        /// Others that come, per second.
        visits: f64,
        /// Seconds of the measured part.
        seconds: f64,
    },
    /// Many connect at once while the clients hear a paced broadcast.
    Storm {
        /// Messages per second.
        rate: f64,
        /// How many come.
        newcomers: usize,
    },
    /// A closed loop saturates the server while pings are timed and newcomers come.
    Pulse(Pulse),
}

/// A strain, and what is timed under it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pulse {
    /// Messages under way.
    pub outstanding: u32,
    /// Others that come, per second, and go as soon as they are in.
    pub newcomers: f64,
    /// The server's ping interval, ms.
    pub interval_ms: u32,
    /// Seconds of the measured part.
    pub seconds: f64,
}

/// Who hears a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every client.
    All,
    /// One room of so many clients; the rooms take turns.
    Rooms(usize),
}

/// What a payload consists of, after its sequence and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Dots.
    Filler,
    /// JSON text, no two alike; every byte of it is checked.
    Json,
}

/// A whole run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Clients in the swarm. The first one also publishes; if they poll, a further one over WebSocket does.
    pub clients: usize,
    /// Bytes of a payload, at least [`payload::BYTES_MIN`].
    pub bytes: usize,
    /// What they are.
    pub content: Content,
    /// Who hears a message.
    pub audience: Audience,
    /// How the clients connect, unless the server's name says that it compresses.
    pub transport: Transport,
    /// What is done.
    pub work: Work,
    /// Seconds of it before the measured part.
    pub warmup_s: f64,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            clients: 1000,
            bytes: 128,
            content: Content::Filler,
            audience: Audience::All,
            transport: Transport::WebSocket,
            work: Work::Paced { rate: 50.0, seconds: 1.0 },
            warmup_s: 0.3,
        }
    }
}

impl Load {
    /// The same over the transport that this contestant is measured on.
    fn of(self, contestant: &Contestant) -> Load {
        match self.transport {
            Transport::Polling => self,
            _ => Load { transport: contestant.transport, ..self },
        }
    }
}

/// Starts somebody, measures it, ends it. Whether it answers rightly was asked before.
///
/// # Errors
/// When it does not start, or the swarm cannot connect.
pub fn run_against(contestant: &Contestant, cores: &str, load: Load) -> Result<Outcome> {
    let served = told(contestant, load.work).start(cores)?;
    run(&served, &contestant.name, load.of(contestant))
}

/// A load may be about settings of the server.
fn told(contestant: &Contestant, work: Work) -> Contestant {
    let mut contestant = contestant.clone();
    if let Work::Pulse(pulse) = work {
        let interval = ("PING_INTERVAL_MS", pulse.interval_ms.to_string());
        contestant.environment.extend([interval, ("PING_TIMEOUT_MS", PING_TIMEOUT_MS.to_string())]);
    }
    contestant
}

/// Connects, works, and tells what it cost.
///
/// # Errors
/// When the swarm cannot connect or the publishing client is lost. Faults of the server are in the outcome.
pub fn run(served: &Served, name: &str, load: Load) -> Result<Outcome> {
    ensure!(load.bytes >= payload::BYTES_MIN, "a payload has at least {} bytes", payload::BYTES_MIN);
    ensure!(load.clients > 0, "a swarm has at least one client");
    match load.work {
        Work::Echo { in_flight, seconds } => echo::measure(served, name, load, in_flight, seconds),
        Work::Connect => crowd::connect(served, name, load),
        Work::Churn { rate, visits, seconds } => crowd::churn(served, name, load, rate, visits, seconds),
        Work::Storm { rate, newcomers } => crowd::storm(served, name, load, rate, newcomers),
        Work::Pulse(pulse) => pulse::measure(served, name, load, pulse),
        _ => fanout::measure(served, name, load),
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::Paced { rate, seconds } => write!(f, "paced {rate}/s for {seconds} s"),
            Work::Burst { count, every, repeats } => {
                write!(f, "{repeats} bursts of {count}, yield after {every}")
            }
            Work::Phased { count, every, phases } => {
                write!(f, "{phases} bursts of {count} to a sleeping swarm, yield after {every}")
            }
            Work::Volley { count, repeats } => write!(f, "{repeats} volleys of {count}"),
            Work::Closed { outstanding, seconds } => {
                write!(f, "closed loop of {outstanding} for {seconds} s")
            }
            Work::Pulse(Pulse { outstanding, newcomers, interval_ms, seconds }) => write!(
                f,
                "closed loop of {outstanding} for {seconds} s, a ping each {interval_ms} ms, {newcomers}/s come"
            ),
            Work::Echo { in_flight, seconds } => write!(f, "echo, {in_flight} in flight, for {seconds} s"),
            Work::Connect => f.write_str("connect"),
            Work::Churn { rate, visits, seconds } => {
                write!(f, "paced {rate}/s for {seconds} s while {visits}/s come and go")
            }
            Work::Storm { rate, newcomers } => write!(f, "paced {rate}/s while {newcomers} connect at once"),
        }
    }
}

/// So long that nobody is cut off where lateness is the question: the default of the reference.
const PING_TIMEOUT_MS: u32 = 20_000;
