//! A bound server: an address, and a thread with a driver for each core, ready to run.
//!
//! Not the threads themselves (`crew`), not the loop (`turn`) and not the application (`app`).

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socketville_hub::limits::BUDGET_BYTES_MIN;
use socketville_hub::{AddressLimits, Budget};
use socketville_sys::{
    Choice, DriverKind, Epoll, Listener, Preference, Ring, available_cores, has_descriptors, probe,
    raise_descriptor_limit, refusal_of_ring,
};

use crate::app::App;
use crate::builder::{Builder, Start};
use crate::crew::{Crew, Hosted, Word};
use crate::crossing::crossings;
use crate::emitter::Emitter;
use crate::error::{Error, Result};
use crate::host::{cpu_quota, memory_limit};
use crate::limits::{CLIENTS_MIN, DESCRIPTORS_PER_CORE, DESCRIPTORS_PER_SERVER, LATE_MS};
use crate::pins::Pins;
use crate::relay::Relay;
use crate::town::Town;

/// A server that has its address and waits to run. Until then clients that connect wait, too; dropped, it closes the address.
pub struct Server {
    town: Arc<Town>,
    listeners: Vec<Listener>,
    crew: Crew,
    /// Held while the threads are there.
    pins: Pins,
    address: SocketAddr,
    choice: Choice,
    seeds: Vec<[u8; 32]>,
    /// Takes the connections whose request is neither the engine's nor a route's.
    pub(crate) elsewhere: Option<Elsewhere>,
}

/// Serves a connection on the runtime, after the bytes that were read of it.
pub(crate) type Elsewhere = Arc<dyn Fn(&tokio::runtime::Handle, OwnedFd, Vec<u8>) + Send + Sync>;

impl Server {
    /// Begins to put a server together.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The application stays where it is unless all goes well.
    pub(crate) fn bind(app: &RefCell<Option<App>>, start: Start, address: SocketAddr) -> Result<Self> {
        let available = available_cores();
        let cores = start.cores.unwrap_or_else(|| cores_within(available.len(), cpu_quota()));
        if cores == 0 || cores > usize::from(socketville_hub::limits::CORES_MAX) {
            return Err(Error::Cores(cores));
        }
        let asked = app.borrow().as_ref().and_then(|app| app.memory_max);
        let budget = budget(asked, memory_limit(), cores)?;
        app.borrow_mut().as_mut().ok_or(Error::Listening)?.load_client()?;
        let descriptors = raise_descriptor_limit();
        let needed = cores * DESCRIPTORS_PER_CORE + DESCRIPTORS_PER_SERVER + CLIENTS_MIN;
        if !has_descriptors(needed) {
            return Err(Error::Descriptors { needed, cores, limit: descriptors });
        }
        let listeners =
            listen(address, start, cores).map_err(|error| Error::Listen(address.to_string(), error))?;
        let address = listeners[0].local_addr().map_err(Error::Core)?;
        let pins = Pins::claim(&available, cores, start.pinning);
        let (crew, choice) = muster(start.driver, cores, &pins)?;
        let secret = seed()?;
        let seeds = (0..cores).map(|_| seed()).collect::<Result<Vec<_>>>()?;
        let mut app = app.borrow_mut().take().ok_or(Error::Listening)?;
        app.config.budget = budget;
        let places = places(descriptors, choice.driver, cores);
        app.config.address_limits = address_limits(&app, address, places, cores);
        let town = Town::new(app, cores as u16, secret);
        Ok(Self { town, listeners, crew, pins, address, choice, seeds, elsewhere: None })
    }

    /// The address, with the port that was chosen if it was 0.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The driver and the reason for it, as a sentence.
    pub fn driver(&self) -> &str {
        &self.choice.reason
    }

