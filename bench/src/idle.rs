//! What does a connection cost that says nothing? User memory is the growth of the server's resident memory;
//! kernel memory the growth of slabs, of which the swarm's own end is taken off. It measures memory only, no
//! time.
//!
//! How the two ends are told apart: both live in this kernel, so slabs grow by both. Before the server's turn
//! a few thousand bare pairs of connected sockets are made: half of their growth is one bare end. Then one
//! side of them is registered with epoll, as the swarm does: that growth is the swarm's registration. The
//! server's end is what is left of a connection's growth after one bare end and one registration: its socket,
//! its file if it has one, and its own registration, whatever that is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Interest, Poll, Token};
use serde_json::{Value, json};

use crate::answers;
use crate::contestants::Contestant;
use crate::exchange;
use crate::machine::{Slab, pinned};
use crate::served::Served;
use crate::swarm::{Swarm, Target, Transport};

/// What one idle connection costs.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The server's name.
    pub name: String,
    /// Connections held.
    pub clients: usize,
    /// Resident memory of the server per connection, bytes.
    pub user_bytes: Option<f64>,
    /// Slabs per connection at the server's end, bytes.
    pub kernel_bytes: f64,
    /// The part of it that a bare connected socket has, bytes.
    pub bare_bytes: f64,
    /// What was taken off for the swarm's registration, bytes.
    pub swarm_bytes: f64,
    /// What other slabs grew meanwhile, bytes per connection: not counted, shown so that a busy machine is
    /// noticed.
    pub other_bytes: f64,
    /// Descriptors open in the server.
    pub descriptors: Option<usize>,
    /// The slab caches that grew most, bytes per connection, both ends.
    pub caches: Vec<(String, f64)>,
    /// Where the kernel's figures come from.
    pub source: &'static str,
}

/// How a measurement is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Connections in all.
    pub clients: usize,
    /// Connections of one holding process.
    pub per_process: usize,
    /// Cores of the server.
    pub server_cores: String,
    /// Cores of the holding processes.
    pub swarm_cores: String,
    /// Quiet seconds before the figures are read.
    pub settle_s: f64,
    /// What the clients do before they fall silent.
    pub prelude: Prelude,
}

/// What clients do before they fall silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prelude {
    /// Nothing but joining.
    Silence,
    /// Each says and hears a message, compressed if that was agreed.
    Exchange,
}

/// Starts the server, lets other processes (this program with `hold`) connect, and reads the growth.
///
/// # Errors
/// When the server or a holding process fails, or a client does not join.
pub fn measure(contestant: &Contestant, plan: &Plan) -> Result<Cost> {
    // The pairs stay until the end, so that none is freed while others are counted.
    let ends = Ends::measure(PAIRS)?;
    let served = contestant.start(&plan.server_cores)?;
    answers::check(&served, contestant.transport)?;
    let mut holders = Holder::start_all(served.address(), contestant.transport, plan)?;
    let (slab_before, user_before) = (Slab::settled(), resident(&served));
    for holder in &mut holders {
        holder.connect()?;
    }
    std::thread::sleep(Duration::from_secs_f64(plan.settle_s));
    let (user_after, slab_after) = (resident(&served), Slab::now());
    let clients = plan.clients as f64;
    let growth = slab_after.since(&slab_before);
    let user = user_after.zip(user_before).map(|(after, before)| (after as f64 - before as f64) / clients);
    Ok(Cost {
        name: contestant.name.clone(),
        clients: plan.clients,
        user_bytes: user,
        kernel_bytes: growth.bytes as f64 / clients - ends.bare_bytes - ends.registration_bytes,
        bare_bytes: ends.bare_bytes,
        swarm_bytes: ends.registration_bytes,
        other_bytes: growth.other_bytes as f64 / clients,
        descriptors: served.process().and_then(|process| process.descriptors()),
        caches: growth
            .caches
            .into_iter()
            .take(8)
            .map(|(name, bytes)| (name, bytes as f64 / clients))
            .collect(),
        source: slab_after.source(),
    })
}

/// The subcommand with which the bench programs hold connections.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Hold {
    /// The server
    #[arg(long)]
    address: SocketAddr,
    /// How many connections
    #[arg(long)]
    clients: usize,
    /// Where loopback source addresses begin
    #[arg(long)]
    source_offset: u8,
    /// Compression is offered, and must be agreed to
    #[arg(long)]
    deflate: bool,
    /// Each client says and hears a message
    #[arg(long)]
    exchange: bool,
}

/// The holding process: waits for a line, connects, says so, and keeps the connections (answering pings)
/// until its input ends.
///
/// # Errors
/// When a client does not join, or is lost later.
pub fn hold(Hold { address, clients, source_offset, deflate, exchange }: Hold) -> Result<()> {
    let transport = if deflate { Transport::Deflate } else { Transport::WebSocket };
    let target = Target { source_offset, transport, ..Target::new(address, clients) };
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let mut swarm = Swarm::on_epoll()?;
    swarm.connect(target)?;
    if exchange {
        exchange::exchange(&mut swarm, transport)?;
    }
    println!("held");
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    loop {
        swarm.turn(None, &mut ())?;
        ensure!(swarm.lost() == 0, "a client was lost: {}", swarm.fault());
    }
}

/// What a bare end of a connection and an epoll registration cost here, bytes of slab; and the sockets that
/// showed it.
pub(crate) struct Ends {
    pub(crate) bare_bytes: f64,
    pub(crate) registration_bytes: f64,
    _kept: Pairs,
}

