//! Orders to other sockets, on whatever core they live: look, move, disconnect.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use socketville::{Arguments, Namespace, RemoteSocket, Socket};

use crate::wanted::Wanted;

use crate::rooms::{Gathered, Names, Selection};

/// How long other servers may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What `fetch` tells of a socket.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Fetched {
    id: String,
    rooms: Vec<String>,
    #[serde(serialize_with = "as_value")]
    data: String,
}

/// Adds the events.
pub fn serve(namespace: Namespace<'_>) -> Namespace<'_> {
    namespace
        .on("fetch", async |socket: Socket, selection: Selection, Wanted(ack): Wanted| {
            let sockets = selection.of(socket.nsp()).fetch_sockets().await.expect("all cores move");
            let mut fetched: Vec<_> = sockets.iter().map(Fetched::of).collect();
            fetched.sort();
            ack.send(fetched);
        })
        .on("sockets-join", |socket: Socket, selection: Selection, rooms: Names, Wanted(ack): Wanted| {
            selection.of(socket.nsp()).sockets_join(rooms.list());
            ack.send(true);
        })
        .on("sockets-leave", |socket: Socket, selection: Selection, rooms: Names, Wanted(ack): Wanted| {
            selection.of(socket.nsp()).sockets_leave(rooms.list());
            ack.send(true);
        })
        .on(
            "sockets-disconnect",
            |socket: Socket, selection: Selection, close: Option<bool>, Wanted(ack): Wanted| {
                ack.send(true);
                selection.of(socket.nsp()).disconnect_sockets(close.unwrap_or_default());
            },
        )
        .on("server-side-emit", async |socket: Socket, words: Arguments, Wanted(ack): Wanted| {
            let answers = socket.nsp().server_side_emit_with_ack::<Value>("sse", words, ANSWER_WITHIN).await;
            ack.send(Gathered::new(answers));
        })
}

impl Fetched {
    fn of(socket: &RemoteSocket) -> Self {
        let mut rooms = socket.rooms().to_vec();
        rooms.sort();
        let data: Value = socket.data().unwrap_or_default();
        Self { id: socket.id().to_owned(), rooms, data: data.to_string() }
    }
}

fn as_value<S: serde::Serializer>(json: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<Value>(json).map_err(serde::ser::Error::custom)?.serialize(serializer)
}
