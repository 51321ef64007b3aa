//! Binary arguments: bytes that travel beside the JSON of a packet, in attachments of their own.
//! It is deliberately not the wire: which frames carry the attachments is the encoder's business, their count the decoder's.
//!
//! serde has no word for "put this elsewhere", so the elsewhere is a scope of the thread. While a packet is written, a [`Binary`] adds its
//! bytes to the scope's list and writes `{"_placeholder":true,"num":N}`. Scopes are set by a guard around one serialization, restore
//! what was there before (also in a panic), and therefore nest. The scope makes binary work at any depth and inside enums,
//! flattened structs and the like. The reader of arguments knows such an object and hands out the bytes.
//!
//! A `serde_json::Value` cannot hold bytes: it reads them as a list of numbers, which is their JSON. What relays packets unread relays
//! [`Arguments`](crate::Arguments), which bring their attachments along.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use socketville_proto::sio::Parser;

/// Elements that are set aside for a byte array before its first element is read: its length is a peer's claim.
const BYTES_RESERVED_MAX: usize = 4096;

/// Bytes as an argument of an event or an ack: a `Buffer`, `ArrayBuffer` or `Blob` of the original.
///
/// It may stand anywhere in an argument and travels as an attachment. In JSON that is not part of a packet it is an array of numbers.
///
/// ```
/// use socketville::Binary;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Upload {
///     name: String,
///     content: Binary,
/// }
/// let upload = Upload { name: "a.txt".into(), content: Binary::from(&b"abc"[..]) };
/// assert_eq!(upload.content.len(), 3);
/// assert_eq!(serde_json::to_string(&upload).unwrap(), r#"{"name":"a.txt","content":[97,98,99]}"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary(pub Vec<u8>);

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Binary {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Binary {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Binary> for Vec<u8> {
    fn from(binary: Binary) -> Self {
        binary.0
    }
}

impl fmt::Debug for Binary {
    /// The size only: a log is no place for a payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Binary({} bytes)", self.0.len())
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(num) = collect(&self.0) else {
            return serializer.serialize_bytes(&self.0);
        };
        let mut placeholder = serializer.serialize_struct("Binary", 2)?;
        placeholder.serialize_field("_placeholder", &true)?;
        placeholder.serialize_field("num", &num)?;
        placeholder.end()
    }
}

/// By this name the reader of arguments knows that bytes are asked for; other readers look through it.
pub(crate) const BINARY: &str = "$socketville::Binary";

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_newtype_struct(BINARY, BinaryVisitor)
        } else {
            deserializer.deserialize_byte_buf(BinaryVisitor)
        }
    }
}

/// The attachments of one incoming packet, shared by the arguments that are read from it; cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Attachments {
    list: Option<Arc<Vec<Vec<u8>>>>,
    /// Whether spaces in the packet's JSON may be marks: the MessagePack decoder has written them. A client that sends JSON writes its spaces itself.
    has_marks: bool,
}

impl Attachments {
    /// The attachments of a packet that came by this parser.
    pub(crate) fn new(attachments: Vec<Vec<u8>>, parser: Parser) -> Self {
        let list = (!attachments.is_empty()).then(|| Arc::new(attachments));
        Self { list, has_marks: parser == Parser::MsgPack }
    }

    /// Some of them, for a part of the packet.
    pub(crate) fn pick(&self, numbers: &[usize]) -> Self {
        let picked: Vec<_> = numbers.iter().filter_map(|&number| self.get(number).cloned()).collect();
        Self { list: (!picked.is_empty()).then(|| Arc::new(picked)), ..*self }
    }

    /// Whether spaces behind a null may be marks.
    pub(crate) const fn has_marks(&self) -> bool {
        self.has_marks
    }
}

#[cfg(test)]
impl From<Vec<Vec<u8>>> for Attachments {
    fn from(attachments: Vec<Vec<u8>>) -> Self {
        Self::new(attachments, Parser::Json)
    }
}

impl Deref for Attachments {
    type Target = [Vec<u8>];

    fn deref(&self) -> &[Vec<u8>] {
        self.list.as_deref().map_or(&[], Vec::as_slice)
    }
}

/// Runs `f` and adds the bytes of every [`Binary`] that is written in it to the end of `attachments`; placeholders count from the start
/// of that list.
pub(crate) fn with_attachments_out<R>(attachments: &mut Vec<Vec<u8>>, f: impl FnOnce() -> R) -> R {
    let scope = Outgoing::enter(attachments.len());
    let result = f();
    scope.leave(attachments);
    result
}

/// The scope in which a packet is written. Most packets have no binary, so it is a number, and the list is touched only by those that have.
struct Outgoing {
    outer: usize,
    /// Attachments that the packet had before.
    before: usize,
}

/// Outside all scopes.
const NO_SCOPE: usize = usize::MAX;

impl Outgoing {
    fn enter(before: usize) -> Self {
        Self { outer: COUNT.replace(before), before }
    }

