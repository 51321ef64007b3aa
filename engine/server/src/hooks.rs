//! What an application decides about the engine's HTTP requests: who may open a session, and headers of answers.
//!
//! Not middlewares: those see sockets, and may wait. These run within a turn, for polling and WebSocket alike.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use socketville_hub::{ConnId, Desk, Permission, Progress};
use socketville_proto::http::{Head, Method};

use crate::core::Core;
use crate::handshake::Handshake;
use crate::town::Town;

/// A request of the engine's, as it came.
pub struct EngineRequest<'r, 'b>(&'r Head<'b>);

impl std::fmt::Debug for EngineRequest<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineRequest").field("method", &self.0.method).finish_non_exhaustive()
    }
}

impl EngineRequest<'_, '_> {
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
    pub(crate) fn is_empty(&self) -> bool {
        self.allow.is_empty()
            && self.consider.is_empty()
            && self.initial_headers.is_empty()
            && self.headers.is_empty()
            && self.name.is_none()
            && self.refused.is_empty()
    }
}

/// The hooks as a core's hub sees them.
pub(crate) struct TownDesk(pub(crate) Arc<Town>);

impl Desk for TownDesk {
    fn allow(&self, head: &Head<'_>) -> Permission {
        let ask = || self.0.app.hooks.allow.iter().try_for_each(|allow| allow(&EngineRequest(head)));
        let allowed = catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| {
            tracing::error!("an `allow_request` function panicked; its client was refused");
            Err("Forbidden".into())
        });
        match allowed {
            Err(message) => Permission::Refused(message),
            Ok(()) if self.0.app.hooks.consider.is_empty() => Permission::Granted,
            Ok(()) => Permission::Pending,
        }
    }

    fn names_sessions(&self) -> bool {
        self.0.app.hooks.name.is_some()
    }

    fn name(&self, head: &Head<'_>) -> Option<String> {
        let name = self.0.app.hooks.name.as_ref()?;
        let named = catch_unwind(AssertUnwindSafe(|| name(&EngineRequest(head))));
        named
            .inspect_err(|_| tracing::error!("a `generate_id` function panicked; the id is one of ours"))
            .ok()
    }

    fn refused(&self, head: &Head<'_>, code: usize, message: &str) {
        let hooks = &self.0.app.hooks.refused;
        let tell = || hooks.iter().for_each(|hook| hook(&EngineRequest(head), code, message));
        if catch_unwind(AssertUnwindSafe(tell)).is_err() {
            tracing::error!("a function for refused requests panicked");
        }
    }

    fn headers(&self, head: &Head<'_>, is_initial: bool, add: &mut dyn FnMut(&str, &str)) {
        let hooks = &self.0.app.hooks;
        let initial = hooks.initial_headers.iter().filter(|_| is_initial);
        let mut headers = Vec::new();
        let collect =
            || initial.chain(&hooks.headers).for_each(|hook| hook(&EngineRequest(head), &mut headers));
        if catch_unwind(AssertUnwindSafe(collect)).is_err() {
            tracing::error!("a function for headers panicked; the headers it had added are sent");
        }
        headers.iter().for_each(|(name, value)| add(name, value));
    }
}

impl Core {
    /// Asks the functions that may wait whether a request may open a session, then goes on with it.
    pub(crate) fn consider(self: &Rc<Self>, conn: ConnId, mut bytes: Vec<u8>) {
        let mut decided = Decided { core: Rc::clone(self), conn, permission: None };
        let task = async move {
            let handshake = Handshake::of_request(&bytes);
            let mut permission = Permission::Granted;
            for ask in &decided.core.town.app.hooks.consider {
                if let Err(message) = ask(handshake.clone()).await {
                    permission = Permission::Refused(message);
                    break;
                }
            }
            decided.is(permission, std::mem::take(&mut bytes));
        };
        if self.executor.start(task).is_err() {
            self.counters.borrow_mut().tasks_refused += 1;
        }
    }
}

/// What is done when a request has been thought about, however that ended: a panic, or no room for the task, closes its connection.
struct Decided {
    core: Rc<Core>,
    conn: ConnId,
    permission: Option<(Permission, Vec<u8>)>,
}

impl Decided {
    fn is(&mut self, permission: Permission, bytes: Vec<u8>) {
        self.permission = Some((permission, bytes));
    }
}

impl Drop for Decided {
    fn drop(&mut self) {
        let (core, conn) = (Rc::clone(&self.core), self.conn);
        match self.permission.take() {
            Some((permission, mut bytes)) => {
                let now_ms = core.now_ms.get();
                let (taken, progress) = core.hub_mut().handle_considered(now_ms, conn, &bytes, permission);
                core.run_effects();
                if matches!(progress, Progress::Again) {
                    core.read_rest(conn, bytes.get_mut(taken..).unwrap_or_default());
                }
            }
            None => {
                core.hub_mut().handle_end(conn, socketville_hub::Reason::ForcedClose);
                core.run_effects();
            }
        }
    }
}
