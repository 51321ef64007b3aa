//! What the packet decoders promise for any text: they decide, and what they accept means the same when it is
//! written and read again. Bytes that are no text never reach them, so they promise nothing here.

use crate::{eio, encode, limits, sio, ws};

/// A text as one Engine.IO packet: written again it is the same text.
pub fn eio_packet(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(packet) = eio::decode(text) else { return };
    let mut frames = Vec::new();
    encode::write_eio(&mut frames, &packet);
    assert_eq!(frames_as_payload(&frames), data, "a packet that was read is written as it was");
}

/// A text as a polling payload: it ends, its first error is its last item, and what is accepted whole is written as it
/// was read, base64 included.
pub fn eio_payload(data: &[u8]) {
    let Ok(body) = str::from_utf8(data) else { return };
    let mut frames = Vec::new();
    let mut count = 0;
    let mut items = eio::payload(body);
    for item in items.by_ref() {
        count += 1;
        match item {
            Ok(eio::PayloadItem::Packet(packet)) => encode::write_eio(&mut frames, &packet),
            Ok(eio::PayloadItem::Binary(bytes)) => {
                ws::write_header(&mut frames, ws::Opcode::Binary, bytes.len());
                frames.extend_from_slice(&bytes);
            }
            Err(_) => {
                assert!(items.next().is_none(), "nothing follows an error");
                return;
            }
        }
    }
    assert!(count > 0, "a payload has a packet");
    assert_eq!(frames_as_payload(&frames), data, "a payload that was read is written as it was");
}

/// A text as one Socket.IO packet: what is accepted obeys the limits and is the same packet when written and read
/// again.
pub fn sio_packet(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(packet) = sio::decode(text) else { return };
    let (kind, nsp, id, attachments, payload) = match &packet {
        sio::Packet::Connect { nsp, auth } => {
            (encode::Kind::Connect, *nsp, None, 0, auth.unwrap_or_default())
        }
        sio::Packet::Disconnect { nsp } => (encode::Kind::Disconnect, *nsp, None, 0, ""),
        sio::Packet::Event { nsp, id, attachments, args } => {
            assert!(args.event_name().is_some(), "an event has a name");
            check_args(args);
            (encode::Kind::Event, *nsp, *id, *attachments, args.json())
        }
        sio::Packet::Ack { nsp, id, attachments, args } => {
            check_args(args);
            (encode::Kind::Ack, *nsp, *id, *attachments, args.json())
        }
    };
    assert!(nsp.starts_with('/') && nsp.len() <= limits::NAMESPACE_BYTES_MAX, "a namespace has a slash");
    assert!(id.is_none_or(|id| id <= limits::ACK_ID_MAX), "an id is exact in every client");
    assert!(attachments <= limits::ATTACHMENTS_MAX, "attachments are few");
    let attachments = vec![[0_u8; 1]; usize::from(attachments)];
    let written = encode::Packet { kind, nsp, id, payload: payload.as_bytes(), attachments: &attachments };
    let mut frames = Vec::new();
    assert_eq!(encode::write(&mut frames, &written), 1 + attachments.len());
    let (_, again) = ws::server_frames(&frames).next().expect("the text frame that was written");
    let again = str::from_utf8(again).ok().and_then(|text| text.strip_prefix('4')).expect("a message");
    assert_eq!(sio::decode(again).as_ref(), Ok(&packet), "a packet that was read is written as it was");
    check_pending(text, attachments.len());
}

/// A text as JSON: what is accepted is accepted part by part, and strings survive being written and read.
pub fn json(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut written = Vec::new();
    sio::json::write_string(&mut written, text);
    let literal = str::from_utf8(&written).expect("a literal of a text is a text");
    assert_eq!(sio::json::validate(literal), Ok(sio::json::Kind::String));
    assert_eq!(sio::json::unescape(literal).as_deref(), Some(text));
    if sio::json::unescape(text).is_some() {
        assert_eq!(sio::json::validate(text), Ok(sio::json::Kind::String), "what has a text is a string");
    }
    let kind = sio::json::validate(text);
    match sio::Args::parse(text) {
        Ok(args) => {
            assert_eq!(kind, Ok(sio::json::Kind::Array));
            check_args(&args);
        }
        Err(sio::Error::Json(sio::json::Error::Elements(_))) => {}
        Err(_) => assert_ne!(kind, Ok(sio::json::Kind::Array), "an array is an array to both readers"),
    }
}

/// Spans are in order, apart, within the text, and each is a value; between them are only commas and space.
pub(super) fn check_args(args: &sio::Args<'_>) {
    assert!(args.len() <= limits::ARGUMENTS_MAX, "arguments are bounded");
    let mut between = String::new();
    let mut at = 0;
    for (i, &(start, end)) in args.spans().iter().enumerate() {
        let raw = args.raw(i).expect("a span within the text");
        assert_eq!(raw.len(), (end - start) as usize);
        assert!(sio::json::validate(raw).is_ok(), "an element is a value");
        between += args.json().get(at..start as usize).expect("spans in order");
        at = end as usize;
    }
    between += args.json().get(at..).expect("spans within the text");
    between.retain(|character| !matches!(character, ' ' | '\t' | '\n' | '\r'));
    assert_eq!(between, format!("[{}]", ",".repeat(args.len().saturating_sub(1))));
}

/// Attachments complete a packet exactly when their number is reached, within the bytes allowed.
fn check_pending(text: &str, count: usize) {
    let Ok(attachments @ 1..) = u8::try_from(count) else { return };
    let mut pending = sio::Pending::new(text, attachments);
    let bytes_max = text.len() + count;
    for i in 1..=count {
        assert!(pending.push(vec![0; count + 1], bytes_max).is_err(), "too many bytes are refused");
        assert_eq!(pending.push(&[0][..], bytes_max), Ok(i == count));
    }
    assert_eq!(pending.bytes(), bytes_max);
    assert_eq!(pending.push(&[][..], bytes_max), Err(sio::Error::UnexpectedAttachment));
    assert_eq!(pending.into_parts(), (text.to_owned(), vec![vec![0]; count]));
}

fn frames_as_payload(frames: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    eio::append_payload(&mut payload, frames);
    payload
}
