//! One run: a seed, a machine, its clients, and the verdict.
//!
//! Not a schedule of the real world: turns, steps and the clock follow chance. After each phase of traffic comes calm, in which everything
//! under way must come to rest, then a jump of the clock. At the end everyone leaves, and nothing may be left.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use socketville::CoreReport;
use socketville::machine::Machine;

use crate::app::{Book, app, room_name, text};
use crate::client::{Client, Departure};
use crate::cuts::Context;
use crate::kernel::Kernel;
use crate::kind::Kind;
use crate::oracle::{OUTSIDE, To, What};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::subject::Excuse;
use crate::trace::Trace;
use crate::verdict::Verdict;
use crate::world::World;

/// Whether a run writes down what happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Telling {
    /// Only the verdict.
    Verdict,
    /// Every event, as lines on the standard output.
    Everything,
}

/// Rounds of calm after which everything must have come to rest.
pub(crate) const CALM_ROUNDS_MAX: usize = 40_000;

/// Time after which nothing of a client may be left: ping interval and timeout, the longest keep-alive, and every linger, twice.
const AFTERLIFE_MS: u64 = 300_000;

/// Jumps of the clock between phases, in milliseconds: a pause, just short of a ping, past a ping and its timeout, hours.
const JUMPS_MS: [usize; 5] = [500, 24_990, 46_000, 70_000, 10_000_000];

/// Runs a seed.
pub fn run(seed: u64, telling: Telling) -> Verdict {
    run_about(Kind::of(seed), seed, telling)
}

/// Runs a seed in a run about this.
pub fn run_about(kind: Kind, seed: u64, telling: Telling) -> Verdict {
    let trace = if telling == Telling::Everything { Trace::wordy() } else { Trace::silent() };
    let scenario = Scenario::about(kind, seed);
    let book = Book::new(&scenario);
    let world = Rc::new(RefCell::new(World::new(scenario, Random::new(seed), trace)));
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut run = Run::new(seed, &book, &world, telling)?;
        let ended = run.run();
        run.tell();
        let mut verdict = Verdict { clients: run.next_client, ..Verdict::default() };
        verdict.count(&run);
        verdict.fault = ended.err();
        Ok::<_, String>(verdict)
    }));
    let mut verdict = match ended {
        Err(panic) => {
            Verdict { fault: Some(format!("a panic: {}", words_of(&*panic))), ..Verdict::default() }
        }
        Ok(Err(error)) => Verdict { fault: Some(error), ..Verdict::default() },
        Ok(Ok(verdict)) => verdict,
    };
    verdict.kind = Some(kind);
    if let Ok(world) = world.try_borrow_mut() {
        (verdict.hash, verdict.events) = (world.trace.hash(), world.trace.events());
        verdict.half_closes = world.half_closes();
    }
    let book = book.open();
    (verdict.emits, verdict.receptions) = (book.emits(), book.receptions());
    verdict.deeds = book.count(Excuse::Acted);
    verdict
}

pub(crate) struct Run {
    pub(crate) machine: Machine<Kernel>,
    pub(crate) world: Rc<RefCell<World>>,
    pub(crate) book: Book,
    pub(crate) clients: Vec<Client>,
    next_client: u64,
    telling: Telling,
    pub(crate) cores: Vec<CoreState>,
    pub(crate) posts_refused: u64,
}

/// What a run knows of a core.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CoreState {
    /// When it had its last turn.
    turned_ms: u64,
    /// How often it had stood still before that.
    standstills: u64,
    /// Rounds for which it has no turn.
    pub(crate) still_rounds: u32,
    /// Whether it has ended.
    pub(crate) has_ended: bool,
}

impl Run {
    fn new(seed: u64, book: &Book, world: &Rc<RefCell<World>>, telling: Telling) -> Result<Self, String> {
        let scenario = world.borrow().scenario.clone();
        let kernels = (0..scenario.cores).map(|core| Kernel::new(core as u16, Rc::clone(world)));
        let kernels =
            kernels.collect::<Result<Vec<_>, _>>().map_err(|error| format!("no kernel: {error}"))?;
        Ok(Self {
            machine: Machine::with_mail(app(&scenario, book), kernels, seed, scenario.mail),
            world: Rc::clone(world),
            book: book.clone(),
            clients: Vec::new(),
            next_client: 0,
            telling,
            cores: vec![CoreState::default(); scenario.cores],
            posts_refused: 0,
        })
    }

