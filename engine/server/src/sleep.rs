//! Waiting in a task: futures that a core's clock completes.
//! The core says what time it is, once a turn, so that a simulated core can say anything. Only where a sleep begins the real clock is read, if
//! the core follows one: a turn may have lasted long by then, and a sleep must not end early.
//!
//! A core's timers are an ordered map from (deadline, number) to waker: the first entry is the next deadline, a dropped [`Sleep`]
//! removes its own. An insertion or a removal costs a few dozen nanoseconds at a hundred thousand sleeps, and nothing is left behind by
//! timeouts that were cancelled, which is most of them. Every entry is owned by a `Sleep`, so the map is bounded by the tasks' own memory.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socketville_sys::Clock;

/// Waits at least `duration`, counted from this call and rounded up to the core's next whole millisecond. The task goes on in the first turn after
/// that. Nothing, [`Duration::ZERO`], is over at once.
///
/// For tasks of async handlers. Dropping the [`Sleep`] cancels it at no cost; like its task it stays on its core.
///
/// ```no_run
/// use std::time::Duration;
///
/// async fn later() {
///     socketville::sleep(Duration::from_secs(5)).await;
/// }
/// # let _ = later();
/// ```
///
/// # Panics
/// Outside the handlers and tasks of a core, on a thread that has no timers.
pub fn sleep(duration: Duration) -> Sleep {
    let Some(timers) = CURRENT.with_borrow(Clone::clone) else {
        panic!("sleep() works in handlers and their tasks only: this thread is not a core's")
    };
    timers.sleep(duration)
}

/// The future of [`sleep`].
#[must_use = "a sleep waits only when it is awaited"]
pub struct Sleep {
    timers: Rc<Timers>,
    key: Key,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.timers.now_ms.get() >= self.key.deadline_ms {
            return Poll::Ready(());
        }
        self.timers.register(self.key, cx.waker());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // The waker is dropped outside the borrow.
        let _waker = self.timers.wakers.borrow_mut().remove(&self.key);
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sleep(until {} ms)", self.key.deadline_ms)
    }
}

/// Lets the core's turn go on: what was emitted leaves, what came is read, then the task continues.
///
/// ```no_run
/// async fn many(socket: socketville::Socket) {
///     for number in 0..1000 {
///         socket.emit("tick", number);
///         if number % 16 == 15 {
///             socketville::yield_now().await;
///         }
///     }
/// }
/// # let _ = many;
/// ```
pub async fn yield_now() {
    let mut has_yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The sleeps of one core. Time is in milliseconds since any fixed moment.
#[derive(Default)]
pub(crate) struct Timers {
    now_ms: Cell<u64>,
    /// What sleeps begin by; without, that is the turn's time.
    clock: Cell<Option<Clock>>,
    sleeps_made: Cell<u64>,
    wakers: RefCell<BTreeMap<Key, Waker>>,
}

impl Timers {
    /// Timers at a given time.
    pub(crate) fn new(now_ms: u64) -> Rc<Self> {
        Rc::new(Self { now_ms: Cell::new(now_ms), ..Self::default() })
    }

    /// Moves the clock, never backwards, and wakes what is due, in the order of deadlines; gives the number of wakes.
    pub(crate) fn advance(&self, now_ms: u64) -> usize {
        self.now_ms.set(self.now_ms.get().max(now_ms));
        let mut wakes = 0;
        while let Some(waker) = self.pop_due() {
            waker.wake();
            wakes += 1;
        }
        wakes
    }

    /// When [`advance`](Self::advance) has something to do next.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.wakers.borrow().first_key_value().map(|(key, _)| key.deadline_ms)
    }

    /// A sleep on these timers.
    pub(crate) fn sleep(self: Rc<Self>, duration: Duration) -> Sleep {
        let number = self.sleeps_made.get();
        self.sleeps_made.set(number + 1);
        let deadline_ms = if duration.is_zero() { 0 } else { self.deadline_ms(duration) };
        Sleep { timers: self, key: Key { deadline_ms, number } }
    }

    /// The first millisecond that is not before `duration` is over.
    pub(crate) fn deadline_ms(&self, duration: Duration) -> u64 {
        whole_ms(self.moment().saturating_add(duration))
    }

    /// From now on sleeps begin by this clock, of which `advance` gets whole milliseconds.
    pub(crate) fn follow(&self, clock: Clock) {
        self.clock.set(Some(clock));
    }

    /// Now, as exactly as it is known.
    fn moment(&self) -> Duration {
        self.clock.get().map_or(Duration::from_millis(self.now_ms.get()), |clock| clock.elapsed())
    }

    fn register(&self, key: Key, waker: &Waker) {
        let mut wakers = self.wakers.borrow_mut();
        if wakers.get(&key).is_some_and(|known| known.will_wake(waker)) {
            return;
        }
        let replaced = wakers.insert(key, waker.clone());
        drop(wakers);
        drop(replaced);
    }

    fn pop_due(&self) -> Option<Waker> {
        let mut wakers = self.wakers.borrow_mut();
        let first = wakers.first_entry()?;
        (first.key().deadline_ms <= self.now_ms.get()).then(|| first.remove())
    }
}

