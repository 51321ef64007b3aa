//! One Socket.IO packet, read from the text of an Engine.IO message. It is not the encoder, which is
//! [`crate::encode`], and knows nothing of which namespaces or acknowledgements exist.
//!
//! One pass over the header with every run of digits capped before it is used (CVE-2020-36049), then one pass over
//! the payload. No allocation, unless a packet has more than six arguments or escapes in its event name.

use super::args::Args;
use super::attachments::Placeholders;
use super::error::Error;
use super::json::{self, Kind};
use crate::limits;

/// A packet that a client may send, borrowed from its text (Socket.IO protocol v5, "Packet types").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Type 0: the client asks to join a namespace.
    Connect {
        /// The namespace with its slash; a `?` is part of the name in v5.
        nsp: &'a str,
        /// The credentials, a JSON object.
        auth: Option<&'a str>,
    },
    /// Type 1: the client leaves a namespace.
    Disconnect {
        /// The namespace with its slash.
        nsp: &'a str,
    },
    /// Types 2 and 5: an event; `args[0]` is its name.
    Event {
        /// The namespace with its slash.
        nsp: &'a str,
        /// Present if the client wants an acknowledgement.
        id: Option<u64>,
        /// Binary messages that follow and belong to it: 0 for type 2, 1 to 10 for type 5.
        attachments: u8,
        /// The name and the arguments.
        args: Args<'a>,
    },
    /// Types 3 and 6: the answer to an event of ours.
    Ack {
        /// The namespace with its slash.
        nsp: &'a str,
        /// The event's id; the wire allows its absence, which answers nothing.
        id: Option<u64>,
        /// Binary messages that follow and belong to it: 0 for type 3, 1 to 10 for type 6.
        attachments: u8,
        /// The answer's arguments.
        args: Args<'a>,
    },
}

/// Event names that the reference's sockets use themselves (Socket.IO protocol v5, "Packet types", EVENT).
const RESERVED_EVENT_NAMES: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Reads a packet, such as `2["hello"]`, from the content of an Engine.IO message.
///
/// # Errors
/// Any [`Error`] but those of [`super::Pending`]. Where the reference is lax this is strict: counts and ids are
/// digits only, an id is at most 2^53-1, EVENT and ACK need a payload, CONNECT and DISCONNECT have no id.
#[inline]
pub fn decode(text: &str) -> Result<Packet<'_>, Error> {
    decode_within(text, PacketLimits::DEFAULT)
}

/// What an application allows in a packet of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketLimits {
    /// Binary attachments, at most [`limits::ATTACHMENTS_LIMIT`].
    pub attachments: u8,
    /// Levels of nesting, at most [`limits::JSON_DEPTH_MAX`].
    pub depth: u8,
}

impl PacketLimits {
    /// What the reference allows.
    pub const DEFAULT: Self =
        Self { attachments: limits::ATTACHMENTS_MAX, depth: limits::JSON_DEPTH_MAX as u8 };
    /// All that can be: for a packet that was checked before.
    pub const CHECKED: Self =
        Self { attachments: limits::ATTACHMENTS_LIMIT, depth: limits::JSON_DEPTH_MAX as u8 };
}

impl Default for PacketLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// [`decode`], within the limits of an application.
///
/// # Errors
/// As [`decode`].
#[inline]
pub fn decode_within(text: &str, limits: PacketLimits) -> Result<Packet<'_>, Error> {
    let kind = *text.as_bytes().first().ok_or(Error::Empty)?;
    let rest = text.get(1..).unwrap_or_default();
    match kind {
        b'0' => decode_connect(rest, limits),
        b'1' => decode_disconnect(rest),
        b'2' => decode_event(rest, 0, limits),
        b'3' => decode_ack(rest, 0, limits),
        b'4' => Err(Error::ConnectError),
        b'5' => decode_binary_event(rest, limits),
        b'6' => decode_attachments(rest, limits).and_then(|(count, rest)| decode_ack(rest, count, limits)),
        _ => Err(text.chars().next().map_or(Error::Empty, Error::Type)),
    }
}

fn decode_connect(rest: &str, limits: PacketLimits) -> Result<Packet<'_>, Error> {
    let (nsp, payload) = decode_anonymous(rest)?;
    if payload.is_empty() {
        return Ok(Packet::Connect { nsp, auth: None });
    }
    match json::validate_within(payload, limits.depth.into())? {
        Kind::Object => Ok(Packet::Connect { nsp, auth: Some(payload) }),
        found => Err(Error::AuthKind(found)),
    }
}

fn decode_disconnect(rest: &str) -> Result<Packet<'_>, Error> {
    let (nsp, payload) = decode_anonymous(rest)?;
    match payload.len() {
        0 => Ok(Packet::Disconnect { nsp }),
        found => Err(Error::UnexpectedPayload(found)),
    }
}

fn decode_binary_event(rest: &str, limits: PacketLimits) -> Result<Packet<'_>, Error> {
    let (attachments, rest) = decode_attachments(rest, limits)?;
    decode_event(rest, attachments, limits)
}

