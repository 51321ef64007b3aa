//! The arguments of an outgoing packet, serialized once: a value of Rust becomes the JSON array that follows the packet's header.
//! It is deliberately not a JSON writer (serde_json is) and knows no packet types, namespaces or frames.
//!
//! The rule of spreading, which is how `emit("name", a, b)` of the original is said in Rust:
//!
//! ```text
//! ()                                  no argument            ["event"]
//! (a, b)   [a, b] of fixed length     one argument each      ["event",a,b]
//! anything else: Vec, slice, struct,  one argument           ["event",[1,2]]
//!   tuple struct, map, Option, text
//! ```
//!
//! The rule holds at the top level only, and references and boxes are looked through, with one exception: `Value::Null` of serde_json presents
//! itself as a unit too, and is an argument. So for units alone the type that was passed decides: `()`, behind up to three references, is
//! nothing, every other unit a `null`. A serializer sees tuples and fixed arrays by the same
//! call and slices by another, so the rule costs nothing: the outermost call is answered here, the rest by serde_json, and no
//! intermediate value is built.

use std::any::TypeId;
use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeTuple, Serializer};

use socketville_hub::Config;
use socketville_proto::sio::{self, Parser, json};

use crate::binary::with_attachments_out;
use crate::event_name::EventName;

/// Writes `["event",arg,...]` to the end of `out`; the bytes of every [`Binary`](crate::Binary) in `args` go to the end of `attachments`.
///
/// # Errors
/// [`EncodeError`]; `out` and `attachments` are then as they were.
pub(crate) fn write_event(
    out: &mut Vec<u8>,
    event: EventName<'_>,
    args: &(impl Serialize + ?Sized),
    attachments: &mut Vec<Vec<u8>>,
    form: Form,
) -> Result<(), EncodeError> {
    write_array(out, Some(event.as_str()), args, attachments, form)
}

/// The same of an event that came, whose name is not looked at.
///
/// # Errors
/// [`EncodeError`]; `out` and `attachments` are then as they were.
pub(crate) fn rewrite_event(
    out: &mut Vec<u8>,
    event: &str,
    args: &(impl Serialize + ?Sized),
    attachments: &mut Vec<Vec<u8>>,
    form: Form,
) -> Result<(), EncodeError> {
    write_array(out, Some(event), args, attachments, form)
}

/// Writes `[arg,...]`, the payload of an ack, to the end of `out`; binary goes to the end of `attachments`.
///
/// # Errors
/// [`EncodeError`]; `out` and `attachments` are then as they were.
pub(crate) fn write_args(
    out: &mut Vec<u8>,
    args: &(impl Serialize + ?Sized),
    attachments: &mut Vec<Vec<u8>>,
    form: Form,
) -> Result<(), EncodeError> {
    write_array(out, None, args, attachments, form)
}

/// How a server's packets are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    parser: Parser,
    attachments: u8,
}

impl Form {
    pub(crate) const fn of(config: &Config) -> Self {
        Self { parser: config.parser, attachments: config.packet_limits.attachments }
    }

    pub(crate) const fn parser(self) -> Parser {
        self.parser
    }

    const fn attachments_max(self) -> usize {
        self.parser.attachments_max(self.attachments)
    }
}

/// Why arguments could not be turned into a packet.
#[derive(Debug)]
#[non_exhaustive]
pub enum EncodeError {
    /// A `Serialize` implementation failed, or the value has no JSON form (a map whose keys are not text, for example).
    Json(serde_json::Error),
    /// More binary values than receivers accept in one packet.
    TooManyAttachments {
        /// The limit, in attachments.
        max: usize,
        /// What the arguments hold.
        found: usize,
    },
    /// Beside binary values, one that looks like the place of an attachment and is none: an object with `"_placeholder":true`, perhaps of a client's
    /// making. Receivers would end their connections.
    Placeholder,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "expected arguments that have a JSON form: {error}"),
            Self::TooManyAttachments { max, found } => {
                write!(f, "expected at most {max} binary attachments in a packet, found {found}")
            }
            Self::Placeholder => {
                write!(f, "expected no object that looks like an attachment's place, found one")
            }
        }
    }
}

impl std::error::Error for EncodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::TooManyAttachments { .. } | Self::Placeholder => None,
        }
    }
}

