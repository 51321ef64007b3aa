//! The ends of a server's threads, for the thread that waits for all of them: how many have ended, and since when they should.
//!
//! Not the ends themselves: a thread cannot be ended from outside, so a handler that blocks its core is waited for, and named.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) struct Endings {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Threads that have not ended.
    running: usize,
    /// When the server began to stop.
    stopping: Option<Instant>,
}

/// The end of a thread, however it comes.
pub(crate) struct End<'a>(pub(crate) &'a Endings);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.changed.notify_all();
    }
}

impl Endings {
    pub(crate) fn new(threads: usize) -> Self {
        Self { state: Mutex::new(State { running: threads, stopping: None }), changed: Condvar::new() }
    }

    /// The server stops; said again, it changes nothing.
    pub(crate) fn begin(&self) {
        self.lock().stopping.get_or_insert_with(Instant::now);
        self.changed.notify_all();
    }

    /// Waits until all threads have ended; calls `tell` once if some have not so long after the server began to stop.
    pub(crate) fn wait(&self, patience: Duration, tell: impl FnOnce()) {
        let mut tell = Some(tell);
        let mut state = self.lock();
        while state.running > 0 {
            let left = state.stopping.map(|since| patience.saturating_sub(since.elapsed()));
            state = match left.filter(|_| tell.is_some()) {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    drop(state);
                    tell.take().into_iter().for_each(|tell| tell());
                    self.lock()
                }
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    /// Guard of what must not come.
    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn threads_that_end_are_waited_for_in_silence() {
        let endings = Endings::new(3);
        thread::scope(|scope| {
            (0..3).for_each(|_| _ = scope.spawn(|| drop(End(&endings))));
            endings.wait(Duration::ZERO, || panic!("the server does not stop"));
        });
        endings.begin();
        endings.wait(Duration::ZERO, || panic!("all have ended"));
    }

    #[test]
    fn who_does_not_end_is_told_of_once_and_waited_for() {
        let endings = Endings::new(1);
        let (end, asked) = channel();
        thread::scope(|scope| {
            let endings = &endings;
            scope.spawn(move || {
                let _end = End(endings);
                let _told: Result<(), _> = asked.recv();
            });
            endings.begin();
            endings.begin();
            endings.wait(Duration::ZERO, || end.send(()).expect("it waits"));
        });
        assert_eq!(endings.lock().running, 0);
    }

    #[test]
    fn a_panic_is_an_end() {
        let endings = Endings::new(1);
        endings.begin();
        let panicked = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let _end = End(&endings);
                panic!("as a core's thread might");
            });
            endings.wait(LONG, || panic!("it has ended"));
            thread.join()
        });
        assert!(panicked.is_err());
    }
}
