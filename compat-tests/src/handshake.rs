//! The handshake as the reference shows it.

use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};
use socketville::{Namespace, Socket};

use crate::wanted::Wanted;

/// Adds the event.
pub fn serve(namespace: Namespace<'_>) -> Namespace<'_> {
    namespace.on("handshake", |socket: Socket, Wanted(ack): Wanted| ack.send(handshake_of(&socket)))
}

/// All of a socket's handshake.
pub fn handshake_of(socket: &Socket) -> Value {
    let handshake = socket.handshake();
    let issued = handshake.issued().and_then(|issued| issued.duration_since(UNIX_EPOCH).ok());
    json!({
        "query": object(handshake.queries()),
        "auth": handshake.auth::<Value>().unwrap_or_default(),
        "headers": object(handshake.headers()),
        "address": handshake.address(),
        "issued": issued.map(|issued| issued.as_millis() as u64),
        "secure": handshake.is_secure(),
        "url": handshake.url(),
        "xdomain": handshake.is_xdomain(),
        "time": handshake.time(),
    })
}

fn object(pairs: Vec<(String, String)>) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key, value.into())).collect()
}
