//! Broadcasts that want answers: counted over all cores, and kept though some are missing.
//!
//! Not a closure per socket: all recipients get one packet with one id, and each core keeps a set of the slots that still owe. Such ids have
//! a range of their own, see `ack_ids`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use serde::Serialize;
use socketville_hub::{Record, SocketKey};

use crate::ack_ids;
use crate::arguments::{Arguments, FromAnswer};
use crate::core::Core;
use crate::debts::Debts;
use crate::error::EmitError;
use crate::event_name::EventName;
use crate::extract::ArgumentError;
use crate::limits::QUERY_TIMEOUT;
use crate::operator::Broadcast;
use crate::queries::Pending;
use crate::sleep::sleep;
use crate::socket::Socket;
use crate::town::Town;

/// Why a broadcast has not all answers; those that came are in it.
#[derive(Debug)]
#[non_exhaustive]
pub enum BroadcastAckError<T> {
    /// Some clients did not answer in time, or have left; or a core stands still that has not asked its own.
    Incomplete {
        /// How many clients it was for, those not known that a core has not asked.
        expected: usize,
        /// What came, in the order of arrival.
        responses: Vec<T>,
    },
    /// All came that will come, but one is not what was expected.
    Argument {
        /// What is wrong with the first such answer.
        error: ArgumentError,
        /// The others, in the order of arrival.
        responses: Vec<T>,
    },
    /// The event could not be sent.
    Emit(EmitError),
}

impl<T> BroadcastAckError<T> {
    /// The answers that there are. Source: `err.responses`.
    pub fn into_responses(self) -> Vec<T> {
        match self {
            Self::Incomplete { responses, .. } | Self::Argument { responses, .. } => responses,
            Self::Emit(_) => Vec::new(),
        }
    }
}

impl<T> fmt::Display for BroadcastAckError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete { expected, responses } => {
                write!(f, "expected {expected} acknowledgements in time, found {}", responses.len())
            }
            Self::Argument { error, .. } => write!(f, "an acknowledgement: {error}"),
            Self::Emit(error) => error.fmt(f),
        }
    }
}

impl<T: fmt::Debug> std::error::Error for BroadcastAckError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Argument { error, .. } => Some(error),
            Self::Emit(error) => Some(error),
            Self::Incomplete { .. } => None,
        }
    }
}

impl Broadcast<'_> {
    /// Emits an event and waits for the answers of all who got it: the first argument of each, or all its [`Arguments`], in the order of
    /// arrival. Nobody there is an empty list, at once. A future that is dropped waits no longer, and answers that come then are ignored.
    /// Source: `timeout(ms).emitWithAck`.
    ///
    /// # Errors
    /// Answers that are missing when `timeout` is over or no one is left to give them, a core that has not asked its clients by then or within
    /// [`QUERY_TIMEOUT`](crate::limits::QUERY_TIMEOUT), whichever is longer, an answer that is not a `T`, an event that could not
    /// be sent ([`BroadcastAckError`]); the answers that came are in the error.
    ///
    /// ```
    /// use std::time::Duration;
    /// use socketville::{BroadcastAckError, Server, Socket};
    ///
    /// Server::builder().on("vote", async |socket: Socket| {
    ///     let votes = match socket.nsp().to("jury").emit_with_ack::<u32>("points?", (), Duration::from_secs(5)).await {
    ///         Ok(votes) => votes,
    ///         Err(BroadcastAckError::Incomplete { expected, responses }) => {
    ///             println!("only {} of {expected} voted", responses.len());
    ///             responses
    ///         }
    ///         Err(_) => return,
    ///     };
    ///     socket.nsp().emit("result", votes.iter().sum::<u32>());
    /// });
    /// ```
    pub async fn emit_with_ack<T: FromAnswer>(
        self,
        event: &str,
        args: impl Serialize,
        timeout: Duration,
    ) -> Result<Vec<T>, BroadcastAckError<T>> {
        self.known().map_err(BroadcastAckError::Emit)?;
        EventName::new(event).map_err(BroadcastAckError::Emit)?;
        if self.target().is_nobody() {
            return Ok(Vec::new());
        }
        let town = self.town();
        let id = ack_ids::of_broadcast(town.gathers.fetch_add(1, Ordering::Relaxed));
        let shared = self.shared(event, Some(id), &args).map_err(BroadcastAckError::Emit)?;
        let bytes = shared.held_bytes();
        let gather = Arc::new(Gather::new(town.mailboxes.len()));
        let asking = Asking(Arc::clone(&gather));
        let patience = timeout.max(QUERY_TIMEOUT);
        let ask = move |core: &Rc<Core>| {
            core.ask(&shared.record(core), id, timeout, &asking.0);
            core.look_after(&asking.0, patience);
        };
        town.try_order(Arc::new(ask), bytes).map_err(BroadcastAckError::Emit)?;
        town.look_after(&gather, patience);
        let waiting = Waiting { town, id, gather: &gather };
        let gathered = gather.all().await;
        drop(waiting);
        gathered.read(town)
    }
}

