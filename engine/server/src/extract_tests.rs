//! What reading an argument accepts and refuses. Not here: the syntax of JSON, which the packet decoder's own tests hold.

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::*;
use crate::Binary;
use socketville_proto::sio::Parser;

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
    for raw in ["256", "-1", "1.5", "1e3", "18446744073709551616", "\"1\"", "1e400", "5e-1"] {
        assert!(read::<u8>(raw).is_err(), "{raw}");
    }
    for raw in ["01", "-", "1.", "+1", "0x1", "--1", "1 2", "NaN"] {
        assert!(read::<Value>(raw).is_err(), "{raw}");
    }
}

#[test]
fn escapes() {
    assert_eq!(read::<String>(r#""a\"\\\/\b\f\n\r\t\u00e9""#).unwrap(), "a\"\\/\u{8}\u{c}\n\r\té");
    assert_eq!(read::<String>(r#""\ud83d\ude00\u0000""#).unwrap(), "😀\0");
    assert_eq!(read::<String>(r#""\\ud83d""#).unwrap(), r"\ud83d");
}

/// A number is what it is in the clients' language, however it is written: Python writes 5.0, others write exponents.
#[test]
fn whole_numbers_are_integers_however_they_are_written() {
    for raw in ["5", "5.0", "5.000", "50e-1", "0.5e1", "5E+0"] {
        assert_eq!((read::<u8>(raw), read::<i64>(raw), read::<f64>(raw)), (Ok(5), Ok(5), Ok(5.0)), "{raw}");
        assert_eq!(read::<Value>(raw), Ok(json!(5)), "{raw}");
        assert_eq!(read::<Vec<Option<Meters>>>(&format!("[{raw}]")), Ok(vec![Some(Meters(5))]), "{raw}");
    }
    assert_eq!((read::<i8>("-5.0"), read::<i8>("-0"), read::<i8>("-0.0")), (Ok(-5), Ok(0), Ok(0)));
    assert_eq!(
        (read::<u64>("1e19"), read::<i64>("-9.2e18")),
        (Ok(10_u64.pow(19)), Ok(-9_200_000_000_000_000_000))
    );
    assert!(read::<f64>("-0").is_ok_and(|zero| zero.is_sign_negative()));
}

/// What no float reaches is infinite, and what is too small is zero; JSON has no word for the first.
#[test]
fn numbers_out_of_reach_are_read_as_what_fits() {
    assert_eq!((read::<f64>("1e400"), read::<f64>("-1e400")), (Ok(f64::INFINITY), Ok(f64::NEG_INFINITY)));
    assert_eq!(
        (read::<f32>("1e40"), read::<f64>("1e-400"), read::<u8>("0e400")),
        (Ok(f32::INFINITY), Ok(0.0), Ok(0))
    );
    assert_eq!(read::<Value>(r#"{"a":[1e400,-1e400,1]}"#), Ok(json!({"a": [null, null, 1]})));
}

/// `JSON.parse` accepts half a pair, text of Rust cannot hold one: what `TextEncoder` writes stands in its place.
#[test]
fn lone_surrogates_are_replaced() {
    for (raw, text) in [
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""tea \ud83dx""#, "tea \u{fffd}x"),
        (r#""\ude00""#, "\u{fffd}"),
        (r#""\uD83D\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\ud83d\ude00\n""#, "\u{fffd}😀\n"),
    ] {
        assert_eq!(read::<String>(raw).as_deref(), Ok(text), "{raw}");
        assert_eq!(read::<Value>(&format!("{{{raw}:[{raw}]}}")), Ok(json!({text: [text]})), "{raw}");
    }
}

/// ECMA-262, `JSON.parse`: of members with one key the last counts, whatever the others are.
#[test]
fn the_last_of_equal_keys_counts() {
    let raw = r#"{"name":{"a":[]},"pos":null,"n\u0061me":"b","pos":[1,2],"extra":1,"extra":2}"#;
    assert_eq!(read::<Point>(raw), Ok(Point { pos: (1.0, 2.0), name: "b".into() }));
    assert_eq!(
        read::<Color>(r#"{"Custom":1,"Custom":{"hex":0,"hex":"f"}}"#),
        Ok(Color::Custom { hex: "f".into() })
    );
    assert!(read::<Color>(r#"{"Custom":{"hex":"f"},"Red":null}"#).is_err());
    let many: String = (0..100).map(|n| format!("\"{}\":{n},", n % 40)).collect();
    let expected: Value =
        (0..40).map(|n| (n.to_string(), Value::from(if n < 20 { n + 80 } else { n + 40 }))).collect();
    assert_eq!(
        read::<Value>(&format!("{{{}\"x\":1,\"x\":[]}}", many)).map(|mut all| {
            assert_eq!(all.as_object_mut().and_then(|all| all.remove("x")), Some(json!([])));
            all
        }),
        Ok(expected)
    );
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
    assert_eq!(error.expected, "binary data");
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

/// A value that cannot hold bytes has them as the numbers that they are in JSON: nothing is lost in silence.
#[test]
fn bytes_are_numbers_to_who_has_no_bytes() {
    let attachments = Attachments::from(vec![vec![9, 8], vec![]]);
    let raw = r#"{"a":{"_placeholder":true,"num":0},"b":[{"num":1,"_placeholder":true}],"c":{"_placeholder":true,"num":7}}"#;
    let value: Value = read_argument(raw, 1, &attachments).unwrap();
    assert_eq!(value, json!({"a": [9, 8], "b": [[]], "c": {"_placeholder": true, "num": 7}}));
    assert_eq!(serde_json::from_value::<Binary>(value["a"].clone()).unwrap(), Binary(vec![9, 8]));
    let plain: Value = read(raw).unwrap();
    assert_eq!(
        plain["a"],
        json!({"_placeholder": true, "num": 0}),
        "without attachments nothing stands for one"
    );
}

/// A text may name one attachment as often as it likes; reading it so often would take a thousand times its size, and as a list many times that.
#[test]
fn an_attachment_is_not_read_a_thousand_times() {
    let attachments = Attachments::from(vec![vec![1; 1000]]);
    let all = |count: usize| format!("[{}[]]", r#"{"_placeholder":true,"num":0},"#.repeat(count));
    for (count, is_read) in [(2, true), (8, true), (9, false), (10_000, false)] {
        assert_eq!(read_argument::<Vec<Binary>>(&all(count), 1, &attachments).is_ok(), is_read, "{count}");
    }
    for (count, is_read) in [(1, true), (2, false)] {
        assert_eq!(read_argument::<Value>(&all(count), 1, &attachments).is_ok(), is_read, "{count}");
    }
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(untagged)]
enum Content {
    Sized { data: Binary, size: u32 },
    Named { data: Binary, name: String },
}

#[test]
fn enums_that_try_several_shapes_find_the_attachment_each_time() {
    let raw = r#"{"data":{"_placeholder":true,"num":0},"name":"a"}"#;
    let content: Content = read_argument(raw, 1, &vec![vec![7]].into()).unwrap();
    assert_eq!(content, Content::Named { data: Binary(vec![7]), name: "a".into() });
    let content: Content = read(r#"{"size":5.0,"data":[1]}"#).unwrap();
    assert_eq!(content, Content::Sized { data: Binary(vec![1]), size: 5 });
}

/// What JSON has no word for, as MessagePack's reader marks it. A client that sends JSON writes its spaces itself, so there they are spaces.
#[test]
fn marks_behind_null_are_seen_where_the_decoder_writes_them() {
    let packed = Attachments::new(Vec::new(), Parser::MsgPack);
    let raw = "[1,null\r\t,null\t\r,{\"a\":null\t\r,\"b\":null\r\t}]";
    assert_eq!(read_argument::<Value>(raw, 1, &packed), Ok(json!([1, null, null, {"b": null}])));
    assert_eq!(read::<Value>(raw), Ok(json!([1, null, null, {"a": null, "b": null}])));
    assert!(read_argument::<Vec<f64>>("[null\r\t]", 1, &packed).is_ok_and(|all| all[0].is_nan()));
    assert!(read_argument::<f64>("null\r\t", 1, &packed).is_ok_and(f64::is_nan));
    assert!(read_argument::<f64>("null\t\r", 1, &packed).is_err());
    assert_eq!(read_argument::<Option<f64>>("null\t\r", 1, &packed), Ok(None));
    for raw in ["null", "null\r\t", "null\t\r"] {
        assert!(read::<f64>(raw).is_err(), "{raw:?}");
    }
}

/// Anything with a place for anything.
#[derive(Deserialize, Debug, PartialEq, Default)]
#[serde(default)]
struct Loose {
    a: Option<i64>,
    b: Vec<Option<f64>>,
    c: Option<Box<Loose>>,
    #[serde(flatten)]
    others: std::collections::BTreeMap<String, Value>,
}

mod twin {
    //! The naive twin: values of serde_json, written oddly.

    use proptest::prelude::*;
    use serde_json::{Map, Number};

    use super::*;

    /// A value, and one of its odd spellings.
    fn spelled() -> impl Strategy<Value = (Value, String)> {
        let leaf = prop_oneof![
            Just((Value::Null, "null".to_owned())),
            any::<bool>().prop_map(|value| (value.into(), value.to_string())),
            (any::<i32>(), 0..5_u8).prop_map(|(number, way)| (number.into(), whole(number, way))),
            any::<i64>().prop_map(|number| (number.into(), number.to_string())),
            any::<u64>().prop_map(|number| (number.into(), number.to_string())),
            any::<i32>().prop_map(|n| {
                let number = f64::from(n) + 0.5;
                (Number::from_f64(number).into(), format!("{number:e}"))
            }),
            (".{0,6}", any::<bool>())
                .prop_map(|(text, is_escaped)| (text.clone().into(), string(&text, is_escaped))),
        ];
        let space = prop_oneof![Just(""), Just(" "), Just("\t\n")];
        leaf.prop_recursive(4, 60, 20, move |inner| {
            let members =
                prop::collection::vec(("[ab\\\\é]|[a-z]{1,2}", any::<bool>(), inner.clone()), 0..30);
            prop_oneof![
                (prop::collection::vec(inner, 0..8), space.clone())
                    .prop_map(|(all, space)| array(all, space)),
                (members, space.clone()).prop_map(|(all, space)| object(all, space)),
            ]
        })
    }

    fn whole(number: i32, way: u8) -> String {
        match way {
            0 => format!("{number}"),
            1 => format!("{number}.0"),
            2 => format!("{number}0e-1"),
            3 => format!("{:e}", f64::from(number)),
            _ => format!("{number}.00E+0"),
        }
    }

    fn string(text: &str, is_escaped: bool) -> String {
        if !is_escaped {
            return Value::from(text).to_string();
        }
        let escapes: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{escapes}\"")
    }

    fn array(all: Vec<(Value, String)>, space: &str) -> (Value, String) {
        let (values, texts): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        (values.into(), format!("[{space}{}{space}]", texts.join(&format!("{space},"))))
    }

    fn object(all: Vec<(String, bool, (Value, String))>, space: &str) -> (Value, String) {
        let (mut map, mut texts) = (Map::new(), Vec::new());
        for (key, is_escaped, (value, text)) in all {
            texts.push(format!("{}{space}:{space}{text}", string(&key, is_escaped)));
            map.insert(key, value);
        }
        (map.into(), format!("{{{space}{}{space}}}", texts.join(",")))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        /// However a value is written, it is that value, to every type that the twin can make of it.
        #[test]
        fn reading_is_as_lenient_as_the_clients_language((value, raw) in spelled()) {
            prop_assert_eq!(read::<Value>(&raw), Ok(value.clone()), "{}", raw);
            let loose = serde_json::from_value::<Loose>(value.clone());
            prop_assert_eq!(read::<Loose>(&raw).ok(), loose.ok(), "{}", raw);
            let list = serde_json::from_value::<Vec<(i64, Option<String>)>>(value.clone());
            prop_assert_eq!(read::<Vec<(i64, Option<String>)>>(&raw).ok(), list.ok(), "{}", raw);
            let map = serde_json::from_value::<std::collections::HashMap<String, Color>>(value);
            prop_assert_eq!(read::<std::collections::HashMap<String, Color>>(&raw).ok(), map.ok(), "{}", raw);
        }

        /// A decision, never a panic.
        #[test]
        fn any_text_is_decided(raw in "[\\[\\]{}\",:\\\\u0-9adeltrn.+ -]{0,40}") {
            let _ = (read::<Value>(&raw), read::<Loose>(&raw), read::<Vec<f64>>(&raw), read::<Color>(&raw));
        }
    }
}
