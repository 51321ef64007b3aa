//! Tasks of one's own on a core: what runs beside the handlers, as a clock that emits every second does.
//!
//! Not threads, and not tokio's tasks: such a task stays on its core, need not be `Send`, and waits with [`sleep`](crate::sleep).

use std::future::Future;

use crate::core::Core;
use crate::rarely::rarely;

/// Starts a task on the core whose thread this is: in a handler, in another task, or in [`on_start`](crate::Builder::on_start).
///
/// It is first polled after the caller has gone on, and dropped when the server stops. A panic in it is logged and ends it alone. Past
/// [`TASKS_MAX`](crate::limits::TASKS_MAX) tasks on a core it is not started, which is counted and logged.
///
/// ```
/// use std::time::Duration;
/// use socketville::Server;
///
/// Server::builder().on_start(|emitter| {
///     socketville::spawn(async move {
///         loop {
///             socketville::sleep(Duration::from_secs(1)).await;
///             emitter.emit("tick", ());
///         }
///     });
/// });
/// ```
///
/// # Panics
/// On a thread that is not a core's.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    let Some(core) = Core::current() else {
        panic!("spawn() works in handlers, their tasks and on_start only: this thread is not a core's")
    };
    if core.executor.spawn(task).is_err() {
        core.counters.borrow_mut().tasks_refused += 1;
        rarely!(error, "too many tasks are waiting; one was not started");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::town::Town;

    #[test]
    fn a_task_runs_after_its_caller_and_on_its_core() {
        let core = Core::new(0, Town::new(crate::Server::builder().into_app(), 1, [0; 32]), [0; 32]);
        let has_run = Rc::new(Cell::new(false));
        let seen = Rc::clone(&has_run);
        core.enter(|| spawn(async move { seen.set(true) }));
        assert!(!has_run.get() && core.executor.has_woken());
        core.enter(|| core.executor.run_woken(1));
        assert!(has_run.get());
    }

    #[test]
    #[should_panic(expected = "this thread is not a core's")]
    fn elsewhere_it_says_where_it_works() {
        spawn(async {});
    }
}
