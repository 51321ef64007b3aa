//! Values of a checked JSON text for serde, read as leniently as `JSON.parse` reads them for the reference.
//!
//! Deliberately not a parser: a [`Tape`] has the parts, and every text comes from one. What other JSON writers than JavaScript's write is the same value
//! here as there:
//!
//! - a number without a fraction is an integer, however it is written (`5.0`, `1e2`); one that no float reaches is infinite (`1e400`)
//! - of two members with one key the last counts
//! - half of a surrogate pair becomes U+FFFD, for text of Rust cannot hold it
//!
//! An object that stands for an attachment is the attachment: bytes for who asks for bytes, else a list of numbers, which is what bytes are in JSON. A type
//! with fewer elements than an array has refuses it, as serde's own readers do.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use serde::de::value::{CowStrDeserializer, SeqDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use socketville_proto::sio::json::{self, Kind, Part, Tape};

use crate::binary::{Attachments, BINARY};
use crate::extract::Mismatch;
use crate::scalar::Scalar;

/// A text, its parts and the attachments that came with it.
pub(crate) struct Document<'a> {
    text: &'a str,
    parts: &'a [Part],
    attachments: &'a Attachments,
    /// Bytes of attachments that may still be read.
    budget: Cell<usize>,
}

/// How often attachments may be read as bytes: one that a text names a thousand times would be a thousand times its size. As lists of numbers, of which
/// each may be many bytes, they are read once: clients of the original name each attachment once.
const READS_MAX: usize = 8;

impl<'a> Document<'a> {
    /// `tape` is the text's.
    pub(crate) fn new(text: &'a str, tape: &'a Tape, attachments: &'a Attachments) -> Self {
        let bytes: usize = attachments.iter().map(Vec::len).sum();
        Self { text, parts: tape.parts(), attachments, budget: Cell::new(READS_MAX * bytes) }
    }

    /// Bytes that are read for so many reads of them.
    fn spend(&self, bytes: &'a [u8], reads: usize) -> Result<&'a [u8], Mismatch> {
        let left = self.budget.get().checked_sub(bytes.len().saturating_mul(reads));
        self.budget.set(left.ok_or_else(|| Mismatch::new("attachments that are named once"))?);
        Ok(bytes)
    }

    /// The whole value.
    pub(crate) fn value<'d>(&'d self) -> Value<'d, 'a> {
        Value { document: self, at: 0 }
    }

    fn part(&self, at: usize) -> Result<Part, Mismatch> {
        self.parts.get(at).copied().ok_or_else(|| Mismatch::new("a JSON value"))
    }

    fn raw(&self, part: Part) -> &'a str {
        self.text.get(part.start as usize..part.end as usize).unwrap_or_default()
    }

    /// Whether a null stands for a value that is no number.
    fn is_nan(&self, null: Part) -> bool {
        self.attachments.has_marks()
            && self.text.get(null.end as usize..).is_some_and(|rest| rest.starts_with(json::NAN_MARK))
    }

    /// Whether a null stands for no value at all.
    fn is_undefined(&self, at: usize) -> bool {
        self.parts.get(at).is_some_and(|part| {
            part.kind == Kind::Null
                && self.attachments.has_marks()
                && self
                    .text
                    .get(part.end as usize..)
                    .is_some_and(|rest| rest.starts_with(json::UNDEFINED_MARK))
        })
    }

    /// What a key says.
    fn key(&self, at: usize) -> Cow<'a, str> {
        let raw = self.parts.get(at).map_or("", |&part| self.raw(part));
        json::unescape_or_replace(raw).unwrap_or_default()
    }

    /// The places of an object's keys.
    fn keys(&self, object: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.parts.get(object).map_or(0, |part| part.next as usize);
        let after_value = move |key: &usize| self.parts.get(key + 1).map(|value| value.next as usize);
        std::iter::successors(Some(object + 1), after_value).take_while(move |&key| key < end)
    }

    /// The attachment that an object stands for. What names none is an object like any other.
    fn attachment(&self, object: usize) -> Option<&'a [u8]> {
        if self.attachments.is_empty() {
            return None;
        }
        let (mut is_marked, mut num) = (false, None);
        for key in self.keys(object) {
            let value = self.parts.get(key + 1).map_or("", |&part| self.raw(part));
            match &*self.key(key) {
                "_placeholder" => is_marked = value == "true",
                "num" => num = value.parse::<usize>().ok(),
                _ => {}
            }
        }
        self.attachments.get(num.filter(|_| is_marked)?).map(Vec::as_slice)
    }
}

