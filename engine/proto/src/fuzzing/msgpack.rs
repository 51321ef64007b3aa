//! What the MessagePack decoder promises for any bytes: it decides, what it accepts obeys the limits and is no larger than its bytes
//! allow, and written and read again it is the same packet.

use super::packets::check_args;
use crate::sio::msgpack::{self, Packet, Payload};
use crate::{encode, limits, sio, ws};

/// Bytes of text that one byte can become at most: a control character, or `false` and its comma. Placeholders come on top, and are few.
const GROWTH_MAX: usize = 6;
/// Bytes of text that a placeholder is at most.
const PLACEHOLDER_BYTES_MAX: usize = 40;

/// Bytes as one packet.
pub fn packet(data: &[u8]) {
    let Ok(packet) = msgpack::decode(data) else { return };
    let nothing = Payload::default();
    let (kind, nsp, id, json, payload) = match &packet {
        Packet::Connect { nsp, auth } => {
            let auth = auth.as_deref().unwrap_or_default();
            assert!(auth.is_empty() || sio::json::validate(auth) == Ok(sio::json::Kind::Object));
            (encode::Kind::Connect, *nsp, None, auth, &nothing)
        }
        Packet::Disconnect { nsp } => (encode::Kind::Disconnect, *nsp, None, "", &nothing),
        Packet::Event { nsp, id, payload } => {
            assert!(args(payload).event_name().is_some(), "an event has a name");
            (encode::Kind::Event, *nsp, *id, &*payload.json, payload)
        }
        Packet::Ack { nsp, id, payload } => (encode::Kind::Ack, *nsp, *id, &*payload.json, payload),
    };
    assert!(nsp.len() <= limits::NAMESPACE_BYTES_MAX, "a namespace is short");
    assert!(id.is_none_or(|id| id <= limits::ACK_ID_MAX), "an id is exact in every client");
    check_payload(payload, data.len());
    let attachments = &payload.attachments;
    let written = encode::Packet { kind, nsp, id, payload: json.as_bytes(), attachments };
    let mut frames = Vec::new();
    assert_eq!(msgpack::write(&mut frames, &written), 1);
    let (opcode, again) = ws::server_frames(&frames).next().expect("the frame that was written");
    assert_eq!(opcode, ws::Opcode::Binary);
    assert_eq!(msgpack::decode(again).as_ref(), Ok(&packet), "a packet that was read is written as it was");
}

fn args(payload: &Payload) -> sio::Args<'_> {
    sio::Args::from_parts(&payload.json, payload.spans.clone())
}

fn check_payload(payload: &Payload, bytes: usize) {
    if payload.json.is_empty() {
        return;
    }
    check_args(&args(payload));
    let count = payload.attachments.len();
    assert!(count <= limits::BINARIES_MAX, "attachments are few");
    let others = payload.json.len().saturating_sub(count * PLACEHOLDER_BYTES_MAX);
    assert!(others <= bytes * GROWTH_MAX, "the text is as large as its bytes allow");
    assert!(payload.attachments.iter().map(Vec::len).sum::<usize>() <= bytes, "binary is not made up");
}
