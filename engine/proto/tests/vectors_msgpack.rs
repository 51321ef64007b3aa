//! The golden vectors of MessagePack: each line of `vectors/msgpack.txt` is read and must mean what it says; those of the official encoder
//! are also written, and must be its very bytes.

mod vector;

use socketville_proto::encode::{self, Kind};
use socketville_proto::sio::msgpack::{self, Packet, Payload};
use socketville_proto::{sio, ws};
use vector::Vector;

#[test]
fn every_vector_means_what_it_says() {
    let vectors = vectors();
    assert!(vectors.len() >= 130, "only {} vectors", vectors.len());
    for vector in vectors {
        let bytes = unhex(&vector.input);
        let found = describe(msgpack::decode(&bytes));
        let start: String = vector.input.chars().take(200).collect();
        assert_eq!(found, vector.expected, "line {}, {}: {start:?}", vector.line, vector.section);
    }
}

#[test]
fn the_official_encoders_packets_are_written_byte_for_byte() {
    let vectors: Vec<_> = vectors().into_iter().filter(|vector| vector.section == "notepack").collect();
    assert!(vectors.len() >= 30, "only {} vectors", vectors.len());
    for vector in vectors {
        let bytes = unhex(&vector.input);
        assert_eq!(written(&msgpack::decode(&bytes).unwrap()), bytes, "line {}", vector.line);
    }
}

/// Bytes that are cut anywhere are refused: every value says how long it is.
#[test]
fn every_prefix_of_every_vector_is_refused() {
    for vector in vectors().iter().filter(|vector| !vector.expected.starts_with("error")) {
        let bytes = unhex(&vector.input);
        for end in (0..bytes.len()).take(1_000) {
            assert!(msgpack::decode(&bytes[..end]).is_err(), "line {} cut at {end}", vector.line);
        }
    }
}

/// What the official encoder loses, clients read as from JSON: integers beyond 64 bits.
#[test]
fn numbers_that_the_official_encoder_loses_are_floats() {
    for (text, number) in [("1e300", 1e300_f64), ("-1e19", -1e19), ("1e400", f64::INFINITY)] {
        let json = format!("[{text}]");
        let mut frames = Vec::new();
        msgpack::write(&mut frames, &encode::Packet::new(Kind::Ack, "/", None, json.as_bytes()));
        let float = [&[0xcb][..], &number.to_be_bytes()].concat();
        assert!(frames.windows(9).any(|window| window == float), "{text}");
    }
}

