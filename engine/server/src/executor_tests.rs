//! What the executor promises, with wakers from this thread and from others.

use std::future::{pending, poll_fn, ready};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

use super::*;

fn executor(tasks_max: usize) -> Rc<Executor> {
    Rc::new(Executor::new(tasks_max, Arc::new(|| {})))
}

/// Pending once, woken at once.
fn yield_now() -> impl Future<Output = ()> {
    let mut is_second = false;
    poll_fn(move |cx| {
        if std::mem::replace(&mut is_second, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Pending for ever; its waker goes to the given place.
fn park(place: &Rc<RefCell<Vec<Waker>>>) -> impl Future<Output = ()> + use<> {
    let place = Rc::clone(place);
    poll_fn(move |cx| {
        place.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    })
}

#[test]
fn tasks_run_in_the_order_of_their_wakes_within_the_budget() {
    let executor = executor(10);
    let log = Rc::new(RefCell::new(Vec::new()));
    for name in 0..3 {
        let log = Rc::clone(&log);
        executor
            .spawn(async move {
                log.borrow_mut().push(name);
                yield_now().await;
                log.borrow_mut().push(name + 10);
            })
            .unwrap();
    }
    assert_eq!(executor.run_woken(2), 2);
    assert!(executor.has_woken());
    assert_eq!(executor.run_woken(100), 4);
    assert_eq!(*log.borrow(), [0, 1, 2, 10, 11, 12]);
    assert!(!executor.has_woken());
    assert_eq!(executor.len(), 0);
}

#[test]
fn a_task_that_always_wakes_itself_ends_with_the_budget() {
    let executor = executor(1);
    executor
        .spawn(async {
            std::future::poll_fn::<(), _>(|cx| (cx.waker().wake_by_ref(), Poll::Pending).1).await
        })
        .unwrap();
    assert_eq!(executor.run_woken(50), 50);
    assert_eq!(executor.woken.queue.len(), 1);
}

#[test]
fn a_task_is_queued_once_however_often_it_is_woken() {
    let bells = Arc::new(AtomicUsize::new(0));
    let rung = Arc::clone(&bells);
    let executor = Executor::new(4, Arc::new(move || _ = rung.fetch_add(1, Ordering::SeqCst)));
    let wakers = Rc::default();
    executor.spawn(park(&wakers)).unwrap();
    executor.run_woken(10);
    let waker = wakers.borrow_mut().pop().unwrap();
    for _ in 0..5 {
        waker.wake_by_ref();
    }
    assert_eq!(bells.load(Ordering::SeqCst), 1);
    assert_eq!(executor.run_woken(10), 1);
}

#[test]
fn tasks_spawn_while_polled() {
    let executor = executor(10);
    let inner = Rc::clone(&executor);
    let log = Rc::new(Cell::new(0));
    let seen = Rc::clone(&log);
    executor
        .spawn(async move {
            assert_eq!(inner.run_woken(10), 0, "not from inside a task");
            inner.spawn(async move { seen.set(seen.get() + 1) }).unwrap();
        })
        .unwrap();
    assert_eq!(executor.run_woken(10), 2);
    assert_eq!((log.get(), executor.len()), (1, 0));
}

#[test]
fn a_closed_executor_has_dropped_its_tasks_and_takes_no_more() {
    let executor = executor(10);
    let held = Rc::new(());
    let wakers = Rc::default();
    for _ in 0..3 {
        let (guard, parked) = (Rc::clone(&held), park(&wakers));
        executor.spawn(async move { (parked.await, drop(guard)).0 }).unwrap();
    }
    executor.spawn(ready(())).unwrap();
    executor.run_woken(10);
    executor.close();
    assert_eq!((Rc::strong_count(&held), executor.len()), (1, 0));
    wakers.borrow().iter().for_each(Waker::wake_by_ref);
    assert!(!executor.has_woken(), "a stale wake is legal");
    assert_eq!(executor.spawn(ready(())), Err(Full { tasks_max: 0 }));
}

#[test]
fn stale_wakes_touch_nothing() {
    let executor = executor(1);
    let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let (place, mut is_second) = (Rc::clone(&wakers), false);
    let twice = poll_fn(move |cx| {
        place.borrow_mut().push(cx.waker().clone());
        if std::mem::replace(&mut is_second, true) { Poll::Ready(()) } else { Poll::Pending }
    });
    let first = executor.spawn(twice).unwrap();
    executor.run_woken(10);
    wakers.borrow().iter().for_each(Waker::wake_by_ref);
    executor.run_woken(10);
    let stale = wakers.take();
    let second = executor.spawn(park(&wakers)).unwrap();
    assert_ne!(first, second);
    assert_eq!(executor.run_woken(10), 1);
    stale.iter().for_each(Waker::wake_by_ref);
    assert_eq!((executor.run_woken(10), executor.len()), (0, 1), "the stale id is skipped");
}

#[test]
fn full_is_an_outcome() {
    let executor = executor(2);
    executor.spawn(yield_now()).unwrap();
    executor.spawn(pending()).unwrap();
    assert_eq!(executor.spawn(pending()), Err(Full { tasks_max: 2 }));
    executor.run_woken(10);
    executor.spawn(ready(())).unwrap();
    assert_eq!(executor.run_woken(10), 1);
}

#[test]
fn a_panic_ends_its_task_alone() {
    struct PanicsWhenDropped;
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let executor = executor(10);
    let first = executor.spawn(async { panic!("number {}", 1) }).unwrap();
    let second = executor.spawn(async { std::panic::panic_any(2u8) }).unwrap();
    let guard = PanicsWhenDropped;
    let third = executor
        .spawn(async move {
            pending::<()>().await;
            drop(guard)
        })
        .unwrap();
    executor.spawn(ready(())).unwrap();
    assert_eq!(executor.run_woken(10), 4);
    executor.close();
    let panics = executor.take_panics();
    assert_eq!(panics[0], (first, "number 1".into()));
    assert_eq!(panics[1], (second, "a panic without a message".into()));
    assert_eq!(panics[2], (third, "in drop".into()));
    assert_eq!((executor.len(), executor.take_panics().len()), (0, 0));
}

#[test]
fn a_hundred_thousand_tasks_in_few_slots() {
    let executor = executor(64);
    let done = Rc::new(Cell::new(0));
    for _ in 0..100_000 / 50 {
        for _ in 0..50 {
            let done = Rc::clone(&done);
            executor
                .spawn(async move {
                    yield_now().await;
                    done.set(done.get() + 1)
                })
                .unwrap();
        }
        executor.run_woken(usize::MAX);
    }
    assert_eq!(done.get(), 100_000);
    assert_eq!(executor.tasks.borrow().slots.len(), 50);
}

/// Wakes race with polls: every value that a thread made known before its wake is seen by a poll after it.
#[test]
fn wakes_of_other_threads_are_never_lost() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 2_000;
    let (bell, rung) = mpsc::channel();
    let bell = Mutex::new(bell);
    let executor = Executor::new(THREADS, Arc::new(move || _ = bell.lock().unwrap().send(())));
    let counters: Vec<_> =
        (0..THREADS).map(|_| Arc::new((AtomicUsize::new(0), Mutex::new(None::<Waker>)))).collect();
    for shared in &counters {
        let shared = Arc::clone(shared);
        let wait = poll_fn(move |cx| {
            *shared.1.lock().unwrap() = Some(cx.waker().clone());
            if shared.0.load(Ordering::Relaxed) == ROUNDS { Poll::Ready(()) } else { Poll::Pending }
        });
        executor.spawn(wait).unwrap();
    }
    executor.run_woken(THREADS);
    std::thread::scope(|scope| {
        for shared in &counters {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    shared.0.fetch_add(1, Ordering::Relaxed);
                    let waker = shared.1.lock().unwrap().clone();
                    waker.unwrap().wake();
                }
            });
        }
        while executor.len() > 0 {
            rung.recv_timeout(std::time::Duration::from_secs(10)).expect("a wake was lost");
            while executor.has_woken() {
                executor.run_woken(16);
            }
        }
    });
    assert!(executor.take_panics().is_empty());
}

/// The bug: a refused future was dropped while the tasks were borrowed.
#[test]
fn a_refused_task_is_dropped_outside_every_borrow() {
    struct Spawns(Rc<Executor>, Rc<Cell<usize>>);

    impl Drop for Spawns {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            assert!(self.0.spawn(ready(())).is_err(), "there is no room for this one either");
            panic!("and it panics");
        }
    }

    let (executor, drops) = (executor(0), Rc::new(Cell::new(0)));
    for times in 1..=2 {
        let guard = Spawns(Rc::clone(&executor), Rc::clone(&drops));
        let refused = match times {
            1 => executor.spawn(async move { drop(guard) }),
            _ => executor.start(async move { drop(guard) }),
        };
        assert_eq!((refused, drops.get()), (Err(Full { tasks_max: 0 }), times));
    }
    assert_eq!(executor.take_panics().len(), 2);
}
