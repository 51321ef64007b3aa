//! A JSON value that has nothing inside, read as the type that is asked for: null, a boolean, a number, a text.
//!
//! Not a check: what is read in a document was checked with it. Numbers are what they are in the clients' language, but for whole numbers of up to 64 bits,
//! which are exact.

use std::borrow::Cow;

use serde::de::value::CowStrDeserializer;
use serde::de::{self, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use socketville_proto::sio::json;

use crate::extract::Mismatch;

/// Null, a boolean, a number, or a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    /// A number that is none of the above, or infinite.
    Float(f64),
    Text(Cow<'a, str>),
}

/// Up to here every whole float is exact: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

impl<'a> Scalar<'a> {
    /// What needs neither a check nor a parser: plain text, words, whole numbers of up to 18 digits. `None` for everything else, also for what is no
    /// JSON at all.
    #[inline]
    pub(crate) fn plain(raw: &'a str) -> Option<Self> {
        match raw.as_bytes().first()? {
            b'"' => {
                let text = raw.strip_prefix('"')?.strip_suffix('"')?;
                json::is_plain(text).then_some(Self::Text(Cow::Borrowed(text)))
            }
            b'0'..=b'9' => digits(raw).map(Self::Unsigned),
            b'-' => {
                let value = i64::try_from(digits(raw.get(1..)?)?).ok()?;
                // -0 is a float in JavaScript: its sign would be lost.
                (value != 0).then_some(Self::Signed(-value))
            }
            b't' => (raw == "true").then_some(Self::Bool(true)),
            b'f' => (raw == "false").then_some(Self::Bool(false)),
            b'n' => (raw == "null").then_some(Self::Null),
            _ => None,
        }
    }

    /// Any value that has nothing inside, from its checked text.
    pub(crate) fn of(raw: &'a str) -> Option<Self> {
        if let Some(plain) = Self::plain(raw) {
            return Some(plain);
        }
        match raw.as_bytes().first()? {
            b'"' => json::unescape_or_replace(raw).map(Self::Text),
            b'-' | b'0'..=b'9' => Self::number(raw),
            _ => None,
        }
    }

    fn number(raw: &str) -> Option<Self> {
        if let Ok(number) = raw.parse() {
            return Some(Self::Unsigned(number));
        }
        if let Some(number) = raw.parse().ok().filter(|&number: &i64| number != 0) {
            return Some(Self::Signed(number));
        }
        let number: f64 = raw.parse().ok()?;
        let is_negative_zero = number == 0.0 && number.is_sign_negative();
        Some(match number.fract() == 0.0 && number.abs() <= WHOLE_MAX && !is_negative_zero {
            true => Self::whole(number),
            false => Self::Float(number),
        })
    }

    /// A float without a fraction that 64 bits hold.
    fn whole(number: f64) -> Self {
        if number < 0.0 { Self::Signed(number as i64) } else { Self::Unsigned(number as u64) }
    }

    pub(crate) fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch>
    where
        'a: 'de,
    {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Signed(value) => visitor.visit_i64(value),
            Self::Float(value) => visitor.visit_f64(value),
            Self::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Self::Text(Cow::Owned(text)) => visitor.visit_string(text),
        }
    }

    /// For who wants an integer: also a float is one that has no fraction and fits 64 bits, be it exact or not.
    pub(crate) fn visit_integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch>
    where
        'a: 'de,
    {
        const UNSIGNED_END: f64 = 18_446_744_073_709_551_616.0; // 2^64
        const SIGNED_MIN: f64 = -9_223_372_036_854_775_808.0; // -2^63
        match self {
            Self::Float(number) if number.fract() == 0.0 && (SIGNED_MIN..UNSIGNED_END).contains(&number) => {
                Self::whole(number).visit(visitor)
            }
            other => other.visit(visitor),
        }
    }

    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Unsigned(value) => Unexpected::Unsigned(*value),
            Self::Signed(value) => Unexpected::Signed(*value),
            Self::Float(value) => Unexpected::Float(*value),
            Self::Text(value) => Unexpected::Str(value),
        }
    }
}

/// An integer of at most 18 digits, which no 64-bit type can overflow.
fn digits(raw: &str) -> Option<u64> {
    let is_plain = (1..=18).contains(&raw.len()) && (raw == "0" || !raw.starts_with('0'));
    if !is_plain {
        return None;
    }
    raw.bytes().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}

impl<'a: 'de, 'de> Deserializer<'de> for Scalar<'a> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Self::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
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
        match self {
            Self::Text(variant) => {
                let variant: CowStrDeserializer<'a, Mismatch> = variant.into_deserializer();
                variant.deserialize_enum(name, variants, visitor)
            }
            other => Err(de::Error::invalid_type(other.unexpected(), &visitor)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