/// Somebody waits for the answers to a broadcast. When nobody does any more, clients owe none, whatever time they had.
struct Waiting<'a> {
    town: &'a Arc<Town>,
    id: u64,
    gather: &'a Gather,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.gather.is_over() {
            let id = self.id;
            self.town.order(Arc::new(move |core| core.ask_no_more(id)));
        }
    }
}

/// What all cores have gathered.
struct Gather(Mutex<Gathered>);

#[derive(Default)]
struct Gathered {
    /// Cores that have not asked yet.
    unasked: usize,
    /// Cores whose clients still owe.
    owing: usize,
    expected: usize,
    answers: Vec<Arguments>,
    /// Whether a core never asked.
    is_cut: bool,
    /// Whether a core has not asked in time.
    is_late: bool,
    waker: Option<Waker>,
}

/// The question while any core has it: once all have let go of it, those that have not asked never will.
struct Asking(Arc<Gather>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.change(|gathered| {
            gathered.is_cut |= gathered.unasked > 0;
            gathered.unasked = 0;
        });
    }
}

impl Gather {
    fn new(cores: usize) -> Self {
        Self(Mutex::new(Gathered { unasked: cores, ..Gathered::default() }))
    }

    /// A core has asked so many clients.
    fn asked(&self, clients: usize) {
        self.change(|gathered| {
            gathered.owing += usize::from(clients > 0);
            if !gathered.is_late {
                gathered.unasked = gathered.unasked.saturating_sub(1);
                gathered.expected += clients;
            }
        });
    }

    fn answer(&self, answer: Arguments) {
        self.change(|gathered| gathered.answers.push(answer));
    }

    /// A core's clients have all answered, or will not.
    fn settle(&self) {
        self.change(|gathered| gathered.owing -= 1);
    }