/// One value of a document.
#[derive(Clone, Copy)]
pub(crate) struct Value<'d, 'a> {
    document: &'d Document<'a>,
    at: usize,
}

impl<'a> Value<'_, 'a> {
    fn scalar(self) -> Result<Scalar<'a>, Mismatch> {
        let raw = self.document.raw(self.document.part(self.at)?);
        Scalar::of(raw).ok_or_else(|| Mismatch::new("a JSON value"))
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch>
    where
        'a: 'de,
    {
        match self.document.part(self.at)?.kind {
            Kind::Array => self.visit_array(visitor),
            Kind::Object => match self.document.attachment(self.at) {
                Some(bytes) => {
                    let bytes = self.document.spend(bytes, READS_MAX)?;
                    visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied()))
                }
                None => self.visit_object(visitor),
            },
            _ => self.scalar()?.visit(visitor),
        }
    }

    fn visit_array<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch>
    where
        'a: 'de,
    {
        let end = self.document.part(self.at)?.next as usize;
        let mut elements = Elements { document: self.document, at: self.at + 1, end };
        let value = visitor.visit_seq(&mut elements)?;
        if elements.at < end { Err(Mismatch::new("arrays with fewer elements")) } else { Ok(value) }
    }

    fn visit_object<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch>
    where
        'a: 'de,
    {
        visitor.visit_map(Members::of(self.document, self.at))
    }
}

/// Methods that want an integer: a number without a fraction is one, however large.
macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.document.part(self.at)?.kind {
                Kind::Number => self.scalar()?.visit_integer(visitor),
                _ => self.visit(visitor),
            }
        })*
    };
}

