//! A socket as it is seen from anywhere: what was known of it when it was asked for, and a way to it.
//!
//! Not a handle: its client may have left since, and then what is sent goes nowhere.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use socketville_hub::NspId;

use crate::ack::AckError;
use crate::arguments::FromAnswer;
use crate::gather::BroadcastAckError;
use crate::handshake::Handshake;
use crate::operator::{Broadcast, IntoRooms};
use crate::socket::Socket;
use crate::town::Town;

/// One client in one namespace, on any core, as [`Broadcast::fetch_sockets`] found it. Source: `RemoteSocket`.
#[derive(Clone)]
pub struct RemoteSocket {
    town: Arc<Town>,
    nsp: NspId,
    id: Box<str>,
    rooms: Vec<String>,
    data: Value,
    handshake: Handshake,
}

impl RemoteSocket {
    pub(crate) fn of(socket: &Socket) -> Self {
        Self {
            town: Arc::clone(&socket.core_rc().town),
            nsp: socket.nsp_id(),
            id: socket.id().into(),
            rooms: socket.rooms(),
            data: socket.data_json(),
            handshake: socket.handshake(),
        }
    }

    /// The id. Source: `id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The rooms it was in, its own id first. Source: `rooms`.
    pub fn rooms(&self) -> &[String] {
        &self.rooms
    }

    /// What its client said when it connected. Source: `handshake`.
    pub const fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// What was kept with it by [`Socket::set_data`], read from its JSON; `{}` if nothing was. Source: `data`.
    ///
    /// # Errors
    /// If it is not a `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.data)
    }

    /// Sends an event to it. Source: `emit`.
    pub fn emit(&self, event: &str, args: impl Serialize) {
        self.alone().emit(event, args);
    }

    /// Sends an event to it and waits for the answer. Source: `timeout(ms).emitWithAck`.
    ///
    /// # Errors
    /// As [`Socket::emit_with_ack`].
    pub async fn emit_with_ack<T: FromAnswer>(
        &self,
        event: &str,
        args: impl Serialize,
        timeout: Duration,
    ) -> Result<T, AckError> {
        match self.alone().emit_with_ack(event, args, timeout).await {
            Ok(mut answers) => answers.pop().ok_or(AckError::Disconnected),
            Err(BroadcastAckError::Incomplete { .. }) => Err(AckError::Timeout),
            Err(BroadcastAckError::Argument { error, .. }) => Err(AckError::Argument(error)),
            Err(BroadcastAckError::Emit(error)) => Err(AckError::Emit(error)),
        }
    }

    /// Puts it into a room, or into several. Source: `join`.
    pub fn join<'r>(&self, rooms: impl IntoRooms<'r>) {
        self.alone().sockets_join(rooms);
    }

    /// Takes it out of a room, or out of several. Source: `leave`.
    pub fn leave<'r>(&self, rooms: impl IntoRooms<'r>) {
        self.alone().sockets_leave(rooms);
    }

    /// Makes it leave the namespace. Source: `disconnect()`.
    pub fn disconnect(&self) {
        self.alone().disconnect_sockets(false);
    }

    /// Makes it leave and closes its connection. Source: `disconnect(true)`.
    pub fn disconnect_all(&self) {
        self.alone().disconnect_sockets(true);
    }

    fn alone(&self) -> Broadcast<'_> {
        Broadcast::within_nsp(&self.town, self.nsp).to(&*self.id).local()
    }
}

impl std::fmt::Debug for RemoteSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteSocket")
            .field("id", &self.id)
            .field("rooms", &self.rooms)
            .finish_non_exhaustive()
    }
}
