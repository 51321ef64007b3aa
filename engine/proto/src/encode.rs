//! The one encoder: what the server sends becomes WebSocket frames here and nowhere else. It does not serialize
//! arguments, which come as JSON, and it does not know who receives the bytes.
//!
//! A packet is one text frame and one binary frame per attachment, unmasked and final. Polling gets the same bytes
//! through [`eio::append_payload`]. The length of the text is known before its first byte, so the header is written
//! once at its final size: an encode is one pass, no scratch buffer, at most one growth of `out`.

use std::mem;

use crate::{eio, ws};

/// What a Socket.IO packet from the server is (Socket.IO protocol v5, "Packet types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The answer to a CONNECT: `{"sid":...}`.
    Connect,
    /// The socket leaves the namespace by the server's will.
    Disconnect,
    /// An event: an array that begins with its name.
    Event,
    /// An acknowledgement: an array of answers.
    Ack,
    /// The refusal of a CONNECT: `{"message":...}`.
    ConnectError,
}

/// A Socket.IO packet of the server.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a, A = Vec<u8>> {
    /// What it is; an event or ack with attachments becomes its binary twin.
    pub kind: Kind,
    /// The namespace with its slash; left out of the text if it is `/`. It must have no comma.
    pub nsp: &'a str,
    /// The ack id of an event that wants an answer, or of the answer.
    pub id: Option<u64>,
    /// JSON, or nothing. With attachments it has a placeholder for each.
    pub payload: &'a [u8],
    /// Binary messages that follow the text, at most [`crate::limits::ATTACHMENTS_MAX`] for clients with the
    /// reference's defaults.
    pub attachments: &'a [A],
}

impl<'a> Packet<'a> {
    /// A packet without attachments.
    pub const fn new(kind: Kind, nsp: &'a str, id: Option<u64>, payload: &'a [u8]) -> Self {
        Self { kind, nsp, id, payload, attachments: &[] }
    }
}

impl<A> Packet<'_, A> {
    /// The type's digit.
    fn digit(&self) -> u8 {
        match (self.kind, self.attachments.is_empty()) {
            (Kind::Connect, _) => b'0',
            (Kind::Disconnect, _) => b'1',
            (Kind::Event, true) => b'2',
            (Kind::Ack, true) => b'3',
            (Kind::ConnectError, _) => b'4',
            (Kind::Event, false) => b'5',
            (Kind::Ack, false) => b'6',
        }
    }
}

/// Appends a packet's frames and says how many they are: one, and one per attachment.
pub fn write<A: AsRef<[u8]>>(out: &mut Vec<u8>, packet: &Packet<'_, A>) -> usize {
    debug_assert!(
        packet.attachments.is_empty() || matches!(packet.kind, Kind::Event | Kind::Ack),
        "only events and acks have binary twins"
    );
    debug_assert!(!packet.nsp.contains(','), "a comma ends the namespace");
    let nsp = if packet.nsp == "/" { "" } else { packet.nsp };
    let (mut front, start) = (Front::new(), out.len());
    if let Some(id) = packet.id {
        front.number(id);
    }
    let id = (!nsp.is_empty()).then(|| mem::replace(&mut front, Front::new()));
    if !packet.attachments.is_empty() {
        front.byte(b'-');
        front.number(packet.attachments.len() as u64);
    }
    front.byte(packet.digit());
    front.byte(b'4');
    let length = front.len() + id.as_ref().map_or(0, |id| nsp.len() + 1 + id.len()) + packet.payload.len();
    front.header(length);
    out.reserve(Front::COPIED + length);
    front.append_to(out);
    if let Some(id) = id {
        out.extend_from_slice(nsp.as_bytes());
        out.push(b',');
        id.append_to(out);
    }
    out.extend_from_slice(packet.payload);
    debug_assert_eq!(out.len() - start, ws::header_len(length) + length, "the header told the exact length");
    write_attachments(out, packet.attachments);
    1 + packet.attachments.len()
}

