//! A question to all cores, and their answers.
//!
//! Not a vote and not ordered by core. A core that has ended, or whose mailbox took no more, gives no answer, and nobody waits for it.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use crate::core::Core;
use crate::town::Town;

/// Asks every core, and waits for all answers. The question keeps its place among what the caller told the cores before.
pub(crate) async fn survey<T: Send + 'static>(
    town: &Arc<Town>,
    ask: impl Fn(&Rc<Core>) -> T + Send + Sync + 'static,
) -> Vec<T> {
    let survey = Arc::new(Survey::new(town.mailboxes.len()));
    let question = Question(Arc::clone(&survey));
    let _is_posted = town.order(Arc::new(move |core| question.0.answer(ask(core))));
    poll_fn(|context| survey.poll(context.waker())).await
}

/// The question while any core has it; with the last of it goes the hope for more answers.
struct Question<T>(Arc<Survey<T>>);

impl<T> Drop for Question<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Survey<T>(Mutex<State<T>>);

struct State<T> {
    left: usize,
    answers: Vec<T>,
    waker: Option<Waker>,
}

impl<T> Survey<T> {
    fn new(cores: usize) -> Self {
        Self(Mutex::new(State { left: cores, answers: Vec::with_capacity(cores), waker: None }))
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
