//! Messages, acknowledgements both ways, bytes and bursts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketville::{AckError, Arguments, Binary, Namespace, Packet, Socket};

use crate::wanted::Wanted;

/// How `burst` is to be sent.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Manner {
    volatile: bool,
    binary: bool,
}

/// What became of a question.
#[derive(Serialize)]
struct Answered {
    #[serde(rename = "timedOut")]
    timed_out: bool,
    args: Arguments,
}

/// Adds the events.
pub fn serve(namespace: Namespace<'_>) -> Namespace<'_> {
    namespace
        .use_packet(|_socket, packet| {
            match packet.event() {
                "blocked" => return Err("blocked event".into()),
                "rewrite" => packet.set_event("message"),
                "label" => label(packet)?,
                _ => {}
            }
            Ok(())
        })
        .on_connect(|socket: Socket, auth: Value| socket.emit("auth", auth))
        .on("message", |socket: Socket, words: Arguments| socket.emit("message-back", words))
        .on("message-with-ack", |words: Arguments, Wanted(ack): Wanted| ack.send(words))
        .on("ask", ask)
        .on("describe", |words: Arguments, Wanted(ack): Wanted| {
            let kinds: Vec<_> = (0..words.len()).map(|index| kind_of(&words, index)).collect();
            ack.send(kinds);
        })
        .on("bytes", |count: usize, Wanted(ack): Wanted| ack.send(Binary(vec![0xa5; count])))
        .on("burst", |socket: Socket, count: u32, manner: Option<Manner>, Wanted(ack): Wanted| {
            burst(&socket, count, &manner.unwrap_or_default());
            ack.send(count);
        })
}

/// Turns `label, bytes` into `bytes, { label }`.
fn label(packet: &mut Packet<'_>) -> Result<(), String> {
    let (label, bytes): (Value, Binary) = (packet.read(0)?, packet.read(1)?);
    packet.set_args((bytes, json!({ "label": label })))?;
    packet.set_event("message");
    Ok(())
}

async fn ask(socket: Socket, ms: u64, words: Arguments) {
    let asked = socket.emit_with_ack::<Arguments>("question", words, Duration::from_millis(ms)).await;
    let answer = match asked {
        Ok(args) => Answered { timed_out: false, args },
        Err(AckError::Timeout) => Answered { timed_out: true, args: Arguments::default() },
        Err(_) => return,
    };
    socket.emit("answer", answer);
}

fn burst(socket: &Socket, count: u32, manner: &Manner) {
    for number in 0..count {
        match (manner.volatile, manner.binary) {
            (false, false) => socket.emit("tick", number),
            (false, true) => socket.emit("tick", (number, Binary(vec![number as u8]))),
            (true, false) => socket.emit_volatile("tick", number),
            (true, true) => socket.emit_volatile("tick", (number, Binary(vec![number as u8]))),
        }
    }
}

fn kind_of(words: &Arguments, index: usize) -> String {
    if let Ok(binary) = words.read::<Binary>(index)
        && !words.raw(index).is_some_and(|raw| raw.starts_with('['))
    {
        return format!("bin:{}", binary.len());
    }
    if words.raw(index).is_some_and(is_number) {
        return "number".to_owned();
    }
    match words.read::<Value>(index) {
        Ok(Value::Null) | Err(_) => "null",
        Ok(Value::Bool(_)) => "boolean",
        Ok(Value::Number(_)) => "number",
        Ok(Value::String(_)) => "string",
        Ok(Value::Array(_)) => "array",
        Ok(Value::Object(_)) => "object",
    }
    .to_owned()
}

/// Whether a value is a number; `1e400` is one, too, though no type of Rust holds it: it is Infinity to JavaScript.
fn is_number(raw: &str) -> bool {
    raw.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}
