//! The figures of one run, their verdict, and how they are shown. It measures nothing.

use std::fmt;

use serde_json::{Value, json};

use crate::pulse::Readings;
use crate::swarm::Faults;

/// Whether a run may be quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every client got everything, once, in order, and the server was the busier side.
    Valid,
    /// The generator was the bottleneck, where that can only make a server look dearer: nothing is gathered
    /// into one send because somebody is slow, so that the cost is at most this. Rates are the generator's.
    AtMost,
    /// The generator was the bottleneck: busier than the server, and for most of the time. Rates and
    /// latencies are its own, not the server's, and what waits for it leaves in fewer sends.
    Void,
    /// Something was lost, repeated, out of order or malformed.
    Failed,
}

/// What gives a figure, if only an upper bound.
pub(crate) const QUOTABLE: [Verdict; 2] = [Verdict::Valid, Verdict::AtMost];

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A message that came to a client.
    Delivery,
    /// A question and its answer.
    RoundTrip,
    /// TCP, upgrade and CONNECT.
    Connect,
    /// A client that came and went.
    Visit,
    /// A client that is there.
    Client,
}

impl Unit {
    /// In words, for one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Unit::Delivery => "delivery",
            Unit::RoundTrip => "round trip",
            Unit::Connect => "connect",
            Unit::Visit => "visit",
            Unit::Client => "client",
        }
    }
}

/// The figures of one run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The server's name.
    pub name: String,
    /// The scenario in words.
    pub scenario: String,
    /// What is counted.
    pub unit: Unit,
    /// Clients in the swarm.
    pub clients: usize,
    /// Bytes of a payload.
    pub bytes: usize,
    /// How many units the measured part had.
    pub count: u64,
    /// Length of the measured part, s.
    pub wall_s: f64,
    /// CPU of the server in the measured part, all threads, s; `None` if its process is not known.
    pub server_cpu_s: Option<f64>,
    /// Time in which the server's cores were not idle, s, whoever was on them; `None` if they are not known.
    pub core_busy_s: Option<f64>,
    /// CPU of the generator's thread, s.
    pub swarm_cpu_s: f64,
    /// Median age of a message on arrival, us, from when it was due.
    pub p50_us: f64,
    /// 99 of 100 were not older than this, us.
    pub p99_us: f64,
    /// Sends per frame by the server's own account.
    pub sends_per_frame: Option<f64>,
    /// Bytes that came to the clients per unit, with heads of frames and all.
    pub wire_bytes: Option<f64>,
    /// How long connecting all clients took, or those who came, s.
    pub connect_s: f64,
    /// Growth of the server's resident memory per client, bytes: from before the first to the end.
    pub user_bytes: Option<f64>,
    /// The same of the kernel's slabs, at the server's end.
    pub kernel_bytes: Option<f64>,
    /// Lateness of pings and the wait of newcomers, where they were timed.
    pub pulse: Option<Readings>,
    /// What was wrong, over the whole run.
    pub faults: Faults,
}

impl Outcome {
    /// CPU of the server per unit, us: the figure most is about.
    #[must_use]
    pub fn cpu_us(&self) -> Option<f64> {
        self.server_cpu_s.filter(|_| self.count > 0).map(|cpu| cpu * 1e6 / self.count as f64)
    }

    /// Busy time of the server's cores per unit, us: with what was charged to others or to nobody.
    #[must_use]
    pub fn core_us(&self) -> Option<f64> {
        self.core_busy_s.filter(|_| self.count > 0).map(|busy| busy * 1e6 / self.count as f64)
    }

    /// Units per second of wall time; `None` where memory was asked for, not time.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        (self.wall_s > 0.0).then(|| self.count as f64 / self.wall_s)
    }

    /// Share of the time the server was on a CPU (above 1: on several).
    #[must_use]
    pub fn server_busy(&self) -> Option<f64> {
        self.server_cpu_s.map(|cpu| cpu / self.wall_s.max(f64::EPSILON))
    }

    /// Share of the time the generator was on its CPU.
    #[must_use]
    pub fn swarm_busy(&self) -> f64 {
        self.swarm_cpu_s / self.wall_s.max(f64::EPSILON)
    }

    /// Whether the run may be quoted.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if !self.faults.is_none() || self.count == 0 {
            Verdict::Failed
        } else if !self.is_bound_by_swarm() {
            Verdict::Valid
        } else if self.unit == Unit::Delivery {
            Verdict::Void
        } else {
            Verdict::AtMost
        }
    }

    fn is_bound_by_swarm(&self) -> bool {
        self.server_busy().is_some_and(|busy| self.swarm_busy() > busy.max(SWARM_BUSY_HARMLESS))
    }

    /// One JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name, "scenario": self.scenario, "clients": self.clients, "bytes": self.bytes,
            "verdict": self.verdict().name(), "unit": self.unit.name(),
            "cpu_us": self.cpu_us().map(rounded), "core_us": self.core_us().map(rounded), "rate_per_s": self.rate().map(rounded),
            "count": self.count, "wall_s": rounded(self.wall_s),
            "p50_us": rounded(self.p50_us), "p99_us": rounded(self.p99_us),
            "server_busy": self.server_busy().map(rounded), "swarm_busy": rounded(self.swarm_busy()),
            "sends_per_frame": self.sends_per_frame.map(rounded), "wire_bytes": self.wire_bytes.map(rounded),
            "connect_s": rounded(self.connect_s),
            "user_bytes": self.user_bytes.map(rounded), "kernel_bytes": self.kernel_bytes.map(rounded),
            "pulse": self.pulse,
            "faults": {
                "lost": self.faults.lost, "repeated": self.faults.repeated, "disordered": self.faults.disordered,
                "malformed": self.faults.malformed, "disconnected": self.faults.disconnected,
            },
        })
    }
}

