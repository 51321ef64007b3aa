//! The one encoder: what the server sends becomes WebSocket frames here and nowhere else. It does not serialize
//! arguments, which come as JSON, and it does not know who receives the bytes.
//!
//! A packet is one text frame and one binary frame per attachment, unmasked and final. Polling gets the same bytes
//! through [`eio::append_payload`]. The length of the text is known before its first byte, so the header is written
//! once at its final size: an encode is one pass, no scratch buffer, at most one growth of `out`.

use crate::{eio, ws};

/// What a Socket.IO packet from the server is (Socket.IO protocol v5, "Packet types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The answer to a CONNECT: `{"sid":...}`.
    Connect = b'0',
    /// The socket leaves the namespace by the server's will.
    Disconnect = b'1',
    /// An event: an array that begins with its name.
    Event = b'2',
    /// An acknowledgement: an array of answers.
    Ack = b'3',
    /// The refusal of a CONNECT: `{"message":...}`.
    ConnectError = b'4',
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
    /// The type's digit: the binary twins of EVENT and ACK, 5 and 6, stand three behind them.
    fn digit(&self) -> u8 {
        self.kind as u8 + if self.attachments.is_empty() { 0 } else { 3 }
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
    let count = (!packet.attachments.is_empty()).then(|| Decimal::new(packet.attachments.len() as u64));
    let id = packet.id.map_or(Decimal::NONE, Decimal::new);
    let mut length = 2 + id.len() + packet.payload.len();
    if let Some(count) = &count {
        length += count.len() + 1;
    }
    if !nsp.is_empty() {
        length += nsp.len() + 1;
    }
    let start = out.len();
    out.reserve(ws::header_len(length) + length + Decimal::WORD_BYTES);
    ws::write_header(out, ws::Opcode::Text, length);
    out.extend_from_slice(&[b'4', packet.digit()]);
    if let Some(count) = count {
        count.append_to(out);
        out.push(b'-');
    }
    if !nsp.is_empty() {
        out.extend_from_slice(nsp.as_bytes());
        out.push(b',');
    }
    id.append_to(out);
    out.extend_from_slice(packet.payload);
    debug_assert_eq!(out.len() - start, ws::header_len(length) + length, "the header told the exact length");
    write_attachments(out, packet.attachments);
    1 + packet.attachments.len()
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
    digits: [u8; 3 * Decimal::WORD_BYTES],
    len: usize,
}

impl Decimal {
    /// Digits that are made together; the largest 64-bit number has 20.
    const WORD_BYTES: usize = 8;
    /// The digits of no number.
    const NONE: Self = Self { digits: [0; 3 * Self::WORD_BYTES], len: 0 };
    /// The least number that has more.
    const WORD_MAX: u64 = 100_000_000;

    #[inline]
    pub(crate) fn new(number: u64) -> Self {
        match u32::try_from(number) {
            Ok(number) if u64::from(number) < Self::WORD_MAX => Self::of_word(number),
            _ => Self::long(number),
        }
    }

    #[inline]
    fn of_word(number: u32) -> Self {
        let word = digits_of_word(number);
        let zeros = (word.trailing_zeros() as usize / 8).min(Self::WORD_BYTES - 1);
        let mut digits = [0; 3 * Self::WORD_BYTES];
        digits[..Self::WORD_BYTES].copy_from_slice(&((word | ZEROS) >> (8 * zeros)).to_le_bytes());
        Self { digits, len: Self::WORD_BYTES - zeros }
    }

    fn long(number: u64) -> Self {
        let mut decimal = Self::new(number / Self::WORD_MAX);
        let word = digits_of_word((number % Self::WORD_MAX) as u32) | ZEROS;
        decimal.digits[decimal.len..][..Self::WORD_BYTES].copy_from_slice(&word.to_le_bytes());
        decimal.len += Self::WORD_BYTES;
        decimal
    }

    pub(crate) fn digits(&self) -> &[u8] {
        &self.digits[..self.len]
    }

    fn len(&self) -> usize {
        self.len
    }

    /// Appends it. A copy of a known length needs no call, and what was too much is cut off again.
    #[inline]
    fn append_to(&self, out: &mut Vec<u8>) {
        match self.digits.first_chunk::<{ Self::WORD_BYTES }>() {
            Some(word) if self.len <= Self::WORD_BYTES => {
                let len = out.len() + self.len;
                out.extend_from_slice(word);
                out.truncate(len);
            }
            _ => out.extend_from_slice(self.digits()),
        }
    }
}

/// Eight zeros as text.
const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

/// The digits of a number below 10^8, a byte each and leading zeros too, the first in the lowest byte. It goes by halves: four digits and
/// four, then pairs, then single ones, all of a step at once by a multiplication with a reciprocal that is exact for numbers so small.
#[inline]
const fn digits_of_word(number: u32) -> u64 {
    let fours = (number / 10_000) as u64 | ((number % 10_000) as u64) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let pairs = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (pairs - tens * 10) << 8
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

    /// Every number of few digits, and the edges of words of eight.
    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        let edges = (0..20)
            .map(|digits| 10_u64.pow(digits))
            .flat_map(|edge| [edge - 1, edge, edge + 1, edge / 4 * 7]);
        for number in (0..=100_000).chain(edges).chain([u64::MAX, u64::from(u32::MAX)]) {
            let (decimal, mut out) = (Decimal::new(number), b"x".to_vec());
            decimal.append_to(&mut out);
            assert_eq!(decimal.digits(), number.to_string().as_bytes());
            assert_eq!(&out[1..], decimal.digits());
        }
        for half in 0..10_000 {
            assert_eq!(
                Decimal::new(half * 10_000 + 9_999 - half).digits(),
                (half * 9_999 + 9_999).to_string().as_bytes()
            );
        }
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