    /// What was collected goes to the end of `attachments`.
    #[inline]
    fn leave(self, attachments: &mut Vec<Vec<u8>>) {
        if COUNT.get() > self.before {
            self.hand_over(attachments);
        }
    }

    #[cold]
    fn hand_over(&self, attachments: &mut Vec<Vec<u8>>) {
        COLLECTED.with_borrow_mut(|list| {
            let start = list.len().saturating_sub(COUNT.replace(self.before) - self.before);
            attachments.extend(list.drain(start..));
        });
    }

    #[cold]
    fn drop_collected(&self, count: usize) {
        COLLECTED.with_borrow_mut(|list| list.truncate(list.len().saturating_sub(count)));
    }
}

impl Drop for Outgoing {
    /// After a panic too: what was collected in it is nobody's.
    #[inline]
    fn drop(&mut self) {
        let collected = COUNT.replace(self.outer) - self.before;
        if collected > 0 {
            self.drop_collected(collected);
        }
    }
}

thread_local! {
    /// Attachments of the packet being written, those before its scope included; `NO_SCOPE` outside.
    static COUNT: Cell<usize> = const { Cell::new(NO_SCOPE) };
    /// What the open scopes have collected, the innermost's last.
    static COLLECTED: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Adds bytes to the scope's list and gives their number; `None` outside a scope.
pub(crate) fn collect(bytes: &[u8]) -> Option<usize> {
    let number = COUNT.get();
    if number == NO_SCOPE {
        return None;
    }
    COLLECTED.with_borrow_mut(|list| list.push(bytes.to_vec()));
    COUNT.set(number + 1);
    Some(number)
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("binary data")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(Binary(bytes.to_vec()))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(Binary(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Binary, A::Error> {
        let reserved = elements.size_hint().unwrap_or(0).min(BYTES_RESERVED_MAX);
        let mut bytes = Vec::with_capacity(reserved);
        while let Some(byte) = elements.next_element()? {
            bytes.push(byte);
        }
        Ok(Binary(bytes))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Binary, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::extract::{ArgumentError, read_argument};

    fn read(text: &str, attachments: Vec<Vec<u8>>) -> Result<Binary, ArgumentError> {
        read_argument(text, 1, &Attachments::from(attachments))
    }

    #[test]
    fn outside_a_packet_it_is_an_array() {
        let text = serde_json::to_string(&Binary(vec![0, 255])).unwrap();
        assert_eq!(text, "[0,255]");
        assert_eq!(serde_json::from_str::<Binary>(&text).unwrap(), Binary(vec![0, 255]));
        assert!(serde_json::from_str::<Binary>("[256]").is_err());
        assert!(serde_json::from_str::<Binary>(r#"{"_placeholder":true,"num":0}"#).is_err());
    }

    #[test]
    fn placeholders_take_their_attachment_as_often_as_they_ask() {
        let attachments = vec![vec![1], vec![2, 2]];
        let text = r#"{"_placeholder":true,"num":1}"#;
        assert_eq!(read(text, attachments.clone()).unwrap(), Binary(vec![2, 2]));
        let twice = format!("[{text},{text}]");
        let both: (Binary, Binary) = read_argument(&twice, 1, &attachments.into()).unwrap();
        assert_eq!(both.0, both.1);
    }

    /// Socket.IO protocol 5, "Packet encoding": `num` is an index into the attachments; anything else is an error, never a panic.
    #[test]
    fn bad_placeholders_are_errors() {
        for num in ["2", "-1", "\"0\"", "1.5", "null", "18446744073709551615", "1e3", "[]"] {
            let text = format!(r#"{{"_placeholder":true,"num":{num}}}"#);
            assert!(read(&text, vec![vec![1], vec![2]]).is_err(), "{num}");
        }
        for text in [
            r#"{"_placeholder":true}"#,
            r#"{"_placeholder":false,"num":0}"#,
            r#"{"num":0}"#,
            "{}",
            "\"\"",
            "null",
        ] {
            assert!(read(text, vec![vec![1]]).is_err(), "{text}");
        }
    }

    #[test]
    fn scopes_nest_and_survive_panics() {
        let (mut outer, mut inner) = (vec![], vec![]);
        with_attachments_out(&mut outer, || {
            serde_json::to_string(&Binary(vec![1])).unwrap();
            with_attachments_out(&mut inner, || serde_json::to_string(&Binary(vec![2])).unwrap());
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                with_attachments_out(&mut Vec::new(), || panic!("a Serialize of the user's"))
            }));
            assert!(panicked.is_err());
            serde_json::to_string(&Binary(vec![3])).unwrap();
        });
        assert_eq!((outer, inner), (vec![vec![1], vec![3]], vec![vec![2]]));
        assert_eq!(serde_json::to_string(&Binary(vec![4])).unwrap(), "[4]");
    }
}