fn write_array(
    out: &mut Vec<u8>,
    event: Option<&str>,
    args: &(impl Serialize + ?Sized),
    attachments: &mut Vec<Vec<u8>>,
    form: Form,
) -> Result<(), EncodeError> {
    let (out_start, attachments_start) = (out.len(), attachments.len());
    let written = with_attachments_out(attachments, || write_elements(out, event, args));
    let written = written.map_err(EncodeError::Json).and(match attachments.len() {
        found if found > form.attachments_max() => {
            Err(EncodeError::TooManyAttachments { max: form.attachments_max(), found })
        }
        found if found > attachments_start && form.parser == Parser::Json => {
            check_places(&out[out_start..], &(attachments_start..found))
        }
        _ => Ok(()),
    });
    if written.is_err() {
        out.truncate(out_start);
        attachments.truncate(attachments_start);
    }
    written
}

/// What receivers will take for the places of attachments must be those of these. MessagePack has bytes where they belong, and no places.
#[cold]
fn check_places(array: &[u8], numbers: &std::ops::Range<usize>) -> Result<(), EncodeError> {
    let text = std::str::from_utf8(array).unwrap_or_default();
    match sio::are_places_own(text, numbers) {
        Ok(true) => Ok(()),
        Ok(false) => Err(EncodeError::Placeholder),
        Err(error) => Err(EncodeError::Json(serde::ser::Error::custom(error))),
    }
}

fn write_elements(
    out: &mut Vec<u8>,
    event: Option<&str>,
    args: &(impl Serialize + ?Sized),
) -> Result<(), serde_json::Error> {
    out.push(b'[');
    if let Some(event) = event {
        json::write_string(out, event);
    }
    args.serialize(Spread { out, json: &mut None, is_first: event.is_none(), is_nothing: is_unit(args) })?;
    out.push(b']');
    Ok(())
}

/// Asks whether a value's type is `()` or a reference to one.
fn is_unit<T: ?Sized>(_value: &T) -> fn() -> bool {
    || {
        let units = [TypeId::of::<()>(), TypeId::of::<&()>(), TypeId::of::<&&()>(), TypeId::of::<&&&()>()];
        units.contains(&typeid::of::<T>())
    }
}

/// serde_json's serializer over our bytes.
type Json<'w> = serde_json::Serializer<&'w mut Vec<u8>>;
type Delegate<'s, 'w> = &'s mut Json<'w>;

/// Answers the outermost call of a value's `serialize`: spreads tuples, hands everything else to serde_json as one argument.
struct Spread<'s, 'w> {
    out: &'w mut Vec<u8>,
    /// Where the delegate lives when it must outlast the call (sequences, maps, structs).
    json: &'s mut Option<Json<'w>>,
    /// No element precedes: the next one takes no comma.
    is_first: bool,
    /// Whether the type of the whole value is `()`, which is asked if it turns out to be a unit.
    is_nothing: fn() -> bool,
}

impl<'s, 'w> Spread<'s, 'w> {
    /// The delegate, after the comma before this one argument.
    fn one(self) -> Delegate<'s, 'w> {
        if !self.is_first {
            self.out.push(b',');
        }
        self.json.insert(Json::new(self.out))
    }
}

/// A tuple at the top level: every element is an argument.
struct SpreadTuple<'w> {
    out: &'w mut Vec<u8>,
    is_first: bool,
}

impl SerializeTuple for SpreadTuple<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        value.serialize(&mut Json::new(&mut *self.out))
    }

    fn end(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Methods that take one plain value and are one argument.
macro_rules! one_argument {
    ($($method:ident($type:ty)),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<(), Self::Error> {
            self.one().$method(value)
        })*
    };
}

impl<'s, 'w> Serializer for Spread<'s, 'w> {
    type Ok = ();
    type Error = serde_json::Error;
    type SerializeSeq = <Delegate<'s, 'w> as Serializer>::SerializeSeq;
    type SerializeTuple = SpreadTuple<'w>;
    type SerializeTupleStruct = <Delegate<'s, 'w> as Serializer>::SerializeTupleStruct;
    type SerializeTupleVariant = <Delegate<'s, 'w> as Serializer>::SerializeTupleVariant;
    type SerializeMap = <Delegate<'s, 'w> as Serializer>::SerializeMap;
    type SerializeStruct = <Delegate<'s, 'w> as Serializer>::SerializeStruct;
    type SerializeStructVariant = <Delegate<'s, 'w> as Serializer>::SerializeStructVariant;

