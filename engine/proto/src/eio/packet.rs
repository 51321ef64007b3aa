//! One Engine.IO packet as text: a digit and what follows it. It is not the frame around the packet, and it does not
//! look inside a message.

use std::fmt;

/// One Engine.IO packet, borrowed from its text (Engine.IO protocol v4, "Packet types").
///
/// Binary messages have no packet form of their own: they are binary frames or [`super::PayloadItem::Binary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `0`: the handshake, with its JSON object; only a server sends it.
    Open(&'a str),
    /// `1`: the session is to end.
    Close,
    /// `2`: a heartbeat (empty) or a transport's `probe`.
    Ping(&'a str),
    /// `3`: the answer to a ping, with the ping's data.
    Pong(&'a str),
    /// `4`: a text message; its content is a Socket.IO packet.
    Message(&'a str),
    /// `5`: the client moves to the probed transport.
    Upgrade,
    /// `6`: nothing; releases a waiting poll during an upgrade.
    Noop,
}

/// Why a text is no Engine.IO packet or payload. The session that sent it ends with `parse error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Expected a digit `0` to `6`, found nothing.
    Empty,
    /// Expected a digit `0` to `6`, found this character.
    Type(char),
    /// Expected the packet of this type (`1`, `5` or `6`) to end, found that many more bytes.
    UnexpectedData {
        /// The packet's type.
        kind: char,
        /// Bytes found after the type.
        found: usize,
    },
    /// Expected canonical base64 with padding after `b`, found something else.
    Base64,
    /// Expected a packet's length in decimal digits, no greater than what follows, found something else (Engine.IO 3).
    Framing,
    /// Expected the type of a message before its bytes, found this one (Engine.IO 3).
    BinaryType(u8),
    /// Expected UTF-8, found other bytes.
    NotText,
}

/// Reads one text packet, such as `4hello` or `2probe`.
///
/// # Errors
/// [`Error::Empty`], [`Error::Type`] or [`Error::UnexpectedData`]; stricter than the reference, which ignores data
/// after `1`, `5` and `6`.
#[inline(always)] // a packet that is made here is taken apart where it is returned
pub fn decode(text: &str) -> Result<Packet<'_>, Error> {
    let kind = *text.as_bytes().first().ok_or(Error::Empty)?;
    let data = text.get(1..).unwrap_or_default();
    match kind {
        b'0' => Ok(Packet::Open(data)),
        b'1' => alone(Packet::Close, kind, data),
        b'2' => Ok(Packet::Ping(data)),
        b'3' => Ok(Packet::Pong(data)),
        b'4' => Ok(Packet::Message(data)),
        b'5' => alone(Packet::Upgrade, kind, data),
        b'6' => alone(Packet::Noop, kind, data),
        _ => Err(text.chars().next().map_or(Error::Empty, Error::Type)),
    }
}

/// The packet, if no data came with it.
fn alone<'a>(packet: Packet<'a>, kind: u8, data: &str) -> Result<Packet<'a>, Error> {
    match data.len() {
        0 => Ok(packet),
        found => Err(Error::UnexpectedData { kind: char::from(kind), found }),
    }
}

impl<'a> Packet<'a> {
    /// The packet's two parts on the wire: its type's digit and its data.
    pub(crate) const fn parts(&self) -> (u8, &'a str) {
        match *self {
            Packet::Open(data) => (b'0', data),
            Packet::Close => (b'1', ""),
            Packet::Ping(data) => (b'2', data),
            Packet::Pong(data) => (b'3', data),
            Packet::Message(data) => (b'4', data),
            Packet::Upgrade => (b'5', ""),
            Packet::Noop => (b'6', ""),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Empty => f.write_str("expected a packet type 0 to 6, found nothing"),
            Error::Type(found) => write!(f, "expected a packet type 0 to 6, found {found:?}"),
            Error::UnexpectedData { kind, found } => {
                write!(f, "expected packet {kind} to have no data, found {found} bytes")
            }
            Error::Base64 => f.write_str("expected canonical base64 after b, found something else"),
            Error::Framing => f.write_str("expected a packet behind its length, found something else"),
            Error::BinaryType(found) => write!(f, "expected the type 4 of a binary message, found {found}"),
            Error::NotText => f.write_str("expected UTF-8, found other bytes"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Engine.IO protocol v4, "Packet types".
    #[test]
    fn every_type_has_its_digit() {
        let all = ["0{}", "1", "2", "2probe", "3", "3probe", "4", "4hello", "5", "6"];
        for text in all {
            let (digit, data) = decode(text).unwrap().parts();
            assert_eq!(format!("{}{data}", digit as char), text);
        }
    }

    #[test]
    fn a_type_may_be_any_character_without_a_panic() {
        assert_eq!(decode("é"), Err(Error::Type('é')));
        assert_eq!(decode("7"), Err(Error::Type('7')));
        assert_eq!(decode("bAQID"), Err(Error::Type('b')));
    }

    #[test]
    fn packets_without_data_refuse_it() {
        assert_eq!(decode("6x"), Err(Error::UnexpectedData { kind: '6', found: 1 }));
    }
}
