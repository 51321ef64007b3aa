//! A whole machine without threads: the real cores and turns, on drivers that somebody else makes.
//!
//! Not for users: simulations and benches of the loop use it. Time and seed are arguments, so that a run can be replayed.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socketville_hub::{AddressLimits, Budget};
use socketville_sys::Driver;

use crate::builder::Builder;
use crate::core::Core;
use crate::crossing::crossings;
use crate::emitter::Emitter;
use crate::metrics::CoreReport;
use crate::town::Town;
use crate::turn::{Next, Turn};

pub use crate::mailbox::MailLimits;

/// Cores that are turned by hand, on one thread.
pub struct Machine<D: Driver> {
    town: Arc<Town>,
    cores: Vec<(Rc<Core>, Turn<D>)>,
}

impl<D: Driver> std::fmt::Debug for Machine<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("cores", &self.cores.len()).finish_non_exhaustive()
    }
}

impl<D: Driver> Machine<D> {
    /// One core per driver. `seed` decides ids and hash keys.
    pub fn new(builder: Builder, drivers: Vec<D>, seed: u64) -> Self {
        Self::with_mail(builder, drivers, seed, MailLimits::default())
    }

    /// The same with other limits on what waits between cores.
    pub fn with_mail(builder: Builder, drivers: Vec<D>, seed: u64, mail: MailLimits) -> Self {
        let mut app = builder.into_app();
        app.mail = mail;
        if let Some(bytes) = app.memory_max {
            app.config.budget = Budget { hard_bytes: bytes / drivers.len() };
        }
        app.config.address_limits = app.address.limits(drivers.len(), AddressLimits::default());
        let town = Town::new(app, drivers.len() as u16, [seed as u8; 32]);
        let crossings = crossings::<D::Passed>(drivers.len(), town.app.config.budget);
        let turn = |(index, driver): (usize, D)| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            bytes[8] = index as u8;
            let core = Core::new(index as u16, Arc::clone(&town), bytes);
            (Rc::clone(&core), Turn::new(driver, core, Arc::clone(&crossings)))
        };
        let cores = drivers.into_iter().enumerate().map(turn).collect();
        Self { town, cores }
    }

    /// A handle as other threads have it.
    pub fn emitter(&self) -> Emitter {
        Emitter::new(Arc::clone(&self.town))
    }

    /// One turn of one core at this time, without sleep; false once the core has ended.
    ///
    /// # Errors
    /// The driver's.
    pub fn turn(&mut self, core: usize, now_ms: u64) -> io::Result<bool> {
        let (_, turn) = &mut self.cores[core];
        turn.look()?;
        Ok(turn.turn(now_ms) == Next::Turn)
    }

    /// Whether a core's account says what it holds.
    ///
    /// # Errors
    /// What differs, as a sentence.
    pub fn audit(&self, core: usize) -> Result<(), String> {
        let (core, turn) = &self.cores[core];
        core.audit(turn.waiting_bytes())
    }

    /// Bytes that a core holds for its peers, as its budget counts them.
    pub fn held_bytes(&self, core: usize) -> usize {
        self.cores[core].0.hub().held_bytes()
    }

    /// How often a core's arena was so full that what was due moved to backlogs.
    pub fn spills(&self, core: usize) -> u64 {
        self.cores[core].0.hub().outbox.spills()
    }

    /// Whether a core has taken all that others have for it.
    pub fn is_caught_up(&self, core: usize) -> bool {
        self.town.mailboxes[core].is_empty() && self.cores.iter().all(|(_, turn)| turn.has_posted_all())
    }

    /// Clients that the window of a stop cut off, and bytes that they had not taken.
    pub fn cut_off(&self) -> (u64, u64) {
        (self.town.cut_clients.load(Ordering::Relaxed), self.town.cut_bytes.load(Ordering::Relaxed))
    }

    /// How long a core would sleep now; `None` for ever.
    pub fn timeout(&self, core: usize, now_ms: u64) -> Option<Duration> {
        self.cores[core].1.timeout(now_ms)
    }

    /// What a core has done and holds.
    pub fn report(&self, core: usize) -> CoreReport {
        self.cores[core].0.report()
    }

    /// A core's driver.
    pub fn driver_mut(&mut self, core: usize) -> &mut D {
        self.cores[core].1.driver_mut()
    }
}
