//! The threads of a server's cores: each makes its driver first, then waits for the word to run.
//!
//! Drivers are made when a server is put together, on the threads that will use them and all at once: only so it is known whether the machine
//! has enough for every one of them (memory that may be locked, descriptors). Then all have the same kind, or there is no server.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use socketville_sys::{Clock, Driver, Epoll, Listener, Passed, Ring, pin_to_core};

use crate::core::Core;
use crate::crossing::Crossing;
use crate::emitter::Emitter;
use crate::endings::End;
use crate::error::{Error, Result};
use crate::pins::Pins;
use crate::server::Elsewhere;
use crate::town::Town;
use crate::turn::{Next, Turn};

/// A driver that a server runs on.
pub(crate) trait Hosted: Driver<Passed = Passed> + Sized + 'static {
    /// For the calling thread, without a listener.
    fn make() -> io::Result<Self>;

    /// Accepts from now on.
    fn listen_to(&mut self, listener: Listener) -> io::Result<()>;
}

impl Hosted for Ring {
    fn make() -> io::Result<Self> {
        Self::new(None)
    }

    fn listen_to(&mut self, listener: Listener) -> io::Result<()> {
        self.listen_to(listener)
    }
}

impl Hosted for Epoll {
    fn make() -> io::Result<Self> {
        Self::new(None)
    }

    fn listen_to(&mut self, listener: Listener) -> io::Result<()> {
        self.listen_to(listener)
    }
}

/// Threads that have their drivers. Dropped before the word, they end.
pub(crate) struct Crew {
    threads: Vec<(SyncSender<Word>, JoinHandle<Result<()>>)>,
}

/// What a core begins to run with.
pub(crate) struct Word {
    pub(crate) listener: Listener,
    pub(crate) town: Arc<Town>,
    pub(crate) crossings: Arc<[Crossing<Passed>]>,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) seed: [u8; 32],
    pub(crate) elsewhere: Option<Elsewhere>,
}

impl Crew {
    /// So many threads, each with a driver.
    ///
    /// # Errors
    /// The first refusal of a thread or of a driver; then nothing is left of the others.
    pub(crate) fn muster<D: Hosted>(
        cores: usize,
        pins: &Pins,
        make: fn() -> io::Result<D>,
    ) -> io::Result<Self> {
        let (ready, made) = sync_channel(cores);
        let mut crew = Self { threads: Vec::with_capacity(cores) };
        for index in 0..cores {
            let (word, heard) = sync_channel(1);
            let hand = Hand { index: index as u16, place: pins.get(index), ready: ready.clone(), heard };
            let name = format!("socketville-{index}");
            let thread = thread::Builder::new().name(name).spawn(move || hand.run(make))?;
            crew.threads.push((word, thread));
        }
        drop(ready);
        let refusal = made.iter().find_map(io::Result::err);
        match refusal {
            None => Ok(crew),
            Some(error) => {
                crew.dismiss();
                Err(error)
            }
        }
    }

    /// Ends the threads, and waits until what they had is the kernel's again.
    fn dismiss(self) {
        for (word, thread) in self.threads {
            drop(word);
            let _ended = thread.join();
        }
    }

    /// Gives each its word, calls `wait`, and waits until all have ended; the first failure is the result.
    pub(crate) fn run(self, words: impl Iterator<Item = Word>, wait: impl FnOnce()) -> Result<()> {
        let mut threads = Vec::with_capacity(self.threads.len());
        for ((door, thread), word) in self.threads.into_iter().zip(words) {
            let _it_waits = door.send(word);
            threads.push(thread);
        }
        wait();
        threads.into_iter().map(end_of).fold(Ok(()), Result::and)
    }
}

fn end_of(thread: JoinHandle<Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|_| {
        Err(Error::Core(io::Error::other("its thread panicked: this is a fault of the engine")))
    })
}

/// A thread before it runs.
struct Hand {
    index: u16,
    place: Option<usize>,
    ready: SyncSender<io::Result<()>>,
    heard: Receiver<Word>,
}

impl Hand {
    fn run<D: Hosted>(self, make: fn() -> io::Result<D>) -> Result<()> {
        // Before the driver is made, so that its memory is near the core.
        if let Some(Err(error)) = self.place.map(pin_to_core) {
            tracing::warn!(core = self.index, place = self.place, %error, "not pinned");
        }
        let made = make();
        let (driver, outcome) = match made {
            Ok(driver) => (Some(driver), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let _asked = self.ready.send(outcome);
        drop(self.ready);
        match (driver, self.heard.recv()) {
            (Some(driver), Ok(word)) => {
                let town = Arc::clone(&word.town);
                let _end = End(&town.endings);
                serve(self.index, driver, word)
            }
            _ => Ok(()),
        }
    }
}

fn serve<D: Hosted>(index: u16, mut driver: D, word: Word) -> Result<()> {
    let Word { listener, town, crossings, runtime, seed, elsewhere } = word;
    let _context = runtime.enter();
    let core = Core::new(index, Arc::clone(&town), seed);
    let _ending = Ending { core: Rc::clone(&core) };
    driver.listen_to(listener).map_err(Error::Core)?;
    let mut turn = Turn::new(driver, core.clone(), crossings);
    if let Some(elsewhere) = elsewhere {
        let runtime = runtime.clone();
        let serve = move |passed, head| elsewhere(&runtime, OwnedFd::from(passed), head);
        turn.hand_over_to(Box::new(serve));
    }
    if index == 0 {
        let emitter = || Emitter::new(Arc::clone(&town));
        core.enter(|| {
            for start in &town.app.on_start {
                let _ = core.call_out("a function for the start", || start(emitter()));
            }
        });
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::pins::Pinning;

    static MADE: AtomicUsize = AtomicUsize::new(0);

    /// As on a machine that has enough for three.
    fn three() -> io::Result<Epoll> {
        match MADE.fetch_add(1, Ordering::SeqCst) {
            0..3 => Epoll::make(),
            _ => Err(io::ErrorKind::OutOfMemory.into()),
        }
    }

    #[test]
    fn all_cores_have_a_driver_or_none() {
        let pins = Pins::claim(&[], 0, Pinning::Never);
        for (cores, is_enough) in [(3, true), (4, false), (1, true), (64, false)] {
            MADE.store(0, Ordering::SeqCst);
            match Crew::muster(cores, &pins, three) {
                Ok(crew) => assert!(is_enough && crew.threads.len() == cores),
                Err(error) => assert!(!is_enough && error.kind() == io::ErrorKind::OutOfMemory, "{cores}"),
            }
        }
    }
}
