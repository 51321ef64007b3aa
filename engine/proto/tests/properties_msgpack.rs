//! Properties of MessagePack: what is written is read, and no bytes are too strange to be decided.

use proptest::prelude::*;
use serde_json::Value;
use socketville_proto::sio::msgpack::{self, Packet};
use socketville_proto::{encode, fuzzing, limits, ws};

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)), // few digits: the other reader is not exact
        any::<String>().prop_map(Value::from),
        ".{0,300}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::vec((".{0,40}", inner), 0..20)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// The same packet without what it borrowed; only of acks.
fn to_static(packet: Packet<'_>) -> Packet<'static> {
    match packet {
        Packet::Ack { id, payload, .. } => Packet::Ack { nsp: "", id, payload },
        _ => Packet::Disconnect { nsp: "" },
    }
}

/// The content of the only frame.
fn body(frames: &[u8]) -> Vec<u8> {
    let mut found: Vec<_> = ws::server_frames(frames).collect();
    let (opcode, bytes) = found.pop().expect("a frame");
    assert!(found.is_empty() && opcode == ws::Opcode::Binary, "one binary frame");
    bytes.to_vec()
}

/// The same value as the clients' language sees it, where every number is a float.
fn as_floats(value: &mut Value) {
    match value {
        Value::Number(number) => *value = Value::from(number.as_f64().expect("a number")),
        Value::Array(elements) => elements.iter_mut().for_each(as_floats),
        Value::Object(members) => members.values_mut().for_each(as_floats),
        _ => {}
    }
}

/// Appends a value of any form, with what the official encoder knows and JSON does not, up to the limits of nesting.
fn write_value(choose: &mut impl FnMut(u64) -> u64, depth: u32, out: &mut Vec<u8>) {
    match choose(if depth > 140 { 9 } else { 12 }) {
        0 => out.push(choose(128) as u8),
        1 => out.push([0xc0, 0xc2, 0xc3, 0xe0][choose(4) as usize]),
        2 | 3 => {
            let bits = choose(u64::MAX);
            let whole = (bits >> choose(64)) as f64;
            let special =
                [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, whole, -whole, f64::from_bits(bits)];
            out.push(0xcb);
            out.extend(special[choose(7) as usize].to_be_bytes());
        }
        4 => {
            out.push([0xcf, 0xd3][choose(2) as usize]);
            out.extend((choose(u64::MAX) >> choose(64)).to_be_bytes());
        }
        5 => out.extend([0xa2, b' ' + choose(90) as u8, b"\"\\\0"[choose(3) as usize]]),
        6 => out.extend([0xc4, 1, choose(256) as u8]),
        7 => out.extend([0xd4, [0, 5, 255][choose(3) as usize], choose(256) as u8]),
        8 => {
            out.extend([0xd7, [0, 0, 255, 7][choose(4) as usize]]);
            out.extend((choose(u64::MAX) >> choose(64)).to_be_bytes());
        }
        9 => {
            out.extend(std::iter::repeat_n(0x91, choose(135) as usize));
            write_value(choose, depth + 140, out);
        }
        10 => {
            let count = choose(4);
            out.push(0x90 | count as u8);
            (0..count).for_each(|_| write_value(choose, depth + 1, out));
        }
        _ => {
            let count = choose(5);
            out.push(0x80 | count as u8);
            for _ in 0..count {
                out.extend([&b"\xac_placeholder"[..], b"\xa3num", b"\xa1a", b"\xa1b"][choose(4) as usize]);
                match choose(3) {
                    0 => out.push(0xc3),
                    1 => out.push(choose(3) as u8),
                    _ => write_value(choose, depth + 1, out),
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What was read is written as it was, whatever it is: what JSON has no word for, floats beyond 2^53, places that are none, the last level.
    #[test]
    fn any_value_is_written_as_it_was(seed in any::<u64>()) {
        let mut state = seed | 1;
        let mut choose = |count: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % count
        };
        let mut event = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x95\xa1a".to_vec();
        (0..4).for_each(|_| write_value(&mut choose, 1, &mut event));
        fuzzing::msgpack::packet(&event);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// The official parser's packets, there and back.
    #[test]
    fn events_and_acks_come_back(
        nsp in "/.{0,40}",
        id in prop::option::of(0..=limits::ACK_ID_MAX),
        values in prop::collection::vec(json(), 0..20),
        attachments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..=12),
        is_event in any::<bool>(),
        is_pretty in any::<bool>(),
    ) {
        let mut all = values;
        if is_event {
            all.insert(0, Value::from("name"));
        }
        all.extend((0..attachments.len()).map(|num| serde_json::json!({"num": num, "_placeholder": true})));
        let mut all = Value::from(all);
        let json = if is_pretty { serde_json::to_string_pretty(&all).unwrap() } else { all.to_string() };
        let kind = if is_event { encode::Kind::Event } else { encode::Kind::Ack };
        let packet =
            encode::Packet { kind, nsp: &nsp, id, payload: json.as_bytes(), attachments: &attachments };
        let mut frames = b"what stands before".to_vec();
        let before = frames.len();
        prop_assert_eq!(msgpack::write(&mut frames, &packet), 1);
        let body = body(&frames[before..]);
        let read = msgpack::decode(&body);
        let payload = match (is_event, &read) {
            (true, Ok(Packet::Event { nsp: found, id: found_id, payload }))
            | (false, Ok(Packet::Ack { nsp: found, id: found_id, payload })) => {
                prop_assert_eq!((*found, *found_id), (nsp.as_str(), id));
                payload
            }
            _ => return Err(TestCaseError::fail(format!("{read:?}"))),
        };
        prop_assert_eq!(&payload.attachments, &attachments);
        let mut found: Value = serde_json::from_str(&payload.json).unwrap();
        as_floats(&mut found);
        as_floats(&mut all);
        prop_assert_eq!(found, all);
        fuzzing::msgpack::packet(&body);
    }

    /// Every float survives, as text and as bytes.
    #[test]
    fn floats_come_back_to_the_bit(float in any::<f64>().prop_filter("JSON has no NaN", |f| f.is_finite())) {
        let bytes = [&b"\x83\xa4type\x03\xa3nsp\xa1/\xa4data\x91\xcb"[..], &float.to_be_bytes()].concat();
        let Ok(Packet::Ack { payload, .. }) = msgpack::decode(&bytes) else { panic!("an ack") };
        let text = payload.json.trim_matches(['[', ']']);
        prop_assert_eq!(text.parse::<f64>().unwrap(), float);
        let mut frames = Vec::new();
        let json = format!("[{float:?}]");
        msgpack::write(&mut frames, &encode::Packet::new(encode::Kind::Ack, "/", None, json.as_bytes()));
        let Ok(Packet::Ack { payload: again, .. }) = msgpack::decode(&body(&frames)).map(to_static) else {
            panic!("an ack")
        };
        prop_assert_eq!(again.json.trim_matches(['[', ']']).parse::<f64>().unwrap(), float);
    }

    /// A decision, never a panic.
    #[test]
    fn any_bytes_are_decided(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::msgpack::packet(&bytes);
        let mut event = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1a".to_vec();
        event.extend(&bytes);
        fuzzing::msgpack::packet(&event);
    }

    /// The writer is told JSON; whatever else it is told, it ends and its frame is whole.
    #[test]
    fn text_that_is_no_json_becomes_a_whole_frame(text in "[\\[\\]{}\",:\\\\u0-9dt\u{e9} ]{0,60}") {
        let mut frames = Vec::new();
        msgpack::write(&mut frames, &encode::Packet::new(encode::Kind::Event, "/", None, text.as_bytes()));
        body(&frames);
    }
}
