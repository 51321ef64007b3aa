//! A server under measurement: started here, pinned, and ended with the value; or running elsewhere and only
//! pointed at. It does not know what the server speaks.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::apart::Home;
use crate::machine::{Process, core_numbers, idle_ns, pinned};
use crate::metrics::Sends;

/// A server that accepts connections.
pub struct Served {
    address: SocketAddr,
    process: Option<Process>,
    child: Option<Child>,
    counts_sends: bool,
    /// The cores that it was started on.
    cores: Option<String>,
    is_apart: bool,
    watch: Option<Rc<dyn Watch>>,
}

/// Somebody who is told when the measured part of a run begins and ends.
pub trait Watch {
    /// Just before the clocks are read.
    fn begin(&self);

    /// Just after they were read again.
    fn end(&self);
}

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Start {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it is told beside `BIND`, `PORT` and `CORES`.
    pub environment: Vec<(&'static str, String)>,
    /// The cores it may use, as taskset has it: `0`, `0-1`.
    pub cores: String,
    /// What it is told in `CORES`.
    pub cores_count: usize,
    /// Whether it may be asked for its counters.
    pub counts_sends: bool,
    /// Where it lives, if not on loopback.
    pub home: Option<Home>,
}

impl Served {
    /// Starts a server on a free port of 127.0.0.1, or of its home, and waits until it accepts a connection.
    ///
    /// # Errors
    /// When it cannot be started, ends at once, or accepts nothing for 15 seconds.
    pub fn start(start: &Start) -> Result<Served> {
        let (address, command) = match &start.home {
            None => (free_address()?, start.command.clone()),
            Some(home) => (home.next_address(), home.command(&start.command)),
        };
        let name = start.command.join(" ");
        let child = pinned(&start.cores, &command)
            .env("BIND", address.ip().to_string())
            .env("PORT", address.port().to_string())
            .env("CORES", start.cores_count.to_string())
            .envs(start.environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        let process = Some(Process::new(child.id()));
        let counts_sends = start.counts_sends;
        let (cores, is_apart) = (Some(start.cores.clone()), start.home.is_some());
        let mut served =
            Served { address, process, child: Some(child), counts_sends, cores, is_apart, watch: None };
        served.wait_ready().with_context(|| format!("waiting for {name}"))?;
        Ok(served)
    }

    /// A server that runs already; without its process id there are no CPU and memory figures.
    #[must_use]
    pub fn at(address: SocketAddr, pid: Option<u32>) -> Served {
        Served {
            address,
            process: pid.map(Process::new),
            child: None,
            counts_sends: true,
            cores: None,
            is_apart: false,
            watch: None,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has sent, by its own account.
    #[must_use]
    pub fn sends(&self) -> Option<Sends> {
        self.counts_sends.then(|| Sends::ask(self.address))?
    }

    /// Lets somebody know of the measured part of what follows.
    pub fn watch(&mut self, watch: Rc<dyn Watch>) {
        self.watch = Some(watch);
    }

    /// Who wants to know of the measured part.
    #[must_use]
    pub fn watching(&self) -> Option<&dyn Watch> {
        self.watch.as_deref()
    }

    /// How long its cores were idle since the machine started; `None` if it was started elsewhere.
    #[must_use]
    pub fn core_idle_ns(&self) -> Option<u64> {
        idle_ns(self.cores.as_deref()?)
    }

    /// How many cores it was started on; 0 if it was started elsewhere.
    #[must_use]
    pub fn cores_count(&self) -> usize {
        self.cores.as_deref().and_then(core_numbers).map_or(0, |cores| cores.len())
    }

    /// Whether receiving is done on the core of who receives, so that the swarm's core does more than the swarm.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.is_apart
    }

    /// Its process, if known.
    #[must_use]
    pub fn process(&self) -> Option<Process> {
        self.process
    }

    fn wait_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_PATIENCE {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                bail!("it ended with {status}");
            }
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            std::thread::sleep(START_POLL);
        }
        bail!("nothing listens on {} after {START_PATIENCE:?}", self.address)
    }
}

/// The server that was started ends with the value; one that was pointed at goes on.
impl Drop for Served {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?)
}

/// How long a server may take until it listens; Node on a busy machine takes two seconds.
const START_PATIENCE: Duration = Duration::from_secs(15);
/// How often it is tried.
const START_POLL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_at_once_is_an_error_that_says_so() {
        let start = Start {
            command: vec!["false".to_owned()],
            environment: Vec::new(),
            cores: "0".to_owned(),
            cores_count: 1,
            counts_sends: false,
            home: None,
        };
        let error = Served::start(&start).err().expect("no server");
        assert!(format!("{error:#}").contains("it ended with"), "{error:#}");
    }

    #[test]
    fn a_server_elsewhere_is_only_pointed_at() {
        let served = Served::at("127.0.0.1:1".parse().expect("an address"), None);
        assert!(served.process().is_none());
        assert_eq!(served.address().port(), 1);
    }
}