impl Verdict {
    /// In a word, as results have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::AtMost => "at most",
            Verdict::Void => "void",
            Verdict::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} clients, {} B, {}", self.name, self.clients, self.bytes, self.scenario)?;
        let unit = self.unit.name();
        writeln!(f, "  server CPU per {unit:<10} {} us", shown(self.cpu_us(), 3))?;
        writeln!(f, "  its cores' busy time      {} us", shown(self.core_us(), 3))?;
        writeln!(
            f,
            "  counted                   {} in {:.2} s = {}/s",
            self.count,
            self.wall_s,
            shown(self.rate(), 0)
        )?;
        writeln!(f, "  latency                   p50 {:.0} us, p99 {:.0} us", self.p50_us, self.p99_us)?;
        writeln!(
            f,
            "  busy                      server {}, generator {:.2}",
            shown(self.server_busy(), 2),
            self.swarm_busy()
        )?;
        writeln!(f, "  sends per frame           {}", shown(self.sends_per_frame, 4))?;
        writeln!(f, "  bytes on the wire         {}", shown(self.wire_bytes, 0))?;
        writeln!(f, "  memory per client         {} B", shown(self.user_bytes, 0))?;
        writeln!(f, "  connecting took           {:.2} s", self.connect_s)?;
        write!(f, "  verdict                   {}", self.verdict_in_words())
    }
}

impl Outcome {
    fn verdict_in_words(&self) -> String {
        match self.verdict() {
            Verdict::Valid => "valid: everything came once and in order".to_owned(),
            Verdict::AtMost => "an upper bound: the generator was the bottleneck".to_owned(),
            Verdict::Void => "VOID: the generator was the bottleneck".to_owned(),
            Verdict::Failed => format!("FAILED: {}", self.faults),
        }
    }
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.digits$}"))
}

/// A generator that is idle for half of the time holds nobody up. Without this bound the best servers could
/// not be measured: a send and the receive with its acknowledgement cost the kernel about the same, so that
/// at the floor both sides are equally busy.
pub(crate) const SWARM_BUSY_HARMLESS: f64 = 0.5;

/// To four digits after the point: more is noise.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A good run, made up.
    pub(crate) fn outcome() -> Outcome {
        Outcome {
            name: "x".to_owned(),
            scenario: "paced".to_owned(),
            unit: Unit::Delivery,
            clients: 10,
            bytes: 128,
            count: 1000,
            wall_s: 2.0,
            server_cpu_s: Some(0.01),
            core_busy_s: Some(0.02),
            swarm_cpu_s: 0.001,
            p50_us: 1.0,
            p99_us: 2.0,
            sends_per_frame: None,
            wire_bytes: None,
            connect_s: 0.1,
            user_bytes: None,
            kernel_bytes: None,
            pulse: None,
            faults: Faults::default(),
        }
    }

    #[test]
    fn figures_follow_from_the_counts() {
        let outcome = outcome();
        assert_eq!(outcome.cpu_us().map(rounded), Some(10.0));
        assert_eq!(outcome.core_us().map(rounded), Some(20.0));
        assert_eq!(outcome.verdict(), Verdict::Valid);
        assert_eq!(outcome.to_json()["verdict"], "valid");
        assert_eq!(outcome.rate(), Some(500.0));
        assert_eq!(Outcome { wall_s: 0.0, ..outcome }.rate(), None, "of what took no time there is no rate");
    }

    #[test]
    fn a_generator_busier_than_the_server_voids_the_run() {
        let busy = Outcome { server_cpu_s: Some(1.2), swarm_cpu_s: 1.3, ..outcome() };
        assert_eq!(busy.verdict(), Verdict::Void);
        assert_eq!(Outcome { swarm_cpu_s: 1.1, ..busy }.verdict(), Verdict::Valid);
    }

    #[test]
    fn a_slow_generator_is_a_bound_where_it_saves_no_sends() {
        let busy = Outcome { server_cpu_s: Some(1.2), swarm_cpu_s: 1.3, unit: Unit::Connect, ..outcome() };
        assert_eq!(busy.verdict(), Verdict::AtMost);
    }

    #[test]
    fn a_generator_that_is_mostly_idle_voids_nothing() {
        assert_eq!(Outcome { swarm_cpu_s: 0.02, ..outcome() }.verdict(), Verdict::Valid);
    }

    #[test]
    fn any_fault_fails_it_and_so_does_silence() {
        let faults = Faults { repeated: 1, ..Faults::default() };
        assert_eq!(Outcome { faults, ..outcome() }.verdict(), Verdict::Failed);
        assert_eq!(Outcome { count: 0, ..outcome() }.verdict(), Verdict::Failed);
    }
}
