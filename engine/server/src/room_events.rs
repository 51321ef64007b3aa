//! The four events of a namespace's rooms.
//!
//! Not a registry: rooms are the hub's. Each core has rooms of its own, as each node of a cluster has, and tells of those: a room with members on
//! two cores is created, and deleted, once on each. Watchers run on the core where it happened, after the call that caused it.

use std::rc::Rc;

use socketville_hub::{RoomChange, RoomEvent};

use crate::builder::Namespace;
use crate::core::Core;

impl Namespace<'_> {
    /// Calls the function when the first socket of a core joins a room; each socket's own id is a room too. Source: the adapter's `create-room`.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder()
    ///     .of("/auctions")
    ///     .on_create_room(|room| println!("someone looks at {room}"))
    ///     .on_delete_room(|room| println!("nobody looks at {room} any more"));
    /// ```
    pub fn on_create_room(self, see: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.watch(move |room, change| {
            if *change == RoomChange::Created {
                see(room);
            }
        })
    }

    /// Calls the function when the last socket of a core has left a room. Source: the adapter's `delete-room`.
    pub fn on_delete_room(self, see: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.watch(move |room, change| {
            if *change == RoomChange::Deleted {
                see(room);
            }
        })
    }

    /// Calls the function when a socket has joined a room: the room, the socket's id. Source: the adapter's `join-room`.
    pub fn on_join_room(self, see: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        self.watch(move |room, change| {
            if let RoomChange::Joined(id) = change {
                see(room, id);
            }
        })
    }

    /// Calls the function when a socket has left a room: the room, the socket's id. Source: the adapter's `leave-room`.
    pub fn on_leave_room(self, see: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        self.watch(move |room, change| {
            if let RoomChange::Left(id) = change {
                see(room, id);
            }
        })
    }

    fn watch(self, see: impl Fn(&str, &RoomChange) + Send + Sync + 'static) -> Self {
        self.with(|namespace| namespace.room_watchers.push(Box::new(see)))
    }
}

impl Core {
    pub(crate) fn tell_room(self: &Rc<Self>, event: &RoomEvent) {
        let Some(namespace) = self.namespace(event.nsp) else { return };
        for see in &namespace.room_watchers {
            let _ = self.call_out("a watcher of rooms", || see(&event.room, &event.change));
        }
    }
}
