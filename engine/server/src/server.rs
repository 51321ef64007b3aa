//! A bound server: one pinned thread per core, each with its listener, its driver and its turn.
//!
//! Not the loop itself (`turn`) and not the application (`app`).

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use socketville_sys::{
    Choice, Clock, Driver, DriverKind, Epoll, Listener, Ring, available_cores, pin_to_core, probe,
    raise_descriptor_limit,
};

use crate::app::App;
use crate::builder::{Builder, Start};
use crate::core::Core;
use crate::emitter::Emitter;
use crate::error::{Error, Result};
use crate::host::{cpu_quota, memory_limit};
use crate::relay::Relay;
use crate::town::Town;
use crate::turn::{Crossing, Next, Turn, crossings};

/// A server that has its address and waits to run.
pub struct Server {
    town: Arc<Town>,
    listeners: Vec<Listener>,
    places: Vec<usize>,
    address: SocketAddr,
    choice: Choice,
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

    pub(crate) fn bind(mut app: App, start: Start, address: SocketAddr) -> Result<Self> {
        let choice =
            probe().choose(start.driver).map_err(|unavailable| Error::Driver(unavailable.obstacle))?;
        app.load_client()?;
        let mut places = available_cores();
        let cores = start.cores.unwrap_or_else(|| cores_within(places.len(), cpu_quota()));
        if cores == 0 || cores > usize::from(socketville_hub::limits::CORES_MAX) {
            return Err(Error::Cores(cores));
        }
        let there = places.len().max(1);
        places = (0..cores).map(|core| places.get(core % there).copied().unwrap_or(core)).collect();
        raise_descriptor_limit();
        let listen =
            |address| Listener::bind(address).map_err(|error| Error::Listen(address.to_string(), error));
        let first = listen(address)?;
        let address = first.local_addr().map_err(Error::Core)?;
        let mut listeners = vec![first];
        for _ in 1..cores {
            listeners.push(listen(address)?);
        }
        let town = Town::new(app, cores as u16, seed()?);
        Ok(Self { town, listeners, places, address, choice, elsewhere: None })
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
    pub fn cores(&self) -> usize {
        self.places.len()
    }

    /// A handle for other threads.
    pub fn emitter(&self) -> Emitter {
        Emitter::new(Arc::clone(&self.town))
    }

    /// Runs until [`Emitter::stop`] or a core fails.
    ///
    /// # Errors
    /// A core whose thread, ring or runtime could not start, or whose driver broke.
    pub fn run(self) -> Result<()> {
        let memory_mib = memory_limit().map(|bytes| bytes >> 20);
        tracing::info!(address = %self.address, cores = self.places.len(), driver = %self.choice.reason, memory_mib, "listening");
        if let Some(adapter) = &self.town.app.adapter {
            adapter.start(Relay::new(&self.town));
        }
        match self.choice.driver {
            DriverKind::IoUring => self.run_on(|listener| Ring::new(Some(listener))),
            DriverKind::Epoll => self.run_on(|listener| Epoll::new(Some(listener))),
        }
    }

    fn run_on<D>(self, make: fn(Listener) -> std::io::Result<D>) -> Result<()>
    where
        D: Driver<Passed: Into<OwnedFd>> + 'static,
    {
        let crossings = crossings::<D>(self.places.len());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("socketville-tokio")
            .enable_all()
            .build()
            .map_err(Error::Core)?;
        let mut threads = Vec::new();
        for (index, (listener, place)) in self.listeners.into_iter().zip(self.places).enumerate() {
            let thread = CoreThread {
                index: index as u16,
                place,
                town: Arc::clone(&self.town),
                crossings: Arc::clone(&crossings),
                runtime: runtime.handle().clone(),
                seed: seed()?,
                elsewhere: self.elsewhere.clone(),
            };
            let run = move || thread.run(listener, make);
            let name = format!("socketville-{index}");
            threads.push(thread::Builder::new().name(name).spawn(run).map_err(Error::Core)?);
        }
        let result = join(threads);
        runtime.shutdown_background();
        result
    }
}

/// What a core's thread starts with.
struct CoreThread<D: Driver> {
    index: u16,
    place: usize,
    town: Arc<Town>,
    crossings: Arc<[Crossing<D>]>,
    runtime: tokio::runtime::Handle,
    seed: [u8; 32],
    elsewhere: Option<Elsewhere>,
}

impl<D: Driver<Passed: Into<OwnedFd>>> CoreThread<D> {
    fn run(self, listener: Listener, make: fn(Listener) -> std::io::Result<D>) -> Result<()> {
        if let Err(error) = pin_to_core(self.place) {
            tracing::warn!(core = self.index, place = self.place, %error, "not pinned");
        }
        let _context = self.runtime.enter();
        let core = Core::new(self.index, Arc::clone(&self.town), self.seed);
        let _ending = Ending { core: Rc::clone(&core) };
        let driver = make(listener).map_err(Error::Core)?;
        let mut turn = Turn::new(driver, core.clone(), self.crossings);
        if let Some(elsewhere) = self.elsewhere {
            let runtime = self.runtime.clone();
            turn.hand_over_to(Box::new(move |passed, head| elsewhere(&runtime, passed.into(), head)));
        }
        if self.index == 0 {
            let emitter = || Emitter::new(Arc::clone(&self.town));
            core.enter(|| self.town.app.on_start.iter().for_each(|start| start(emitter())));
        }
        let clock = Clock::new();
        core.timers.follow(clock);
        let mut ended = Instant::now();
        loop {
            turn.wait(clock.ms_at(ended)).map_err(Error::Core)?;
            let begun = Instant::now();
            let next = turn.turn(clock.ms_at(begun));
            ended = Instant::now();
            core.counters.borrow_mut().took(ended - begun);
            if next == Next::Stop {
                return Ok(());
            }
        }
    }
}

/// What happens when a core ends, however it does: the others end too, and nobody waits for its answers.
struct Ending {
    core: Rc<Core>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let town = &self.core.town;
        town.stop();
        town.mailboxes[usize::from(self.core.index)].close();
        self.core.end();
    }
}

/// Waits for all; the first failure is the result.
fn join(threads: Vec<JoinHandle<Result<()>>>) -> Result<()> {
    let end = |thread: JoinHandle<Result<()>>| {
        thread.join().unwrap_or_else(|_| {
            Err(Error::Core(std::io::Error::other("its thread panicked: this is a fault of the engine")))
        })
    };
    threads.into_iter().map(end).fold(Ok(()), Result::and)
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
    fn a_quota_bounds_the_cores() {
        assert_eq!(cores_within(64, None), 64);
        assert_eq!(cores_within(64, Some(2.0)), 2);
        assert_eq!(cores_within(64, Some(2.9)), 2);
        assert_eq!(cores_within(64, Some(0.1)), 1);
        assert_eq!(cores_within(2, Some(8.0)), 2);
    }
}
