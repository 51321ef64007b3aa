//! Properties of the packet decoders: the scanner agrees with another reader of JSON, and what is written is read.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;
use socketville_proto::{eio, encode, limits, sio, ws};

/// Pieces of JSON that make near-JSON when put together at random.
const PIECES: [&str; 40] = [
    "[", "]", "{", "}", ",", ":", " ", "\n", "\"", "\\", "\\\"", "\\u00e9", "\\ud83d", "\\u12", "\\n", "\\x",
    "a", "é", "\u{1f}", "true", "false", "null", "nul", "0", "-", "1", "12", ".5", "e", "E+", "01", "\"k\":",
    "\"k\"", "[]", "{}", "[1,", "{\"a\":", "😀", "\"\"", "\t",
];

fn near_json() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.concat())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no NaN", |f| f.is_finite()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// JSON with one byte changed, if the result is text.
fn broken_json() -> impl Strategy<Value = String> {
    (json(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(value, at, byte)| {
        let mut bytes = value.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte & 0x7f;
        String::from_utf8(bytes).unwrap_or_default()
    })
}

/// The grammar as the other reader has it: it checks and builds nothing.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[^,]{0,20}"]
}

/// Reads back frames of ours: the text of the first without its Engine.IO type, and the rest.
fn read(frames: &[u8]) -> (String, Vec<Vec<u8>>) {
    let mut frames = ws::server_frames(frames);
    let (_, text) = frames.next().expect("a text frame");
    let text = std::str::from_utf8(text).expect("text").strip_prefix('4').expect("a message");
    (text.to_owned(), frames.map(|(_, bytes)| bytes.to_vec()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// RFC 8259.
    #[test]
    fn the_scanner_agrees_on_near_json(text in near_json()) {
        prop_assert_eq!(sio::json::validate(&text).is_ok(), is_json(&text), "{:?}", text);
    }

    #[test]
    fn the_scanner_agrees_on_broken_json(text in broken_json()) {
        prop_assert_eq!(sio::json::validate(&text).is_ok(), is_json(&text), "{:?}", text);
    }

    #[test]
    fn the_scanner_agrees_on_any_text(text in ".{0,40}") {
        prop_assert_eq!(sio::json::validate(&text).is_ok(), is_json(&text), "{:?}", text);
    }

    #[test]
    fn spans_are_the_elements(values in prop::collection::vec(json(), 0..9), is_pretty in any::<bool>()) {
        let array = Value::from(values.clone());
        let text = if is_pretty { serde_json::to_string_pretty(&array).unwrap() } else { array.to_string() };
        let args = sio::Args::parse(&text).unwrap();
        prop_assert_eq!(args.len(), values.len());
        let whole: Vec<Value> = serde_json::from_str(&text).unwrap();
        for (raw, value) in args.iter().zip(&whole) {
            prop_assert_eq!(&serde_json::from_str::<Value>(raw).unwrap(), value);
            prop_assert_eq!(raw.trim(), raw);
        }
    }

    #[test]
    fn strings_are_read_as_the_other_reader_reads_them(inside in near_json()) {
        let raw = format!("\"{inside}\"");
        let expected = serde_json::from_str::<String>(&raw).ok();
        prop_assert_eq!(sio::json::unescape(&raw).map(|text| text.into_owned()), expected);
    }

    #[test]
    fn strings_are_written_as_the_other_writer_writes_them(text in any::<String>()) {
        let mut out = Vec::new();
        sio::json::write_string(&mut out, &text);
        prop_assert_eq!(String::from_utf8(out).unwrap(), Value::from(text).to_string());
    }

    /// Socket.IO protocol v5, "Packet encoding".
    #[test]
    fn events_and_acks_come_back(
        nsp in namespace(),
        id in prop::option::of(0..=limits::ACK_ID_MAX),
        values in prop::collection::vec(json(), 0..4),
        attachments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..=10),
        is_event in any::<bool>(),
    ) {
        let mut all = values;
        if is_event {
            all.insert(0, Value::from("name"));
        }
        let count = attachments.len() as u8;
        all.extend((0..count).map(|num| serde_json::json!({"num": num, "_placeholder": true})));
        let json = Value::from(all).to_string();
        let kind = if is_event { encode::Kind::Event } else { encode::Kind::Ack };
        let packet =
            encode::Packet { kind, nsp: &nsp, id, payload: json.as_bytes(), attachments: &attachments };
        let mut frames = Vec::new();
        prop_assert_eq!(encode::write(&mut frames, &packet), 1 + attachments.len());
        let (text, binaries) = read(&frames);
        prop_assert_eq!(&binaries, &attachments);
        let args = sio::Args::parse(&json).unwrap();
        let expected = match is_event {
            true => sio::Packet::Event { nsp: &nsp, id, attachments: count, args },
            false => sio::Packet::Ack { nsp: &nsp, id, attachments: count, args },
        };
        prop_assert_eq!(sio::decode(&text), Ok(expected));
    }

    #[test]
    fn connects_and_disconnects_come_back(nsp in namespace(), token in any::<String>(), has_auth in any::<bool>()) {
        let auth = if has_auth { serde_json::json!({ "token": token }).to_string() } else { String::new() };
        let mut frames = Vec::new();
        let connect = encode::Packet::new(encode::Kind::Connect, &nsp, None, auth.as_bytes());
        encode::write(&mut frames, &connect);
        let (text, _) = read(&frames);
        let auth = has_auth.then_some(auth.as_str());
        prop_assert_eq!(sio::decode(&text), Ok(sio::Packet::Connect { nsp: &nsp, auth }));
        frames.clear();
        encode::write(&mut frames, &encode::Packet::new(encode::Kind::Disconnect, &nsp, None, b""));
        let (text, _) = read(&frames);
        prop_assert_eq!(sio::decode(&text), Ok(sio::Packet::Disconnect { nsp: &nsp }));
    }

    /// A packet's text is arbitrary: a decision, never a panic.
    #[test]
    fn any_text_is_decided(kind in "[0-7]", head in "[-/,0-9a]{0,6}", rest in near_json()) {
        let text = format!("{kind}{head}{rest}");
        if let Ok(sio::Packet::Event { args, .. }) = sio::decode(&text) {
            prop_assert!(is_json(args.json()));
            prop_assert!(args.event_name().is_some());
        }
    }

    /// Engine.IO protocol v4, "HTTP long-polling": a payload of our frames has our packets.
    #[test]
    fn append_payload_is_the_inverse_of_payload(
        items in prop::collection::vec(prop_oneof![
            "[^\u{1e}]{0,200}".prop_map(Ok),
            prop::collection::vec(any::<u8>(), 0..200).prop_map(Err),
        ], 1..12),
        split in any::<prop::sample::Index>(),
    ) {
        let mut frames = Vec::new();
        let split = split.index(items.len());
        let mut middle = 0;
        for (i, item) in items.iter().enumerate() {
            if i == split {
                middle = frames.len();
            }
            match item {
                Ok(text) => encode::write_eio(&mut frames, &eio::Packet::Message(text)),
                Err(bytes) => {
                    ws::write_header(&mut frames, ws::Opcode::Binary, bytes.len());
                    frames.extend_from_slice(bytes);
                }
            }
        }
        let mut body = Vec::new();
        eio::append_payload(&mut body, &frames[..middle]);
        eio::append_payload(&mut body, &frames[middle..]);
        let body = String::from_utf8(body).unwrap();
        let found: Vec<_> = eio::payload(&body).map(Result::unwrap).collect();
        let expected: Vec<_> = items.iter().map(|item| match item {
            Ok(text) => eio::PayloadItem::Packet(eio::Packet::Message(text)),
            Err(bytes) => eio::PayloadItem::Binary(bytes.clone()),
        }).collect();
        prop_assert_eq!(found, expected);
    }
}
