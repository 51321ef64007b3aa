//! The golden vectors of Socket.IO: each line of `vectors/sio.txt` is read and must mean what it says.

mod vector;

use socketville_proto::sio::{self, Args, Packet};

#[test]
fn every_vector_means_what_it_says() {
    let vectors = vector::read(include_str!("vectors/sio.txt"));
    assert!(vectors.len() >= 130, "only {} vectors", vectors.len());
    for vector in vectors {
        let found = describe(sio::decode(&vector.input));
        let start: String = vector.input.chars().take(200).collect();
        assert_eq!(found, vector.expected, "line {}, {}: {start:?}", vector.line, vector.section);
    }
}

/// A text that is cut anywhere is an error or a packet, never a panic; and a cut payload is never a packet.
#[test]
fn every_prefix_of_every_vector_is_decided() {
    for vector in vector::read(include_str!("vectors/sio.txt")) {
        let ends = vector.input.char_indices().map(|(at, _)| at).take(1_000);
        for end in ends {
            let cut = &vector.input[..end];
            if let Ok(Packet::Event { args, .. } | Packet::Ack { args, .. }) = sio::decode(cut) {
                assert!(args.json().trim_end().ends_with(']'), "{cut}");
            }
        }
    }
}

fn describe(packet: Result<Packet<'_>, sio::Error>) -> String {
    match packet {
        Err(error) => format!("error {}", vector::name(&error)),
        Ok(Packet::Connect { nsp, auth: None }) => format!("connect {nsp}"),
        Ok(Packet::Connect { nsp, auth: Some(auth) }) => format!("connect {nsp} {auth}"),
        Ok(Packet::Disconnect { nsp }) => format!("disconnect {nsp}"),
        Ok(Packet::Event { nsp, id, attachments, args }) => {
            assert!(args.event_name().is_some(), "an accepted event has a name");
            describe_args("event", nsp, id, attachments, &args)
        }
        Ok(Packet::Ack { nsp, id, attachments, args }) => describe_args("ack", nsp, id, attachments, &args),
    }
}

fn describe_args(kind: &str, nsp: &str, id: Option<u64>, attachments: u8, args: &Args<'_>) -> String {
    let id = id.map_or("-".to_owned(), |id| id.to_string());
    format!("{kind} {nsp} {id} {attachments} {}", args.json())
}
