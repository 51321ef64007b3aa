//! The polling payload of Engine.IO 4: packets joined by a separator. It is not the HTTP body's limit or its
//! Content-Type; and it never encodes a packet twice, because it takes over frames that are already written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::items::{Items, Taken};
use super::packet::{Error, Packet, decode};
use crate::ws;

/// What joins the packets of a payload (Engine.IO protocol v4, "HTTP long-polling"). JSON escapes it, so it cannot
/// occur inside a Socket.IO packet.
pub const SEPARATOR: u8 = 0x1e;

/// One item of a polling payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadItem<'a> {
    /// A text packet.
    Packet(Packet<'a>),
    /// A binary message, decoded from `b` and base64.
    Binary(Vec<u8>),
}

/// Reads a payload, packet by packet; the caller may stop at any of them. It ends after its first error.
///
/// # Errors
/// Those of [`decode`] (an empty body is an empty packet), and [`Error::Base64`].
pub fn payload(body: &str) -> Items<'_, str> {
    Items::new(body, take)
}

/// Takes the packet before the next separator.
fn take(rest: &str) -> Taken<'_, str> {
    match rest.split_once(char::from(SEPARATOR)) {
        Some((text, tail)) => (item(text), Some(tail)),
        None => (item(rest), None),
    }
}

/// Reads one item: the text between two separators, or a text message over WebSocket of a client that cannot send binary.
///
/// # Errors
/// Those of [`decode`], and [`Error::Base64`].
#[inline(always)] // a packet that is made here is taken apart where it is returned
pub fn item(text: &str) -> Result<PayloadItem<'_>, Error> {
    match text.strip_prefix('b') {
        Some(base64) => PayloadItem::from_base64(base64),
        None => decode(text).map(PayloadItem::Packet),
    }
}

/// Turns WebSocket frames that we wrote ourselves into payload text, appended to `out`: text frames as they are,
/// binary frames as `b` and base64, control frames not at all. Each item is preceded by a separator unless `out` is
/// empty, so several calls make one payload.
pub fn append_payload(out: &mut Vec<u8>, frames: &[u8]) {
    for (opcode, bytes) in ws::server_frames(frames) {
        match opcode {
            ws::Opcode::Text => {
                append_separator(out);
                out.extend_from_slice(bytes);
            }
            ws::Opcode::Binary => {
                append_separator(out);
                append_base64(out, b"b", bytes);
            }
            _ => {}
        }
    }
}

fn append_separator(out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(SEPARATOR);
    }
}

impl PayloadItem<'_> {
    pub(super) fn from_base64(base64: &str) -> Result<Self, Error> {
        STANDARD.decode(base64).map(Self::Binary).map_err(|_| Error::Base64)
    }
}

/// Appends a prefix and the bytes in base64, straight into `out`.
pub(super) fn append_base64(out: &mut Vec<u8>, prefix: &[u8], bytes: &[u8]) {
    out.extend_from_slice(prefix);
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    assert_eq!(written.ok(), Some(out.len() - start), "base64 has exactly four bytes for each three");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode;

    fn items(body: &str) -> Vec<Result<PayloadItem<'_>, Error>> {
        payload(body).collect()
    }

    /// Engine.IO protocol v4, "HTTP long-polling", with the specification's example.
    #[test]
    fn packets_are_split_at_the_separator() {
        let expected = [
            Ok(PayloadItem::Packet(Packet::Message("hello"))),
            Ok(PayloadItem::Packet(Packet::Ping(""))),
            Ok(PayloadItem::Packet(Packet::Message("world"))),
            Ok(PayloadItem::Binary(vec![1, 2, 3, 4])),
        ];
        assert_eq!(items("4hello\x1e2\x1e4world\x1ebAQIDBA=="), expected);
    }

    #[test]
    fn the_first_error_is_the_last_item() {
        let expected = [Ok(PayloadItem::Packet(Packet::Message("a"))), Err(Error::Empty)];
        assert_eq!(items("4a\x1e\x1e4b"), expected);
        assert_eq!(items(""), [Err(Error::Empty)]);
        assert_eq!(items("4a\x1e").len(), 2);
    }

    #[test]
    fn base64_must_be_canonical() {
        for bad in ["bAQ", "bAQ=", "bAR==", "bAQ-_", "bAQ==\n", "b AQ==", "bAQ==AQ=="] {
            assert_eq!(items(bad), [Err(Error::Base64)], "{bad}");
        }
        assert_eq!(items("b"), [Ok(PayloadItem::Binary(vec![]))]);
    }

    /// A client divides by bytes alone; CVE-2020-36048: a body of many tiny packets is linear work, which can be interrupted.
    #[test]
    fn a_walk_goes_on_where_it_stopped() {
        let body = vec!["3"; 100_000].join("\x1e");
        let (mut rest, mut count) = (Some(body.as_str()), 0);
        while let Some(body) = rest {
            let mut items = payload(body);
            count += items.by_ref().take(7000).filter(Result::is_ok).count();
            rest = items.rest();
        }
        assert_eq!(count, 100_000);
    }

    #[test]
    fn frames_become_a_payload_and_control_frames_do_not() {
        let mut frames = Vec::new();
        encode::write_eio(&mut frames, &Packet::Message("hi"));
        ws::write_close(&mut frames, Some(1000), "");
        ws::write_header(&mut frames, ws::Opcode::Binary, 4);
        frames.extend_from_slice(&[1, 2, 3, 4]);
        let mut out = Vec::new();
        append_payload(&mut out, &frames);
        assert_eq!(out, b"4hi\x1ebAQIDBA==");
        append_payload(&mut out, &frames[..5]);
        assert_eq!(out, b"4hi\x1ebAQIDBA==\x1e4hi");
    }
}
