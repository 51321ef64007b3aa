//! What an application decides about the engine's HTTP requests: who may open a session, and headers of answers.
//!
//! Not middlewares: those see sockets, and may wait. These run within a turn, for polling and WebSocket alike, while the request waits and nothing of
//! the engine is borrowed: an emitter works in each.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use socketville_hub::{ConnId, Consults, Decision, Occasion, Reason, RefusedRequest};
use socketville_proto::http::{Head, Method, parse_head};

use crate::core::Core;
use crate::handshake::Handshake;
use crate::held::Held;
use crate::http;

/// The head of a request, as it came: one of the engine's, or one to a [guarded route](crate::Builder::guarded_route).
pub struct EngineRequest<'r, 'b>(&'r Head<'b>);

impl std::fmt::Debug for EngineRequest<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineRequest").field("method", &self.0.method).finish_non_exhaustive()
    }
}

impl<'r, 'b> EngineRequest<'r, 'b> {
    pub(crate) const fn of(head: &'r Head<'b>) -> Self {
        Self(head)
    }

    /// The method.
    pub const fn method(&self) -> Method {
        self.0.method
    }

    /// Path and query.
    pub const fn url(&self) -> &str {
        self.0.target
    }

    /// The first header of this name, ASCII case ignored.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.header(name)
    }

    /// All headers; what is not UTF-8 is left out.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.headers().filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)))
    }

    /// The first value of a parameter of the query, decoded.
    pub fn query(&self, key: &str) -> Option<String> {
        self.0.query_value(key).map(String::from)
    }
}

pub(crate) type AllowHook = Box<dyn Fn(&EngineRequest<'_, '_>) -> Result<(), String> + Send + Sync>;
/// Decides on an owned copy of a request, for as long as it takes.
pub(crate) type ConsiderHook =
    Box<dyn Fn(Handshake) -> Pin<Box<dyn Future<Output = Result<(), String>>>> + Send + Sync>;
pub(crate) type HeadersHook = Box<dyn Fn(&EngineRequest<'_, '_>, &mut Vec<(String, String)>) + Send + Sync>;

pub(crate) type NameHook = Box<dyn Fn(&EngineRequest<'_, '_>) -> String + Send + Sync>;

pub(crate) type RefusedHook = Box<dyn Fn(&EngineRequest<'_, '_>, usize, &str) + Send + Sync>;

/// All hooks of an application.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) allow: Vec<AllowHook>,
    pub(crate) consider: Vec<ConsiderHook>,
    pub(crate) initial_headers: Vec<HeadersHook>,
    pub(crate) headers: Vec<HeadersHook>,
    pub(crate) name: Option<NameHook>,
    pub(crate) refused: Vec<RefusedHook>,
}

impl Hooks {
    /// What a core's hub asks for.
    pub(crate) fn consults(&self) -> Consults {
        let allows = !self.allow.is_empty() || !self.consider.is_empty();
        Consults {
            openings: allows || self.name.is_some() || !self.initial_headers.is_empty(),
            all: !self.headers.is_empty(),
            refusals: !self.refused.is_empty(),
        }
    }
}

impl Core {
    /// Has the application decide about a request, then goes on with it.
    pub(crate) fn consider(self: &Rc<Self>, conn: ConnId, occasion: Occasion) {
        let hooks = &self.town.app.hooks;
        match occasion {
            Occasion::Opening => {}
            Occasion::Other => return self.decide(conn, occasion, None),
            Occasion::Route => return self.judge(conn),
        }
        let refusal = self.is_allowed(conn).err();
        if refusal.is_some() || hooks.consider.is_empty() {
            return self.decide(conn, occasion, refusal);
        }
        let Some(head) = self.considered_head(conn) else { return };
        let held = Held::request(self, head.len());
        let mut decided = Decided { core: Rc::clone(self), conn, answer: None, _held: held };
        let task = async move {
            let handshake = Handshake::of_request(&head);
            drop(head);
            let mut refusal = None;
            for ask in &decided.core.town.app.hooks.consider {
                if let Err(message) = ask(handshake.clone()).await {
                    refusal = Some(message);
                    break;
                }
            }
            decided.is(refusal);
        };
        if self.executor.start(task).is_err() {
            self.counters.borrow_mut().tasks_refused += 1;
        }
    }

