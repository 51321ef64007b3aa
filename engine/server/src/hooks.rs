//! What an application decides about the engine's HTTP requests: who may open a session, and headers of answers.
//!
//! Not middlewares: those see sockets, and may wait. These run within a turn, for polling and WebSocket alike.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use socketville_hub::Desk;
use socketville_proto::http::{Head, Method};

use crate::town::Town;

/// A request of the engine's, as it came.
pub struct EngineRequest<'r, 'b>(&'r Head<'b>);

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
pub(crate) type HeadersHook = Box<dyn Fn(&EngineRequest<'_, '_>, &mut Vec<(String, String)>) + Send + Sync>;

/// All hooks of an application.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) allow: Vec<AllowHook>,
    pub(crate) initial_headers: Vec<HeadersHook>,
    pub(crate) headers: Vec<HeadersHook>,
}

impl Hooks {
    pub(crate) fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.initial_headers.is_empty() && self.headers.is_empty()
    }
}

/// The hooks as a core's hub sees them.
pub(crate) struct TownDesk(pub(crate) Arc<Town>);

impl Desk for TownDesk {
    fn allow(&self, head: &Head<'_>) -> Result<(), String> {
        let ask = || self.0.app.hooks.allow.iter().try_for_each(|allow| allow(&EngineRequest(head)));
        catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| {
            tracing::error!("an `allow_request` function panicked; its client was refused");
            Err("Forbidden".into())
        })
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
