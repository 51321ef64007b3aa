//! Handlers: what their parameters are made of, when they are called, and in which order.
//! Not acknowledgements as such (`acks`), nor what handlers wait for (`tokio_clients`).

mod client;
mod stage;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketville::{Ack, Arguments, Binary, Builder, Socket, yield_now};
use socketville_proto::ws::Opcode;

use stage::on_each;

#[derive(Debug, Serialize, Deserialize)]
struct Move {
    x: i32,
    y: i32,
    #[serde(default)]
    label: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Upload {
    name: String,
    parts: Vec<Part>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Part {
    content: Binary,
}

fn typed(io: &Builder) {
    io.on("add", |a: i64, b: i64, ack: Ack| ack.send(a + b))
        .on("move", |to: Move, ack: Ack| ack.send(Move { x: -to.x, y: -to.y, label: to.label }))
        .on("maybe", |a: Option<u32>, b: Option<String>, ack: Ack| ack.send((a, b)))
        .on("list", |numbers: Vec<f64>, pair: (String, bool), ack: Ack| ack.send((numbers, pair.1, pair.0)))
        .on("any", |value: Value, ack: Ack| ack.send(value))
        .on("counted", |_socket: Socket, words: Arguments, ack: Ack| ack.send(words.len()));
}

#[test]
fn arguments_have_types_and_answers_too() {
    on_each(typed, |stage| {
        let mut client = stage.client();
        for (event, answer) in [
            (json!(["add", 2, 40]), json!([42])),
            (json!(["add", -1, i64::MAX]), json!([i64::MAX - 1])),
            (json!(["move", {"x": 1, "y": -2}]), json!([{"x": -1, "y": 2, "label": null}])),
            (
                json!(["move", {"x": 0, "y": 0, "label": "é\n\"", "more": 1}]),
                json!([{"x": 0, "y": 0, "label": "é\n\""}]),
            ),
            (json!(["list", [1, 2.5], ["a", true]]), json!([[1.0, 2.5], true, "a"])),
            (json!(["any", {"a": [null, false, {"b": "c"}]}]), json!([{"a": [null, false, {"b": "c"}]}])),
        ] {
            assert_eq!(client.ask(7, &event.to_string()), answer, "{event}");
        }
    });
}

#[test]
fn what_is_missing_is_none_and_what_is_too_much_is_ignored() {
    on_each(typed, |stage| {
        let mut client = stage.client();
        assert_eq!(client.ask(1, r#"["maybe"]"#), json!([null, null]));
        assert_eq!(client.ask(2, r#"["maybe",5]"#), json!([5, null]));
        assert_eq!(client.ask(3, r#"["maybe",null,"b"]"#), json!([null, "b"]));
        assert_eq!(client.ask(4, r#"["maybe",1,"b",{"more":1}]"#), json!([1, "b"]));
        assert_eq!(client.ask(5, r#"["counted"]"#), json!([0]));
        assert_eq!(client.ask(6, r#"["counted",1,[2,3],null]"#), json!([3]));
    });
}

#[test]
fn wrong_types_do_not_call_the_handler_and_close_nothing() {
    let wrong = [
        r#"["add","2",40]"#,
        r#"["add",2]"#,
        r#"["add"]"#,
        r#"["add",2.5,1]"#,
        r#"["add",1,18446744073709551615]"#,
        r#"["move",{"x":1}]"#,
        r#"["move",[1,2,3,4]]"#,
        r#"["maybe",-1]"#,
        r#"["maybe","\ud83d"]"#,
        r#"["list",[1,"2"],["a",true]]"#,
    ];
    on_each(typed, |stage| {
        let mut client = stage.client();
        for event in wrong {
            client.send_text(&format!("429{event}"));
        }
        client.emit(r#"["nobody listens",1]"#);
        assert_eq!(client.before_fence(), [], "no answer, no close");
        assert_eq!(stage.sum(|report| report.turns.arguments_refused), wrong.len() as u64);
        assert_eq!(stage.sum(|report| report.turns.events_unhandled), 1);
        assert_eq!(client.ask(1, r#"["add",1,1]"#), json!([2]));
    });
}

#[test]
fn a_tuple_is_several_arguments_and_a_list_is_one() {
    let build = |io: &Builder| {
        io.on("tell", |socket: Socket| {
            socket.emit("none", ());
            socket.emit("one", "a");
            socket.emit("list", vec![1, 2]);
            socket.emit("several", (1, "b", [3, 4], Option::<u8>::None));
            socket.emit("array", [5, 6]);
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        client.emit(r#"["tell"]"#);
        for (name, args) in [
            ("none", json!([])),
            ("one", json!(["a"])),
            ("list", json!([[1, 2]])),
            ("several", json!([1, "b", [3, 4], null])),
            ("array", json!([5, 6])),
        ] {
            assert_eq!(client.event(name), args);
        }
    });
}

#[test]
fn arguments_are_relayed_unread_with_their_binary() {
    let build = |io: &Builder| {
        io.on("shout", |socket: Socket, words: Arguments| socket.nsp().emit("shouted", words));
    };
    on_each(build, |stage| {
        let mut clients = stage.clients_per_core(2);
        let text = r#"452-["shout",{"_placeholder":true,"num":0},{"deep":[{"_placeholder":true,"num":1}]},1.50,"\u00e9"]"#;
        clients[0].send_all(&[
            (Opcode::Text, text.as_bytes()),
            (Opcode::Binary, &[1, 2, 3]),
            (Opcode::Binary, &[]),
        ]);
        for client in &mut clients {
            let packet = client.packet();
            let (name, args) = packet.event();
            let expected = json!([{"_placeholder": true, "num": 0}, {"deep": [{"_placeholder": true, "num": 1}]}, 1.5, "é"]);
            assert_eq!((name, args), ("shouted", expected));
            assert_eq!(packet.attachments, [vec![1, 2, 3], vec![]]);
        }
    });
}

#[test]
fn binary_may_stand_anywhere() {
    let build = |io: &Builder| {
        io.on("upload", |upload: Upload, ack: Ack| {
            let parts = upload.parts.into_iter().rev().map(|part| {
                let content = part.content.iter().rev().copied().collect::<Vec<u8>>();
                Part { content: content.into() }
            });
            ack.send((Binary(b"first".to_vec()), Upload { name: upload.name, parts: parts.collect() }));
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        let part = |num| json!({"content": {"_placeholder": true, "num": num}});
        let event = json!(["upload", {"name": "a", "parts": [part(0), part(1)]}]);
        let text = format!("452-3{event}");
        let large = vec![7; 70_000];
        client.send_all(&[
            (Opcode::Text, text.as_bytes()),
            (Opcode::Binary, &[1, 2, 3]),
            (Opcode::Binary, &large),
        ]);
        let answer = client.packet();
        assert_eq!(answer.id, Some(3));
        let first = json!({"_placeholder": true, "num": 0});
        assert_eq!(answer.args, json!([first, {"name": "a", "parts": [part(1), part(2)]}]));
        assert_eq!(answer.attachments, [b"first".to_vec(), large, vec![3, 2, 1]]);
    });
}

fn item(socket: Socket, text: String) {
    socket.emit("item", text);
}

async fn async_item(socket: Socket, text: String) -> Result<(), String> {
    yield_now().await;
    socket.emit("async item", &text);
    if text == "fail" { Err("logged, nothing else".into()) } else { Ok(()) }
}

#[test]
fn closures_and_functions_both_sync_and_async() {
    let build = |io: &Builder| {
        let greeting = String::from("hello ");
        let farewell = std::sync::Arc::new(String::from("bye "));
        io.on("item", item)
            .on("async item", async_item)
            .on("closure", move |socket: Socket, text: String| {
                socket.emit("closure", greeting.clone() + &text)
            })
            .on("async closure", async move |socket: Socket, text: String| {
                yield_now().await;
                socket.emit("async closure", format!("{farewell}{text}"));
            })
            .on("nothing", || {});
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        for (name, text, answer) in [
            ("item", "a", "a"),
            ("async item", "fail", "fail"),
            ("closure", "a", "hello a"),
            ("async closure", "a", "bye a"),
        ] {
            client.emit(&json!([name, text]).to_string());
            assert_eq!(client.event(name), json!([answer]));
        }
        client.emit(r#"["nothing"]"#);
        assert_eq!(client.before_fence(), []);
    });
}

/// Events of one socket are handled in the order they came; an async handler's first part runs in its place.
#[test]
fn events_of_one_socket_are_handled_in_order() {
    const EVENTS: usize = 300;
    let build = |io: &Builder| {
        io.on("sync", |socket: Socket, number: usize| socket.emit("begun", number)).on(
            "async",
            async |socket: Socket, number: usize| {
                socket.emit("begun", number);
                yield_now().await;
                socket.emit("gone on", number);
            },
        );
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        let name = |number: usize| if number.is_multiple_of(3) { "sync" } else { "async" };
        let texts: Vec<_> = (0..EVENTS).map(|number| format!("42[\"{}\",{number}]", name(number))).collect();
        let messages: Vec<_> = texts.iter().map(|text| (Opcode::Text, text.as_bytes())).collect();
        client.send_all(&messages);
        let going_on = (0..EVENTS).filter(|number| number % 3 != 0).count();
        let heard: Vec<_> = (0..EVENTS + going_on).map(|_| client.packet().brief()).collect();
        for (what, numbers) in [
            ("begun", (0..EVENTS).collect::<Vec<_>>()),
            ("gone on", (0..EVENTS).filter(|number| number % 3 != 0).collect()),
        ] {
            let found: Vec<_> =
                heard.iter().filter(|(name, _)| name == what).map(|(_, n)| n.clone()).collect();
            assert_eq!(Value::from(found), json!(numbers), "{what}");
        }
    });
}

/// Middleware order and the life of a socket: connect, events, disconnecting with rooms, disconnect without.
#[test]
fn a_socket_lives_from_connect_to_disconnect() {
    let build = |io: &Builder| {
        io.of("/life")
            .on_connect(|socket: Socket, auth: Value| {
                socket.set_data(auth["nick"].as_str().unwrap_or("nobody").to_owned());
                socket.join("lobby")
            })
            .on("who", |socket: Socket, ack: Ack| {
                ack.send(socket.data::<String>().map(|nick| (*nick).clone()))
            })
            .on_disconnecting(|socket: Socket, reason: String| {
                let rooms = socket.rooms().len();
                socket.emitter().emit("leaving", (rooms, socket.is_in("lobby"), reason));
            })
            .on_disconnect(|socket: Socket, reason: String| {
                socket.emitter().emit("left", (socket.rooms().len(), socket.is_connected(), reason));
            });
    };
    on_each(build, |stage| {
        let mut watcher = stage.client();
        let mut client = stage.client();
        client.join("/life", r#"{"nick":"Ada"}"#);
        client.send_text(r#"42/life,5["who"]"#);
        assert_eq!(client.answer(5), json!(["Ada"]));
        client.send_text("41/life,");
        let reason = "client namespace disconnect";
        assert_eq!(watcher.event("leaving"), json!([2, true, reason]));
        assert_eq!(watcher.event("left"), json!([0, false, reason]));
        client.join("/life", "{}");
        drop(client);
        assert_eq!(watcher.event("leaving"), json!([2, true, "transport close"]));
        assert_eq!(watcher.event("left"), json!([0, false, "transport close"]));
    });
}

/// Whoever wants to know hears of arguments that do not fit, be it of an event or of the handshake; the client stays.
#[test]
fn mismatches_are_told() {
    let build = |io: &Builder| {
        io.of("/")
            .on_connect(|_socket: Socket, _auth: std::collections::HashMap<String, u8>| {})
            .on("add", |a: i64, b: i64, ack: Ack| ack.send(a + b))
            .on_mismatch(|socket, event, error| socket.emit("misunderstood", (event, error.to_string())));
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        client.emit(r#"["add",1,"2"]"#);
        let error = "argument 2: expected i64, found \"2\"";
        assert_eq!(client.event("misunderstood"), json!(["add", error]));
        assert_eq!(client.ask(1, r#"["add",1.0,2e0]"#), json!([3]));
        let mut other = client::Client::open(stage.address);
        other.join("/", r#"{"a":"b"}"#);
        assert_eq!(other.event("misunderstood")[0], "connection");
    });
}
