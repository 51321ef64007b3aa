//! Handlers that take an event as it lies in the input: what they relay, and what they replace.
//! Not packet middlewares, which see every event before its handler (`packet_middlewares`).

mod client;
mod stage;

use serde_json::{Value, json};
use socketville::{Ack, Builder};
use socketville_proto::ws::Opcode;

use stage::on_each;

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