    fn run(&mut self) -> Result<(), String> {
        let scenario = self.world.borrow().scenario.clone();
        for _ in 0..scenario.phases {
            for _ in 0..scenario.rounds {
                self.welcome(&scenario);
                self.befall(&scenario);
                self.round(true)?;
            }
            if scenario.kind == Kind::Drain {
                return self.drain();
            }
            self.calm_down()?;
            self.check_those_who_stay()?;
            if scenario.memory_bytes_max.is_some() {
                self.check_that_it_takes_clients()?;
            }
            self.jump();
            self.calm_down()?;
        }
        self.check_encodes()?;
        self.send_home()?;
        self.check_emptiness()?;
        self.book.open().check_gaps();
        self.judge()
    }

    /// New clients come in bursts, in the place of those who left.
    fn welcome(&mut self, scenario: &Scenario) {
        let world = &mut *self.world.borrow_mut();
        self.clients.retain(|client| !client.is_gone());
        let is_burst = self.next_client == 0 || world.random.once_in(12);
        let wanted = if is_burst { world.random.between(1, scenario.clients) } else { 0 };
        for _ in 0..wanted {
            if self.clients.len() < scenario.clients && self.next_client < scenario.clients_in_all as u64 {
                self.clients.push(Client::new(world, &self.book, self.next_client));
                self.next_client += 1;
            }
        }
    }

    pub(crate) fn add_client(&mut self) {
        let world = &mut *self.world.borrow_mut();
        self.clients.push(Client::new(world, &self.book, self.next_client));
        self.next_client += 1;
    }

    pub(crate) fn round(&mut self, is_active: bool) -> Result<(), String> {
        self.pass_time(is_active);
        self.step_clients(is_active);
        let percent = if self.world.borrow().scenario.kind == Kind::Standstill { 40 } else { 6 };
        if is_active && self.world.borrow_mut().random.percent(percent) {
            self.emit_from_outside();
        }
        let mut cores: Vec<usize> = (0..self.cores.len()).collect();
        self.world.borrow_mut().random.shuffle(&mut cores);
        for core in cores {
            let percent = self.world.borrow().scenario.turn_percent;
            let has_turn = self.world.borrow_mut().random.percent(percent);
            let state = &mut self.cores[core];
            if is_active && state.still_rounds > 0 {
                state.still_rounds -= 1;
            } else if has_turn && !state.has_ended {
                self.turn(core)?;
            }
        }
        self.tell();
        self.judge()
    }

    fn turn(&mut self, core: usize) -> Result<(), String> {
        let now_ms = self.world.borrow().now_ms;
        self.world.borrow_mut().trace.note(now_ms, "turn", [core as u64, 0], b"");
        let goes_on =
            self.machine.turn(core, now_ms).map_err(|error| format!("core {core} failed: {error}"))?;
        self.machine.audit(core).map_err(|sums| format!("core {core}: {sums}"))?;
        self.world.borrow_mut().sweep();
        if self.machine.is_caught_up(core) {
            self.book.open().turned(core);
        }
        self.judge_cuts(core, now_ms);
        self.cores[core].turned_ms = now_ms;
        self.cores[core].has_ended = !goes_on;
        Ok(())
    }