/// The small parts before a payload, put together on the stack from the last to the first: numbers come that way, the header tells the
/// length of all that follows, and an append to the arena asks for room each time.
struct Front {
    room: [u8; Front::BYTES_MAX + Front::COPIED],
    start: usize,
}

impl Front {
    /// The longest header of a frame, two types, a count with its dash, an id: 53.
    const BYTES_MAX: usize = 53;
    /// What is copied at once: as much as almost every front has. Behind the room there is so much again, so that it may be read too.
    const COPIED: usize = 16;

    const fn new() -> Self {
        Self { room: [0; Self::BYTES_MAX + Self::COPIED], start: Self::BYTES_MAX }
    }

    fn byte(&mut self, byte: u8) {
        self.start -= 1;
        self.room[self.start] = byte;
    }

    #[inline]
    fn number(&mut self, mut number: u64) {
        loop {
            self.byte(b'0' + (number % 10) as u8);
            number /= 10;
            if number == 0 {
                return;
            }
        }
    }

    fn header(&mut self, payload_len: usize) {
        self.start -= ws::header_len(payload_len);
        ws::set_header(&mut self.room[self.start..], ws::Opcode::Text, payload_len);
    }

    /// Appends it. A copy of a known length needs no call, and what was too much is cut off again.
    #[inline]
    fn append_to(&self, out: &mut Vec<u8>) {
        let rest = &self.room[self.start..];
        match rest.first_chunk::<{ Self::COPIED }>() {
            Some(start) if self.len() <= Self::COPIED => {
                let len = out.len() + self.len();
                out.extend_from_slice(start);
                out.truncate(len);
            }
            _ => out.extend_from_slice(&rest[..self.len()]),
        }
    }

    fn len(&self) -> usize {
        Self::BYTES_MAX - self.start
    }
}

/// Appends one binary frame per attachment.
fn write_attachments<A: AsRef<[u8]>>(out: &mut Vec<u8>, attachments: &[A]) {
    for attachment in attachments {
        let bytes = attachment.as_ref();
        out.reserve(ws::header_len(bytes.len()) + bytes.len());
        ws::write_header(out, ws::Opcode::Binary, bytes.len());
        out.extend_from_slice(bytes);
    }
}

/// Appends one text frame with an Engine.IO packet, such as a ping `2` or the answer to a probe `3probe`.
pub fn write_eio(out: &mut Vec<u8>, packet: &eio::Packet<'_>) {
    let (digit, data) = packet.parts();
    ws::write_header(out, ws::Opcode::Text, 1 + data.len());
    out.push(digit);
    out.extend_from_slice(data.as_bytes());
}

/// Appends one text frame with the `open` packet of a handshake. Once in a session's life, so it may use a buffer.
pub fn write_handshake(out: &mut Vec<u8>, handshake: &eio::Handshake<'_>) {
    let mut text = Vec::new();
    handshake.write(&mut text);
    ws::write_header(out, ws::Opcode::Text, text.len());
    out.extend_from_slice(&text);
}

/// The decimal digits of a number, on the stack.
pub(crate) struct Decimal {
    digits: [u8; Decimal::DIGITS_MAX],
    start: usize,
}

impl Decimal {
    /// Digits of the largest 64-bit number.
    const DIGITS_MAX: usize = 20;

