//! The binary attachments of a packet: the placeholders that name them and the wait for them. It does not put bytes
//! into values, and it has no deadline: the hub knows time.

use super::error::Error;
use super::json::{self, Visitor};
use crate::limits;

/// A binary packet on its way in: its text, held until all its attachments have come (Socket.IO protocol v5, "Packet
/// encoding", binary). When complete, the text is decoded again where it is used; that is cheaper than keeping
/// borrowed parts of it, and it cannot fail a second time.
#[derive(Debug)]
pub struct Pending {
    text: String,
    binaries: Vec<Vec<u8>>,
    count: u8,
    /// Bytes of the text and of the binaries so far.
    bytes: usize,
}

impl Pending {
    /// Waits for `attachments` binary messages that belong to `text`, a packet that [`super::decode`] accepted.
    pub fn new(text: &str, attachments: u8) -> Self {
        debug_assert!(
            (1..=limits::ATTACHMENTS_LIMIT).contains(&attachments),
            "the decoder checked the count"
        );
        Self { text: text.to_owned(), binaries: Vec::new(), count: attachments, bytes: text.len() }
    }

    /// Takes the next attachment; `true` if it was the last one that was due. Owned bytes are not copied.
    ///
    /// # Errors
    /// [`Error::UnexpectedAttachment`] if none is due, [`Error::PacketBytes`] if text and attachments would have more
    /// than `bytes_max` bytes together. Nothing is taken then.
    pub fn push(&mut self, bytes: impl AsRef<[u8]> + Into<Vec<u8>>, bytes_max: usize) -> Result<bool, Error> {
        if self.is_complete() {
            return Err(Error::UnexpectedAttachment);
        }
        let found = self.bytes.saturating_add(bytes.as_ref().len());
        if found > bytes_max {
            return Err(Error::PacketBytes { max: bytes_max, found });
        }
        self.bytes = found;
        self.binaries.push(bytes.into());
        Ok(self.is_complete())
    }

    /// Whether all attachments have come.
    pub fn is_complete(&self) -> bool {
        self.binaries.len() >= usize::from(self.count)
    }

    /// Bytes held: the text and the attachments so far.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The packet's text and its attachments in order.
    pub fn into_parts(self) -> (String, Vec<Vec<u8>>) {
        debug_assert!(self.is_complete(), "asked for a packet whose attachments are still due");
        (self.text, self.binaries)
    }
}

/// Watches a scan for placeholders, objects with `"_placeholder":true`, whose `num` names no attachment. A key that
/// comes twice has its last value, as in the clients' language; other keys do not matter.
pub(super) struct Placeholders {
    count: u8,
    /// What the next value belongs to.
    key: Key,
    /// One bit per open array or object: it has `"_placeholder":true`.
    marked: u128,
    /// One bit per open array or object: it has a `num` that names an attachment.
    named: u128,
    is_bad: bool,
}

/// What is known of the key before a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Placeholder,
    Num,
    Other,
}

const _: () = assert!(limits::JSON_DEPTH_MAX <= 128, "one bit of a u128 per level");

impl Placeholders {
    /// Expects each `num` to be an integer below `count`.
    pub(super) const fn new(count: u8) -> Self {
        Self { count, key: Key::Other, marked: 0, named: 0, is_bad: false }
    }

    /// What the scan saw.
    pub(super) const fn verdict(&self) -> Result<(), Error> {
        if self.is_bad { Err(Error::Placeholder) } else { Ok(()) }
    }

    /// Notes a value for the innermost open object, if its key matters.
    fn note(&mut self, raw: &str) {
        match self.key {
            Key::Placeholder => self.marked = with_last(self.marked, raw == "true"),
            Key::Num => self.named = with_last(self.named, is_index(raw, self.count)),
            Key::Other => {}
        }
        self.key = Key::Other;
    }
}

impl Visitor for Placeholders {
    fn key(&mut self, _start: usize, raw: &str) {
        self.key = match json::unescape(raw).as_deref() {
            Some("_placeholder") => Key::Placeholder,
            Some("num") => Key::Num,
            _ => Key::Other,
        };
    }

