//! Orders to all sockets that an operator selects, on every core: look at them, move them between rooms, make them leave.
//!
//! Not broadcasts: no packet is sent but what an order causes. An order takes effect at once on the core that gives it, and elsewhere in its
//! place among the core's broadcasts: what is emitted after a join reaches those who joined.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::adapter::{Content, EventPayload, Reach};
use crate::arguments::FromAnswer;
use crate::core::Core;
use crate::error::QueryError;
use crate::gather::BroadcastAckError;
use crate::operator::{Broadcast, IntoRooms, Rooms, Target, written};
use crate::rarely::rarely;
use crate::remote::RemoteSocket;
use crate::socket::Socket;
use crate::survey::survey;

impl Broadcast<'_> {
    /// What is known of each of these sockets, in no order; none if the namespace does not exist. Source: `fetchSockets`.
    ///
    /// # Errors
    /// A core that has not answered within [`QUERY_TIMEOUT`](crate::limits::QUERY_TIMEOUT), since it stands still; the sockets of the others are in the
    /// error.
    ///
    /// ```
    /// use socketville::{Ack, Server, Socket};
    ///
    /// Server::builder().on("who", async |socket: Socket, room: String, ack: Ack| {
    ///     let sockets = socket.nsp().to(&room).fetch_sockets().await.unwrap_or_else(|error| error.into_found());
    ///     ack.send(sockets.iter().map(|other| other.id()).collect::<Vec<_>>());
    /// });
    /// ```
    pub async fn fetch_sockets(self) -> Result<Vec<RemoteSocket>, QueryError<Vec<RemoteSocket>>> {
        let Ok(nsp) = self.known() else { return Ok(Vec::new()) };
        if self.target().is_nobody() {
            return Ok(Vec::new());
        }
        let target = self.target().to_owned();
        let look = move |core: &Rc<Core>| {
            let sockets = core.select(nsp, &target.selector());
            sockets.iter().map(RemoteSocket::of).collect::<Vec<_>>()
        };
        let cores = self.town().mailboxes.len();
        survey(self.town(), look).await.found(cores, |lists| lists.into_iter().flatten().collect())
    }

    /// Puts these sockets into a room, or into several; one that is in already stays. Source: `socketsJoin`.
    ///
    /// A join that meets a limit is counted and logged, as none of these sockets' handlers is there to be told.
    ///
    /// ```
    /// use socketville::{Server, Socket};
    ///
    /// Server::builder().on("start", |socket: Socket| {
    ///     socket.nsp().to("lobby").sockets_join("game");
    ///     socket.nsp().to("game").emit("go", ());
    /// });
    /// ```
    pub fn sockets_join<'r>(self, rooms: impl IntoRooms<'r>) {
        let rooms = names(rooms);
        self.tell_others(|| Content::Join(rooms.clone()));
        self.each(move |socket| {
            for room in &rooms {
                if let Err(error) = socket.join(room) {
                    rarely!(warn, socket = socket.id(), room, %error, "an ordered join was refused");
                }
            }
        });
    }

    /// Takes these sockets out of a room, or out of several. Source: `socketsLeave`.
    pub fn sockets_leave<'r>(self, rooms: impl IntoRooms<'r>) {
        let rooms = names(rooms);
        self.tell_others(|| Content::Leave(rooms.clone()));
        self.each(move |socket| rooms.iter().for_each(|room| socket.leave(room)));
    }

    /// Makes these sockets leave the namespace; with `close` their connections end too. Source: `disconnectSockets`.
    pub fn disconnect_sockets(self, close: bool) {
        self.tell_others(|| Content::Disconnect { close });
        self.each(move |socket| if close { socket.disconnect_all() } else { socket.disconnect() });
    }

    /// Tells an event to the other servers of a cluster, where [`Namespace::on_server_side`](crate::Namespace::on_server_side) hears it. Source:
    /// `serverSideEmit`. A server without an [`Adapter`](crate::Adapter) has none, and its own handlers are not among the receivers, as with the
    /// reference's cluster adapters. What cannot be written as JSON is logged, and so is a name that the protocol keeps for itself.
    pub fn server_side_emit(self, event: &str, args: impl Serialize) {
        let Ok(nsp) = self.known() else {
            return rarely!(error, event, "an event to servers was for a namespace that does not exist");
        };
        if self.town().app.adapter.is_none() {
            return;
        }
        match written(self.town(), event, &args) {
            Ok((json, attachments)) => {
                let content = || Content::ServerSide(EventPayload::of(&json, &attachments));
                self.town().tell_others(nsp, &self.target().selector(), content);
            }
            Err(error) => rarely!(error, event, %error, "an event to servers was not told"),
        }
    }

    /// The same, with their answers. Adapters do not bring answers yet: it answers itself, at once, with an empty list, and tells nobody. Source:
    /// `serverSideEmitWithAck`.
    ///
    /// # Errors
    /// None.
    pub async fn server_side_emit_with_ack<T: FromAnswer>(
        self,
        event: &str,
        args: impl Serialize,
        timeout: Duration,
    ) -> Result<Vec<T>, BroadcastAckError<T>> {
        let _ = (event, args, timeout);
        Ok(Vec::new())
    }

    /// The sockets of other servers too, unless it was said that it is for those of this one.
    fn tell_others(&self, content: impl FnOnce() -> Content) {
        if let Ok(nsp) = self.known()
            && self.target().reach() == Reach::Everywhere
            && !self.target().is_nobody()
        {
            self.town().tell_others(nsp, &self.target().selector(), content);
        }
    }

    /// Has every core do something with each of its sockets.
    fn each(self, act: impl Fn(&Socket) + Send + Sync + 'static) {
        let Ok(nsp) = self.known() else {
            return rarely!(error, "an order was for a namespace that does not exist");
        };
        if self.target().is_nobody() {
            return;
        }
        let target: Target<'static> = self.target().to_owned();
        let order = move |core: &Rc<Core>| core.select(nsp, &target.selector()).iter().for_each(&act);
        self.town().order(Arc::new(order));
    }
}

fn names<'r>(rooms: impl IntoRooms<'r>) -> Vec<String> {
    let mut names = Rooms::default();
    rooms.add_to(&mut names);
    names.names().map(String::from).collect()
}
