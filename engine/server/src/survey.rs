//! A question to all cores, and their answers.
//!
//! Not a vote and not ordered by core. A core that has ended, or whose mailbox took no more, gives no answer, and nobody waits for it.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use crate::core::Core;
use crate::error::EmitError;
use crate::mailbox::Order;
use crate::town::Town;

/// Asks every core, and waits for all answers. The question keeps its place among what the caller told the cores before. Nobody minds if the
/// future is dropped.
pub(crate) async fn survey<T: Send + 'static>(
    town: &Arc<Town>,
    ask: impl Fn(&Rc<Core>) -> T + Send + Sync + 'static,
) -> Vec<T> {
    let (survey, order) = survey_of(town, ask);
    town.order(order);
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
    Ok(survey)
}

fn survey_of<T: Send + 'static>(
    town: &Arc<Town>,
    ask: impl Fn(&Rc<Core>) -> T + Send + Sync + 'static,
) -> (Arc<Survey<T>>, Order) {
    let survey = Arc::new(Survey::new(town.mailboxes.len()));
    let question = Question(Arc::clone(&survey));
    (survey, Arc::new(move |core| question.0.answer(ask(core))))
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

struct State<T> {
    left: usize,
    answers: Vec<T>,
    waker: Option<Waker>,
}

impl<T> Survey<T> {
    fn new(cores: usize) -> Self {
        Self(Mutex::new(State { left: cores, answers: Vec::with_capacity(cores), waker: None }))
    }

    /// All answers that will come.
    pub(crate) async fn answers(&self) -> Vec<T> {
        poll_fn(|context| self.poll(context.waker())).await
    }

    fn answer(&self, answer: T) {
        self.change(|state| {
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

    fn poll(&self, waker: &Waker) -> Poll<Vec<T>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.left == 0 {
            return Poll::Ready(std::mem::take(&mut state.answers));
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }
}
