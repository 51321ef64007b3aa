//! What reading an argument accepts and refuses. Not here: the syntax of JSON, which the packet decoder's own tests hold.

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::Binary;

#[derive(Deserialize, Debug, PartialEq)]
struct Point {
    pos: (f64, f64),
    name: String,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Meters(u32);

#[derive(Deserialize, Debug, PartialEq)]
enum Color {
    Red,
    Custom { hex: String },
}

fn read<T: DeserializeOwned>(raw: &str) -> Result<T, ArgumentError> {
    read_argument(raw, 1, &Attachments::default())
}

fn complaint<T: DeserializeOwned + fmt::Debug>(raw: &str) -> String {
    read::<T>(raw).unwrap_err().to_string()
}

#[test]
fn scalars() {
    assert_eq!(read::<String>("\"\"").unwrap(), "");
    assert_eq!(read::<String>("\"grüße\"").unwrap(), "grüße");
    assert_eq!(read::<char>("\"x\"").unwrap(), 'x');
    assert!(read::<bool>("true").unwrap());
    assert_eq!(read::<u8>("255").unwrap(), 255);
    assert_eq!(read::<i64>("-5").unwrap(), -5);
    assert_eq!(read::<f64>("3").unwrap(), 3.0);
    assert_eq!(read::<Option<String>>("null").unwrap(), None);
    assert_eq!(read::<Option<String>>("\"a\"").unwrap(), Some("a".into()));
    assert_eq!(read::<Meters>("7").unwrap(), Meters(7));
    assert_eq!(read::<Color>("\"Red\"").unwrap(), Color::Red);
    assert_eq!(read::<Value>("0").unwrap(), json!(0));
    read::<()>("null").unwrap();
}

#[test]
fn numbers_at_the_edges() {
    assert_eq!(read::<u64>("18446744073709551615").unwrap(), u64::MAX);
    assert_eq!(read::<i64>("-9223372036854775808").unwrap(), i64::MIN);
    assert_eq!(read::<u64>("999999999999999999").unwrap(), 999_999_999_999_999_999);
    assert_eq!(read::<f64>("100000000000000000000").unwrap(), 1e20);
    assert_eq!(read::<Vec<f64>>("[12345678901234567890123,1e-7]").unwrap(), [1.2345678901234568e22, 1e-7]);
    assert_eq!(read::<f64>("2.2250738585072014e-308").unwrap(), f64::MIN_POSITIVE);
    for raw in ["256", "-1", "1.0", "1e2", "18446744073709551616", "\"1\""] {
        assert!(read::<u8>(raw).is_err(), "{raw}");
    }
    for raw in ["01", "-", "1.", "+1", "0x1", "--1", "1 2", "1e400", "NaN"] {
        assert!(read::<Value>(raw).is_err(), "{raw}");
    }
}

#[test]
fn escapes() {
    assert_eq!(read::<String>(r#""a\"\\\/\b\f\n\r\t\u00e9""#).unwrap(), "a\"\\/\u{8}\u{c}\n\r\té");
    assert_eq!(read::<String>(r#""\ud83d\ude00\u0000""#).unwrap(), "😀\0");
    assert_eq!(read::<String>(r#""\\ud83d""#).unwrap(), r"\ud83d");
}

/// `JSON.parse` accepts half a pair, text of Rust cannot hold one: refused, never replaced in silence.
#[test]
fn lone_surrogates_are_refused() {
    let expected = "argument 1: expected text without lone surrogates, found ";
    for raw in [
        r#""\ud83d""#,
        r#""\ud83dx""#,
        r#""\ude00""#,
        r#""\uD83D\u0041""#,
        r#""\ud83d\ud83d\ude00""#,
        r#"{"\udfff":1}"#,
    ] {
        assert_eq!(complaint::<Value>(raw), format!("{expected}{raw}"));
    }
}

#[test]
fn documents() {
    let point: Point = read(r#"{"pos":[1,2.5],"extra":[[]],"name":"a\n"}"#).unwrap();
    assert_eq!(point, Point { pos: (1.0, 2.5), name: "a\n".into() });
    assert_eq!(read::<Color>(r#"{"Custom":{"hex":"fff"}}"#).unwrap(), Color::Custom { hex: "fff".into() });
    let text = r#"{"a":[1,-2,3.5,"x",null,true,{}],"b":{"c":[]}}"#;
    assert_eq!(read::<Value>(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    let long = format!("[{}0]", "\"0123456789abcdef\",".repeat(10_000));
    assert_eq!(read::<Vec<Value>>(&long).unwrap().len(), 10_001);
}

/// Elements that a type of fixed length leaves unread must not be taken for members of the object around them.
#[test]
fn arrays_that_are_too_long_are_refused() {
    assert!(read::<Point>(r#"{"pos":[1,2],"name":"admin"}"#).is_ok());
    for raw in [
        r#"{"pos":[1,2,"name","evil"],"name":"admin"}"#,
        r#"{"pos":[1,2,"name"],"x":"admin"}"#,
        r#"[[1,2],"a",3]"#,
    ] {
        assert_eq!(
            complaint::<Point>(raw),
            format!("argument 1: expected arrays with fewer elements, found {raw}")
        );
    }
    assert!(read::<(i32, i32)>("[1,2,3]").is_err());
    assert!(read::<(i32, i32)>("[1]").is_err());
    assert!(read::<Vec<(i32, i32)>>("[[1,2,3],[4,5]]").is_err());
}

#[test]
fn complaints_say_expected_and_found() {
    assert_eq!(complaint::<String>(r#"{"a":1}"#), r#"argument 1: expected a string, found {"a":1}"#);
    assert_eq!(complaint::<String>("5"), "argument 1: expected a string, found 5");
    assert_eq!(complaint::<u8>("300"), "argument 1: expected u8, found 300");
    assert_eq!(complaint::<Color>("\"Blue\""), "argument 1: expected `Red` or `Custom`, found \"Blue\"");
    assert_eq!(complaint::<Point>("{}"), "argument 1: expected a field `pos`, found {}");
    assert_eq!(complaint::<Vec<u8>>("true"), "argument 1: expected a sequence, found true");
    let long = complaint::<u8>(&format!("\"{}\"", "ü".repeat(200)));
    assert!(long.ends_with("ü…"));
    assert_eq!(long.rsplit("found ").next().unwrap().chars().count(), FOUND_CHARS_MAX);
}

#[test]
fn what_is_no_json_is_an_error_not_a_panic() {
    for raw in [
        "",
        " ",
        "\"",
        "\"a",
        "{",
        "[1",
        "nul",
        "\"a\"b\"",
        "\"\\",
        "\"\\u\"",
        "\"\\ud8\"",
        "\"\\é\"",
        "[[[[]",
        "}",
        "\"\u{1}\"",
        "{1:2}",
    ] {
        assert!(read::<Value>(raw).is_err(), "{raw}");
    }
}

#[test]
fn missing_arguments_read_as_null() {
    assert_eq!(read_missing::<Option<String>>(2).unwrap(), None);
    read_missing::<()>(2).unwrap();
    assert_eq!(read_missing::<Value>(2).unwrap(), Value::Null);
    assert_eq!(
        read_missing::<String>(2).unwrap_err().to_string(),
        "argument 2: expected a string, found nothing"
    );
    assert!(read_missing::<Binary>(2).is_err());
}

#[test]
fn binary_at_any_depth() {
    let attachments = Attachments::from(vec![vec![1, 2], vec![3]]);
    let place = |num: i32| json!({"_placeholder": true, "num": num}).to_string();
    let one: Binary = read_argument(&place(0), 1, &attachments).unwrap();
    assert_eq!(*one, [1, 2]);
    let raw = format!(r#"{{"files":[{},{},{}]}}"#, place(1), place(0), place(1));
    let nested: std::collections::HashMap<String, Vec<Binary>> =
        read_argument(&raw, 1, &attachments).unwrap();
    assert_eq!(nested["files"], [Binary(vec![3]), Binary(vec![1, 2]), Binary(vec![3])]);
    let error = read_argument::<Binary>(&place(2), 1, &attachments).unwrap_err();
    assert_eq!(error.expected, "the number of an attachment of this packet");
    assert!(read_argument::<Binary>(&place(-1), 1, &attachments).is_err());
    assert!(read::<Binary>(&place(0)).is_err());
}

/// A `Deserialize` of the user's may read another argument: the parser's memory is not shared.
#[test]
fn reads_nest() {
    struct Nested(Vec<u8>);
    impl<'de> Deserialize<'de> for Nested {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = <Vec<String>>::deserialize(deserializer)?.concat();
            read(&text).map(Nested).map_err(de::Error::custom)
        }
    }
    let nested: Vec<Nested> = read(r#"[["[1,","2]"],["[3]"]]"#).unwrap();
    assert_eq!(nested.iter().map(|nested| nested.0.len()).sum::<usize>(), 3);
}
