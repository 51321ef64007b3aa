//! What befalls a run that is not ordinary: pauses of the machine, cores that stand still, the end of the server.
//!
//! Not traffic, which is the clients'.

use crate::client::Client;
use crate::kind::Kind;
use crate::run::{CALM_ROUNDS_MAX, Run};
use crate::scenario::Scenario;

/// Milliseconds for which the machine stops: around a gap, a stall, a ping's time-out, a ping and its time-out, minutes. Just short of the
/// time-out nothing may be due, so that nobody can tell a pause from a sleep, and a ping behind a backlog has lost its time.
const PAUSES_MS: [usize; 6] = [240, 260, 2_000, 21_000, 46_000, 300_000];

/// Rounds after which a client that is still reading has read what a server left to it.
const LAST_ROUNDS: usize = 3_000;

impl Run {
    /// Perhaps something happens to the machine.
    pub(crate) fn befall(&mut self, scenario: &Scenario) {
        match scenario.kind {
            Kind::Pauses if self.world.borrow_mut().random.once_in(40) => self.pause(),
            Kind::Standstill if self.world.borrow_mut().random.once_in(60) => {
                let random = &mut self.world.borrow_mut().random;
                let core = random.below(self.cores.len());
                self.cores[core].still_rounds = random.between(5, 150) as u32;
            }
            _ => {}
        }
    }

    /// The process stops while its clients go on; all that they send lies in the kernel when it runs again.
    fn pause(&mut self) {
        let (before, after) = {
            let random = &mut self.world.borrow_mut().random;
            (random.below(10), random.below(10))
        };
        (0..before).for_each(|_| self.step_clients(true));
        {
            let world = &mut *self.world.borrow_mut();
            world.now_ms += world.random.pick(&PAUSES_MS) as u64;
            world.trace.note(world.now_ms, "pause", [0, 0], b"");
        }
        (0..after).for_each(|_| self.step_clients(true));
    }

    /// A client that comes when a core is no longer full is let in.
    pub(crate) fn check_that_it_takes_clients(&mut self) -> Result<(), String> {
        self.clients.retain(|client| !client.is_gone());
        if self.book.open().has_vanished() {
            return Ok(()); // what they owe is held until they are late
        }
        let newcomers = self.clients.len();
        (0..3).for_each(|_| self.add_client());
        self.calm_down()?;
        match self.clients[newcomers..].iter().find(|client| client.was_refused()) {
            Some(client) => {
                let held: Vec<_> = (0..self.cores.len()).map(|core| self.machine.held_bytes(core)).collect();
                Err(format!(
                    "client {} was refused by a machine at rest that holds {held:?} B",
                    client.number()
                ))
            }
            None => Ok(()),
        }
    }

    /// The server is stopped. A client that was there and reads has all that was due to it, or the stop's own count says that one has not.
    pub(crate) fn drain(&mut self) -> Result<(), String> {
        self.book.open().is_stopping = true;
        let staying: Vec<_> = self.clients.iter().filter_map(|client| client.is_settled()).collect();
        let now_ms = self.world.borrow().now_ms;
        self.world.borrow_mut().trace.note(now_ms, "stop", [0, 0], b"");
        self.machine.emitter().stop();
        for round in 0.. {
            if self.cores.iter().all(|core| core.has_ended) {
                break;
            }
            if round > CALM_ROUNDS_MAX {
                return Err(format!("no end after {CALM_ROUNDS_MAX} rounds: {:?}", self.cores));
            }
            self.round(true)?;
            if round % 50 == 49 && self.is_quiet() {
                self.sleep();
            }
        }
        self.world.borrow_mut().close_all();
        (0..LAST_ROUNDS).for_each(|_| self.step_clients(false));
        self.check_the_end(&staying)
    }

    fn check_the_end(&self, staying: &[u64]) -> Result<(), String> {
        let (cut, bytes) = self.machine.cut_off();
        let mut book = self.book.open();
        let mut missing = Vec::new();
        for &client in staying {
            if book.subject(client).is_excused() {
                continue;
            }
            let model = self.clients.iter().find(|model| model.number() == client);
            if let Some(text) = book.missing(client) {
                missing.push(format!("{text}; {}", model.map_or_else(String::new, Client::describe)));
                continue;
            }
            if cut == 0 && model.is_some_and(|model| model.misses_close()) {
                return Err(format!("client {client} got no close frame"));
            }
        }
        if missing.len() as u64 > cut {
            let (clients, first) = (missing.len(), &missing[0]);
            return Err(format!(
                "{clients} clients miss something after a stop that cut {cut} of {bytes} B: {first}"
            ));
        }
        book.check_gaps();
        drop(book);
        self.judge()
    }
}