    one_argument! {
        serialize_bool(bool), serialize_char(char), serialize_bytes(&[u8]),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64), serialize_i128(i128),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_u128(u128),
        serialize_f32(f32), serialize_f64(f64), serialize_unit_struct(&'static str),
    }

    /// The most frequent argument of all, written eight bytes a step.
    fn serialize_str(self, value: &str) -> Result<(), Self::Error> {
        if !self.is_first {
            self.out.push(b',');
        }
        json::write_string(self.out, value);
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Self::Error> {
        if (self.is_nothing)() { Ok(()) } else { self.one().serialize_unit() }
    }

    fn serialize_none(self) -> Result<(), Self::Error> {
        self.one().serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Self::Error> {
        self.one().serialize_some(value)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), Self::Error> {
        self.one().serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Self::Error> {
        self.one().serialize_newtype_struct(name, value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Self::Error> {
        self.one().serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, Self::Error> {
        self.one().serialize_seq(len)
    }

    fn serialize_tuple(self, _len: usize) -> Result<SpreadTuple<'w>, Self::Error> {
        Ok(SpreadTuple { out: self.out, is_first: self.is_first })
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, Self::Error> {
        self.one().serialize_tuple_struct(name, len)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, Self::Error> {
        self.one().serialize_tuple_variant(name, index, variant, len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, Self::Error> {
        self.one().serialize_map(len)
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, Self::Error> {
        self.one().serialize_struct(name, len)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, Self::Error> {
        self.one().serialize_struct_variant(name, index, variant, len)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Self::Error> {
        self.one().collect_str(value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::Binary;

    const JSON: Form = Form { parser: Parser::Json, attachments: 10 };

    #[derive(Serialize)]
    struct Point {
        x: i32,
        y: i32,
    }
    #[derive(Serialize)]
    struct Pair(i32, i32);
    #[derive(Serialize)]
    struct Wrapper((i32, i32));
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    enum Shape {
        Empty,
        Circle(f32),
        Line(i32, i32),
        Square { side: u8 },
    }

    fn event(args: &(impl Serialize + ?Sized)) -> String {
        let mut out = Vec::new();
        rewrite_event(&mut out, "e", args, &mut Vec::new(), JSON).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tuples_and_fixed_arrays_spread() {
        assert_eq!(event(&()), r#"["e"]"#);
        assert_eq!(event(&&&()), r#"["e"]"#);
        assert_eq!(event(&("a",)), r#"["e","a"]"#);
        assert_eq!(event(&(1, "b", (2, 3))), r#"["e",1,"b",[2,3]]"#);
        assert_eq!(event(&[1, 2]), r#"["e",1,2]"#);
        assert_eq!(event(&Box::new((1, 2))), r#"["e",1,2]"#);
        assert_eq!(event(&[0u8; 0]), r#"["e"]"#);
    }

    #[test]
    fn everything_else_is_one_argument() {
        assert_eq!(event("text"), r#"["e","text"]"#);
        assert_eq!(event(&vec![1, 2]), r#"["e",[1,2]]"#);
        assert_eq!(event(&[1, 2][..]), r#"["e",[1,2]]"#);
        assert_eq!(event(&Point { x: 1, y: -2 }), r#"["e",{"x":1,"y":-2}]"#);
        assert_eq!(event(&Pair(1, 2)), r#"["e",[1,2]]"#);
        assert_eq!(event(&Wrapper((1, 2))), r#"["e",[1,2]]"#);
        assert_eq!(event(&Unit), r#"["e",null]"#);
        assert_eq!(event(&Some((1, 2))), r#"["e",[1,2]]"#);
        assert_eq!(event(&None::<i32>), r#"["e",null]"#);
        assert_eq!(event(&BTreeMap::from([("k", 1)])), r#"["e",{"k":1}]"#);
        assert_eq!(event(&json!([1, {"a": null}])), r#"["e",[1,{"a":null}]]"#);
        assert_eq!(event(&(true, 'c', 1.5f64, f64::NAN)), r#"["e",true,"c",1.5,null]"#);
        assert_eq!(event(&Value::Null), r#"["e",null]"#);
        assert_eq!(event(&&Value::Null), r#"["e",null]"#);
        assert_eq!(event(&u64::MAX), r#"["e",18446744073709551615]"#);
    }

    #[test]
    fn variants_are_one_argument() {
        assert_eq!(event(&Shape::Empty), r#"["e","Empty"]"#);
        assert_eq!(event(&Shape::Circle(0.5)), r#"["e",{"Circle":0.5}]"#);
        assert_eq!(event(&Shape::Line(1, 2)), r#"["e",{"Line":[1,2]}]"#);
        assert_eq!(event(&Shape::Square { side: 3 }), r#"["e",{"Square":{"side":3}}]"#);
    }

    #[test]
    fn acks_have_no_name_and_names_are_escaped() {
        let mut out = b"430".to_vec();
        write_args(&mut out, &("ok", 1), &mut Vec::new(), JSON).unwrap();
        assert_eq!(out, br#"430["ok",1]"#);
        for (args, expected) in [(json!(null), "[null]"), (json!([]), "[[]]")] {
            let mut out = Vec::new();
            write_args(&mut out, &args, &mut Vec::new(), JSON).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        let mut out = Vec::new();
        write_args(&mut out, &(), &mut Vec::new(), JSON).unwrap();
        rewrite_event(&mut out, "a\"\n", &(), &mut Vec::new(), JSON).unwrap();
        assert_eq!(out, br#"[]["a\"\n"]"#);
    }

    /// Socket.IO protocol 5, "Packet encoding": a binary value is a placeholder, its bytes follow in order.
    #[test]
    fn binary_becomes_placeholders_in_order() {
        let (mut out, mut attachments) = (Vec::new(), Vec::new());
        let args = (Binary(vec![1]), vec![Binary(vec![2, 3])], Some(Binary(vec![])));
        rewrite_event(&mut out, "e", &args, &mut attachments, JSON).unwrap();
        let written: Value = serde_json::from_slice(&out).unwrap();
        let place = |num: u32| json!({"_placeholder": true, "num": num});
        assert_eq!(written, json!(["e", place(0), [place(1)], place(2)]));
        assert_eq!(attachments, [vec![1], vec![2, 3], vec![]]);
    }

    /// A value of a client's making cannot be an attachment's place, nor close the connections of those who get it.
    #[test]
    fn what_looks_like_a_place_is_refused_beside_binary() {
        let forged = |num: Value| json!([{"_placeholder": true, "num": num}]);
        for num in [json!(1), json!("0"), json!(-1), json!(0.5), json!(null)] {
            let (mut out, mut attachments) = (Vec::new(), Vec::new());
            assert!(rewrite_event(&mut out, "e", &forged(num.clone()), &mut attachments, JSON).is_ok());
            let both = (Binary(vec![1]), forged(num));
            let error = rewrite_event(&mut out, "e", &both, &mut attachments, JSON).unwrap_err();
            assert!(matches!(error, EncodeError::Placeholder) && attachments.is_empty(), "{error}");
        }
    }

    #[test]
    fn failures_leave_no_trace() {
        let (mut out, mut attachments) = (b"x".to_vec(), vec![vec![9]]);
        let keys_that_are_no_text = (Binary(vec![1]), BTreeMap::from([((1, 2), 3)]));
        let error = rewrite_event(&mut out, "e", &keys_that_are_no_text, &mut attachments, JSON).unwrap_err();
        assert!(matches!(error, EncodeError::Json(_)), "{error}");
        let many = vec![Binary(vec![1]); 10];
        let error = rewrite_event(&mut out, "e", &many, &mut attachments, JSON).unwrap_err();
        assert!(matches!(error, EncodeError::TooManyAttachments { max: 10, found: 11 }), "{error}");
        assert_eq!((out.as_slice(), attachments.as_slice()), (&b"x"[..], &[vec![9]][..]));
        assert!(
            rewrite_event(&mut out, "e", &many, &mut attachments, Form { parser: Parser::MsgPack, ..JSON })
                .is_ok()
        );
        assert_eq!(attachments.len(), 11);
    }
}