    pub(crate) fn new(mut number: u64) -> Self {
        let mut digits = [b'0'; Self::DIGITS_MAX];
        let mut start = Self::DIGITS_MAX;
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { digits, start };
            }
        }
    }

    pub(crate) fn digits(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts and binaries of the frames that a packet becomes.
    fn frames<A: AsRef<[u8]>>(packet: &Packet<'_, A>) -> Vec<String> {
        let mut out = Vec::new();
        let count = write(&mut out, packet);
        let show = |(opcode, bytes): (ws::Opcode, &[u8])| match opcode {
            ws::Opcode::Text => String::from_utf8(bytes.to_vec()).unwrap(),
            opcode => format!("{opcode:?} {bytes:?}"),
        };
        let frames: Vec<_> = ws::server_frames(&out).map(show).collect();
        assert_eq!(frames.len(), count);
        frames
    }

    /// Socket.IO protocol v5, "Packet encoding", examples.
    #[test]
    fn packets_are_written_as_the_specification_shows_them() {
        let text = |kind, nsp, id, payload: &str| frames(&Packet::new(kind, nsp, id, payload.as_bytes()));
        assert_eq!(text(Kind::Connect, "/", None, r#"{"sid":"a"}"#), [r#"40{"sid":"a"}"#]);
        assert_eq!(text(Kind::Connect, "/admin", None, r#"{"sid":"a"}"#), [r#"40/admin,{"sid":"a"}"#]);
        assert_eq!(text(Kind::ConnectError, "/", None, r#"{"message":"no"}"#), [r#"44{"message":"no"}"#]);
        assert_eq!(text(Kind::Disconnect, "/admin", None, ""), ["41/admin,"]);
        assert_eq!(text(Kind::Disconnect, "/", None, ""), ["41"]);
        assert_eq!(text(Kind::Event, "/", None, r#"["foo"]"#), [r#"42["foo"]"#]);
        assert_eq!(text(Kind::Event, "/admin", Some(12), r#"["bar"]"#), [r#"42/admin,12["bar"]"#]);
        assert_eq!(text(Kind::Ack, "/", Some(u64::MAX), "[]"), ["4318446744073709551615[]"]);
        assert_eq!(text(Kind::Ack, "/", Some(0), "[]"), ["430[]"]);
    }

    #[test]
    fn attachments_follow_as_binary_frames() {
        let payload = br#"["baz",{"_placeholder":true,"num":0}]"#;
        let (nsp, id) = ("/admin", Some(13));
        let event = Packet { kind: Kind::Event, nsp, id, payload, attachments: &[[1, 2, 3]] };
        let text = r#"451-/admin,13["baz",{"_placeholder":true,"num":0}]"#;
        assert_eq!(frames(&event), [text, "Binary [1, 2, 3]"]);
        let many: Vec<Vec<u8>> = (0..10).map(|i| vec![i; usize::from(i)]).collect();
        let ack = Packet { kind: Kind::Ack, nsp: "/", id: Some(1), payload: b"[]", attachments: &many };
        assert_eq!(frames(&ack).len(), 11);
        assert_eq!(frames(&ack)[0], "4610-1[]");
    }

    /// RFC 6455 section 5.2: the three forms of the length, at their edges.
    #[test]
    fn the_header_is_exact_at_every_size() {
        for length in [0, 120, 123, 124, 125, 65_532, 65_533, 65_534, 70_000] {
            let payload = vec![b' '; length];
            let text = frames(&Packet::new(Kind::Event, "/", None, &payload));
            assert_eq!(text[0].len(), length + 2);
        }
    }

    /// Engine.IO protocol v4, "Packet types".
    #[test]
    fn engine_packets_are_one_text_frame() {
        let mut out = Vec::new();
        write_eio(&mut out, &eio::Packet::Ping(""));
        write_eio(&mut out, &eio::Packet::Pong("probe"));
        write_eio(&mut out, &eio::Packet::Noop);
        assert_eq!(out, b"\x81\x012\x81\x063probe\x81\x016");
        let handshake = eio::Handshake {
            sid: "a",
            upgrades: &[],
            ping_interval_ms: 1,
            ping_timeout_ms: 2,
            max_payload: 3,
        };
        out.clear();
        write_handshake(&mut out, &handshake);
        assert_eq!(out[..3], [0x81, out.len() as u8 - 2, b'0']);
    }
}