#[inline(always)] // into the reading of a text packet: what it makes is moved once less
fn decode_event(rest: &str, attachments: u8, limits: PacketLimits) -> Result<Packet<'_>, Error> {
    let (nsp, rest) = decode_namespace(rest)?;
    let (id, payload) = decode_id(rest)?;
    let args = decode_args(payload, attachments, limits)?;
    check_event_name(&args)?;
    Ok(Packet::Event { nsp, id, attachments, args })
}

fn decode_ack(rest: &str, attachments: u8, limits: PacketLimits) -> Result<Packet<'_>, Error> {
    let (nsp, rest) = decode_namespace(rest)?;
    let (id, payload) = decode_id(rest)?;
    let args = decode_args(payload, attachments, limits)?;
    Ok(Packet::Ack { nsp, id, attachments, args })
}

/// Namespace and payload of a packet that has no ack id.
fn decode_anonymous(rest: &str) -> Result<(&str, &str), Error> {
    let (nsp, rest) = decode_namespace(rest)?;
    match decode_id(rest)? {
        (None, payload) => Ok((nsp, payload)),
        (Some(id), _) => Err(Error::UnexpectedAckId(id)),
    }
}

/// The attachment count and what follows its dash.
fn decode_attachments(rest: &str, limits: PacketLimits) -> Result<(u8, &str), Error> {
    let (digits, rest) = split_digits(rest, 2);
    let count: u8 = digits.parse().map_err(|_| Error::AttachmentCount)?;
    if !(1..=limits.attachments).contains(&count) || rest.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Error::AttachmentCount);
    }
    let rest = rest.strip_prefix('-').ok_or(Error::AttachmentDash)?;
    Ok((count, rest))
}

/// The namespace and what follows its comma; without a comma all the rest is the name.
#[inline]
fn decode_namespace(rest: &str) -> Result<(&str, &str), Error> {
    if !rest.starts_with('/') {
        return Ok(("/", rest));
    }
    let (nsp, rest) = rest.split_once(',').unwrap_or((rest, ""));
    if nsp.len() > limits::NAMESPACE_BYTES_MAX {
        return Err(Error::NamespaceBytes(nsp.len()));
    }
    Ok((nsp, rest))
}

/// The ack id, if there is one, and the payload.
#[inline]
fn decode_id(rest: &str) -> Result<(Option<u64>, &str), Error> {
    if let Some((id, count)) = rest.as_bytes().first_chunk().and_then(short_id) {
        return Ok((id, rest.get(count..).unwrap_or_default()));
    }
    let (mut id, mut count) = (0, 0);
    while let Some(&digit @ b'0'..=b'9') = rest.as_bytes().get(count) {
        if count == limits::ACK_ID_DIGITS_MAX {
            return Err(Error::AckId);
        }
        id = id * 10 + u64::from(digit - b'0');
        count += 1;
    }
    match count {
        0 => Ok((None, rest)),
        _ if id > limits::ACK_ID_MAX => Err(Error::AckId),
        _ => Ok((Some(id), rest.get(count..).unwrap_or_default())),
    }
}

/// An ack id of fewer than eight digits, or none, and how many they are: all digits at once, since almost every packet has so few. Three
/// steps make pairs, fours and the number, as [`crate::encode`] goes the other way.
#[inline]
fn short_id(bytes: &[u8; 8]) -> Option<(Option<u64>, usize)> {
    const fn all(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    let values = u64::from_le_bytes(*bytes) ^ all(b'0');
    let others = (values.wrapping_add(all(0x80 - 10)) | values) & all(0x80);
    match others.trailing_zeros() / 8 {
        0 => Some((None, 0)),
        count @ 1..8 => {
            let ones = values << (64 - 8 * count);
            let pairs = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
            let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
            let id = (fours * 10_000 + (fours >> 32)) & 0xffff_ffff;
            Some((Some(id), count as usize))
        }
        _ => None,
    }
}

/// At most `max` leading digits, and the rest.
fn split_digits(text: &str, max: usize) -> (&str, &str) {
    let count = text.bytes().take(max).take_while(u8::is_ascii_digit).count();
    text.split_at(count)
}

/// The payload of an EVENT or an ACK. In a binary packet every placeholder must name one of its attachments
/// (CVE-2022-2421); in others a placeholder is an object like any other.
#[inline]
fn decode_args(payload: &str, attachments: u8, limits: PacketLimits) -> Result<Args<'_>, Error> {
    if payload.is_empty() {
        return Err(Error::MissingPayload);
    }
    if attachments == 0 {
        return Args::parse_within(payload, limits.depth.into());
    }
    let mut placeholders = Placeholders::new(attachments);
    let spans = json::scan_array_with(payload, limits.depth.into(), &mut placeholders)?;
    placeholders.verdict()?;
    Ok(Args::from_parts(payload, spans))
}

/// CVE-2023-32695: the first element is a string or a number; and not one of the protocol's own names, however it is
/// escaped.
#[inline]
pub(super) fn check_event_name(args: &Args<'_>) -> Result<(), Error> {
    if args.is_empty() {
        return Err(Error::MissingEventName);
    }
    let name = args.event_name().ok_or(Error::EventName)?;
    if is_reserved(&name) { Err(Error::ReservedEventName) } else { Ok(()) }
}