/// Makes `timers` those that [`sleep`] uses on this thread until the guard is dropped; guards nest.
pub(crate) fn enter(timers: &Rc<Timers>) -> Entered {
    Entered { outer: CURRENT.replace(Some(Rc::clone(timers))) }
}

/// The time in which a core's handlers and tasks run.
#[must_use = "the timers are left when this is dropped"]
pub(crate) struct Entered {
    outer: Option<Rc<Timers>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let _timers = CURRENT.replace(self.outer.take());
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Timers>>> = const { RefCell::new(None) };
}

/// Sleeps by deadline; those of one deadline in the order in which they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    deadline_ms: u64,
    number: u64,
}

/// Rounds up: a sleep is never shorter than it was asked to be.
fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::executor::Executor;

    const MS: Duration = Duration::from_millis(1);

    fn core() -> (Executor, Rc<Timers>) {
        (Executor::new(200_000, Arc::new(|| {})), Timers::new(1_000))
    }

    #[test]
    fn sleeps_end_in_the_order_of_their_deadlines() {
        let (executor, timers) = core();
        let log = Rc::new(RefCell::new(Vec::new()));
        let _entered = enter(&timers);
        for ms in [30, 10, 20, 10] {
            let log = Rc::clone(&log);
            let task = async move { (sleep(ms * MS).await, log.borrow_mut().push(ms)).1 };
            executor.spawn(task).unwrap();
        }
        executor.run_woken(10);
        assert_eq!(timers.next_deadline(), Some(1_010));
        assert_eq!(timers.advance(1_009), 0);
        assert_eq!(timers.advance(1_010), 2);
        assert_eq!(executor.run_woken(10), 2);
        assert_eq!(timers.advance(900), 0, "never backwards");
        timers.advance(5_000);
        executor.run_woken(10);
        assert_eq!(*log.borrow(), [10, 10, 20, 30]);
        assert_eq!((timers.next_deadline(), executor.len()), (None, 0));
    }

    #[test]
    fn durations_round_up_and_saturate() {
        assert_eq!(whole_ms(Duration::ZERO), 0);
        assert_eq!(whole_ms(Duration::from_nanos(1)), 1);
        assert_eq!(whole_ms(Duration::from_micros(1_001)), 2);
        assert_eq!(whole_ms(Duration::MAX), u64::MAX);
        let timers = Timers::new(7);
        assert_eq!(Rc::clone(&timers).sleep(Duration::MAX).key.deadline_ms, u64::MAX);
    }

    /// A core that follows a clock: a turn may have lasted long when a sleep begins.
    #[test]
    fn a_sleep_begins_when_it_is_asked_for_and_not_with_the_turn() {
        let (timers, clock) = (Timers::new(0), Clock::new());
        timers.follow(clock);
        while clock.now_ms() < 3 {}
        let before_ms = clock.now_ms();
        let deadline_ms = Rc::clone(&timers).sleep(MS).key.deadline_ms;
        assert!(
            deadline_ms > before_ms + 1,
            "{deadline_ms} after {before_ms}: a started millisecond counts whole"
        );
    }

    #[test]
    fn a_sleep_of_nothing_is_over() {
        let (executor, timers) = core();
        let _entered = enter(&timers);
        executor.spawn(async { sleep(Duration::ZERO).await }).unwrap();
        executor.run_woken(1);
        assert_eq!((executor.len(), timers.next_deadline()), (0, None));
    }

    #[test]
    fn dropped_sleeps_leave_nothing() {
        let (executor, timers) = core();
        let _entered = enter(&timers);
        for ms in 0..100_000u32 {
            executor.spawn(async move { sleep((ms + 1) * MS).await }).unwrap();
        }
        executor.run_woken(usize::MAX);
        assert_eq!(timers.wakers.borrow().len(), 100_000);
        executor.close();
        assert_eq!(timers.next_deadline(), None);
        assert_eq!(timers.advance(u64::MAX), 0);
    }

    #[test]
    fn a_sleep_that_moves_to_another_task_wakes_the_new_one() {
        let (executor, timers) = core();
        let mut sleep = Box::pin(Rc::clone(&timers).sleep(MS));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        executor.spawn(sleep).unwrap();
        executor.run_woken(1);
        assert_eq!(timers.advance(1_001), 1);
        assert_eq!(executor.run_woken(1), 1);
        assert_eq!(executor.len(), 0);
    }

    #[test]
    fn guards_nest() {
        let (outer, inner) = (Timers::new(10), Timers::new(20));
        let _entered = enter(&outer);
        {
            let _entered = enter(&inner);
            assert_eq!(sleep(MS).key.deadline_ms, 21);
        }
        assert_eq!(sleep(MS).key.deadline_ms, 11);
    }

    #[test]
    #[should_panic(expected = "not a core's")]
    fn there_is_no_sleep_outside_a_core() {
        drop(sleep(MS));
    }
}
