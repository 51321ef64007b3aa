//! The string inside each `msg` event: 10 digits of sequence, 16 digits of send time in ns, filler. And the
//! packet around it. Not JSON in general: every byte here is a digit or a dot, so nothing needs escaping.

/// Digits of the sequence number.
pub const SEQUENCE_DIGITS: usize = 10;
/// Digits of the send time, ns since the generator's epoch: 115 days.
pub const TIME_DIGITS: usize = 16;
/// The shortest payload.
pub const BYTES_MIN: usize = SEQUENCE_DIGITS + TIME_DIGITS;

/// What stands before the payload in a `msg` event's packet (Engine.IO message, Socket.IO event, default
/// namespace).
pub const PREFIX: &[u8] = br#"42["msg",""#;
/// What stands after it.
pub const SUFFIX: &[u8] = br#""]"#;

/// A payload's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Which message of its series.
    pub sequence: u32,
    /// When it was due to be sent, ns since the generator's epoch.
    pub sent_ns: u64,
}

impl Stamp {
    /// The stamp of a whole `msg` packet whose payload has exactly `bytes` bytes; `None` if anything about it
    /// is wrong.
    #[inline]
    #[must_use]
    pub fn of_packet(packet: &[u8], bytes: usize) -> Option<Stamp> {
        Stamp::of_payload(Stamp::payload_of(packet)?, bytes)
    }

    /// The payload inside a whole `msg` packet.
    #[inline]
    #[must_use]
    pub fn payload_of(packet: &[u8]) -> Option<&[u8]> {
        packet.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)
    }

    /// The stamp of a payload that has exactly `bytes` bytes.
    #[inline]
    #[must_use]
    pub fn of_payload(payload: &[u8], bytes: usize) -> Option<Stamp> {
        if payload.len() != bytes {
            return None;
        }
        let (sequence, rest) = payload.split_at_checked(SEQUENCE_DIGITS)?;
        let (time, _) = rest.split_at_checked(TIME_DIGITS)?;
        Some(Stamp { sequence: u32::try_from(number(sequence)?).ok()?, sent_ns: number(time)? })
    }

    /// The payload string of `bytes` bytes (at least [`BYTES_MIN`]).
    #[must_use]
    pub fn payload(self, bytes: usize) -> String {
        format!("{:010}{}", self.sequence, rest(self.sent_ns, bytes))
    }
}

/// A payload without its sequence: what a `burst` is asked to repeat.
#[must_use]
pub fn rest(sent_ns: u64, bytes: usize) -> String {
    let mut text = format!("{sent_ns:016}");
    text.extend(std::iter::repeat_n('.', bytes.saturating_sub(BYTES_MIN)));
    text
}

#[inline]
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |value, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: &str) -> Vec<u8> {
        [PREFIX, payload.as_bytes(), SUFFIX].concat()
    }

    #[test]
    fn a_stamp_survives_its_packet() {
        let stamp = Stamp { sequence: 77, sent_ns: 123_456_789 };
        let payload = stamp.payload(128);
        assert_eq!(payload.len(), 128);
        assert_eq!(Stamp::of_packet(&packet(&payload), 128), Some(stamp));
    }

    #[test]
    fn a_wrong_byte_or_length_is_seen() {
        let payload = Stamp { sequence: 1, sent_ns: 2 }.payload(40);
        assert_eq!(Stamp::of_packet(&packet(&payload), 41), None);
        assert_eq!(Stamp::of_packet(&packet(&payload.replace('1', "x")), 40), None);
        assert_eq!(Stamp::of_packet(b"42[\"other\",\"x\"]", 40), None);
        assert_eq!(Stamp::of_packet(b"", 40), None);
    }

    #[test]
    fn the_shortest_payload_has_no_filler() {
        assert_eq!(rest(5, BYTES_MIN), "0000000000000005");
    }
}
