//! Tests of what backends post: good bodies, and a table of bad ones with what is said about them.

use serde_json::json;

use super::*;

fn read(body: &str) -> Result<Body<'_>, Fault> {
    Body::read(body.as_bytes(), &["/".into(), "/harbour".into()])
}

fn fault(body: &str) -> serde_json::Value {
    serde_json::to_value(read(body).expect_err(body)).expect("JSON")
}

fn one(body: &str) -> Publication<'_> {
    match read(body) {
        Ok(Body::One(publication)) => publication,
        other => panic!("expected one publication, found {other:?}"),
    }
}

#[test]
fn an_event_is_enough() {
    let publication = one(r#" {"event":"bell"} "#);
    assert_eq!((publication.namespace.as_str(), publication.event.as_str()), ("/", "bell"));
    assert!(publication.rooms.is_none() && publication.except.is_empty() && publication.args.is_empty());
}

#[test]
fn everything_can_be_said() {
    let publication = one(
        r#"{"namespace":"harbour","rooms":["pier","quay"],"except":"crew","event":"bell","args":[ {"b":1.0, "a":2}, null]}"#,
    );
    assert_eq!(publication.namespace, "/harbour");
    assert_eq!(publication.rooms.as_deref(), Some(&["pier".to_owned(), "quay".to_owned()][..]));
    assert_eq!(publication.except, ["crew"]);
    let args: Vec<_> = publication.args.iter().map(|arg| arg.get()).collect();
    assert_eq!(args, [r#"{"b":1.0, "a":2}"#, "null"], "arguments are passed on as they were written");
}

#[test]
fn one_room_needs_no_list_and_an_empty_list_is_nobody() {
    assert_eq!(one(r#"{"event":"e","rooms":"pier"}"#).rooms, Some(vec!["pier".into()]));
    assert_eq!(one(r#"{"event":"e","rooms":[]}"#).rooms, Some(vec![]));
}

#[test]
fn an_array_is_several_and_may_be_empty() {
    assert!(matches!(read(r#"[{"event":"a"},{"event":"b"}]"#), Ok(Body::Many(many)) if many.len() == 2));
    assert!(matches!(read(" [] "), Ok(Body::Many(many)) if many.is_empty()));
}

#[test]
fn what_is_not_json_is_told_with_its_place() {
    for (body, message, line, column) in [
        ("", "not JSON: EOF while parsing a value", 1, 0),
        ("event=bell", "not JSON: expected value", 1, 1),
        ("{\"event\":\n \"bell\",}", "not JSON: trailing comma", 2, 9),
        (r#"{"event":"bell"} x"#, "not JSON: trailing characters", 1, 18),
    ] {
        assert_eq!(fault(body), json!({"message": message, "line": line, "column": column}), "{body}");
    }
    let cut = fault(r#"[{"event":"a"},{"event":"#);
    assert_eq!(
        (&cut["path"], &cut["message"]),
        (&json!("[1].event"), &json!("not JSON: EOF while parsing a value"))
    );
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let fault = Body::read(b"{\"event\":\"\xff\"}", &["/".into()]).expect_err("not UTF-8");
    assert_eq!(fault.message, "not JSON: invalid unicode code point");
    let fault = Body::read(b"{\"event\":\"e\",\"args\":[\"\xff\"]}", &["/".into()]).expect_err("not UTF-8");
    assert!(fault.message.contains("unicode") || fault.message.contains("UTF-8"), "{fault:?}");
}

#[test]
fn wrong_types_are_told_with_their_path() {
    let object = "expected an object with an event, or an array of them";
    let rooms = "expected a room's name or a list of names";
    for (body, path, message) in [
        ("5", None, format!("invalid type: integer `5`, {object}")),
        (r#""bell""#, None, format!("invalid type: string \"bell\", {object}")),
        ("[5]", Some("[0]"), format!("invalid type: integer `5`, {object}")),
        (r#"[["/",[],[],"bell",[]]]"#, Some("[0]"), format!("invalid type: sequence, {object}")),
        ("{}", None, "missing field `event`".into()),
        (r#"[{"event":"a"},{}]"#, Some("[1]"), "missing field `event`".into()),
        (r#"{"event":5}"#, Some("event"), "invalid type: integer `5`, expected a string".into()),
        (r#"{"event":"a","event":"b"}"#, None, "duplicate field `event`".into()),
        (
            r#"{"namespace":null,"event":"a"}"#,
            Some("namespace"),
            "invalid type: null, expected a string".into(),
        ),
        (r#"{"event":"a","rooms":null}"#, Some("rooms"), format!("invalid type: null, {rooms}")),
        (r#"{"event":"a","rooms":{}}"#, Some("rooms"), format!("invalid type: map, {rooms}")),
        (
            r#"[{"event":"a","rooms":["x",1]}]"#,
            Some("[0].rooms[1]"),
            "invalid type: integer `1`, expected a string".into(),
        ),
        (r#"{"event":"a","except":true}"#, Some("except"), format!("invalid type: boolean `true`, {rooms}")),
        (
            r#"{"event":"a","args":"x"}"#,
            Some("args"),
            "invalid type: string \"x\", expected a sequence".into(),
        ),
    ] {
        let fault = fault(body);
        assert_eq!((fault["path"].as_str(), fault["message"].as_str()), (path, Some(&*message)), "{body}");
        assert!(fault["line"].is_u64() && fault["column"].is_u64(), "{body}");
    }
}

#[test]
fn a_word_too_many_is_refused_before_it_speaks_to_everybody() {
    let fault = fault(r#"{"event":"a","room":"pier"}"#);
    assert_eq!(fault["path"], "room");
    assert_eq!(
        fault["message"],
        "unknown field `room`, expected one of `namespace`, `rooms`, `except`, `event`, `args`"
    );
}

#[test]
fn what_types_do_not_say_is_checked_too() {
    let deep = format!(r#"{{"event":"a","args":[1,{}{}]}}"#, "[".repeat(121), "]".repeat(121));
    for (body, path, message) in [
        (
            r#"{"namespace":"/moon","event":"a"}"#,
            "namespace",
            r#"expected one of the namespaces /, /harbour, found "/moon""#,
        ),
        (r#"{"event":""}"#, "event", r#"expected an event's name that is not reserved, found """#),
        (r#"{"event":"a","rooms":""}"#, "rooms[0]", r#"expected a room's name, found """#),
        (r#"[{"event":"a","except":["x",""]}]"#, "[0].except[1]", r#"expected a room's name, found """#),
        (&deep, "args[1]", "expected at most 120 levels of nesting"),
    ] {
        assert_eq!(fault(body), json!({"message": message, "path": path}));
    }
    for event in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    {
        let body = format!(r#"[{{"event":"a"}},{{"event":"{event}"}}]"#);
        assert_eq!(fault(&body)["path"], "[1].event", "{event}");
    }
}

#[test]
fn too_many_publications_are_refused() {
    let body = |count| format!("[{}]", vec![r#"{"event":"a"}"#; count].join(","));
    assert!(read(&body(1000)).is_ok());
    assert_eq!(fault(&body(1001)), json!({"message": "expected at most 1000 publications, found 1001"}));
}

#[test]
fn brackets_in_texts_are_no_levels() {
    for (json, expected) in [
        ("1", 0),
        ("[]", 1),
        (r#"{"a":[1,{"b":[]}]}"#, 4),
        (r#"["[[[\"[[", "\\", "["]"#, 1),
        ("[[],[[]]]", 3),
    ] {
        assert_eq!(depth(json), expected, "{json}");
    }
}