    /// A client that was cut in a core's turn must have been so for a reason that is documented.
    fn judge_cuts(&mut self, core: usize, now_ms: u64) {
        let mut book = self.book.open();
        let world = self.world.borrow();
        let cuts = book.take_cuts();
        if cuts.is_empty() && world.scenario.kind != Kind::Standstill {
            return;
        }
        let standstills = self.machine.report(core).turns.standstills;
        let state = &mut self.cores[core];
        let stood_still = standstills > std::mem::replace(&mut state.standstills, standstills);
        if stood_still {
            book.excuse_newcomers(Excuse::Cut);
        }
        for cut in cuts {
            let client = self.clients.iter().find(|client| client.number() == cut.client);
            let subject = book.subject(cut.client);
            let context = Context {
                stood_still,
                backlog_bytes_max: world.scenario.backlog_bytes_max,
                burst_bytes_max: world.scenario.burst_bytes_max,
                has_memory_limit: world.scenario.memory_bytes_max.is_some(),
                has_hoarded: subject.excuses.contains(&Excuse::Hoarded),
                taken_ms: client.and_then(|client| client.taken_ms(&world)),
                turned_ms: state.turned_ms,
                now_ms,
            };
            subject.excuses.insert(Excuse::Cut);
            if let Err(fault) = cut.judge(&context) {
                book.fault(fault);
            }
        }
    }

    /// Little in calm: what has piled up must reach a client before its pong is overdue.
    fn pass_time(&self, is_active: bool) {
        let world = &mut *self.world.borrow_mut();
        let highest = if is_active { 100 } else { 70 };
        world.now_ms += match world.random.below(highest) {
            0..=59 => 0,
            60..=94 => world.random.between(1, 5) as u64,
            95..=98 => world.random.between(6, 50) as u64,
            _ => world.random.between(50, 500) as u64,
        };
    }

    pub(crate) fn step_clients(&mut self, is_active: bool) {
        let world = &mut *self.world.borrow_mut();
        let mut order: Vec<usize> = (0..self.clients.len()).collect();
        world.random.shuffle(&mut order);
        for index in order {
            if world.random.percent(60) {
                self.clients[index].step(world, is_active);
            }
        }
    }

    fn emit_from_outside(&mut self) {
        let world = &mut *self.world.borrow_mut();
        let (room, size) =
            (world.random.below(usize::from(world.scenario.rooms)) as u8, world.random.below(100));
        let to = if world.random.percent(30) { To::All } else { To::Room(room) };
        let size = if world.scenario.kind == Kind::Standstill { size * 10 } else { size };
        let emitter = self.machine.emitter();
        if world.scenario.kind == Kind::Standstill && world.random.percent(5) {
            self.book.open().order_to_leave(To::Room(room));
            return emitter.to(room_name(room)).disconnect_sockets(world.random.percent(50));
        }
        let seq = self.book.open().emit(OUTSIDE, to, None, What::Message, size);
        world.trace.note(world.now_ms, "emit", [u64::from(room), seq], b"");
        let args = (OUTSIDE, seq, text(seq, size));
        let sent = match to {
            To::All => emitter.of("/").try_emit("said", args),
            _ => emitter.to(room_name(room)).try_emit("said", args),
        };
        if sent.is_err() {
            self.posts_refused += 1;
            self.book.open().refuse(OUTSIDE, seq);
        }
    }

    /// Nobody begins anything: what is under way must end.
    pub(crate) fn calm_down(&mut self) -> Result<(), String> {
        for _ in 0..CALM_ROUNDS_MAX {
            if self.is_quiet() {
                return Ok(());
            }
            self.round(false)?;
        }
        let busy = self.clients.iter().find(|client| !client.is_quiet()).map(Client::describe);
        let cores: Vec<_> = (0..self.world.borrow().scenario.cores).map(|core| self.is_busy(core)).collect();
        let world = self.world.borrow();
        Err(format!(
            "no rest after {CALM_ROUNDS_MAX} rounds: busy cores {cores:?}, {}, {busy:?}",
            world.describe_busy()
        ))
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.clients.iter().all(Client::is_quiet)
            && self.world.borrow().is_quiet()
            && (0..self.world.borrow().scenario.cores).all(|core| !self.is_busy(core))
    }

    /// A core that would wake within the flush interval may have something that waits for it.
    fn is_busy(&self, core: usize) -> bool {
        let world = self.world.borrow();
        let interval = Duration::from_millis(world.scenario.flush_interval_ms);
        self.machine.timeout(core, world.now_ms).is_some_and(|timeout| timeout <= interval)
    }

