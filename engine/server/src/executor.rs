//! The local executor of one core: the tasks that async handlers become, polled in the core's turn.
//! It is deliberately not a runtime: no reactor, no timers (see `sleep`), no threads; a task never leaves its core and need not be `Send`.
//!
//! ```text
//!            spawn                 wake (any thread)              run_woken
//!   Free ───────────▶ Idle, queued ◀───────────── Idle ◀─────────────────────┐
//!    ▲                    │ popped                                           │ Pending
//!    │                    ▼                                                  │
//!    └── Ready, panic ── Polled ─────────────────────────────────────────────┘
//! ```
//!
//! A waker pushes its task's id to a lock-free queue unless it is queued already, then rings the core's bell. So a task is in the queue at most
//! once and the queue is never longer than the table of tasks. An id carries its slot's generation: a stale wake is legal and touches
//! nothing. Cost of a wake and its poll: two atomic swaps, one push, one pop. A spawn allocates the future; its waker is that of the
//! slot's former task if nobody holds it any more.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crossbeam_queue::SegQueue;

use crate::calls::drop_panic;

/// A future that runs on one core.
type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;

/// Wakes the core if it sleeps; called from any thread.
pub(crate) type Bell = Arc<dyn Fn() + Send + Sync>;

/// Names one task for ever: its slot, and which of the slot's tasks it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TaskId {
    slot: u32,
    generation: u32,
}

/// The core has as many tasks as it may have; the future was dropped unpolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full {
    /// The limit, in tasks.
    pub(crate) tasks_max: usize,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected at most {} tasks on a core, found one more", self.tasks_max)
    }
}

impl std::error::Error for Full {}

/// The tasks of one core.
pub(crate) struct Executor {
    tasks: RefCell<Tasks>,
    woken: Arc<Woken>,
    panics: RefCell<Vec<(TaskId, String)>>,
    is_running: Cell<bool>,
}

impl Executor {
    /// An executor of at most `tasks_max` spawned tasks at a time. `bell` is rung by every wake that queues a task.
    pub(crate) fn new(tasks_max: usize, bell: Bell) -> Self {
        assert!(u32::try_from(tasks_max).is_ok(), "slots are counted in 32 bits");
        Self {
            tasks: RefCell::new(Tasks { slots: Vec::new(), free: Vec::new(), tasks_max, spawned: 0 }),
            woken: Arc::new(Woken { queue: SegQueue::new(), bell }),
            panics: RefCell::new(Vec::new()),
            is_running: Cell::new(false),
        }
    }

    /// Adds a task; its first poll is in the next [`run_woken`](Self::run_woken), or in the current one. The bell is not rung: the caller is
    /// the core.
    ///
    /// # Errors
    /// [`Full`] at the limit.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Result<TaskId, Full> {
        let id = self.insert(Box::pin(future), Origin::Spawned)?;
        self.woken.queue.push(id);
        Ok(id)
    }

    /// Adds a task and polls it once at once, so that what it does before its first wait happens in the caller's order. There is no limit: whoever brings
    /// it has a share, and is not heard past that (see `shares`).
    ///
    /// # Errors
    /// [`Full`] once the executor is closed.
    pub(crate) fn start(&self, future: impl Future<Output = ()> + 'static) -> Result<TaskId, Full> {
        let id = self.insert(Box::pin(future), Origin::Started)?;
        self.run_task(id);
        Ok(id)
    }

    fn insert(&self, future: LocalFuture, origin: Origin) -> Result<TaskId, Full> {
        let inserted = self.tasks.borrow_mut().insert(future, origin, &self.woken);
        inserted.map_err(|(full, future)| {
            self.drop_future(NOBODY, future);
            full
        })
    }

    /// Wakes that wait for a poll; the budget of a turn that leaves to the next one what is woken meanwhile.
    pub(crate) fn queued(&self) -> usize {
        self.woken.queue.len()
    }

    /// Polls tasks in the order of their wakes, at most `budget` polls, and gives the number of polls. What is woken meanwhile is
    /// included. Called from inside a task it does nothing.
    pub(crate) fn run_woken(&self, budget: usize) -> usize {
        if self.is_running.replace(true) {
            return 0;
        }
        let mut polls = 0;
        while polls < budget
            && let Some(id) = self.woken.queue.pop()
        {
            polls += usize::from(self.run_task(id));
        }
        self.is_running.set(false);
        polls
    }

    /// Drops all tasks and takes no more: the core ends. Not to be called from inside a task.
    pub(crate) fn close(&self) {
        debug_assert!(!self.is_running.get(), "a task cannot end its core");
        self.tasks.borrow_mut().tasks_max = 0;
        for slot in 0.. {
            let taken = self.tasks.borrow_mut().take_slot(slot);
            match taken {
                Some(Some((id, future))) => self.drop_future(id, future),
                Some(None) => {}
                None => return,
            }
        }
    }

    /// Takes what panicked since the last call, with the panic's message. Such a task is gone.
    pub(crate) fn take_panics(&self) -> Vec<(TaskId, String)> {
        self.panics.take()
    }

    /// Whether a task waits to be polled: then the core must not sleep.
    pub(crate) fn has_woken(&self) -> bool {
        !self.woken.queue.is_empty()
    }

    /// Tasks that have not ended.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// Polls one task; `false` if the wake was stale.
    fn run_task(&self, id: TaskId) -> bool {
        let taken = self.tasks.borrow_mut().take(id);
        let Some((mut future, waker)) = taken else { return false };
        let waker = Waker::from(waker);
        let polled =
            catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
        drop(waker);
        let panicked = match polled {
            Ok(Poll::Pending) => {
                self.tasks.borrow_mut().put_back(id, future);
                return true;
            }
            Ok(Poll::Ready(())) => None,
            Err(panic) => Some(read_panic(panic)),
        };
        self.panics.borrow_mut().extend(panicked.map(|message| (id, message)));
        self.tasks.borrow_mut().free(id);
        self.drop_future(id, future);
        true
    }

    /// Drops a future outside every borrow: what it owns may spawn, wake or panic.
    fn drop_future(&self, id: TaskId, future: LocalFuture) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(future))) {
            let message = read_panic(panic);
            self.panics.borrow_mut().push((id, message));
        }
    }
}

