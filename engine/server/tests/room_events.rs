//! The four events of rooms, in their order (`create-room`, `join-room`, `leave-room`, `delete-room` of the reference's adapter).
//! Not membership itself, which `hub` proves.

mod client;
mod stage;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use socketville::{Ack, Builder, Socket};

use stage::on_cores;

type Notes = Arc<Mutex<Vec<String>>>;

fn write(notes: &Notes) -> impl Fn(String) + Send + Sync + 'static {
    let notes = Arc::clone(notes);
    move |note| notes.lock().unwrap_or_else(PoisonError::into_inner).push(note)
}

#[test]
fn rooms_tell_of_their_first_and_last_and_of_each_socket() {
    let notes = Notes::default();
    let build = |io: &Builder| {
        notes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (created, deleted, joined, left) = (write(&notes), write(&notes), write(&notes), write(&notes));
        io.of("/")
            .on("join", |socket: Socket, room: String, ack: Ack| ack.send(socket.join(room).is_ok()))
            .on("leave", |socket: Socket, room: String, ack: Ack| {
                socket.leave(room);
                ack.send(true);
            })
            .on_create_room(move |room| created(format!("create {room}")))
            .on_delete_room(move |room| deleted(format!("delete {room}")))
            .on_join_room(move |room, id| joined(format!("join {room} {id}")))
            .on_leave_room(move |room, id| left(format!("leave {room} {id}")));
    };
    on_cores(&[1], build, |stage| {
        let (mut a, mut b) = (stage.client(), stage.client());
        for (client, id) in [(&mut a, 1), (&mut b, 2)] {
            assert_eq!(client.ask(id, r#"["join","lobby"]"#), json!([true]));
        }
        assert_eq!(a.ask(3, r#"["join","lobby"]"#), json!([true]), "again, and nothing happens");
        assert_eq!(a.ask(4, r#"["leave","lobby"]"#), json!([true]));
        assert_eq!(a.ask(5, r#"["leave","never"]"#), json!([true]));
        b.send_text("41");
        a.ask(6, r#"["leave","never"]"#);
        while stage.sockets() > 1 {}
        let (a, b) = (&a.id, &b.id);
        let expected = [
            format!("create {a}"),
            format!("join {a} {a}"),
            format!("create {b}"),
            format!("join {b} {b}"),
            "create lobby".into(),
            format!("join lobby {a}"),
            format!("join lobby {b}"),
            format!("leave lobby {a}"),
            format!("leave lobby {b}"),
            "delete lobby".into(),
            format!("leave {b} {b}"),
            format!("delete {b}"),
        ];
        assert_eq!(*notes.lock().unwrap_or_else(PoisonError::into_inner), expected);
    });
}
