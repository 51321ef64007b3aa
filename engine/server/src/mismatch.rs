//! Events whose arguments are not what their handler takes: the application is told, or a person who reads the log.
//!
//! Not an error of the server, and not the end of the client: the reference's handlers would have been called with whatever came.

use std::cell::Cell;
use std::rc::Rc;

use crate::builder::Namespace;
use crate::core::Core;
use crate::extract::ArgumentError;
use crate::limits::MISMATCH_LOG_MS;
use crate::socket::Socket;

/// Sees an event that its handler could not be called with: socket, event, and what does not fit.
pub(crate) type BoxedMismatch = Box<dyn Fn(&Socket, &str, &ArgumentError) + Send + Sync>;

impl Namespace<'_> {
    /// Calls the function when a handler could not be called, for its arguments are not what came: the socket, the event (`connection` for
    /// [`Namespace::on_connect`]), and which argument was expected to be what. The client stays; an acknowledgement that it waits for does not come,
    /// unless the function has it told. Without such a function a warning is logged, one in ten seconds for each core, without what came.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder().of("/").on("add", |_a: i64, _b: i64| {}).on_mismatch(|socket, event, error| {
    ///     socket.emit("misunderstood", (event, error.to_string()));
    /// });
    /// ```
    pub fn on_mismatch(self, see: impl Fn(&Socket, &str, &ArgumentError) + Send + Sync + 'static) -> Self {
        self.with(|namespace| namespace.on_mismatch.push(Box::new(see)))
    }
}

/// When the log was told last, and how much it was not told since.
#[derive(Default)]
pub(crate) struct Told {
    at_ms: Cell<Option<u64>>,
    untold: Cell<u64>,
}

impl Told {
    /// How many were not told since the last time, if it is time to tell.
    fn count(&self, now_ms: u64) -> Option<u64> {
        if self.at_ms.get().is_some_and(|at_ms| now_ms < at_ms + MISMATCH_LOG_MS) {
            self.untold.set(self.untold.get() + 1);
            return None;
        }
        self.at_ms.set(Some(now_ms));
        Some(self.untold.take())
    }
}

impl Core {
    /// A handler could not be called.
    #[cold]
    pub(crate) fn tell_mismatch(self: &Rc<Self>, socket: &Socket, event: &str, error: &ArgumentError) {
        self.counters.borrow_mut().arguments_refused += 1;
        let watchers = self.namespace(socket.nsp_id()).map_or(&[][..], |namespace| &namespace.on_mismatch);
        for see in watchers {
            if self.call_out("a watcher of mismatches", || see(socket, event, error)).is_err() {
                return self.close_after_panic(socket);
            }
        }
        if watchers.is_empty()
            && let Some(untold) = self.mismatches.count(self.now_ms.get())
        {
            let (index, expected) = (error.index, &*error.expected);
            tracing::warn!(
                event,
                index,
                expected,
                untold,
                "a handler was not called: its argument is not what came; see `on_mismatch`"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_once_in_a_while_and_how_much_it_was_not() {
        let told = Told::default();
        let counts = [0, 1, MISMATCH_LOG_MS - 1, MISMATCH_LOG_MS, MISMATCH_LOG_MS + 1, 3 * MISMATCH_LOG_MS];
        let counts = counts.map(|now_ms| told.count(now_ms));
        assert_eq!(counts, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
