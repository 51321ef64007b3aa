//! Watchers of what is sent: every event to every socket of a namespace, broadcasts included.
//!
//! Not part of sending: a namespace without watchers pays one look at an empty list per emit. With them it pays for each recipient, so they
//! are for development, audits and tests.

use std::rc::Rc;
use std::sync::Arc;

use socketville_hub::{NspId, Record, Selector};
use socketville_proto::sio;

use crate::builder::Namespace;
use crate::core::Core;
use crate::socket::Socket;

impl Namespace<'_> {
    /// Calls the function for every event that is sent to a socket: the socket, the name, and the packet's JSON array, binary as placeholders.
    /// Acknowledgements are not among them, nor is what such a function emits itself, to whomever: that is sent and shown to none, so that a function
    /// which emits ends. Source: `socket.onAnyOutgoing`, which would be called again there.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder().of("/").on_any_outgoing(|socket, event, _array| println!("{event} to {}", socket.id()));
    /// ```
    pub fn on_any_outgoing(self, see: impl Fn(&Socket, &str, &str) + Send + Sync + 'static) -> Self {
        self.with(|namespace| namespace.on_any_outgoing.push(Box::new(see)))
    }
}

impl Core {
    /// A broadcast of another core or thread becomes due here; how many sockets it is for.
    pub(crate) fn deliver(self: &Rc<Self>, record: &Arc<Record>) -> usize {
        self.show_record(record);
        self.hub_mut().deliver_record(record)
    }

    /// As [`Core::deliver`], but due together with those that follow.
    pub(crate) fn collect(self: &Rc<Self>, record: &Arc<Record>) {
        self.show_record(record);
        self.bundle(record);
    }

    fn show_record(&self, record: &Record) {
        if !self.is_showing.get()
            && self.is_watched(record.nsp)
            && let Some(array) = record.array()
        {
            record.with_selector(|selector| self.show_all(record.nsp, selector, &array));
        }
    }

    pub(crate) fn is_watched(&self, nsp: NspId) -> bool {
        self.namespace(nsp).is_some_and(|namespace| !namespace.on_any_outgoing.is_empty())
    }

    /// Shows an event to the watchers, once for each of its sockets.
    pub(crate) fn show_all(&self, nsp: NspId, selector: &Selector<'_>, array: &str) {
        self.select(nsp, selector).iter().for_each(|socket| self.show(socket, array));
    }

    /// Shows an event to the watchers. What they emit meanwhile is shown to none.
    pub(crate) fn show(&self, socket: &Socket, array: &str) {
        let Some(namespace) = self.namespace(socket.nsp_id()) else { return };
        let Ok(args) = sio::Args::parse(array) else { return };
        let name = args.event_name().unwrap_or_default();
        for see in &namespace.on_any_outgoing {
            self.is_showing.set(true);
            let _ = self.call_out("a watcher of outgoing events", || see(socket, &name, array));
            self.is_showing.set(false);
        }
    }
}