/// Whether an event's name is one that the reference's sockets use themselves, so that neither side may send it. Most names are told apart from those by
/// their length and first letter.
#[inline]
pub fn is_reserved(name: &str) -> bool {
    name.len() >= "connect".len()
        && matches!(name.as_bytes(), [b'c' | b'd' | b'n' | b'r', ..])
        && RESERVED_EVENT_NAMES.contains(&name)
}

/// Checks an event's array that did not come in a packet, as if it had come in one with so many attachments.
///
/// # Errors
/// Those of [`decode`] about the payload; [`Error::AttachmentCount`] for more than 255.
pub fn check_event(payload: &str, attachments: usize) -> Result<Args<'_>, Error> {
    let attachments = u8::try_from(attachments).map_err(|_| Error::AttachmentCount)?;
    let args = decode_args(payload, attachments, PacketLimits::CHECKED)?;
    check_event_name(&args)?;
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> (String, Option<u64>, u8, String) {
        match decode(text) {
            Ok(Packet::Event { nsp, id, attachments, args }) => {
                (nsp.to_owned(), id, attachments, args.json().to_owned())
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    /// Socket.IO protocol v5, "Packet encoding", format and examples.
    #[test]
    fn the_header_is_read_part_by_part() {
        assert_eq!(event(r#"2["foo"]"#), ("/".into(), None, 0, r#"["foo"]"#.into()));
        assert_eq!(event(r#"2/admin,["bar"]"#), ("/admin".into(), None, 0, r#"["bar"]"#.into()));
        assert_eq!(event(r#"212["foo"]"#), ("/".into(), Some(12), 0, r#"["foo"]"#.into()));
        let binary = r#"["baz",{"_placeholder":true,"num":0}]"#;
        assert_eq!(event(&format!("51-/a,7{binary}")), ("/a".into(), Some(7), 1, binary.into()));
    }

    #[test]
    fn a_namespace_keeps_its_question_mark_and_needs_no_comma() {
        assert_eq!(decode("0/a?b=c"), Ok(Packet::Connect { nsp: "/a?b=c", auth: None }));
        assert_eq!(decode("1/a,"), Ok(Packet::Disconnect { nsp: "/a" }));
    }

    /// CVE-2020-36049: long runs of digits are refused after a fixed number of them.
    #[test]
    fn digits_are_capped() {
        let ones = "1".repeat(1_000_000);
        assert_eq!(decode(&format!("2{ones}[\"a\"]")), Err(Error::AckId));
        assert_eq!(decode(&format!("5{ones}-[\"a\"]")), Err(Error::AttachmentCount));
        assert_eq!(event(r#"29007199254740991["a"]"#).1, Some(limits::ACK_ID_MAX));
        assert_eq!(decode(r#"29007199254740992["a"]"#), Err(Error::AckId));
        assert_eq!(event(r#"20000000000000007["a"]"#).1, Some(7));
        assert_eq!(decode(r#"200000000000000007["a"]"#), Err(Error::AckId));
    }

    /// One digit after the other, and all at once.
    #[test]
    fn short_ids_are_those_of_the_long_way() {
        for id in [
            "",
            "0",
            "7",
            "10",
            "042",
            "1234",
            "99999",
            "123456",
            "0000001",
            "9999999",
            "12345678",
            "987654321",
        ] {
            for payload in [r#"["a"]"#, r#"["a",1,"2"]"#] {
                let expected = id.parse().ok();
                assert_eq!(
                    event(&format!("2{id}{payload}")),
                    ("/".into(), expected, 0, payload.into()),
                    "{id}"
                );
            }
        }
        for odd in ["1é", "9:", "1/", "\u{7f}", "1\0"] {
            assert!(matches!(decode(&format!("2{odd}[\"a\"]")), Err(Error::Json(_))), "{odd}");
        }
    }

    #[test]
    fn reserved_names_are_refused_also_when_escaped() {
        for name in RESERVED_EVENT_NAMES {
            assert_eq!(decode(&format!("2[\"{name}\"]")), Err(Error::ReservedEventName));
        }
        assert_eq!(decode(r#"2["\u0063onnect"]"#), Err(Error::ReservedEventName));
        assert!(decode(r#"2["Connect"]"#).is_ok());
    }

    /// An event's name is text that a handler can have; half an emoji is U+FFFD for who reads it, and passes unread.
    #[test]
    fn a_lone_surrogate_is_replaced_in_a_name_and_passes_in_an_argument() {
        let Ok(Packet::Event { args, .. }) = decode(r#"2["a\ud83d","\ud83d"]"#) else { panic!("an event") };
        assert_eq!((args.event_name().as_deref(), args.raw(1)), (Some("a\u{fffd}"), Some(r#""\ud83d""#)));
    }

    #[test]
    fn text_without_binary_type_has_no_placeholders() {
        assert!(decode(r#"2["a",{"_placeholder":true,"num":"splice"}]"#).is_ok());
    }
}