    /// `io_uring` or `epoll`.
    pub const fn driver_name(&self) -> &'static str {
        match self.choice.driver {
            DriverKind::IoUring => "io_uring",
            DriverKind::Epoll => "epoll",
        }
    }

    /// The number of cores.
    pub const fn cores(&self) -> usize {
        self.seeds.len()
    }

    /// The machine's cores that the threads are pinned to, in order; empty if they are not pinned.
    pub fn pinned_to(&self) -> Vec<usize> {
        (0..self.cores()).filter_map(|index| self.pins.get(index)).collect()
    }

    /// A handle for other threads.
    pub fn emitter(&self) -> Emitter {
        Emitter::new(Arc::clone(&self.town))
    }

    /// Runs until [`Emitter::stop`] or a core fails.
    ///
    /// # Errors
    /// A core that could not listen, the runtime of handlers that could not start, or a driver that broke.
    pub fn run(self) -> Result<()> {
        let memory_mib = memory_limit().map(|bytes| bytes >> 20);
        let held_mib_max = self.town.app.config.budget.hard_bytes.saturating_mul(self.cores()) >> 20;
        let (cores, pinned_to) = (self.cores(), self.pinned_to());
        tracing::info!(address = %self.address, cores, ?pinned_to, driver = %self.choice.reason, memory_mib, held_mib_max, "listening");
        if let Some(adapter) = &self.town.app.adapter {
            adapter.start(Relay::new(&self.town));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("socketville-tokio")
            .enable_all()
            .build()
            .map_err(Error::Core)?;
        let crossings = crossings(cores, self.town.app.config.budget);
        let words = self.listeners.into_iter().zip(self.seeds).map(|(listener, seed)| Word {
            listener,
            town: Arc::clone(&self.town),
            crossings: Arc::clone(&crossings),
            runtime: runtime.handle().clone(),
            seed,
            elsewhere: self.elsewhere.clone(),
        });
        let town = &self.town;
        let patience = Duration::from_millis(town.app.drain_window().ms() + LATE_MS);
        let result = self.crew.run(words, || {
            town.endings.wait(patience, || {
                let cores = town.unfinished();
                tracing::warn!(?cores, "the drain window is over, and these cores do not end: a handler blocks them, and is waited for");
            });
        });
        runtime.shutdown_background();
        let [clients, bytes] =
            [&self.town.cut_clients, &self.town.cut_bytes].map(|count| count.load(Ordering::Relaxed));
        match clients {
            0 => tracing::info!("stopped; every client had what was due to it"),
            _ => tracing::warn!(
                clients,
                bytes,
                "stopped; the drain window was over before these clients had taken what was due to them"
            ),
        }
        result
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("cores", &self.cores())
            .field("pinned_to", &self.pinned_to())
            .field("driver", &self.choice.reason)
            .finish_non_exhaustive()
    }
}

/// One listener for each core, the first of which looks whether the port is free.
fn listen(address: SocketAddr, start: Start, cores: usize) -> std::io::Result<Vec<Listener>> {
    let first = Listener::bind_with(address, start.port_use, start.send_buffer_bytes)?;
    let mut listeners = vec![first.refusing_with(NO_PLACE)];
    for _ in 1..cores {
        listeners.push(listeners[0].beside()?);
    }
    Ok(listeners)
}

