//! The generator processes of one point and the servers they talk to, led step by step. It measures nothing itself.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, ensure};

use super::generator::{self, Answer};
use super::series::{Reach, Rooms};
use super::sweep::Sizes;
use crate::contestants::{Contestant, Kind};
use crate::machine::pinned;
use crate::served::{Served, Start};

/// Servers and generators of one point.
pub struct Party {
    /// One server; or several floors.
    pub servers: Vec<Served>,
    generators: Vec<Generator>,
    /// Clients of all generators.
    pub clients: usize,
    /// Rings that hold them: of one process, or of one process each.
    pub rings: usize,
}

impl Party {
    /// Starts servers and generators; nobody is connected yet.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(contestant: &Contestant, clients: usize, rooms: Rooms, sizes: &Sizes) -> Result<Party> {
        let rings = clients.div_ceil(sizes.per_ring);
        ensure!(rings == 1 || rooms == Rooms::NONE, "rooms are known to one generator only");
        let floors = contestant.kind == Kind::Floor;
        let servers: Vec<Served> = (0..if floors { rings } else { 1 })
            .map(|_| Served::start(&start(contestant, rings, sizes)))
            .collect::<Result<_>>()?;
        let mut generators = Vec::new();
        for index in 0..rings {
            let server = servers.get(index).or(servers.first()).context("no server")?;
            let share = clients / rings + usize::from(index < clients % rings);
            generators.push(Generator::start(server.address(), share, index, rooms, sizes)?);
        }
        Ok(Party { servers, generators, clients, rings })
    }

    /// One after another, all generators obey.
    ///
    /// # Errors
    /// When one ends.
    pub fn each(&mut self, line: &str) -> Result<Answer> {
        let mut all = Answer::default();
        for generator in &mut self.generators {
            generator.tell(line)?;
            all.add(generator.answer()?);
        }
        Ok(all)
    }

    /// `count` messages to whom they reach; those who do not publish listen before the first leaves. The floors are
    /// published to one by one, since none knows of another.
    ///
    /// # Errors
    /// When a generator ends.
    pub fn publish(&mut self, reach: Reach, count: usize, rate: f64) -> Result<Answer> {
        let publishers = self.servers.len();
        for (index, generator) in self.generators.iter_mut().enumerate().rev() {
            let verb = if index < publishers { "publish" } else { "hear" };
            generator.tell(&format!("{verb} {reach} {count} {rate}"))?;
        }
        let mut all = Answer::default();
        for generator in &mut self.generators {
            all.add(generator.answer()?);
        }
        Ok(all)
    }

    /// CPU of all servers since they started, ns.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        self.sum(|process| process.cpu_ns())
    }

    /// Resident memory of all servers.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.sum(|process| process.resident_bytes())
    }

    /// Descriptors open in all servers.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.sum(|process| process.descriptors().map(|count| count as u64)) as usize
    }

    fn sum(&self, figure: impl Fn(crate::machine::Process) -> Option<u64>) -> u64 {
        self.servers.iter().filter_map(|server| figure(server.process()?)).sum()
    }
}

fn start(contestant: &Contestant, rings: usize, sizes: &Sizes) -> Start {
    Start {
        command: contestant.command.clone(),
        environment: contestant.environment.clone(),
        cores: sizes.server_core.clone(),
        cores_count: rings,
        home: None,
        counts_sends: false,
    }
}

impl Answer {
    /// Ages are those of the slowest publisher.
    fn add(&mut self, other: Answer) {
        let later = |one: Option<f64>, two: Option<f64>| match (one, two) {
            (Some(one), Some(two)) => Some(one.max(two)),
            (one, two) => one.or(two),
        };
        self.took_s += other.took_s;
        self.cpu_s += other.cpu_s;
        self.deliveries += other.deliveries;
        self.p50_us = later(self.p50_us, other.p50_us);
        self.p99_us = later(self.p99_us, other.p99_us);
        self.faults += other.faults;
        if other.faults > 0 || self.faults_words.is_empty() {
            self.faults_words = other.faults_words;
        }
    }
}

/// A process that [`generator::run`]s.
struct Generator {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Generator {
    fn start(
        address: SocketAddr,
        clients: usize,
        index: usize,
        rooms: Rooms,
        sizes: &Sizes,
    ) -> Result<Generator> {
        let program = std::env::current_exe().context("where is this program?")?;
        let mut command = vec![program.to_string_lossy().into_owned(), "swarm".to_owned()];
        for (name, value) in [
            ("--address", address.to_string()),
            ("--clients", clients.to_string()),
            ("--source-offset", (index * SOURCES_PER_GENERATOR).to_string()),
            ("--groups", rooms.groups.to_string()),
            ("--rooms-each", rooms.rooms_each.to_string()),
        ] {
            command.extend([name.to_owned(), value]);
        }
        let mut child = pinned(&sizes.swarm_core, &command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a generator")?;
        let output = BufReader::new(child.stdout.take().context("a generator without output")?);
        Ok(Generator { input: child.stdin.take(), child, output })
    }

    fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("a generator without input")?;
        writeln!(input, "{line}").context("telling a generator")
    }

    fn answer(&mut self) -> Result<Answer> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        generator::read(&line)
    }
}

/// The end of its input ends the process.
impl Drop for Generator {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.child.wait();
    }
}

/// Loopback addresses of one generator: the swarm takes one for each 10 000 clients.
const SOURCES_PER_GENERATOR: usize = 2;
