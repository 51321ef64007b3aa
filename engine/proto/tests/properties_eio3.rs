//! Properties of Engine.IO 3: whatever packets there are, each form of a payload is read as what was written, and lengths
//! are those of another counter.

use proptest::prelude::*;
use socketville_proto::eio::{Packet, PayloadForm, PayloadItem, Revision, v3};
use socketville_proto::{encode, ws};

/// A message of text or of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Message {
    Text(String),
    Binary(Vec<u8>),
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let message = prop_oneof![
        ".{0,20}".prop_map(Message::Text),
        "[0-9:b\u{ff}\u{1f600}]{0,12}".prop_map(Message::Text),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Message::Binary),
    ];
    prop::collection::vec(message, 1..12)
}

fn frames(messages: &[Message]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        match message {
            Message::Text(text) => encode::write_eio(&mut out, &Packet::Message(text)),
            Message::Binary(bytes) => {
                ws::write_header(&mut out, ws::Opcode::Binary, bytes.len());
                out.extend_from_slice(bytes);
            }
        }
    }
    out
}

fn read(form: PayloadForm, body: &[u8]) -> Vec<Message> {
    let mean = |item| match item {
        Ok(PayloadItem::Packet(Packet::Message(text))) => Message::Text(text.to_owned()),
        Ok(PayloadItem::Binary(bytes)) => Message::Binary(bytes),
        other => panic!("{other:?}"),
    };
    form.items(body).map(mean).collect()
}

/// What a client of Engine.IO 3 finds in frames.
fn hear(frames: &[u8]) -> Vec<Message> {
    let mean = |(opcode, bytes): (ws::Opcode, &[u8])| match opcode {
        ws::Opcode::Binary => Message::Binary(v3::message(bytes).expect("a message").to_vec()),
        _ => read_text(std::str::from_utf8(bytes).expect("text")),
    };
    ws::server_frames(frames).map(mean).collect()
}

fn read_text(text: &str) -> Message {
    match v3::item(text) {
        Ok(PayloadItem::Packet(Packet::Message(text))) => Message::Text(text.to_owned()),
        Ok(PayloadItem::Binary(bytes)) => Message::Binary(bytes),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn payloads_are_read_as_they_were_written(messages in messages()) {
        let frames = frames(&messages);
        let (mut text, mut binary) = (Vec::new(), Vec::new());
        v3::write_payload(&mut text, &frames);
        v3::write_binary_payload(&mut binary, &frames);
        prop_assert_eq!(&read(PayloadForm::V3, &text), &messages);
        prop_assert_eq!(&read(PayloadForm::V3Binary, &binary), &messages);
    }

    #[test]
    fn frames_are_read_as_they_were_written(messages in messages()) {
        let frames = frames(&messages);
        let (mut typed, mut base64) = (Vec::new(), Vec::new());
        v3::write_frames(&mut typed, &frames);
        v3::write_base64_frames(&mut base64, &frames);
        prop_assert_eq!(&hear(&typed), &messages);
        prop_assert_eq!(&hear(&base64), &messages);
        prop_assert!(!v3::has_binary(&base64));
        prop_assert_eq!(v3::has_binary(&frames), messages.iter().any(|m| matches!(m, Message::Binary(_))));
    }

    /// The client cuts a payload by JavaScript's lengths.
    #[test]
    fn lengths_are_those_of_utf16(text in ".{0,40}") {
        let mut out = Vec::new();
        v3::write_payload(&mut out, &frames(&[Message::Text(text.clone())]));
        let units = text.encode_utf16().count() + 1;
        prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{units}:4{text}"));
    }

    /// A payload survives the way through a form, as the client writes it. (A backslash before a line feed would not; JSON
    /// has no line feeds.)
    #[test]
    fn forms_keep_payloads(payload in "[a-z\\\\ é+%&=😀]{0,24}") {
        let escaped = payload.replace("\\n", "\\\n").replace('\n', "\\n");
        let encoded: String = escaped.bytes().map(|byte| format!("%{byte:02X}")).collect();
        prop_assert_eq!(v3::read_form(&format!("d={encoded}")), Some(payload));
    }
}

#[test]
fn revisions_have_their_numbers() {
    assert_eq!((Revision::V3.number(), Revision::V4.number()), (3, 4));
}