/// JSON has more than one way to write a value; clients get one.
#[test]
fn the_same_value_is_the_same_bytes_however_it_was_written() {
    let write = |json: &str| {
        let mut frames = Vec::new();
        msgpack::write(&mut frames, &encode::Packet::new(Kind::Event, "/", None, json.as_bytes()));
        frames
    };
    let plain = write(r#"["é😀/",5,0,100,{"a":[]}]"#);
    assert_eq!(write(" [ \"\\u00e9\\ud83d\\ude00\\/\" ,5.0,\t-0,1e2,{ \"\\u0061\" : [ ] } ]\n"), plain);
    assert_eq!(
        write(r#"["\ud83d","\ude00x","\ud83d\u0041"]"#),
        write("[\"\u{fffd}\",\"\u{fffd}x\",\"\u{fffd}A\"]")
    );
}

/// Placeholders are found as the JSON decoder finds them: anywhere, in any order of keys, the last of equal keys.
#[test]
fn placeholders_become_binary() {
    let write = |json: &str, attachments: &[Vec<u8>]| {
        let packet =
            encode::Packet { kind: Kind::Event, nsp: "/", id: None, payload: json.as_bytes(), attachments };
        let mut frames = Vec::new();
        assert_eq!(msgpack::write(&mut frames, &packet), 1);
        let payload = body(&frames);
        describe(msgpack::decode(&payload))
    };
    let two = [vec![1], vec![2, 2]];
    let text = r#"["a",[{"x":{"num":1,"y":[],"_placeholder":true}},{"_placeholder":false,"_pl\u0061ceholder":true,"num":7,"num":0}]]"#;
    let expected =
        r#"event / - +0202 +01 ["a",[{"x":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]]"#;
    assert_eq!(write(text, &two), expected);
    for other in ["2", "-1", "0.0", "\"0\"", "null", "1e0"] {
        let json = format!(r#"["a",{{"_placeholder":true,"num":{other}}}]"#);
        let read = write(&json, &two);
        assert!(read.starts_with("event / - [\"a\",{"), "{other}: {read}");
    }
    assert!(write(r#"["a",{"_placeholder":true,"num":0}]"#, &[]).starts_with("event / - [\"a\",{"));
}

/// RFC 6455 section 5.2: the frame's header is exact at every size, wherever the guess of it was wrong.
#[test]
fn the_frame_is_exact_at_every_size() {
    for length in (0..300).chain(65_400..65_600) {
        let json = format!("[\"{}\",\"{}\"]", "a".repeat(length), "\\n".repeat(length % 70));
        let mut frames = b"before".to_vec();
        msgpack::write(&mut frames, &encode::Packet::new(Kind::Ack, "/", Some(1), json.as_bytes()));
        let payload = body(&frames["before".len()..]);
        assert_eq!(describe(msgpack::decode(&payload)), format!("ack / 1 {json}"));
    }
}

fn vectors() -> Vec<Vector> {
    vector::read(include_str!("vectors/msgpack.txt"))
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The content of the only frame.
fn body(frames: &[u8]) -> Vec<u8> {
    let mut found: Vec<_> = ws::server_frames(frames).collect();
    let (opcode, bytes) = found.pop().expect("a frame");
    assert!(found.is_empty() && opcode == ws::Opcode::Binary, "one binary frame");
    bytes.to_vec()
}

/// What our encoder makes of a packet.
fn written(packet: &Packet<'_>) -> Vec<u8> {
    let nothing = Payload::default();
    let (kind, nsp, id, json, attachments) = match packet {
        Packet::Connect { nsp, auth } => (Kind::Connect, nsp, None, auth.as_deref().unwrap_or(""), &nothing),
        Packet::Disconnect { nsp } => (Kind::Disconnect, nsp, None, "", &nothing),
        Packet::Event { nsp, id, payload } => (Kind::Event, nsp, *id, &*payload.json, payload),
        Packet::Ack { nsp, id, payload } => (Kind::Ack, nsp, *id, &*payload.json, payload),
    };
    let attachments = &attachments.attachments;
    let mut frames = Vec::new();
    msgpack::write(&mut frames, &encode::Packet { kind, nsp, id, payload: json.as_bytes(), attachments });
    body(&frames)
}

fn describe(packet: Result<Packet<'_>, sio::Error>) -> String {
    match packet {
        Err(sio::Error::MsgPack(error)) => format!("error MsgPack {}", vector::name(&error)),
        Err(sio::Error::Json(error)) => format!("error Json {}", vector::name(&error)),
        Err(error) => format!("error {}", vector::name(&error)),
        Ok(Packet::Connect { nsp, auth: None }) => format!("connect {nsp}"),
        Ok(Packet::Connect { nsp, auth: Some(auth) }) => format!("connect {nsp} {auth}"),
        Ok(Packet::Disconnect { nsp }) => format!("disconnect {nsp}"),
        Ok(Packet::Event { nsp, id, payload }) => describe_payload("event", nsp, id, &payload),
        Ok(Packet::Ack { nsp, id, payload }) => describe_payload("ack", nsp, id, &payload),
    }
}

fn describe_payload(kind: &str, nsp: &str, id: Option<u64>, payload: &Payload) -> String {
    let spans = sio::json::scan_array(&payload.json).expect("an array");
    let trimmed = payload.spans.iter().map(|&(start, end)| {
        let element = &payload.json[start as usize..end as usize];
        (start, end - (element.len() - element.trim_end().len()) as u32)
    });
    assert!(
        spans.iter().copied().eq(trimmed),
        "the elements are where the scanner finds them, but for their marks"
    );
    let id = id.map_or("-".to_owned(), |id| id.to_string());
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let attachments: String = payload.attachments.iter().map(|bytes| format!("+{} ", hex(bytes))).collect();
    let json = payload.json.replace(sio::json::NAN_MARK, "(NaN)");
    format!("{kind} {nsp} {id} {attachments}{}", json.replace(sio::json::UNDEFINED_MARK, "(undefined)"))
}
