//! The golden vectors of Engine.IO 3: each line of `vectors/eio3.txt` is read and must mean what it says; payloads that are
//! accepted are the same when written.

mod vector;

use socketville_proto::eio::{self, Packet, PayloadForm, PayloadItem, v3};
use socketville_proto::sio;

#[test]
fn every_vector_means_what_it_says() {
    let vectors = vector::read(include_str!("vectors/eio3.txt"));
    assert!(vectors.len() >= 60, "only {} vectors", vectors.len());
    for vector in vectors {
        let (decoder, input) = vector.input.split_once(' ').expect("a decoder and the input");
        let found = match decoder {
            "item" => describe(v3::item(input)),
            "payload" => describe_all(PayloadForm::V3, input.as_bytes()),
            "binary" => describe_all(PayloadForm::V3Binary, &bytes(input)),
            "form" => v3::read_form(input).unwrap_or_else(|| "none".into()),
            "connect" => match sio::decode_connect_v3(input) {
                Ok((nsp, auth)) => format!("{nsp} {}", auth.as_deref().unwrap_or("-")),
                Err(error) => format!("error {}", vector::name(&error)),
            },
            other => panic!("line {}: no decoder {other}", vector.line),
        };
        assert_eq!(found, vector.expected, "line {}, {}: {input:?}", vector.line, vector.section);
    }
}

/// Each character of the input is a byte.
fn bytes(input: &str) -> Vec<u8> {
    input.chars().map(|character| u8::try_from(u32::from(character)).expect("a byte")).collect()
}

fn describe_all(form: PayloadForm, body: &[u8]) -> String {
    form.items(body).map(describe).collect::<Vec<_>>().join(", ")
}

fn describe(item: Result<PayloadItem<'_>, eio::Error>) -> String {
    let (name, data) = match item {
        Err(error) => return format!("error {}", vector::name(&error)),
        Ok(PayloadItem::Binary(bytes)) => return format!("binary {bytes:?}"),
        Ok(PayloadItem::Packet(packet)) => match packet {
            Packet::Open(data) => ("open", data),
            Packet::Close => ("close", ""),
            Packet::Ping(data) => ("ping", data),
            Packet::Pong(data) => ("pong", data),
            Packet::Message(data) => ("message", data),
            Packet::Upgrade => ("upgrade", ""),
            Packet::Noop => ("noop", ""),
        },
    };
    format!("{name} {data}").trim_end().to_owned()
}