    fn is_over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_over()
    }

    fn change(&self, change: impl FnOnce(&mut Gathered)) {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut gathered);
        let waker = if gathered.is_over() { gathered.waker.take() } else { None };
        drop(gathered);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn all(&self) -> Gathered {
        poll_fn(|context| {
            let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if gathered.is_over() {
                return Poll::Ready(std::mem::take(&mut *gathered));
            }
            gathered.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Gathered {
    const fn is_over(&self) -> bool {
        self.unasked == 0 && self.owing == 0
    }

    fn read<T: FromAnswer>(self, town: &Town) -> Result<Vec<T>, BroadcastAckError<T>> {
        // A core that stands still has no clients that count; one that has ended is the server's end.
        if self.is_cut && town.has_ended() {
            return Err(BroadcastAckError::Emit(EmitError::Ended));
        }
        let (expected, found) = (self.expected, self.answers.len());
        let (mut responses, mut wrong) = (Vec::with_capacity(found), None);
        for answer in self.answers {
            match T::from_answer(answer) {
                Ok(response) => responses.push(response),
                Err(error) => wrong = wrong.or(Some(error)),
            }
        }
        match wrong {
            _ if found < expected || self.is_late => {
                Err(BroadcastAckError::Incomplete { expected, responses })
            }
            Some(error) => Err(BroadcastAckError::Argument { error, responses }),
            None => Ok(responses),
        }
    }
}

impl Pending for Gather {
    fn is_over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unasked == 0
    }

    fn expire(&self) {
        self.change(|gathered| {
            gathered.is_late |= gathered.unasked > 0;
            gathered.unasked = 0;
        });
    }
}

/// Clients of one core that owe an answer to one broadcast. When it goes, nobody waits for them any more.
pub(crate) struct Asked {
    owing: RefCell<Debts>,
    gather: Arc<Gather>,
    waker: Cell<Option<Waker>>,
}

impl Asked {
    /// Nobody owes any more.
    fn settle(&self) {
        self.owing.borrow_mut().settle_all();
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// True if it was owed.
    fn strike(&self, key: SocketKey) -> bool {
        let mut owing = self.owing.borrow_mut();
        let was_owed = owing.settle(key);
        if owing.is_empty()
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
        was_owed
    }

    /// Until all have answered or left, or the time is over.
    async fn settled_within(&self, timeout: Duration) {
        let mut sleep = std::pin::pin!(sleep(timeout));
        poll_fn(|context| {
            if self.owing.borrow().is_empty() {
                return Poll::Ready(());
            }
            self.waker.set(Some(context.waker().clone()));
            sleep.as_mut().poll(context)
        })
        .await;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.gather.settle();
    }
}

impl Core {
    /// This core's part of a broadcast that wants answers.
    fn ask(self: &Rc<Self>, record: &Arc<Record>, id: u64, timeout: Duration, gather: &Arc<Gather>) {
        let owing = {
            let owing = record.with_selector(|selector| self.hub().select(record.nsp, selector));
            self.deliver(record);
            owing
        };
        gather.asked(owing.len());
        if owing.is_empty() {
            return;
        }
        let owing = RefCell::new(Debts::new(self, owing));
        let asked = Rc::new(Asked { owing, gather: Arc::clone(gather), waker: Cell::default() });
        self.asked.borrow_mut().insert(id, Rc::clone(&asked));
        let core = Rc::clone(self);
        let waiting = async move {
            asked.settled_within(timeout).await;
            // After 2^30 broadcasts the id may be another's, which took this one's place.
            if core.asked.borrow().get(&id).is_some_and(|current| Rc::ptr_eq(current, &asked)) {
                let asked = core.asked.borrow_mut().remove(&id);
                drop(asked); // which may wake who waits, whatever that does
            }
        };
        if self.executor.spawn(waiting).is_err() {
            let asked = self.asked.borrow_mut().remove(&id);
            drop(asked);
            self.counters.borrow_mut().tasks_refused += 1;
        }
    }

    /// An answer to a socket's own question, or to a broadcast's; it counts once.
    pub(crate) fn handle_answer(&self, socket: &Socket, id: u64, answer: Arguments) {
        if !ack_ids::is_of_broadcast(id) {
            return socket.answer(id, answer);
        }
        let asked = self.asked.borrow().get(&id).map(Rc::clone);
        if let Some(asked) = asked.filter(|asked| asked.strike(socket.key())) {
            asked.gather.answer(answer);
        }
    }

    /// Nobody waits for the answers to a broadcast any more: its task ends.
    fn ask_no_more(&self, id: u64) {
        let asked = self.asked.borrow_mut().remove(&id);
        if let Some(asked) = asked {
            asked.settle();
        }
    }

    /// A client has left: it owes nothing any more.
    pub(crate) fn excuse(&self, key: SocketKey) {
        self.asked.borrow().values().for_each(|asked| _ = asked.strike(key));
    }
}
