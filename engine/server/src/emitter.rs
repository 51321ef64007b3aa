//! A handle for any thread: emits, and asks all cores.
//!
//! Not bound to a core. On a core's own thread an emit takes effect at once, in order with the core's others; from elsewhere it is encoded
//! here, once, and posted to every core.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use serde::Serialize;
use socketville_hub::{NspId, Record};
use socketville_proto::encode;

use crate::args::write_event;
use crate::core::{Core, Recipients};
use crate::error::{EmitError, report};
use crate::mailbox::Letter;
use crate::metrics::CoreReport;
use crate::operator::{IntoRooms, Target};
use crate::town::Town;

/// A handle of a running server that any thread may use. Cheap to clone.
///
/// ```no_run
/// use socketville::Server;
///
/// let io = Server::builder();
/// let server = io.listen("127.0.0.1:3000")?;
/// let emitter = server.emitter();
/// std::thread::spawn(move || emitter.to("lobby").emit("tick", 1));
/// server.run()?;
/// # Ok::<(), socketville::Error>(())
/// ```
#[derive(Clone)]
pub struct Emitter {
    town: Arc<Town>,
}

/// A broadcast of an [`Emitter`] on its way to being emitted.
#[must_use = "an operator does nothing until `emit`"]
pub struct Posting<'a> {
    town: &'a Arc<Town>,
    nsp: Option<NspId>,
    name: &'a str,
    target: Target<'a>,
}

impl Emitter {
    pub(crate) const fn new(town: Arc<Town>) -> Self {
        Self { town }
    }

    /// Another namespace than `/`; a missing slash is added. Source: `io.of`.
    pub fn of<'a>(&'a self, namespace: &'a str) -> Posting<'a> {
        let bare = |name: &'a str| name.strip_prefix('/').unwrap_or(name);
        let mut namespaces = self.town.app.namespaces.iter().enumerate();
        let found = namespaces.find(|(_, known)| bare(&known.name) == bare(namespace));
        let nsp = found.map(|(index, _)| NspId(index as u16));
        let name = found.map_or(namespace, |(_, known)| &known.name);
        Posting { town: &self.town, nsp, name, target: Target::default() }
    }

    /// To all in a room of `/`. Source: `io.to`.
    pub fn to<'a>(&'a self, rooms: impl IntoRooms<'a>) -> Posting<'a> {
        self.of("/").to(rooms)
    }

    /// To all in `/` but those in a room. Source: `io.except`.
    pub fn except<'a>(&'a self, rooms: impl IntoRooms<'a>) -> Posting<'a> {
        self.of("/").except(rooms)
    }

    /// To all in `/`. Source: `io.emit`.
    pub fn emit(&self, event: &str, args: impl Serialize) {
        self.of("/").emit(event, args);
    }

    /// The number of cores.
    pub fn cores(&self) -> usize {
        self.town.mailboxes.len()
    }

    /// What every core has done and holds.
    pub async fn reports(&self) -> Vec<CoreReport> {
        let mut reports = self.survey(|core| core.report()).await;
        reports.sort_by_key(|report| report.core);
        reports
    }

    /// The rooms of a namespace with their sizes on this machine, largest first, at most `rooms_max`.
    pub async fn rooms(&self, namespace: &str, rooms_max: usize) -> Vec<(String, usize)> {
        let Some(nsp) = self.of(namespace).nsp else { return Vec::new() };
        let lists = self.survey(move |core| {
            core.hub.borrow().rooms(nsp).map(|(name, len)| (name.to_owned(), len)).collect::<Vec<_>>()
        });
        let mut sums = std::collections::HashMap::new();
        for (name, len) in lists.await.into_iter().flatten() {
            *sums.entry(name).or_insert(0) += len;
        }
        let mut rooms: Vec<_> = sums.into_iter().collect();
        rooms.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        rooms.truncate(rooms_max);
        rooms
    }

    /// The sockets of a room on this machine.
    pub async fn room_len(&self, namespace: &str, room: &str) -> usize {
        let Some(nsp) = self.of(namespace).nsp else { return 0 };
        let room = room.to_owned();
        self.survey(move |core| core.hub.borrow().room_len(nsp, &room)).await.into_iter().sum()
    }

    /// The sockets of a namespace on this machine.
    pub async fn namespace_len(&self, namespace: &str) -> usize {
        let Some(nsp) = self.of(namespace).nsp else { return 0 };
        self.survey(move |core| core.hub.borrow().namespace_len(nsp)).await.into_iter().sum()
    }

    /// Ends the server: clients are told, then the loops end.
    pub fn stop(&self) {
        self.town.stop();
    }

    /// Asks every core, and waits for all answers.
    pub(crate) async fn survey<T: Send + 'static>(
        &self,
        ask: impl Fn(&Rc<Core>) -> T + Send + Sync + 'static,
    ) -> Vec<T> {
        let survey = Arc::new(Survey::new(self.town.mailboxes.len()));
        let ask = Arc::new(ask);
        for mailbox in &self.town.mailboxes {
            let (question, ask) = (Question(Some(Arc::clone(&survey))), Arc::clone(&ask));
            // An errand that is not done, since the mailbox is full or its core has ended, is dropped, and that is an answer too.
            let _ = mailbox.post(Letter::Errand(Box::new(move |core| question.answer(ask(core)))));
        }
        poll_fn(|context| survey.poll(context.waker())).await
    }
}

