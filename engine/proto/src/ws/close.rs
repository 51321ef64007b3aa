//! Close codes: the ones we send, and which ones a client may send.
//!
//! Not the closing handshake, which is the connection's.

use super::Error;

/// A code that we close with (RFC 6455 section 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// The purpose is fulfilled.
    Normal = 1000,
    /// The server is shutting down.
    GoingAway = 1001,
    /// The peer broke the protocol.
    Protocol = 1002,
    /// A kind of data that is not accepted here.
    Unsupported = 1003,
    /// Data that is not what it claims to be, such as text that is not UTF-8.
    InvalidData = 1007,
    /// A policy was violated, and no other code fits.
    Policy = 1008,
    /// A message is too large.
    TooLarge = 1009,
    /// The server failed.
    Internal = 1011,
    /// The server restarts: come back (IANA registry).
    Restart = 1012,
    /// The server is overloaded: come back later (IANA registry).
    TryAgainLater = 1013,
}

impl CloseCode {
    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self as u16
    }
}

/// Reads the payload of a close frame (RFC 6455 section 5.5.1).
///
/// # Errors
///
/// [`Error::CloseLength`], [`Error::CloseCode`] or [`Error::Utf8`].
pub(super) fn parse(payload: &[u8]) -> Result<Option<(u16, &str)>, Error> {
    match payload {
        [] => Ok(None),
        [_] => Err(Error::CloseLength),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !may_be_sent(code) {
                return Err(Error::CloseCode(code));
            }
            let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Error::Utf8)?;
            Ok(Some((code, reason)))
        }
    }
}

/// Defined by the RFC or registered since, or left to libraries and applications (RFC 6455 section 7.4.2);
/// 1004 is reserved, 1005, 1006 and 1015 only ever describe what did not arrive.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 section 7.4.2.
    #[test]
    fn codes_that_must_not_be_sent_are_refused() {
        for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            assert_eq!(parse(&code.to_be_bytes()), Err(Error::CloseCode(code)));
        }
        for code in [1000u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999] {
            assert_eq!(parse(&code.to_be_bytes()), Ok(Some((code, ""))));
        }
    }

    /// RFC 6455 section 5.5.1.
    #[test]
    fn a_close_payload_is_nothing_or_a_code_and_text() {
        assert_eq!(parse(b""), Ok(None));
        assert_eq!(parse(b"\x03"), Err(Error::CloseLength));
        assert_eq!(parse(b"\x03\xe8bye"), Ok(Some((1000, "bye"))));
        assert_eq!(parse(b"\x03\xe8\xff"), Err(Error::Utf8));
    }
}
