//! A chat: names by auth, rooms, acknowledgements, a history that is awaited, an announcer on a thread of its own.
//! Not a client: `io("http://localhost:3000/chat", { auth: { nick: "Ada" } })` is one, in a browser or in Node.

use std::{sync::Mutex, thread, time::Duration};

use socketville::{Ack, Server, Socket, sleep};

#[derive(serde::Deserialize)]
struct Auth {
    nick: String,
}

/// What was said, as room, nick and text; it stands for a database.
static HISTORY: Mutex<Vec<[String; 3]>> = Mutex::new(Vec::new());

async fn load(room: &str) -> Vec<[String; 3]> {
    sleep(Duration::from_millis(20)).await; // any client built on tokio may be awaited here
    HISTORY.lock().unwrap().iter().filter(|line| line[0] == room).cloned().collect()
}

fn nick(socket: &Socket) -> String {
    socket.data::<String>().map_or_else(String::new, |nick| nick.to_string())
}

fn main() -> socketville::Result<()> {
    let io = Server::builder();
    io.of("/chat")
        .use_middleware(async |socket: Socket| {
            let auth: Auth = socket.handshake().auth().map_err(|_| "who are you?")?;
            socket.set_data(auth.nick);
            Ok(())
        })
        .on("join", |socket: Socket, room: String, ack: Ack| {
            let refused = socket.join(&room).err().map(|error| error.to_string());
            socket.to(&room).emit("joined", (&room, nick(&socket)));
            ack.send(refused);
        })
        .on("leave", |socket: Socket, room: String, ack: Ack| {
            socket.leave(&room);
            ack.send(());
        })
        .on("say", |socket: Socket, room: String, text: String, ack: Ack| {
            socket.to(&room).except("away").emit("said", (&room, nick(&socket), &text));
            HISTORY.lock().unwrap().push([room, nick(&socket), text]);
            ack.send("said");
        })
        .on("history", async |room: String, ack: Ack| ack.send(load(&room).await))
        .on_disconnect(|socket: Socket| socket.broadcast().emit("left", nick(&socket)));

    let server = io.listen("127.0.0.1:3000")?;
    let emitter = server.emitter();
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_secs(60));
            emitter.of("/chat").except("away").emit("announcement", "One minute later.");
        }
    });
    server.run()
}
