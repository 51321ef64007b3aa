//! What the readers of Engine.IO 3 promise for any bytes: they end, they decide, and what they accept means the same when
//! it is written and read again.

use crate::eio::{PayloadForm, PayloadItem, v3};
use crate::{encode, limits, sio, ws};

/// Bytes as a text payload: what is accepted whole is written as it was read.
pub fn payload(data: &[u8]) {
    let Some(frames) = frames(PayloadForm::V3, data) else { return };
    let mut written = Vec::new();
    v3::write_payload(&mut written, &frames);
    assert_eq!(written, data, "a payload that was read is written as it was");
}

/// Bytes as a binary payload: what is accepted whole is the same when it is written and read again; the bytes may differ, for
/// base64 is accepted there, too.
pub fn binary_payload(data: &[u8]) {
    let Some(packets) = frames(PayloadForm::V3Binary, data) else { return };
    let mut written = Vec::new();
    v3::write_binary_payload(&mut written, &packets);
    assert_eq!(frames(PayloadForm::V3Binary, &written), Some(packets));
}

/// Bytes as the body of a form: its payload has no more bytes than could be written in it.
pub fn form(data: &[u8]) {
    let Ok(body) = std::str::from_utf8(data) else { return };
    let Some(payload) = v3::read_form(body) else { return };
    let replaced = payload.matches('\u{fffd}').count() * '\u{fffd}'.len_utf8();
    assert!(payload.len() <= body.len() + replaced, "nothing grows but what is no text");
    let mut script = Vec::new();
    v3::write_jsonp(&mut script, 0, &payload);
    let script = std::str::from_utf8(&script).expect("a script of a text is a text");
    let literal = script.strip_prefix("___eio[0](").and_then(|rest| rest.strip_suffix(");")).expect("a call");
    assert_eq!(sio::json::unescape(literal).as_deref(), Some(&*payload), "the function gets the payload");
}

/// Bytes as a CONNECT: a namespace with its slash, and an object.
pub fn connect(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok((nsp, auth)) = sio::decode_connect_v3(text) else { return };
    assert!(nsp.starts_with('/') && nsp.len() <= limits::NAMESPACE_BYTES_MAX && !nsp.contains([',', '?']));
    assert!(auth.is_none_or(|auth| sio::json::validate(&auth) == Ok(sio::json::Kind::Object)));
}

/// The packets of a body as frames; `None` if it is refused. It ends, and its first error is its last item.
fn frames(form: PayloadForm, body: &[u8]) -> Option<Vec<u8>> {
    let mut frames = Vec::new();
    let mut items = form.items(body);
    let mut count = 0;
    for item in items.by_ref() {
        count += 1;
        match item {
            Ok(PayloadItem::Packet(packet)) => encode::write_eio(&mut frames, &packet),
            Ok(PayloadItem::Binary(bytes)) => {
                ws::write_header(&mut frames, ws::Opcode::Binary, bytes.len());
                frames.extend_from_slice(&bytes);
            }
            Err(_) => {
                assert!(items.next().is_none(), "nothing follows an error");
                return None;
            }
        }
    }
    assert!(count > 0, "a payload has a packet");
    Some(frames)
}