    /// Time passes as it does for loops that sleep: no longer than until one of them is due. More would be a pause, after which nobody is cut.
    pub(crate) fn sleep(&self) {
        let world = &mut *self.world.borrow_mut();
        let due = (0..world.scenario.cores).filter_map(|core| self.machine.timeout(core, world.now_ms)).min();
        let most_ms = due.map_or(u64::MAX, |due| due.as_millis() as u64);
        world.now_ms += (world.random.between(100, 9_000) as u64).min(most_ms);
    }

    /// A pause of everything.
    fn jump(&self) {
        let world = &mut *self.world.borrow_mut();
        world.now_ms += world.random.pick(&JUMPS_MS) as u64;
        world.trace.note(world.now_ms, "jump", [0, 0], b"");
    }

    /// At rest, whoever is there has everything.
    fn check_those_who_stay(&self) -> Result<(), String> {
        let mut book = self.book.open();
        for client in &self.clients {
            let Some(number) = client.is_settled() else { continue };
            book.complete(number);
            let subject = book.subject(number);
            let (heard, said, is_online) = (subject.next_event, client.events(), subject.is_online());
            let fault = if !is_online {
                format!("client {number} does not know that its socket is gone")
            } else if book.should_be_gone(number) {
                format!("client {number} was ordered to leave, and is still there")
            } else if heard != said {
                format!("client {number} has sent {said} events, its handlers have heard {heard}")
            } else {
                continue;
            };
            book.fault(fault);
        }
        drop(book);
        self.judge()
    }

    /// One encode per emit, whatever the number of recipients; and not one that nobody asked for.
    fn check_encodes(&self) -> Result<(), String> {
        let reports = self.reports();
        let sum = |count: fn(&CoreReport) -> u64| reports.iter().map(count).sum::<u64>();
        let (emits, encodes) = (sum(|report| report.hub.emits), sum(|report| report.hub.encodes));
        let expected = self.book.open().encodes;
        // An emit to a client that has left meanwhile makes no encode.
        let is_known = self.world.borrow().scenario.kind != Kind::Acts;
        if is_known && (emits, encodes) != (expected, expected) {
            return Err(format!("{emits} emits and {encodes} encodes for {expected} calls"));
        }
        if sum(|report| report.turns.handler_panics) > 0 {
            return Err("a handler panicked".into());
        }
        let online = self.book.open().online();
        let sockets: usize = reports.iter().map(|report| report.gauges.sockets).sum();
        if online != sockets {
            return Err(format!("{sockets} sockets, but {online} clients are in the namespace"));
        }
        Ok(())
    }

    /// Everyone leaves, each in its way; then time passes until nothing can be left.
    fn send_home(&mut self) -> Result<(), String> {
        for index in 0..self.clients.len() {
            let world = &mut *self.world.borrow_mut();
            if self.clients[index].is_settled().is_some() {
                let departure = Departure::any(&mut world.random);
                self.clients[index].depart(world, departure);
            }
        }
        let end_ms = self.world.borrow().now_ms + AFTERLIFE_MS;
        while self.world.borrow().now_ms < end_ms {
            (0..5).try_for_each(|_| self.round(false))?;
            if self.is_quiet() {
                self.sleep();
            }
        }
        self.calm_down()
    }

    fn check_emptiness(&self) -> Result<(), String> {
        for report in self.reports() {
            if report.gauges != socketville_hub::Gauges::default() {
                return Err(format!("core {}: everyone is gone, but {:?}", report.core, report.gauges));
            }
        }
        let (open, online) = (self.world.borrow().open_at_server(), self.book.open().online());
        if (open, online) != (0, 0) {
            return Err(format!("everyone is gone, but {open} connections and {online} sockets are left"));
        }
        Ok(())
    }

    pub(crate) fn judge(&self) -> Result<(), String> {
        self.book.open().first_fault().map_or(Ok(()), |fault| Err(fault.to_owned()))
    }

    pub(crate) fn reports(&self) -> Vec<CoreReport> {
        (0..self.cores.len()).map(|core| self.machine.report(core)).collect()
    }

    fn tell(&self) {
        if self.telling == Telling::Everything {
            print!("{}", self.world.borrow_mut().trace.take_lines());
        }
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
