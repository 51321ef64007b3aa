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
        let mut text = String::with_capacity(bytes);
        self.write_payload(bytes, &mut text);
        text
    }

    /// Appends the payload string of `bytes` bytes.
    pub fn write_payload(self, bytes: usize, text: &mut String) {
        write_digits::<SEQUENCE_DIGITS>(u64::from(self.sequence), text);
        write_rest(self.sent_ns, bytes, text);
    }
}

/// A payload without its sequence: what a `burst` is asked to repeat.
#[must_use]
pub fn rest(sent_ns: u64, bytes: usize) -> String {
    let mut text = String::new();
    write_rest(sent_ns, bytes, &mut text);
    text
}

fn write_rest(sent_ns: u64, bytes: usize, text: &mut String) {
    write_digits::<TIME_DIGITS>(sent_ns, text);
    let mut missing = bytes.saturating_sub(BYTES_MIN);
    while missing > 0 {
        let part = missing.min(FILLER.len());
        text.push_str(FILLER.get(..part).unwrap_or_default());
        missing -= part;
    }
}

fn write_digits<const N: usize>(value: u64, text: &mut String) {
    text.push_str(std::str::from_utf8(&digits::<N>(value)).unwrap_or_default());
}

/// The last N decimal digits, with zeros before them. By hand: a swarm that echoes writes them for every question, and the
/// machinery of `format!` would be its largest cost outside of the kernel.
#[must_use]
pub fn digits<const N: usize>(mut value: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    digits
}

/// What a payload is filled with, a piece at a time.
const FILLER: &str = "................................................................";

/// The number that these digits are, at most 19; `None` if one of them is none. Eight at a time where there are so many: a swarm reads
/// two numbers of every message.
#[inline]
#[must_use]
pub fn number(digits: &[u8]) -> Option<u64> {
    let (rest, words) = digits.as_rchunks::<8>();
    let value = rest.iter().try_fold(0, |value, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })?;
    words.iter().try_fold(value, |value, word| Some(value * 100_000_000 + eight_digits(*word)?))
}

/// The number that eight digits are: pairs, then fours, then all.
#[inline]
fn eight_digits(digits: [u8; 8]) -> Option<u64> {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    let values = u64::from_le_bytes(digits) ^ each(b'0');
    if (values.wrapping_add(each(0x80 - 10)) | values) & each(0x80) != 0 {
        return None;
    }
    let pairs = (values * 10 + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
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
    fn digits_are_those_of_the_formatter() {
        for (sequence, sent_ns, bytes) in
            [(0, 0, 26), (7, 1_234_567, 27), (u32::MAX, 9_999_999_999_999_999, 300)]
        {
            let filler = ".".repeat(bytes - BYTES_MIN);
            let expected = format!("{sequence:010}{sent_ns:016}{filler}");
            assert_eq!(Stamp { sequence, sent_ns }.payload(bytes), expected);
        }
    }

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        for text in ["0", "7", "12345678", "123456789", "00000000", "9999999999999999999", "0123456789012345"]
        {
            assert_eq!(number(text.as_bytes()), text.parse().ok(), "{text}");
            for place in 0..text.len() {
                for odd in [b'/', b':', 0, 0x7f, 0x80, 0xff] {
                    let mut bytes = text.as_bytes().to_vec();
                    bytes[place] = odd;
                    assert_eq!(number(&bytes), None, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn the_shortest_payload_has_no_filler() {
        assert_eq!(rest(5, BYTES_MIN), "0000000000000005");
    }
}