impl<'a> Posting<'a> {
    /// Those in this room too; see [`Broadcast::to`](crate::Broadcast::to).
    pub fn to(mut self, rooms: impl IntoRooms<'a>) -> Self {
        self.target.add(rooms);
        self
    }

    /// The same as [`Posting::to`].
    pub fn within(self, rooms: impl IntoRooms<'a>) -> Self {
        self.to(rooms)
    }

    /// But not those in this room.
    pub fn except(mut self, rooms: impl IntoRooms<'a>) -> Self {
        rooms.add_to(&mut self.target.except);
        self
    }

    /// Dropped for clients whose transport is busy.
    pub const fn volatile(mut self) -> Self {
        self.target.is_volatile = true;
        self
    }

    /// Emits. What goes wrong is logged; [`Posting::try_emit`] returns it.
    pub fn emit(self, event: &str, args: impl Serialize) {
        report(event, self.try_emit(event, args));
    }

    /// Emits.
    ///
    /// # Errors
    /// Unwritable arguments, an unknown namespace, a full mailbox or a core that has ended.
    pub fn try_emit(self, event: &str, args: impl Serialize) -> Result<(), EmitError> {
        let nsp = self.nsp.ok_or_else(|| EmitError::Namespace(self.name.to_owned()))?;
        if self.target.is_nobody() {
            return Ok(());
        }
        match Core::current().filter(|core| Arc::ptr_eq(&core.town, self.town)) {
            Some(core) => {
                core.emit(Recipients::Rooms(nsp, &self.target.selector()), None, event, &args).map(drop)
            }
            None => {
                let record = Arc::new(self.record(nsp, event, &args)?);
                self.town.emits_outside.fetch_add(1, Ordering::Relaxed);
                if self.town.post_everywhere(&record) { Ok(()) } else { Err(EmitError::Full) }
            }
        }
    }

    /// Emits, and waits until every core has made it due; how many sockets of this machine it was for.
    ///
    /// # Errors
    /// As [`Posting::try_emit`].
    pub async fn emit_counted(self, event: &str, args: impl Serialize) -> Result<usize, EmitError> {
        let nsp = self.nsp.ok_or_else(|| EmitError::Namespace(self.name.to_owned()))?;
        if self.target.is_nobody() {
            return Ok(0);
        }
        let record = Arc::new(self.record(nsp, event, &args)?);
        match Core::current().filter(|core| Arc::ptr_eq(&core.town, self.town)) {
            Some(core) => {
                let counters = &mut core.hub.borrow_mut().counters;
                counters.emits += 1;
                counters.encodes += 1;
                counters.records += 1;
            }
            None => _ = self.town.emits_outside.fetch_add(1, Ordering::Relaxed),
        }
        let emitter = Emitter::new(Arc::clone(self.town));
        let counts = emitter.survey(move |core| core.hub.borrow_mut().deliver_record(&record)).await;
        if counts.len() < emitter.cores() { Err(EmitError::Full) } else { Ok(counts.into_iter().sum()) }
    }

    /// Encodes once, for all cores.
    fn record(&self, nsp: NspId, event: &str, args: &impl Serialize) -> Result<Record, EmitError> {
        let (mut json, mut attachments, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        write_event(&mut json, event, args, &mut attachments)?;
        let packet = encode::Packet {
            kind: encode::Kind::Event,
            nsp: self.name,
            id: None,
            payload: &json,
            attachments: &attachments,
        };
        let frames = encode::write(&mut bytes, &packet) as u32;
        Ok(self.target.selector().record(nsp, &bytes, frames))
    }
}

/// A survey's question on its way to one core; dropped unanswered, it answers nothing.
struct Question<T>(Option<Arc<Survey<T>>>);

impl<T> Question<T> {
    fn answer(mut self, answer: T) {
        if let Some(survey) = self.0.take() {
            survey.answer(Some(answer));
        }
    }
}

impl<T> Drop for Question<T> {
    fn drop(&mut self) {
        if let Some(survey) = self.0.take() {
            survey.answer(None);
        }
    }
}

/// Answers of all cores to one question.
struct Survey<T> {
    left: AtomicUsize,
    state: Mutex<(Vec<T>, Option<Waker>)>,
}

impl<T> Survey<T> {
    fn new(cores: usize) -> Self {
        Self { left: AtomicUsize::new(cores), state: Mutex::new((Vec::with_capacity(cores), None)) }
    }

    fn answer(&self, answer: Option<T>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.extend(answer);
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(waker) = state.1.take()
        {
            waker.wake();
        }
    }

    fn poll(&self, waker: &Waker) -> Poll<Vec<T>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.left.load(Ordering::Acquire) == 0 {
            return Poll::Ready(std::mem::take(&mut state.0));
        }
        state.1 = Some(waker.clone());
        Poll::Pending
    }
}
