//! A question to all cores, and their answers.
//!
//! Not a vote and not ordered by core. A core that has ended, or whose mailbox took no more, gives no answer, and nobody waits for it; for one that
//! stands still nobody waits longer than [`QUERY_TIMEOUT`], see `queries`.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use crate::core::Core;
use crate::error::{EmitError, QueryError};
use crate::limits::QUERY_TIMEOUT;
use crate::mailbox::Order;
use crate::queries::Pending;
use crate::town::Town;

/// Asks every core, and waits for all answers, or for those that there are when the time-out is over. The question keeps its place among what the
/// caller told the cores before. Nobody minds if the future is dropped.
pub(crate) async fn survey<T: Send + 'static>(
    town: &Arc<Town>,
    ask: impl Fn(&Rc<Core>) -> T + Send + Sync + 'static,
) -> Answers<T> {
    let (survey, order) = survey_of(town, ask);
    town.order(order);
    town.look_after(&survey, QUERY_TIMEOUT);
    survey.answers().await
}

/// Asks every core, or none, with something that holds so many bytes.
///
/// # Errors
/// A core that is far behind, or has ended.
pub(crate) fn ask<T: Send + 'static>(
    town: &Arc<Town>,
    bytes: usize,
    ask: impl Fn(&Rc<Core>) -> T + Send + Sync + 'static,
) -> Result<Arc<Survey<T>>, EmitError> {
    let (survey, order) = survey_of(town, ask);
    town.try_order(order, bytes)?;
    town.look_after(&survey, QUERY_TIMEOUT);
    Ok(survey)
}

fn survey_of<T: Send + 'static>(
    town: &Arc<Town>,
    ask: impl Fn(&Rc<Core>) -> T + Send + Sync + 'static,
) -> (Arc<Survey<T>>, Order) {
    let survey = Arc::new(Survey::new(town.mailboxes.len()));
    let question = Question(Arc::clone(&survey));
    let order = move |core: &Rc<Core>| {
        question.0.answer(ask(core));
        core.look_after(&question.0, QUERY_TIMEOUT);
    };
    (survey, Arc::new(order))
}

/// The question while any core has it; with the last of it goes the hope for more answers.
struct Question<T>(Arc<Survey<T>>);

impl<T> Drop for Question<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Answers that come in.
pub(crate) struct Survey<T>(Mutex<State<T>>);

/// What came.
pub(crate) struct Answers<T> {
    pub(crate) all: Vec<T>,
    /// Whether a core has not answered in time; one that has ended is not late.
    pub(crate) is_late: bool,
}

impl<T> Answers<T> {
    /// What was found of it, or the error if that is not all.
    pub(crate) fn found<F>(self, cores: usize, find: impl FnOnce(Vec<T>) -> F) -> Result<F, QueryError<F>> {
        let Self { all, is_late } = self;
        let answered = all.len();
        let found = find(all);
        if is_late { Err(QueryError::Incomplete { cores, answered, found }) } else { Ok(found) }
    }
}

struct State<T> {
    left: usize,
    is_late: bool,
    answers: Vec<T>,
    waker: Option<Waker>,
}

impl<T> Survey<T> {
    fn new(cores: usize) -> Self {
        Self(Mutex::new(State {
            left: cores,
            is_late: false,
            answers: Vec::with_capacity(cores),
            waker: None,
        }))
    }

    /// All answers that will come.
    pub(crate) async fn answers(&self) -> Answers<T> {
        poll_fn(|context| self.poll(context.waker())).await
    }

    fn answer(&self, answer: T) {
        self.change(|state| {
            if state.is_late {
                return; // nobody waits for it
            }
            state.answers.push(answer);
            state.left = state.left.saturating_sub(1);
        });
    }

    fn close(&self) {
        self.change(|state| state.left = 0);
    }

    fn change(&self, change: impl FnOnce(&mut State<T>)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let waker = if state.left == 0 { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, waker: &Waker) -> Poll<Answers<T>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.left == 0 {
            let (all, is_late) = (std::mem::take(&mut state.answers), state.is_late);
            return Poll::Ready(Answers { all, is_late });
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }
}

impl<T: Send> Pending for Survey<T> {
    fn is_over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).left == 0
    }

    fn expire(&self) {
        self.change(|state| {
            state.is_late |= state.left > 0;
            state.left = 0;
        });
    }
}