    /// Has a route judge the head of a request; its body is read only if it may go on.
    fn judge(self: &Rc<Self>, conn: ConnId) {
        let judged = self.with_considered(conn, "a guard of a route", |head| http::judge(self, head));
        match judged.unwrap_or_else(|| Err(http::failed())) {
            Ok(()) => self.read_considered(conn, &Decision::default()),
            Err(response) => self.hub_mut().refuse_considered(self.now_ms.get(), conn, response.inner()),
        }
    }

    fn is_allowed(&self, conn: ConnId) -> Result<(), String> {
        let allow = &self.town.app.hooks.allow;
        if allow.is_empty() {
            return Ok(());
        }
        let ask = |head: &Head<'_>| allow.iter().try_for_each(|allow| allow(&EngineRequest(head)));
        let asked = self.with_considered(conn, "an `allow_request` function", ask);
        asked.unwrap_or_else(|| Err("Forbidden".into()))
    }

    /// The head of a request that waits for a decision: a copy, since the application may do anything meanwhile.
    fn considered_head(&self, conn: ConnId) -> Option<Vec<u8>> {
        self.hub().considered_head(conn).map(<[u8]>::to_vec)
    }

    /// As [`Core::with_head`], with the head of a request that waits for a decision.
    fn with_considered<R>(
        &self,
        conn: ConnId,
        what: &'static str,
        call: impl FnOnce(&Head<'_>) -> R,
    ) -> Option<R> {
        self.with_head(&self.considered_head(conn)?, what, call)
    }

    /// Goes on with a request whose permission is known: what its session is called, what its answer carries.
    fn decide(self: &Rc<Self>, conn: ConnId, occasion: Occasion, refusal: Option<String>) {
        let hooks = &self.town.app.hooks;
        let is_initial = occasion == Occasion::Opening && refusal.is_none();
        let name = hooks.name.as_ref().filter(|_| is_initial).and_then(|name| {
            self.with_considered(conn, "a `generate_id` function", |head| name(&EngineRequest(head)))
        });
        let mut headers = Vec::new();
        let initial = hooks.initial_headers.iter().filter(|_| is_initial);
        let mut add = initial.chain(&hooks.headers).peekable();
        if add.peek().is_some() {
            self.with_considered(conn, "a function for headers", |head| {
                add.for_each(|add| add(&EngineRequest(head), &mut headers));
            });
        }
        self.read_considered(conn, &Decision { refusal, name, headers });
    }

    /// Tells the application of a request that was refused.
    pub(crate) fn tell_refused(&self, refused: &RefusedRequest) {
        let RefusedRequest { head, code, message } = refused;
        for hook in &self.town.app.hooks.refused {
            self.with_head(head, "a function for refused requests", |head| {
                hook(&EngineRequest(head), *code, message);
            });
        }
    }

    /// Calls a function of the application with a request; `None` if it panicked.
    fn with_head<R>(&self, bytes: &[u8], what: &'static str, call: impl FnOnce(&Head<'_>) -> R) -> Option<R> {
        let (head, _) = parse_head(bytes).ok().flatten()?;
        self.call_out(what, || call(&head)).ok()
    }
}

/// What is done when a request has been thought about, however that ended: a panic, or no room for the task, closes its connection.
struct Decided {
    core: Rc<Core>,
    conn: ConnId,
    /// Why not, if not.
    answer: Option<Option<String>>,
    /// For the copy of its head that the application has.
    _held: Held,
}

impl Decided {
    fn is(&mut self, refusal: Option<String>) {
        self.answer = Some(refusal);
    }
}

impl Drop for Decided {
    fn drop(&mut self) {
        let core = Rc::clone(&self.core);
        match self.answer.take() {
            Some(refusal) => {
                core.decide(self.conn, Occasion::Opening, refusal);
                core.run_effects();
            }
            None => core.hub_mut().handle_end(self.conn, Reason::ForcedClose),
        }
    }
}
