//! What a client says in CONNECT, and requests that the application has: charged from the moment at which something may wait over
//! them, whichever part of the server holds them.
//!
//! Not what it means: that is the application's. It is shared, not copied, between its handshake, its middlewares and the way to a namespace.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use socketville_hub::{Charge, Kind, Owner, SessionKey};

use crate::core::Core;

/// Raw JSON of a CONNECT.
pub(crate) struct Auth {
    json: Arc<String>,
    held: Held,
}

/// Bytes of a client's that the application has, until this is dropped. They do not change meanwhile.
pub(crate) struct Held {
    core: Rc<Core>,
    charge: Charge,
    kind: Kind,
}

impl Auth {
    pub(crate) fn new(core: &Rc<Core>, session: SessionKey, json: &str) -> Rc<Self> {
        let json = Arc::new(json.to_owned());
        let held = Held::new(core, Kind::Auth, Owner::Session(session), json.capacity());
        Rc::new(Self { json, held })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.json
    }

    pub(crate) fn json(&self) -> Arc<String> {
        Arc::clone(&self.json)
    }

    /// Bytes that are held.
    pub(crate) const fn bytes(&self) -> usize {
        self.held.charge.bytes()
    }
}

impl Held {
    /// A request, which its handler has to its end.
    pub(crate) fn request(core: &Rc<Core>, bytes: usize) -> Self {
        Self::new(core, Kind::Requests, Owner::Core, bytes)
    }

    fn new(core: &Rc<Core>, kind: Kind, owner: Owner, bytes: usize) -> Self {
        let charge = core.hub().charge(kind, owner, bytes);
        core.held.add(kind, bytes);
        Self { core: Rc::clone(core), charge, kind }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.core.held.take(self.kind, self.charge.bytes());
    }
}

/// What is held so on one core, for the account's audit.
#[derive(Default)]
pub(crate) struct HeldSums {
    auth: Cell<usize>,
    requests: Cell<usize>,
}

impl HeldSums {
    pub(crate) const fn auth(&self) -> usize {
        self.auth.get()
    }

    pub(crate) const fn requests(&self) -> usize {
        self.requests.get()
    }

    fn add(&self, kind: Kind, bytes: usize) {
        let sum = self.sum(kind);
        sum.set(sum.get() + bytes);
    }

    fn take(&self, kind: Kind, bytes: usize) {
        let sum = self.sum(kind);
        sum.set(sum.get() - bytes);
    }

    fn sum(&self, kind: Kind) -> &Cell<usize> {
        if kind == Kind::Auth { &self.auth } else { &self.requests }
    }
}