/// Connected sockets: one side registered with epoll, the other bare.
struct Pairs {
    poll: Poll,
    registered: Vec<mio::net::TcpStream>,
    bare: Vec<TcpStream>,
}

impl Ends {
    pub(crate) fn measure(count: usize) -> Result<Ends> {
        let mut pairs = Pairs { poll: Poll::new()?, registered: Vec::new(), bare: Vec::new() };
        pairs.connect(count / 4)?; // fills places that were freed before
        let none = Slab::settled();
        pairs.connect(count)?;
        let bare = Slab::now();
        pairs.register(count)?;
        let registered = Slab::now();
        let count = count as f64;
        Ok(Ends {
            bare_bytes: bare.since(&none).bytes as f64 / count / 2.0,
            registration_bytes: registered.since(&bare).bytes as f64 / count,
            _kept: pairs,
        })
    }
}

impl Pairs {
    fn connect(&mut self, count: usize) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").context("a listener for bare pairs")?;
        let address = listener.local_addr()?;
        for _ in 0..count {
            self.registered.push(mio::net::TcpStream::from_std(TcpStream::connect(address)?));
            self.bare.push(listener.accept()?.0);
        }
        Ok(())
    }

    /// Registers the youngest `count`.
    fn register(&mut self, count: usize) -> Result<()> {
        let start = self.registered.len().saturating_sub(count);
        for (index, stream) in self.registered.iter_mut().enumerate().skip(start) {
            self.poll.registry().register(stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        }
        Ok(())
    }
}

/// A process that holds connections.
struct Holder {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn start_all(address: SocketAddr, transport: Transport, plan: &Plan) -> Result<Vec<Holder>> {
        let mut holders = Vec::new();
        let mut left = plan.clients;
        while left > 0 {
            let clients = left.min(plan.per_process);
            holders.push(Holder::start(address, transport, clients, holders.len(), plan)?);
            left -= clients;
        }
        Ok(holders)
    }

    fn start(
        address: SocketAddr,
        transport: Transport,
        clients: usize,
        index: usize,
        plan: &Plan,
    ) -> Result<Holder> {
        let program = std::env::current_exe().context("where is this program?")?;
        let offset = (index * SOURCES_PER_HOLDER).to_string();
        let (program, address, clients) =
            (program.to_string_lossy(), address.to_string(), clients.to_string());
        let command =
            [&program, "hold", "--address", &address, "--clients", &clients, "--source-offset", &offset];
        let mut command = command.map(str::to_owned).to_vec();
        command.extend((transport == Transport::Deflate).then(|| "--deflate".to_owned()));
        command.extend((plan.prelude == Prelude::Exchange).then(|| "--exchange".to_owned()));
        let mut child = pinned(&plan.swarm_cores, &command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a process that holds clients")?;
        let output = BufReader::new(child.stdout.take().context("no output of the holding process")?);
        Ok(Holder { input: child.stdin.take(), child, output })
    }

    fn connect(&mut self) -> Result<()> {
        let started = Instant::now();
        if let Some(input) = &mut self.input {
            input.write_all(b"connect\n")?;
        }
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let took = started.elapsed();
        ensure!(line.trim() == "held", "a holding process ended after {took:?}; its complaint is above");
        Ok(())
    }
}

/// The end of its input ends the process.
impl Drop for Holder {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.child.wait();
    }
}

fn resident(served: &Served) -> Option<u64> {
    served.process().and_then(|process| process.resident_bytes())
}

impl Cost {
    /// One JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let rounded = |value: f64| (value * 10.0).round() / 10.0;
        let caches: serde_json::Map<_, _> =
            self.caches.iter().map(|(name, bytes)| (name.clone(), json!(rounded(*bytes)))).collect();
        json!({
            "name": self.name, "clients": self.clients,
            "user_bytes": self.user_bytes.map(rounded), "kernel_bytes": rounded(self.kernel_bytes),
            "bare_socket_bytes": rounded(self.bare_bytes), "swarm_registration_bytes": rounded(self.swarm_bytes),
            "other_slabs_bytes": rounded(self.other_bytes), "descriptors": self.descriptors,
            "source": self.source, "caches_both_ends": caches,
        })
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown =
            |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.0} B"));
        writeln!(f, "{}: {} idle clients", self.name, self.clients)?;
        writeln!(f, "  user memory per connection    {}", shown(self.user_bytes))?;
        writeln!(f, "  kernel memory per connection  {:.0} B", self.kernel_bytes)?;
        writeln!(
            f,
            "    of it a bare socket's end   {:.0} B (half of a bare pair, measured first)",
            self.bare_bytes
        )?;
        writeln!(
            f,
            "    of it beyond the socket     {:.0} B (poll entries and the like)",
            self.kernel_bytes - self.bare_bytes
        )?;
        writeln!(
            f,
            "    taken off for the swarm     {:.0} B socket, {:.0} B epoll",
            self.bare_bytes, self.swarm_bytes
        )?;
        writeln!(f, "    source                      {}", self.source)?;
        writeln!(f, "    other slabs, not counted    {:.0} B (other programs)", self.other_bytes)?;
        let descriptors = self.descriptors.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
        write!(f, "  descriptors open in server    {descriptors}")?;
        for (name, bytes) in &self.caches {
            write!(f, "\n  slab {name:<24} {bytes:>6.0} B per connection, both ends")?;
        }
        Ok(())
    }
}

/// Bare pairs: enough that whole pages of slabs do not matter, few enough for a limit of 20 000 descriptors.
pub(crate) const PAIRS: usize = 4000;
/// Loopback addresses reserved for one holding process.
const SOURCES_PER_HOLDER: usize = 2;
