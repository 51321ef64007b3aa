//! What a socket is, told to itself.

use serde_json::{Map, Value, json};
use socketville::{Namespace, Socket};

use crate::wanted::Wanted;

use crate::rooms::sorted_rooms;

/// Adds the events.
pub fn serve(namespace: Namespace<'_>) -> Namespace<'_> {
    namespace
        .on("whoami", |socket: Socket, Wanted(ack): Wanted| {
            ack.send(json!({
                "id": socket.id(),
                "eid": socket.session_id(),
                "nsp": socket.namespace(),
                "protocol": socket.protocol(),
                "transport": socket.transport(),
                "recovered": socket.is_recovered(),
                "rooms": sorted_rooms(&socket),
                "data": data_of(&socket),
            }));
        })
        .on("namespaces", |socket: Socket, Wanted(ack): Wanted| ack.send(socket.emitter().namespaces()))
        .on("set-data", |socket: Socket, more: Map<String, Value>, Wanted(ack): Wanted| {
            let mut data = data_of(&socket);
            data.extend(more);
            socket.set_data(data);
            ack.send(true);
        })
}

fn data_of(socket: &Socket) -> Map<String, Value> {
    socket.data::<Map<String, Value>>().map(|data| (*data).clone()).unwrap_or_default()
}
