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
