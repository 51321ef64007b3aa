//! Handlers that take an event as it lies in the input: what they relay, and what they replace.
//! Not packet middlewares, which see every event before its handler (`packet_middlewares`).

mod client;
mod stage;

use std::time::Duration;

use serde_json::{Value, json};
use socketville::{Ack, Argument, Arguments, Binary, Builder, Socket};
use socketville_proto::ws::Opcode;

use stage::on_each;

const SOON: Duration = Duration::from_secs(10);

fn place(num: u32) -> Value {
    json!({"_placeholder": true, "num": num})
}

fn shout(io: &Builder) {
    io.of("/").on_packet("shout", |socket, packet| {
        socket.nsp().emit("shouted", packet.arguments());
        packet.take_ack().send(packet.len());
    });
}

#[test]
fn text_is_relayed_as_it_came() {
    on_each(shout, |stage| {
        let mut client = stage.client();
        assert_eq!(client.ask(1, r#"["shout","a",{"b": 1.50},[null]]"#), json!([3]));
        assert_eq!(client.event("shouted"), json!(["a", {"b": 1.5}, [null]]));
        assert_eq!(client.ask(2, r#"["shout"]"#), json!([0]));
        assert_eq!(client.event("shouted"), json!([]));
    });
}

#[test]
fn binary_comes_along() {
    on_each(shout, |stage| {
        let (mut client, mut listener) = (stage.client(), stage.client());
        let text = format!("452-{}", json!(["shout", place(1), [place(0)]]));
        client.send_all(&[(Opcode::Text, text.as_bytes()), (Opcode::Binary, &[1, 2]), (Opcode::Binary, &[])]);
        let packet = listener.packet();
        assert_eq!(packet.event(), ("shouted", json!([place(1), [place(0)]])));
        assert_eq!(packet.attachments, [vec![1, 2], vec![]]);
    });
}

/// A name has one handler, the last.
#[test]
fn the_last_handler_of_a_name_is_the_one() {
    let build = |io: &Builder| {
        io.on("first", |ack: Ack| ack.send("typed"));
        io.of("/")
            .on_packet("first", |_socket, packet| packet.take_ack().send("as it lies"))
            .on_packet("second", |_socket, packet| packet.take_ack().send("as it lies"))
            .on("second", |ack: Ack| ack.send("typed"));
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        assert_eq!(client.ask(1, r#"["first"]"#), json!(["as it lies"]));
        assert_eq!(client.ask(2, r#"["second"]"#), json!(["typed"]));
    });
}

/// What a middleware has set is what lies there.
#[test]
fn middlewares_come_before() {
    let build = |io: &Builder| {
        shout(io);
        io.of("/").use_packet(|_socket, packet| Ok(packet.set_args(("quiet", packet.len()))?));
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        assert_eq!(client.ask(1, r#"["shout","a","b","c"]"#), json!([2]));
        assert_eq!(client.event("shouted"), json!(["quiet", 3]));
    });
}

/// Answers with bytes, each as it came or read as a value: nothing is lost, wherever it stands in another packet.
#[test]
fn answers_with_binary_are_relayed() {
    let build = |io: &Builder| {
        io.on("gather", async |socket: Socket, ack: Ack| {
            let answers = socket.nsp().emit_with_ack::<Arguments>("q", (), SOON).await.expect("all answers");
            ack.send((Binary(vec![0]), answers, "end"));
        })
        .on("first", async |socket: Socket, ack: Ack| {
            let answers = socket.nsp().emit_with_ack::<Argument>("q", (), SOON).await.expect("all answers");
            ack.send(answers);
        })
        .on("values", async |socket: Socket, ack: Ack| {
            let answers = socket.nsp().emit_with_ack::<Value>("q", (), SOON).await.expect("all answers");
            ack.send(answers);
        });
    };
    on_each(build, |stage| {
        let mut clients = [stage.client(), stage.client()];
        for (id, (event, expected, attachments)) in [
            (
                "gather",
                json!([
                    place(0),
                    [[place(1), ["and text", place(2)]], [place(3), ["and text", place(4)]]],
                    "end"
                ]),
                vec![vec![0], vec![9], vec![7, 7], vec![9], vec![7, 7]],
            ),
            ("first", json!([[place(0), place(1)]]), vec![vec![9], vec![9]]),
            ("values", json!([[[9], [9]]]), Vec::new()),
        ]
        .into_iter()
        .enumerate()
        {
            clients[0].send_text(&format!("42{id}[\"{event}\"]"));
            for client in &mut clients {
                let asked = client.packet();
                let answer = json!([place(0), ["and text", place(1)]]);
                let text = format!("462-{}{answer}", asked.id.expect("a question"));
                client.send_all(&[
                    (Opcode::Text, text.as_bytes()),
                    (Opcode::Binary, &[9]),
                    (Opcode::Binary, &[7, 7]),
                ]);
            }
            let came = clients[0].packet();
            assert_eq!((came.args, came.attachments), (expected, attachments), "{event}");
        }
    });
}

/// One argument of several takes only its own attachments along.
#[test]
fn one_argument_is_relayed_with_its_own_binary() {
    let build = |io: &Builder| {
        io.on("swap", |socket: Socket, one: Argument, other: Argument| socket.emit("swapped", (other, one)));
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        let text = format!("453-{}", json!(["swap", [place(0), place(2)], place(1)]));
        let attachments: [&[u8]; 3] = [&[0], &[1], &[2]];
        let mut all = vec![(Opcode::Text, text.as_bytes())];
        all.extend(attachments.map(|bytes| (Opcode::Binary, bytes)));
        client.send_all(&all);
        let packet = client.packet();
        assert_eq!(packet.event(), ("swapped", json!([place(0), [place(1), place(2)]])));
        assert_eq!(packet.attachments, [vec![1], vec![0], vec![2]]);
    });
}
