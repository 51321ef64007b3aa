//! The door between the engine and its application: every function of the application is called here, and every value of it that the engine
//! keeps is dropped here.
//!
//! Not the application's types: those stand where they are used. Two rules make a fault of the application cost only what it was about. Nothing
//! of the engine is borrowed while its code runs, so it may call anything; and a panic, also one of a `Drop`, ends at this door. A value is
//! dropped *between* borrows, wherever the engine lets go of it: a [`Keep`] gives what it holds to its core, which drops it at its next step.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::core::Core;
use crate::data::Data;
use crate::rarely::rarely;

/// A function of the application panicked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Panicked;

/// Runs code of the application; what it panicked with is dropped, be that a trap of its own.
#[inline]
pub(crate) fn run<R>(call: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        drop_panic(panic);
        Panicked
    })
}

/// Drops what something panicked with. If that panics in turn, what comes of it is left alone.
#[cold]
pub(crate) fn drop_panic(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}

/// A value of the application's that the engine keeps.
#[derive(Clone)]
pub(crate) struct Keep(Option<Arc<dyn Data>>);

impl Keep {
    pub(crate) fn new(data: Arc<dyn Data>) -> Self {
        Self(Some(data))
    }

    /// The value, for the application.
    pub(crate) fn to_data(&self) -> Option<Arc<dyn Data>> {
        self.0.clone()
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        let Some(data) = self.0.take() else { return };
        match Core::current() {
            Some(core) => core.dropped.push(data),
            None => _ = run(|| drop(data)),
        }
    }
}

/// Values that the engine has let go of, and that are dropped at the core's next step.
#[derive(Default)]
pub(crate) struct Dropped(RefCell<Vec<Arc<dyn Data>>>);

impl Dropped {
    fn push(&self, data: Arc<dyn Data>) {
        self.0.borrow_mut().push(data);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

impl Core {
    /// Calls a function of the application: nothing of the engine may be borrowed. A panic is counted and logged under this name.
    #[inline]
    pub(crate) fn call_out<R>(&self, what: &'static str, call: impl FnOnce() -> R) -> Result<R, Panicked> {
        debug_assert!(!self.is_borrowed(), "{what}: the application is called while the hub is borrowed");
        run(call).inspect_err(|_| self.note_panic(what))
    }

    #[cold]
    fn note_panic(&self, what: &'static str) {
        self.counters.borrow_mut().handler_panics += 1;
        rarely!(error, "{what} panicked");
    }

    /// Drops what the engine has let go of since the last time. What those drops let go of is dropped the next time.
    #[inline]
    pub(crate) fn drop_values(&self) {
        if !self.dropped.is_empty() {
            self.drop_all_values();
        }
    }

    #[cold]
    fn drop_all_values(&self) {
        let values = self.dropped.0.take();
        for data in values {
            let _ = self.call_out("dropping a value that was kept with a socket", || drop(data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Trap;

    impl Drop for Trap {
        fn drop(&mut self) {
            std::panic::panic_any(Trap);
        }
    }

    #[test]
    fn a_panic_whose_value_panics_when_it_is_dropped_ends_here() {
        assert_eq!(run(|| std::panic::panic_any(Trap)), Err::<(), _>(Panicked));
        assert_eq!(run(|| 1), Ok(1));
    }
}