impl<'a: 'de, 'de> Deserializer<'de> for Value<'_, 'a> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.document.part(self.at)?.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if name == BINARY
            && self.document.part(self.at)?.kind == Kind::Object
            && let Some(bytes) = self.document.attachment(self.at)
        {
            return visitor.visit_bytes(self.document.spend(bytes, 1)?);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        const EXPECTED: &str = "a string or an object with one member";
        match self.document.part(self.at)?.kind {
            Kind::String => self.scalar()?.deserialize_enum("", &[], visitor),
            Kind::Object => {
                let mut keys = self.document.keys(self.at);
                let (Some(first), rest) = (keys.next(), keys) else { return Err(Mismatch::new(EXPECTED)) };
                let name = self.document.key(first);
                let mut last = first;
                for key in rest {
                    if self.document.key(key) != name {
                        return Err(Mismatch::new(EXPECTED));
                    }
                    last = key;
                }
                visitor.visit_enum(Variant { name, value: Value { at: last + 1, ..self } })
            }
            _ => Err(Mismatch::new(EXPECTED)),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.document.attachment(self.at) {
            Some(bytes) if self.document.part(self.at)?.kind == Kind::Object => {
                visitor.visit_bytes(self.document.spend(bytes, 1)?)
            }
            _ => self.visit(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_f64(visitor)
    }

    /// What is null in JSON because JSON has no word for it is a number to who asks for one.
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.document.part(self.at)? {
            part if part.kind == Kind::Null && self.document.is_nan(part) => visitor.visit_f64(f64::NAN),
            _ => self.visit(visitor),
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    forward_to_deserialize_any! {
        bool char str string unit unit_struct seq tuple tuple_struct map struct identifier
    }
}

/// The elements of an array that were not taken yet.
struct Elements<'d, 'a> {
    document: &'d Document<'a>,
    at: usize,
    end: usize,
}

impl<'a: 'de, 'de> SeqAccess<'de> for &mut Elements<'_, 'a> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mismatch> {
        if self.at >= self.end {
            return Ok(None);
        }
        let value = Value { document: self.document, at: self.at };
        self.at = self.document.part(self.at)?.next as usize;
        seed.deserialize(value).map(Some)
    }
}

/// The members of an object, of those with one key the last.
struct Members<'d, 'a> {
    document: &'d Document<'a>,
    /// The place of the next key.
    at: usize,
    end: usize,
    /// Of each key its last place, if there are more keys than are compared one by one.
    last: Option<HashMap<Cow<'a, str>, usize>>,
}

/// Keys that are compared with all that follow them: fewer cost less so than in a map.
const FEW: usize = 16;

impl<'d, 'a> Members<'d, 'a> {
    fn of(document: &'d Document<'a>, object: usize) -> Self {
        let end = document.parts.get(object).map_or(0, |part| part.next as usize);
        let is_many = document.keys(object).nth(FEW).is_some();
        let last = is_many.then(|| document.keys(object).map(|key| (document.key(key), key)).collect());
        Self { document, at: object + 1, end, last }
    }

    /// Whether the member with this key at this place counts.
    fn counts(&self, at: usize, key: &str) -> bool {
        let is_last = match &self.last {
            Some(last) => last.get(key) == Some(&at),
            None => self.later_keys(at).all(|later| !self.is_called(later, key)),
        };
        is_last && !self.document.is_undefined(at + 1)
    }

    fn later_keys(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let after = |key: &usize| self.document.parts.get(key + 1).map(|value| value.next as usize);
        std::iter::successors(after(&at), after).take_while(|&key| key < self.end)
    }

    /// Keys with other lengths and no escapes are other keys, which most are.
    fn is_called(&self, at: usize, key: &str) -> bool {
        let raw = self.document.parts.get(at).map_or("", |&part| self.document.raw(part));
        (raw.len() == key.len() + 2 || raw.contains('\\')) && self.document.key(at) == key
    }
}

impl<'a: 'de, 'de> MapAccess<'de> for Members<'_, 'a> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mismatch> {
        while self.at < self.end {
            let (at, key) = (self.at, self.document.key(self.at));
            if self.counts(at, &key) {
                return seed.deserialize(Key(key)).map(Some);
            }
            self.at = self.document.part(at + 1)?.next as usize;
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Mismatch> {
        let value = Value { document: self.document, at: self.at + 1 };
        self.at = self.document.part(self.at + 1)?.next as usize;
        seed.deserialize(value)
    }
}

/// The key of a member: a text, and a number or a boolean to who asks for one, as serde_json has it.
struct Key<'a>(Cow<'a, str>);

/// Methods of keys that are not asked for as text.
macro_rules! parsed_keys {
    ($($method:ident: $type:ty => $visit:ident,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => self.deserialize_any(visitor),
            }
        })*
    };
}

impl<'a: 'de, 'de> Deserializer<'de> for Key<'a> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Cow::Borrowed(key) => visitor.visit_borrowed_str(key),
            Cow::Owned(key) => visitor.visit_string(key),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let key: CowStrDeserializer<'a, Mismatch> = self.0.into_deserializer();
        key.deserialize_enum(name, variants, visitor)
    }

    parsed_keys! {
        deserialize_bool: bool => visit_bool,
        deserialize_i8: i8 => visit_i8,
        deserialize_i16: i16 => visit_i16,
        deserialize_i32: i32 => visit_i32,
        deserialize_i64: i64 => visit_i64,
        deserialize_i128: i128 => visit_i128,
        deserialize_u8: u8 => visit_u8,
        deserialize_u16: u16 => visit_u16,
        deserialize_u32: u32 => visit_u32,
        deserialize_u64: u64 => visit_u64,
        deserialize_u128: u128 => visit_u128,
        deserialize_f32: f32 => visit_f32,
        deserialize_f64: f64 => visit_f64,
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// An enum's variant: the only key of an object, and its value.
struct Variant<'d, 'a> {
    name: Cow<'a, str>,
    value: Value<'d, 'a>,
}

impl<'d, 'a: 'de, 'de> EnumAccess<'de> for Variant<'d, 'a> {
    type Error = Mismatch;
    type Variant = Value<'d, 'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Value<'d, 'a>), Mismatch> {
        Ok((seed.deserialize(Key(self.name))?, self.value))
    }
}

impl<'a: 'de, 'de> VariantAccess<'de> for Value<'_, 'a> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mismatch> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.visit(visitor)
    }
}
