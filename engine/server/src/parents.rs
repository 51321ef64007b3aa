//! Parents of dynamic namespaces: a pattern or a function that says which names are its children's.
//!
//! Not the children (that is `children`). A parent's handlers and middlewares are those of all its children; names that exist always come first,
//! then parents in the order in which they were added.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use regex::Regex;
use serde::Serialize;
use serde_json::Value;
use socketville_hub::{INVALID_NAMESPACE, SessionKey};

use crate::admission::{BUSY, INTERNAL_ERROR, Refusal};
use crate::app::NamespaceApp;
use crate::builder::{Builder, Namespace};
use crate::core::Core;
use crate::emitter::Emitter;
use crate::extract::read_text;
use crate::held::Auth;
use crate::shares::{Over, Place};

type Deciding = Pin<Box<dyn Future<Output = bool>>>;

/// Which names are a parent's children.
pub(crate) enum Rule {
    Pattern(Regex),
    Function(Box<dyn Fn(String, Value) -> Deciding + Send + Sync>),
}

impl Builder {
    /// A parent of all namespaces whose names match a pattern: they are made when the first client joins, and share what is said of the parent.
    /// Anchor it, for a pattern matches anywhere in a name. Source: `io.of(/regex/)`.
    ///
    /// ```
    /// use socketville::{Server, Socket};
    ///
    /// let io = Server::builder();
    /// io.of_pattern(r"^/auction-\d+$").on("bid", |socket: Socket, amount: u64| {
    ///     socket.nsp().emit("bid", (socket.id(), amount));
    /// });
    /// ```
    ///
    /// # Panics
    /// If the pattern is none, in the syntax of the crate `regex`.
    pub fn of_pattern(&self, pattern: &str) -> Namespace<'_> {
        let regex = Regex::new(pattern).unwrap_or_else(|error| panic!("expected a pattern, found {error}"));
        self.add_namespace(NamespaceApp {
            name: pattern.to_owned(),
            rule: Some(Rule::Pattern(regex)),
            ..NamespaceApp::default()
        })
    }

    /// A parent of all namespaces that a function agrees to, by their name and what the client said as `auth`; it may wait. `title` is what
    /// [`Emitter::children`] knows it by. Source: `io.of((name, auth, next) => ..)`.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// let io = Server::builder();
    /// io.of_function("tenants", async |name: String, auth| name.starts_with("/tenant-") && auth["token"] == "secret");
    /// ```
    pub fn of_function<F>(&self, title: &str, agree: F) -> Namespace<'_>
    where
        F: AsyncFn(String, Value) -> bool + Send + Sync + 'static,
    {
        let agree = Arc::new(agree);
        let decide = move |name, auth| -> Deciding {
            let agree = Arc::clone(&agree);
            Box::pin(async move { agree(name, auth).await })
        };
        self.add_namespace(NamespaceApp {
            name: title.to_owned(),
            rule: Some(Rule::Function(Box::new(decide))),
            ..NamespaceApp::default()
        })
    }

    /// Whether a dynamic namespace goes when its last client leaves, or its first is refused. Source: `cleanupEmptyChildNamespaces`, default no.
    pub fn cleanup_empty_child_namespaces(&self, clean_up: bool) -> &Self {
        self.with_app(|app| app.cleans_up = clean_up)
    }

    /// Calls the function when a dynamic namespace is made, with its name. Source: the event `new_namespace`.
    pub fn on_new_namespace(&self, see: impl Fn(&str) + Send + Sync + 'static) -> &Self {
        self.with_app(|app| app.on_new_namespace.push(Box::new(see)))
    }
}

impl Emitter {
    /// The names of all namespaces that exist, sorted.
    pub fn namespaces(&self) -> Vec<String> {
        let mut names = self.town().names_of_children(None);
        let fixed = self.town().app.namespaces.iter().filter(|namespace| namespace.rule.is_none());
        names.extend(fixed.map(|namespace| namespace.name.clone()));
        names.sort();
        names
    }

    /// The names of a parent's children, sorted; the parent by its pattern or title.
    pub fn children(&self, parent: &str) -> Vec<String> {
        let mut names = self.town().names_of_children(Some(parent));
        names.sort();
        names
    }

    /// Emits to all in all children of a parent. Source: `parent.emit`.
    pub fn emit_to_children(&self, parent: &str, event: &str, args: impl Serialize) {
        for name in self.children(parent) {
            self.of(&name).emit(event, &args);
        }
    }
}

/// A client's question for a namespace that does not exist yet: whatever becomes of it, the client is answered.
struct Asking {
    core: Rc<Core>,
    session: SessionKey,
    name: String,
    /// What is said if this is dropped; nothing once somebody else answers.
    error: &'static str,
}

impl Asking {
    fn end(mut self) {
        self.error = "";
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if !self.error.is_empty() {
            self.core.refuse(self.session, &self.name, &self.error.into());
        }
    }
}

impl Core {
    /// A client wants a namespace that this core does not know.
    pub(crate) fn ask_for(self: &Rc<Self>, session: SessionKey, name: &str, auth: Option<Rc<Auth>>) {
        let (core, name) = (Rc::clone(self), name.to_owned());
        let mut asking = Asking { core: Rc::clone(self), session, name: name.clone(), error: BUSY };
        let task = async move {
            asking.error = INTERNAL_ERROR;
            let _place = Place::take(&core, session, Over::auth(auth.as_deref()));
            let parent = core.parent_of(&name, auth.as_deref().map(Auth::as_str)).await;
            let made = parent.map(|parent| core.make_child(&name, parent));
            asking.end();
            match made {
                Some(Ok(nsp)) => {
                    let may = core.hub_mut().connect(core.now_ms.get(), session, nsp);
                    match may {
                        true => core.connect(session, nsp, auth),
                        false => core.leave_child(nsp),
                    }
                }
                Some(Err(refusal)) => core.refuse(session, &name, &refusal),
                None => core.hub_mut().refuse(session, &name, INVALID_NAMESPACE),
            }
            core.run_effects();
        };
        self.start_task(task);
    }

    /// Refuses a client that has no socket yet.
    fn refuse(&self, session: SessionKey, name: &str, refusal: &Refusal) {
        let mut hub = self.hub_mut();
        if let Some(revision) = hub.revision_of_session(session) {
            hub.refuse(session, name, &refusal.to_json(revision));
        }
    }

    async fn parent_of(&self, name: &str, auth: Option<&str>) -> Option<usize> {
        for (index, namespace) in self.town.app.namespaces.iter().enumerate() {
            let is_child = match &namespace.rule {
                None => false,
                Some(Rule::Pattern(regex)) => regex.is_match(name),
                Some(Rule::Function(agree)) => {
                    let auth = auth.and_then(|auth| read_text(auth).ok()).unwrap_or_default();
                    agree(name.to_owned(), auth).await
                }
            };
            if is_child {
                return Some(index);
            }
        }
        None
    }
}