/// What connections hear for which there is no descriptor at all (RFC 9110 section 15.6.4).
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
    Content-Type: application/json\r\nContent-Length: 43\r\n\r\n{\"code\":7,\"message\":\"Too many connections\"}";

/// Threads with the driver that is wanted. If the ring is not demanded and not every core can have one, all have epoll.
fn muster(wanted: Preference, cores: usize, pins: &Pins) -> Result<(Crew, Choice)> {
    let choice = probe().choose(wanted).map_err(|unavailable| Error::Driver(unavailable.obstacle))?;
    if choice.driver == DriverKind::IoUring {
        match Crew::muster(cores, pins, Ring::make) {
            Ok(crew) => return Ok((crew, choice)),
            Err(error) => {
                let obstacle =
                    format!("not each of {cores} cores can have a ring: {}", refusal_of_ring(&error));
                if wanted == Preference::IoUring {
                    return Err(Error::Driver(obstacle));
                }
                let reason = format!("epoll: {obstacle}");
                let crew = Crew::muster(cores, pins, Epoll::make).map_err(Error::Core)?;
                return Ok((crew, Choice { driver: DriverKind::Epoll, reason }));
            }
        }
    }
    Ok((Crew::muster(cores, pins, Epoll::make).map_err(Error::Core)?, choice))
}

/// What each core may hold: its part of what was asked for, or of half of what the machine allows. The other half is for what the kernel
/// holds for the same connections, for the allocator, and for the application. A machine that is too small for its cores has as little as
/// a core can do with; an option that asks for less is an error.
fn budget(asked: Option<usize>, limit: Option<u64>, cores: usize) -> Result<Budget> {
    let half = limit.map(|bytes| usize::try_from(bytes / 2).unwrap_or(usize::MAX));
    match (asked, half) {
        (Some(bytes), _) if bytes / cores < BUDGET_BYTES_MIN => Err(Error::Memory(bytes / cores)),
        (Some(bytes), _) => Ok(Budget { hard_bytes: bytes / cores }),
        (None, Some(bytes)) => Ok(Budget { hard_bytes: (bytes / cores).max(BUDGET_BYTES_MIN) }),
        (None, None) => Ok(Budget::UNLIMITED),
    }
}

/// Connections for which a core has places: each ring has a table as large as the limit, epoll's cores share it.
fn places(descriptors: u64, driver: DriverKind, cores: usize) -> usize {
    let places = usize::try_from(descriptors).unwrap_or(usize::MAX);
    match driver {
        DriverKind::IoUring => places,
        DriverKind::Epoll => places / cores,
    }
}

/// What one address may have of each core. On loopback, with no proxy in front, nobody has a share, and nobody's address is asked for.
fn address_limits(app: &App, address: SocketAddr, places: usize, cores: usize) -> AddressLimits {
    let is_local = address.ip().is_loopback() && app.config.trusted_proxies.is_empty();
    let connections_max = app.address.connections.filter(|&asked| asked > 0).unwrap_or((places / 4).max(1));
    let hard_bytes = app.config.budget.hard_bytes;
    let defaults = AddressLimits {
        connections_max,
        half_open_max: (connections_max / 2).max(1),
        bytes_max: if hard_bytes == usize::MAX { usize::MAX } else { hard_bytes / 4 },
    };
    if is_local { AddressLimits::default() } else { app.address.limits(cores, defaults) }
}

/// Whole cores of what a quota leaves, at least one: a thread more than that would have the kernel stop all of them for the rest of each
/// period.
fn cores_within(available: usize, quota: Option<f64>) -> usize {
    quota.map_or(available, |quota| available.min((quota as usize).max(1)))
}

fn seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Error::Seed(error.to_string()))?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_share_what_was_asked_for_or_half_of_the_machine() {
        let budget = |asked, limit| budget(asked, limit, 2).expect("enough").hard_bytes;
        assert_eq!(budget(Some(100 << 20), Some(1000 << 20)), 50 << 20);
        assert_eq!(budget(None, Some(1000 << 20)), 250 << 20);
        assert_eq!(budget(None, None), Budget::UNLIMITED.hard_bytes);
    }

    #[test]
    fn a_budget_that_no_core_can_do_with_is_refused_if_it_was_asked_for() {
        let error = budget(Some(8 << 20), Some(64 << 30), 8).expect_err("too little");
        let told = "expected a memory limit of 4 MiB a core or more, found 1048576 bytes a core";
        assert_eq!(error.to_string(), told);
        assert_eq!(budget(None, Some(8 << 20), 8).expect("the machine's").hard_bytes, BUDGET_BYTES_MIN);
    }

    #[test]
    fn an_address_has_a_quarter_of_a_core() {
        let mut app = App::default();
        app.config.budget = Budget { hard_bytes: 1000 };
        let (open, local) = ("0.0.0.0:1".parse().expect("one"), "127.0.0.1:1".parse().expect("one"));
        let limits = |app: &App, address| {
            let limits = address_limits(app, address, places(20_000, DriverKind::Epoll, 2), 2);
            [limits.connections_max, limits.half_open_max, limits.bytes_max]
        };
        assert_eq!(limits(&app, open), [2500, 1250, 250]);
        assert_eq!(limits(&app, local), [usize::MAX; 3], "whoever is there runs on this machine");
        app.address.connections = Some(10);
        app.address.memory = Some(301);
        assert_eq!(limits(&app, open), [10, 5, 151]);
        app.address.connections = Some(0);
        app.address.half_open = Some(7);
        assert_eq!(limits(&app, open), [usize::MAX, 7, 151]);
        app.config.trusted_proxies = vec!["127.0.0.1".parse().expect("a network")];
        assert_eq!(limits(&app, local)[1], 7, "a proxy brings strangers");
        assert_eq!(places(20_000, DriverKind::IoUring, 2), 20_000);
    }

    #[test]
    fn who_finds_no_place_is_answered_whole() {
        let text = std::str::from_utf8(NO_PLACE).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert_eq!(body, socketville_hub::CROWDED, "as where the hub answers");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }

    #[test]
    fn a_quota_bounds_the_cores() {
        assert_eq!(cores_within(64, None), 64);
        assert_eq!(cores_within(64, Some(2.0)), 2);
        assert_eq!(cores_within(64, Some(2.9)), 2);
        assert_eq!(cores_within(64, Some(0.1)), 1);
        assert_eq!(cores_within(2, Some(8.0)), 2);
    }
}
