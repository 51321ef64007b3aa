//! Limits that an application may choose: each holds at its number, with its outcome, for that client alone.

mod client;
mod stage;

use std::time::Duration;

use serde_json::{Value, json};
use socketville::{Ack, AckError, Binary, Builder, Socket};
use socketville_proto::ws::Opcode;

use stage::on_each;

fn build(io: &Builder) {
    io.namespaces_per_session_max(2)
        .rooms_per_socket_max(2)
        .attachments_max(12)
        .depth_max(5)
        .acks_per_socket_max(1);
    io.on("join", |socket: Socket, room: String, ack: Ack| ack.send(socket.join(room).is_ok()))
        .on("bytes", |count: usize, socket: Socket, ack: Ack| {
            ack.send(socket.try_emit("bytes", vec![Binary(vec![1]); count]).is_ok());
        })
        .on("echo", |value: Value, ack: Ack| ack.send(value))
        .on("ask", async |socket: Socket, ack: Ack| {
            let ask = || socket.emit_with_ack::<Value>("q", (), Duration::from_secs(5));
            socketville::spawn({
                let socket = socket.clone();
                async move { drop(socket.emit_with_ack::<Value>("q", (), Duration::from_secs(5)).await) }
            });
            socketville::yield_now().await;
            ack.send(matches!(ask().await, Err(AckError::TooMany)));
        });
    io.of("/a");
    io.of("/b");
}

#[test]
fn rooms_and_attachments_sent_have_the_limits_that_were_chosen() {
    on_each(build, |stage| {
        let mut client = stage.client();
        for (room, is_in) in [("a", true), ("b", true), ("c", false), ("a", true)] {
            assert_eq!(client.ask(1, &json!(["join", room]).to_string()), json!([is_in]), "{room}");
        }
        assert_eq!(client.ask(2, r#"["bytes",12]"#), json!([true]));
        assert_eq!(client.event("bytes").as_array().map(Vec::len), Some(1));
        assert_eq!(client.ask(3, r#"["bytes",13]"#), json!([false]));
        assert_eq!(client.ask(4, r#"["ask"]"#), json!([true]));
    });
}

#[test]
fn a_namespace_too_many_is_refused_alone() {
    on_each(build, |stage| {
        let mut client = stage.client();
        client.join("/a", "");
        client.send_text("40/b,");
        assert_eq!(client.packet().args, json!({"message": "too many namespaces"}));
        assert_eq!(client.ask(1, r#"["echo",1]"#), json!([1]));
    });
}

#[test]
fn packets_that_come_have_the_limits_that_were_chosen() {
    on_each(build, |stage| {
        let echo = |count: usize| {
            let places: Vec<_> = (0..count).map(|num| json!({"_placeholder": true, "num": num})).collect();
            format!("45{count}-1{}", json!(["echo", places]))
        };
        let mut client = stage.client();
        let text = echo(12);
        let mut all = vec![(Opcode::Text, text.as_bytes())];
        all.extend(std::iter::repeat_n((Opcode::Binary, &[7_u8][..]), 12));
        client.send_all(&all);
        assert_eq!(client.answer(1), json!([vec![[7]; 12]]));
        assert_eq!(client.ask(2, r#"["echo",[[[[]]]]]"#), json!([[[[[]]]]]));
        client.send_text(r#"423["echo",[[[[[]]]]]]"#);
        assert!(client.until_closed().is_empty());
        let mut other = stage.client();
        other.send_text(&echo(13));
        assert!(other.until_closed().is_empty());
    });
}
