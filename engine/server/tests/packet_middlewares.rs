//! Packet middlewares: what they see of an event, what they may replace, and what becomes of an event they refuse.
//! Not those of a namespace, which decide on clients (`namespaces`).

mod client;
mod stage;

use serde_json::{Value, json};
use socketville::{Ack, Arguments, Binary, Builder, Packet, Parser, Socket};
use socketville_proto::encode::{self, Kind};
use socketville_proto::sio::msgpack;
use socketville_proto::ws::{self, Opcode};

use client::Client;
use stage::{Stage, on_cores, on_each};

/// The server's handler of everything that is told: its arguments, back again.
fn echo(io: &Builder) {
    io.on("say", |words: Arguments, ack: Ack| ack.send(words))
        .on("add", |a: i64, b: Option<i64>, ack: Ack| ack.send(a + b.unwrap_or_default()))
        .on_error(|socket: Socket, message: String| socket.emit("refused", message));
}

/// A placeholder, as it stands in JSON.
fn place(num: u32) -> Value {
    json!({"_placeholder": true, "num": num})
}

fn look(packet: &mut Packet<'_>) -> Result<(), String> {
    assert_eq!((packet.event(), packet.len(), packet.is_empty()), ("s\u{e9}e", 3, false));
    assert_eq!(packet.raw(0), Some(r#""\u00e9""#));
    assert_eq!(packet.raw(1), Some(r#"{"a": 1.50}"#));
    assert_eq!((packet.raw(3), packet.raw(usize::MAX)), (None, None));
    assert_eq!(packet.read::<String>(0)?, "\u{e9}");
    assert_eq!(packet.read::<Value>(1)?, json!({"a": 1.5}));
    assert_eq!(packet.read::<Option<u8>>(3)?, None);
    assert_eq!(packet.read::<Option<u8>>(usize::MAX)?, None);
    let error = packet.read::<bool>(2).expect_err("a number");
    assert_eq!((error.index, error.found.as_str()), (3, "-0"));
    packet.set_event("say");
    Ok(())
}

#[test]
fn arguments_are_seen_as_they_came() {
    let build = |io: &Builder| {
        echo(io);
        io.of("/").use_packet(|_socket, packet| match packet.event() {
            "fence" => Ok(()),
            "nothing" => Err(format!("{} {} {:?}", packet.len(), packet.is_empty(), packet.raw(0))),
            _ => look(packet),
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        let answer = client.ask(1, r#"["s\u00e9e", "\u00e9",{"a": 1.50} ,-0]"#);
        assert_eq!(answer.to_string(), r#"["é",{"a":1.5},-0.0]"#, "what nobody replaced is what came");
        client.emit(r#"["nothing"]"#);
        assert_eq!(client.event("refused"), json!(["0 true None"]));
    });
}

#[test]
fn arguments_are_replaced_by_the_rule_of_emit() {
    let build = |io: &Builder| {
        echo(io);
        io.of("/").use_packet(|_socket, packet| {
            match packet.event() {
                "several" => packet.set_args((1, "b", [3], Option::<u8>::None))?,
                "list" => packet.set_args(vec![1, 2])?,
                "none" => packet.set_args(())?,
                "twice" => {
                    let words: (String, String) = (packet.read(1)?, packet.read(0)?);
                    packet.set_args(words)?;
                    let back = packet.read::<String>(1)? + packet.raw(0).expect("it has two");
                    packet.set_args(back)?;
                }
                _ => return Ok(()),
            }
            packet.set_event("say");
            Ok(())
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        assert_eq!(client.ask(1, r#"["several","x"]"#), json!([1, "b", [3], null]));
        assert_eq!(client.ask(2, r#"["list"]"#), json!([[1, 2]]));
        assert_eq!(client.ask(3, r#"["none","x","y"]"#), json!([]));
        assert_eq!(client.ask(4, r#"["twice","x","y"]"#), json!([r#"x"y""#]));
        assert_eq!(client.ask(5, r#"["say","x"]"#), json!(["x"]), "others are as they were");
    });
}

#[test]
fn a_handlers_parameters_are_read_from_what_was_set() {
    let build = |io: &Builder| {
        echo(io);
        io.of("/").use_packet(|_socket, packet| {
            if packet.event() == "add" && packet.len() == 1 {
                let numbers: Vec<i64> = packet.read(0)?;
                packet.set_args((numbers.iter().sum::<i64>(), 1000))?;
            }
            Ok(())
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        assert_eq!(client.ask(1, r#"["add",[1,2,3]]"#), json!([1006]));
        assert_eq!(client.ask(2, r#"["add",1,2]"#), json!([3]));
    });
}

/// Attachments that came are read, and make way for those that were set.
#[test]
fn binary_is_read_and_replaced() {
    let build = |io: &Builder| {
        echo(io);
        io.of("/").use_packet(|_socket, packet| {
            match packet.event() {
                "turn" => {
                    let (first, second): (Binary, (u8, Binary)) = (packet.read(0)?, packet.read(1)?);
                    packet.set_args(("turned", [second.1, first]))?;
                }
                "drop" => packet.set_args(packet.read::<Binary>(0)?.len())?,
                _ => return Ok(()),
            }
            packet.set_event("say");
            Ok(())
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        for (event, args, attachments) in [
            ("turn", json!(["turned", [place(0), place(1)]]), vec![vec![], vec![1, 2]]),
            ("drop", json!([2]), vec![]),
            ("say", json!([place(0), [7, place(1)]]), vec![vec![1, 2], vec![]]),
        ] {
            let text = format!("452-1{}", json!([event, place(0), [7, place(1)]]));
            client.send_all(&[
                (Opcode::Text, text.as_bytes()),
                (Opcode::Binary, &[1, 2]),
                (Opcode::Binary, &[]),
            ]);
            let answer = client.packet();
            assert_eq!((answer.id, answer.args, answer.attachments), (Some(1), args, attachments), "{event}");
        }
    });
}

/// As in the reference's `onevent`: listeners of every event first, then the middlewares in their order.
#[test]
fn watchers_see_what_came_and_middlewares_what_the_one_before_made() {
    let build = |io: &Builder| {
        echo(io);
        io.of("/")
            .use_packet(|_socket, packet| {
                if packet.event() == "tell" {
                    packet.set_event("say");
                    packet.set_args((packet.read::<String>(0)?, 1))?;
                }
                Ok(())
            })
            .use_packet(|_socket, packet| {
                if packet.event() == "say" {
                    packet.set_args((packet.read::<String>(0)?, packet.read::<u32>(1)? + 1))?;
                }
                Ok(())
            })
            .on_any(|socket, name, json| match name {
                "fence" => {}
                _ => socket.emit("seen", (name, json)),
            });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        assert_eq!(client.ask(1, r#"["tell","a"]"#), json!(["a", 2]));
        assert_eq!(client.event("seen"), json!(["tell", r#"["tell","a"]"#]));
        assert_eq!(client.before_fence(), [], "seen once");
    });
}

#[test]
fn a_refused_event_goes_to_the_handlers_of_errors_alone() {
    let build = |io: &Builder| {
        echo(io);
        io.of("/")
            .use_packet(|_socket, packet| match packet.event() {
                "forbidden" => Err("not \"you\"".into()),
                "add" => packet.read::<i64>(0).map(drop).map_err(String::from),
                _ => Ok(()),
            })
            .use_packet(|socket, packet| {
                if packet.event() == "forbidden" {
                    socket.emit("never", ());
                }
                Ok(())
            })
            .on("forbidden", |socket: Socket| socket.emit("never", ()));
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        client.send_text(r#"421["forbidden"]"#);
        assert_eq!(client.event("refused"), json!(["not \"you\""]));
        client.send_text(r#"422["add","x"]"#);
        let message = r#"argument 1: expected i64, found "x""#;
        assert_eq!(client.event("refused"), json!([message]));
        assert_eq!(client.before_fence(), [], "no answer, no close");
        assert_eq!(stage.sum(|report| report.turns.arguments_refused), 0, "the handler was not asked");
        assert_eq!(stage.sum(|report| report.turns.events_unhandled), 0);
    });
}

/// As a middleware of the reference, which finds the acknowledgement behind the arguments.
#[test]
fn a_middleware_may_answer_in_the_handlers_place() {
    let build = |io: &Builder| {
        io.on("wanted", |ack: Ack, socket: Socket| {
            socket.emit("wanted", ack.is_wanted());
            ack.send("handled");
        })
        .use_packet(|_socket, packet| match packet.event() {
            "closed" => {
                packet.take_ack().send("closed today");
                Err("closed".into())
            }
            "wanted" if packet.len() == 1 => {
                packet.take_ack().send(packet.read::<String>(0)?);
                Ok(())
            }
            _ => Ok(()),
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        assert_eq!(client.ask(1, r#"["closed"]"#), json!(["closed today"]));
        assert_eq!(client.ask(2, r#"["wanted","a"]"#), json!(["a"]));
        assert_eq!(client.event("wanted"), json!([false]));
        assert_eq!(client.ask(3, r#"["wanted"]"#), json!(["handled"]));
        assert_eq!(client.event("wanted"), json!([true]));
        assert_eq!(client.before_fence(), [], "one answer each");
    });
}

/// Arguments that could not be emitted cannot be set: a name that is no text, an abyss, too many attachments.
#[test]
fn arguments_that_cannot_be_set_leave_those_that_were_there() {
    let try_all = |packet: &mut Packet<'_>| {
        let no_text = std::collections::BTreeMap::from([((1, 2), 3)]);
        packet.set_args((Binary(vec![1]), no_text)).expect_err("keys are text");
        let abyss = (0..200).fold(json!(1), |inner, _| json!([inner]));
        packet.set_args(abyss).expect_err("nobody could have sent it");
        packet.set_args(vec![Binary(vec![1]); 11]).expect_err("clients accept ten");
    };
    let build = |io: &Builder| {
        echo(io);
        io.of("/").use_packet(move |_socket, packet| {
            if packet.event() == "say" {
                try_all(packet);
                packet.set_args((packet.read::<Value>(0)?, "set"))?;
                try_all(packet);
            }
            Ok(())
        });
    };
    on_each(build, |stage| {
        assert_eq!(stage.client().ask(1, r#"["say","a"]"#), json!(["a", "set"]));
    });
}

/// As the reference, which ignores what waited behind its middlewares when its socket is gone.
#[test]
fn an_event_whose_middleware_disconnected_its_socket_is_not_handled() {
    let build = |io: &Builder| {
        io.of("/").use_packet(|socket, packet| {
            if packet.event().starts_with("leave") {
                socket.disconnect();
            }
            if packet.event() == "leave refused" { Err("gone".into()) } else { Ok(()) }
        });
        io.on("leave", |socket: Socket| socket.emitter().emit("handled", ()))
            .on_error(|socket: Socket, message: String| socket.emitter().emit("error heard", message));
    };
    on_each(build, |stage| {
        let mut watcher = stage.client();
        for event in [r#"["leave"]"#, r#"["leave refused"]"#] {
            let mut client = stage.client();
            client.emit(event);
            assert_eq!(client.packet().kind, client::packet::Kind::Disconnect);
        }
        assert_eq!(watcher.event("error heard"), json!(["gone"]), "and nothing was handled");
    });
}

/// A client whose packets are MessagePack, in `/`.
struct Packed(Client);

impl Packed {
    fn connect(stage: &Stage) -> Self {
        let mut client = Client::raw(stage.address, "/socket.io/?EIO=4&transport=websocket");
        assert!(client.text().starts_with("0{"));
        let mut client = Self(client);
        client.send(&encode::Packet::new(Kind::Connect, "/", None, b""));
        assert!(matches!(msgpack::decode(&client.receive()), Ok(msgpack::Packet::Connect { .. })));
        client
    }

    fn send(&mut self, packet: &encode::Packet<'_>) {
        let mut frames = Vec::new();
        msgpack::write(&mut frames, packet);
        let (_, bytes) = ws::server_frames(&frames).next().expect("a frame");
        self.0.send_all(&[(Opcode::Binary, bytes)]);
    }

    fn receive(&mut self) -> Vec<u8> {
        let (opcode, bytes) = self.0.frame().expect("a packet");
        assert_eq!(opcode, Opcode::Binary);
        bytes
    }
}

#[test]
fn packets_of_message_pack_are_read_and_replaced_too() {
    let build = |io: &Builder| {
        echo(io);
        io.parser(Parser::MsgPack);
        io.of("/").use_packet(|_socket, packet| {
            let (text, bytes): (String, Binary) = (packet.read(0)?, packet.read(1)?);
            packet.set_event("say");
            // More than clients of JSON accept.
            packet.set_args((vec![bytes; 11], text))?;
            Ok(())
        });
    };
    on_cores(&[1], build, |stage| {
        let mut client = Packed::connect(stage);
        let json = json!(["tell", "a", place(0)]).to_string();
        let attachments = [vec![1, 2]];
        client.send(&encode::Packet {
            attachments: &attachments,
            ..encode::Packet::new(Kind::Event, "/", Some(5), json.as_bytes())
        });
        let answer = client.receive();
        let Ok(msgpack::Packet::Ack { id: Some(5), payload, .. }) = msgpack::decode(&answer) else {
            panic!("no answer")
        };
        let places: Vec<_> = (0..11).map(place).collect();
        assert_eq!(serde_json::from_str::<Value>(&payload.json).expect("JSON"), json!([places, "a"]));
        assert_eq!(payload.attachments, vec![vec![1, 2]; 11]);
    });
}