    fn scalar(&mut self, _depth: u32, _start: usize, raw: &str) {
        self.note(raw);
    }

    fn open(&mut self, _kind: json::Kind, _depth: u32, _start: usize) {
        self.note("");
        self.marked <<= 1;
        self.named <<= 1;
    }

    fn close(&mut self, _depth: u32, _end: usize) {
        self.is_bad |= self.marked & !self.named & 1 == 1;
        self.marked >>= 1;
        self.named >>= 1;
    }
}

/// The bits with the lowest one set anew.
const fn with_last(bits: u128, value: bool) -> u128 {
    (bits & !1) | value as u128
}

/// Whether a JSON value is a plain integer below `count`: no sign, no fraction, no exponent.
fn is_index(raw: &str, count: u8) -> bool {
    raw.bytes().all(|byte| byte.is_ascii_digit()) && raw.parse::<u8>().is_ok_and(|index| index < count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_accepted(json: &str, count: u8) -> bool {
        let mut placeholders = Placeholders::new(count);
        json::scan_array_with(json, 128, &mut placeholders).expect(json);
        placeholders.verdict().is_ok()
    }

    /// CVE-2022-2421, and Socket.IO protocol v5, "Packet encoding", binary.
    #[test]
    fn an_index_is_an_integer_below_the_count() {
        for good in ["0", "1", "9"] {
            assert!(is_accepted(&format!(r#"[{{"_placeholder":true,"num":{good}}}]"#), 10), "{good}");
        }
        for bad in
            ["10", "-1", "-0", "1.0", "1e0", "999999999999", "\"0\"", "\"splice\"", "null", "[0]", "{}"]
        {
            assert!(!is_accepted(&format!(r#"[{{"_placeholder":true,"num":{bad}}}]"#), 10), "{bad}");
        }
    }

    #[test]
    fn placeholders_are_found_anywhere_and_in_any_order_of_keys() {
        let deep = r#"[[{"a":{"b":[1,{"num":3,"x":[],"_placeholder":true}]}}]]"#;
        assert!(is_accepted(deep, 4));
        assert!(!is_accepted(deep, 3));
        assert!(!is_accepted(r#"[{"_placeholder":true}]"#, 1));
        assert!(!is_accepted(r#"[{"_pl\u0061ceholder":true,"num":1}]"#, 1));
        assert!(
            !is_accepted(r#"[{"a":{"num":0},"_placeholder":true}]"#, 1),
            "num belongs to the inner object"
        );
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        assert!(!is_accepted(r#"[{"_placeholder":true,"num":0,"num":1}]"#, 1));
        assert!(is_accepted(r#"[{"_placeholder":true,"num":7,"num":0}]"#, 1));
        assert!(is_accepted(r#"[{"_placeholder":true,"_placeholder":[true],"num":7}]"#, 1));
    }

    #[test]
    fn other_objects_are_no_placeholders() {
        assert!(is_accepted(r#"["_placeholder",true,{"_placeholder":false,"num":9},{"num":9}]"#, 1));
        assert!(is_accepted(r#"[{"_placeholder":1,"num":"x"},{"_placeholder":"true"}]"#, 1));
    }

    /// CVE-2026-33151: the sum of all parts is held against the limit.
    #[test]
    fn attachments_are_counted_in_number_and_bytes() {
        let mut pending = Pending::new("52-[\"a\"]", 2);
        assert_eq!(pending.push(&b"123"[..], 20), Ok(false));
        assert_eq!(pending.bytes(), 11);
        assert_eq!(pending.push(vec![0; 10], 20), Err(Error::PacketBytes { max: 20, found: 21 }));
        assert_eq!(pending.push(vec![0; 9], 20), Ok(true));
        assert_eq!(pending.push(vec![], 20), Err(Error::UnexpectedAttachment));
        let (text, binaries) = pending.into_parts();
        assert_eq!((text.as_str(), binaries), ("52-[\"a\"]", vec![b"123".to_vec(), vec![0; 9]]));
    }
}