/// The slots of a core's tasks.
struct Tasks {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Of those that were spawned; with 0 there are none at all.
    tasks_max: usize,
    spawned: usize,
}

/// Who wants a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The application, of its own accord: up to a limit.
    Spawned,
    /// Something that came from outside, and is bounded there.
    Started,
}

struct Slot {
    origin: Origin,
    waker: Arc<TaskWaker>,
    state: State,
}

enum State {
    Free,
    Idle(LocalFuture),
    /// Its future is on the stack of [`Executor::run_task`].
    Polled,
}

impl Tasks {
    /// Gives the future back if there is no room: it is dropped outside.
    fn insert(
        &mut self,
        future: LocalFuture,
        origin: Origin,
        woken: &Arc<Woken>,
    ) -> Result<TaskId, (Full, LocalFuture)> {
        let tasks_max = self.tasks_max;
        if tasks_max == 0 || (origin == Origin::Spawned && self.spawned >= tasks_max) {
            return Err((Full { tasks_max }, future));
        }
        if let Some(slot) = self.free.pop() {
            self.spawned += usize::from(origin == Origin::Spawned);
            return Ok(self.reuse(slot, origin, future));
        }
        let Ok(slot) = u32::try_from(self.slots.len()) else { return Err((Full { tasks_max }, future)) };
        let id = TaskId { slot, generation: 0 };
        self.spawned += usize::from(origin == Origin::Spawned);
        self.slots.push(Slot {
            origin,
            waker: TaskWaker::queued(id, Arc::clone(woken)),
            state: State::Idle(future),
        });
        Ok(id)
    }

    fn reuse(&mut self, slot: u32, origin: Origin, future: LocalFuture) -> TaskId {
        let slot = &mut self.slots[slot as usize];
        slot.origin = origin;
        debug_assert!(matches!(slot.state, State::Free), "a free slot is free");
        let id = TaskId { generation: slot.waker.id.generation.wrapping_add(1), ..slot.waker.id };
        match Arc::get_mut(&mut slot.waker) {
            Some(waker) => waker.id = id,
            None => slot.waker = TaskWaker::queued(id, Arc::clone(&slot.waker.woken)),
        }
        slot.state = State::Idle(future);
        id
    }

    /// The future and waker of a task that is to be polled; its wakes count again from here.
    fn take(&mut self, id: TaskId) -> Option<(LocalFuture, Arc<TaskWaker>)> {
        let slot = self.slot(id)?;
        let State::Idle(future) = std::mem::replace(&mut slot.state, State::Polled) else {
            unreachable!("only idle tasks are queued: a poll ends before the next begins")
        };
        slot.waker.is_queued.swap(false, Ordering::AcqRel);
        Some((future, Arc::clone(&slot.waker)))
    }

    /// After a poll that was pending.
    fn put_back(&mut self, id: TaskId, future: LocalFuture) {
        if let Some(slot) = self.slot(id) {
            slot.state = State::Idle(future);
        }
    }

    /// The task of a slot, if it has one that waits, for the caller to drop; `None` past the last slot.
    fn take_slot(&mut self, slot: usize) -> Option<Option<(TaskId, LocalFuture)>> {
        let slot = self.slots.get_mut(slot)?;
        let id = slot.waker.id;
        match std::mem::replace(&mut slot.state, State::Polled) {
            State::Idle(future) => {
                self.free(id);
                Some(Some((id, future)))
            }
            other => {
                slot.state = other;
                Some(None)
            }
        }
    }

    fn free(&mut self, id: TaskId) {
        let Some(slot) = self.slot(id) else { return };
        slot.state = State::Free;
        let was_spawned = slot.origin == Origin::Spawned;
        // From now on its wakers find it queued and stay silent.
        slot.waker.is_queued.store(true, Ordering::Release);
        self.free.push(id.slot);
        self.spawned -= usize::from(was_spawned);
    }

    fn slot(&mut self, id: TaskId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        (slot.waker.id == id && !matches!(slot.state, State::Free)).then_some(slot)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

/// What wakers of any thread share with the core.
struct Woken {
    queue: SegQueue<TaskId>,
    bell: Bell,
}

struct TaskWaker {
    id: TaskId,
    is_queued: AtomicBool,
    woken: Arc<Woken>,
}

impl TaskWaker {
    /// The waker of a task that is in the queue already, as a new one is.
    fn queued(id: TaskId, woken: Arc<Woken>) -> Arc<Self> {
        Arc::new(Self { id, is_queued: AtomicBool::new(true), woken })
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            self.woken.queue.push(self.id);
            (self.woken.bell)();
        }
    }
}

/// The text of a panic, if it has one; what it brought is dropped.
fn read_panic(panic: Box<dyn Any + Send>) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("a panic without a message").to_owned();
    drop_panic(panic);
    text
}

/// Stands for a task that never was.
const NOBODY: TaskId = TaskId { slot: u32::MAX, generation: 0 };

#[cfg(test)]
#[path = "executor_tests.rs"]
mod tests;
