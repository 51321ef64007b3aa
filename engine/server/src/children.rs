//! The dynamic namespaces that exist: one child of a name, though two clients race on two cores, and none when nobody is in it.
//!
//! Not their clients: a number of them. The lock is taken when a client joins or leaves a dynamic namespace, and never for a message.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, MutexGuard, PoisonError};

use socketville_hub::{NspId, SessionKey};

use crate::admission::{INTERNAL_ERROR, Refusal};
use crate::core::Core;
use crate::held::Auth;
use crate::limits::DYNAMIC_NAMESPACES_MAX;
use crate::town::Town;

/// All children of all parents.
pub(crate) struct Children {
    by_name: HashMap<String, NspId>,
    by_id: HashMap<NspId, Child>,
    /// Places that were used before, with their next generation.
    free: Vec<NspId>,
    next: usize,
}

/// What becomes of a child without clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Empty {
    Goes,
    Stays,
}

struct Child {
    name: String,
    parent: usize,
    /// Clients that are in, or are being looked at, on all cores.
    clients: usize,
}

impl Children {
    /// Places below `first` are those of namespaces that always exist.
    pub(crate) fn new(first: usize) -> Self {
        Self { by_name: HashMap::new(), by_id: HashMap::new(), free: Vec::new(), next: first }
    }

    /// The child of this name, made if it is new, with one client more; and whether it is new. `None` if there are too many.
    fn enter(&mut self, name: &str, parent: usize) -> Option<(NspId, bool)> {
        if let Some(&nsp) = self.by_name.get(name) {
            if let Some(child) = self.by_id.get_mut(&nsp) {
                child.clients += 1;
            }
            return Some((nsp, false));
        }
        if self.by_id.len() >= DYNAMIC_NAMESPACES_MAX {
            return None;
        }
        let nsp = match self.free.pop() {
            Some(nsp) => nsp,
            None => {
                let index = u16::try_from(self.next).ok()?;
                self.next += 1;
                NspId { index, generation: 1 }
            }
        };
        self.by_name.insert(name.to_owned(), nsp);
        self.by_id.insert(nsp, Child { name: name.to_owned(), parent, clients: 1 });
        Some((nsp, true))
    }

    /// One client less; true if the child is gone with it, which an empty one is if it shall be cleaned up or never came to be.
    fn leave(&mut self, nsp: NspId, empty: Empty) -> bool {
        let Some(child) = self.by_id.get_mut(&nsp) else { return false };
        child.clients = child.clients.saturating_sub(1);
        if child.clients > 0 || empty == Empty::Stays {
            return false;
        }
        if let Some(child) = self.by_id.remove(&nsp) {
            self.by_name.remove(&child.name);
        }
        self.free.push(NspId { index: nsp.index, generation: nsp.generation.wrapping_add(1).max(1) });
        true
    }
}

impl Town {
    fn children(&self) -> MutexGuard<'_, Children> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The dynamic namespace of this name, if it exists; a missing slash is added.
    pub(crate) fn child(&self, name: &str) -> Option<NspId> {
        let children = self.children();
        children.by_name.get(name).or_else(|| children.by_name.get(&format!("/{name}"))).copied()
    }

    /// The names of all dynamic namespaces, or of one parent's.
    pub(crate) fn names_of_children(&self, parent: Option<&str>) -> Vec<String> {
        let children = self.children();
        let is_meant = |child: &&Child| {
            let own = self.app.namespaces.get(child.parent).map(|namespace| namespace.name.as_str());
            parent.is_none() || own == parent
        };
        children.by_id.values().filter(is_meant).map(|child| child.name.clone()).collect()
    }

    /// The name of a namespace of either kind.
    pub(crate) fn name_of(&self, nsp: NspId) -> String {
        let fixed = self.app.namespaces.get(usize::from(nsp.index)).filter(|_| nsp.generation == 0);
        match fixed {
            Some(namespace) => namespace.name.clone(),
            None => self.children().by_id.get(&nsp).map_or_else(|| "/".into(), |child| child.name.clone()),
        }
    }
}

impl Core {
    /// A client is about to join the child of this name. If there are too many, or who hears of a new one panics, why not: nothing is left then.
    pub(crate) fn make_child(self: &Rc<Self>, name: &str, parent: usize) -> Result<NspId, Refusal> {
        let entered = self.town.children().enter(name, parent);
        let (nsp, is_new) = entered.ok_or_else(|| Refusal::from("Invalid namespace"))?;
        self.know_child(name, nsp, parent);
        for see in self.town.app.on_new_namespace.iter().filter(|_| is_new) {
            if self.call_out("a function for new namespaces", || see(name)).is_err() {
                self.remove_client(nsp, Empty::Goes);
                return Err(INTERNAL_ERROR.into());
            }
        }
        Ok(nsp)
    }

    /// A client is about to join a namespace that this core knows. False if it is gone and this core has not heard of that yet.
    pub(crate) fn enter_child(&self, nsp: NspId) -> bool {
        if nsp.generation == 0 {
            return true;
        }
        let mut children = self.town.children();
        let Some(child) = children.by_id.get_mut(&nsp) else { return false };
        child.clients += 1;
        true
    }

    /// A client wants a namespace that this core takes for one that is gone: it is forgotten here, too, and asked for as a new one.
    pub(crate) fn enter_anew(self: &Rc<Self>, session: SessionKey, nsp: NspId, auth: Option<Rc<Auth>>) {
        let name = self.hub().namespace_name(nsp).to_owned();
        self.hub_mut().remove_namespace(nsp);
        self.parents.borrow_mut().remove(&nsp);
        self.ask_for(session, &name, auth);
    }

    /// This core has missed something, perhaps that a namespace is gone: it knows none any more, and has no client in any.
    pub(crate) fn forget_children(&self) {
        let known = std::mem::take(&mut *self.parents.borrow_mut());
        known.into_keys().for_each(|nsp| self.hub_mut().remove_namespace(nsp));
    }

    /// Before something is written for a namespace whose clients may all be other cores': a child has to be known by name here.
    pub(crate) fn learn_child(&self, nsp: NspId) {
        if nsp.generation == 0 || self.parents.borrow().contains_key(&nsp) {
            return;
        }
        // Under the lock, so that the order to forget it, if there will be one, comes later.
        let children = self.town.children();
        if let Some(child) = children.by_id.get(&nsp) {
            self.know_child(&child.name, nsp, child.parent);
        }
    }

    fn know_child(&self, name: &str, nsp: NspId, parent: usize) {
        let mut hub = self.hub_mut();
        hub.enter_namespace(name, nsp);
        let interval_ms = self.town.app.namespaces.get(parent).map_or(0, |parent| parent.flush_interval_ms);
        hub.set_flush_interval(nsp, interval_ms);
        self.parents.borrow_mut().insert(nsp, parent);
    }

    /// A client has left a namespace, or was not let in.
    pub(crate) fn leave_child(self: &Rc<Self>, nsp: NspId) {
        self.remove_client(nsp, if self.town.app.cleans_up { Empty::Goes } else { Empty::Stays });
    }

    fn remove_client(self: &Rc<Self>, nsp: NspId, empty: Empty) {
        if nsp.generation == 0 || !self.town.children().leave(nsp, empty) {
            return;
        }
        self.town.order(Arc::new(move |core: &Rc<Self>| {
            core.hub_mut().remove_namespace(nsp);
            core.parents.borrow_mut().remove(&nsp);
        }));
    }
}
