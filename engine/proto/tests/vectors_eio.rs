//! The golden vectors of Engine.IO: each line of `vectors/eio.txt` is read and must mean what it says.

mod vector;

use socketville_proto::eio::{self, Packet, PayloadItem};

#[test]
fn every_vector_means_what_it_says() {
    let vectors = vector::read(include_str!("vectors/eio.txt"));
    assert!(vectors.len() >= 40, "only {} vectors", vectors.len());
    for vector in vectors {
        let (decoder, input) = vector.input.split_once(' ').expect("packet or payload, and the input");
        let found = match decoder {
            "packet" => describe(eio::decode(input).map(PayloadItem::Packet)),
            "payload" => eio::payload(input).map(describe).collect::<Vec<_>>().join(", "),
            other => panic!("line {}: no decoder {other}", vector.line),
        };
        assert_eq!(found, vector.expected, "line {}, {}: {input:?}", vector.line, vector.section);
    }
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
