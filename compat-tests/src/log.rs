//! What happened to the sockets whose auth or query carried a tag, oldest first.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use socketville::{Namespace, Socket};

use crate::wanted::Wanted;

use crate::rooms::sorted_rooms;

/// Entries by tag, shared by all cores.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<HashMap<String, Vec<Value>>>>);

thread_local! {
    /// Tags of the sockets of this core, by socket id.
    static TAGS: RefCell<HashMap<String, String>> = RefCell::default();
    /// Sockets of this core all of whose events are noted.
    static WATCHED: RefCell<HashSet<String>> = RefCell::default();
}

impl Log {
    fn note(&self, socket: &Socket, ev: &str, mut entry: Value) {
        let Some(tag) = TAGS.with_borrow(|tags| tags.get(socket.id()).cloned()) else { return };
        entry["tag"] = tag.clone().into();
        entry["ev"] = ev.into();
        entry["nsp"] = socket.namespace().into();
        entry["id"] = socket.id().into();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(tag).or_default().push(entry);
    }

    fn note_event(&self, socket: &Socket, ev: &str, name: &str, array: &str) {
        if WATCHED.with_borrow(|watched| watched.contains(socket.id())) {
            let argc =
                serde_json::from_str::<Vec<Value>>(array).map_or(0, |array| array.len().saturating_sub(1));
            self.note(socket, ev, json!({"name": name, "argc": argc}));
        }
    }

    fn entries(&self, tag: &str) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(tag).cloned().unwrap_or_default()
    }
}

/// Adds the events.
pub fn serve<'a>(namespace: Namespace<'a>, log: &Log) -> Namespace<'a> {
    let (connects, leaving, left, asked) = (log.clone(), log.clone(), log.clone(), log.clone());
    let (refused, came, went) = (log.clone(), log.clone(), log.clone());
    namespace
        .on_any(move |socket, name, array| came.note_event(socket, "any-in", name, array))
        .on_any_outgoing(move |socket, name, array| went.note_event(socket, "any-out", name, array))
        .on_connect(move |socket: Socket, auth: Value| {
            let tag = auth["tag"].as_str().map(str::to_owned).or_else(|| socket.handshake().query("tag"));
            if let Some(tag) = tag {
                TAGS.with_borrow_mut(|tags| tags.insert(socket.id().to_owned(), tag));
                connects.note(&socket, "connect", json!({"recovered": socket.is_recovered()}));
                if auth["any"] == true {
                    WATCHED.with_borrow_mut(|watched| watched.insert(socket.id().to_owned()));
                }
            }
        })
        .on_disconnecting(move |socket: Socket, reason: String| {
            leaving.note(&socket, "disconnecting", json!({"reason": reason, "rooms": sorted_rooms(&socket)}));
        })
        .on_disconnect(move |socket: Socket, reason: String| {
            left.note(&socket, "disconnect", json!({"reason": reason, "rooms": sorted_rooms(&socket)}));
            TAGS.with_borrow_mut(|tags| tags.remove(socket.id()));
            WATCHED.with_borrow_mut(|watched| watched.remove(socket.id()));
        })
        .on_error(move |socket: Socket, message: String| {
            refused.note(&socket, "error", json!({"message": message}))
        })
        .on("log", move |tag: String, Wanted(ack): Wanted| ack.send(Value::Array(asked.entries(&tag))))
}
