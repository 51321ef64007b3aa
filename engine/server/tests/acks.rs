//! Acknowledgements, both ways (Socket.IO protocol v5, "Acknowledgement").
//! Not their encoding, which `proto` proves: who is answered, by whom, once, and what happens if nobody answers.

mod client;
mod stage;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use socketville::limits::ACKS_PER_SOCKET_MAX;
use socketville::{Ack, AckError, Arguments, Binary, Builder, Socket};
use socketville_proto::ws::Opcode;

use client::PATIENCE;
use client::packet::{Kind, Packet};
use stage::{on_cores, on_each};

/// Longer than any test; what waits for it waits for something else.
const LONG: Duration = Duration::from_secs(3600);

/// Sentences that handlers say to the test when no client is left to say them to.
#[derive(Clone)]
struct Diary {
    pen: Arc<Mutex<Sender<String>>>,
    pages: Arc<Mutex<Receiver<String>>>,
}

impl Diary {
    fn new() -> Self {
        let (pen, pages) = channel();
        Self { pen: Arc::new(Mutex::new(pen)), pages: Arc::new(Mutex::new(pages)) }
    }

    fn write(&self, line: impl ToString) {
        let _ = self.pen.lock().unwrap_or_else(PoisonError::into_inner).send(line.to_string());
    }

    fn read(&self) -> String {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.recv_timeout(PATIENCE).expect("the handler went on")
    }
}

/// A question of the server's: the id that its answer must carry.
fn question(packet: &Packet, name: &str) -> u64 {
    assert_eq!(packet.event().0, name);
    packet.id.expect("an answer is wanted")
}

#[test]
fn a_client_is_answered_once_and_only_if_it_asked() {
    let build = |io: &Builder| {
        io.on("several", |ack: Ack| ack.send((1, "b", Binary(vec![9]))))
            .on("nothing", |ack: Ack| ack.send(()))
            .on("forgotten", |_ack: Ack| {})
            .on("wanted", |socket: Socket, ack: Ack| socket.emit("is wanted", ack.is_wanted()))
            .on("first", |ack: Ack, text: String| ack.send(text))
            .on("later", async |ack: Ack, text: String| {
                socketville::sleep(Duration::from_millis(1)).await;
                ack.send(text);
            });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        client.send_text(r#"420["several"]"#);
        let several = client.packet();
        assert_eq!((several.kind, several.id), (Kind::Ack, Some(0)));
        assert_eq!(several.args, json!([1, "b", {"_placeholder": true, "num": 0}]));
        assert_eq!(several.attachments, [[9]]);
        assert_eq!(client.ask(9_007_199_254_740_991, r#"["nothing"]"#), json!([]));
        assert_eq!(client.ask(1, r#"["first","a"]"#), json!(["a"]));
        client.send_text(r#"422["forgotten"]"#);
        client.emit(r#"["nothing"]"#);
        client.emit(r#"["later","nobody hears"]"#);
        assert_eq!(client.before_fence(), []);
        client.emit(r#"["wanted"]"#);
        assert_eq!(client.event("is wanted"), json!([false]));
        client.send_text(r#"423["wanted"]"#);
        assert_eq!(client.event("is wanted"), json!([true]));
        client.send_text(r#"424["later","slow"]"#);
        assert_eq!(client.ask(5, r#"["first","fast"]"#), json!(["fast"]));
        assert_eq!(client.answer(4), json!(["slow"]));
    });
}

#[test]
fn the_server_is_answered() {
    let build = |io: &Builder| {
        io.of("/quiz").on("ask me", async |socket: Socket| {
            match socket.emit_with_ack::<u32>("sum?", (40, 2), LONG).await {
                Ok(number) => socket.emit("number", number),
                Err(error) => socket.emit("error", error.to_string()),
            }
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        client.join("/quiz", "");
        for (answer, name, said) in [
            ("[42]", "number", json!([42])),
            ("[42,\"more\"]", "number", json!([42])),
            ("[\"42\"]", "error", json!(["acknowledgement: argument 1: expected u32, found \"42\""])),
            ("[]", "error", json!(["acknowledgement: argument 1: expected u32, found nothing"])),
        ] {
            client.send_text(r#"42/quiz,["ask me"]"#);
            let packet = client.packet();
            assert_eq!((packet.nsp.as_str(), packet.event().1), ("/quiz", json!([40, 2])));
            let id = question(&packet, "sum?");
            client.send_text(&format!("43/quiz,{}{answer}", id + 1000)); // nobody waits for this
            client.send_text(&format!("43/quiz,{id}{answer}"));
            client.send_text(&format!("43/quiz,{id}[0]")); // an answer counts once
            assert_eq!(client.event(name), said, "{answer}");
        }
    });
}

#[test]
fn an_answer_may_be_several_arguments_and_binary() {
    let build = |io: &Builder| {
        io.on("ask me", async |socket: Socket| {
            let answer = socket.emit_with_ack::<Arguments>("what?", (), LONG).await;
            socket.emit("relayed", answer.unwrap_or_default());
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        client.emit(r#"["ask me"]"#);
        let id = question(&client.packet(), "what?");
        let text = format!(r#"461-{id}["a",{{"_placeholder":true,"num":0}},[1]]"#);
        client.send_all(&[(Opcode::Text, text.as_bytes()), (Opcode::Binary, &[1, 2])]);
        let relayed = client.packet();
        assert_eq!(relayed.event(), ("relayed", json!(["a", {"_placeholder": true, "num": 0}, [1]])));
        assert_eq!(relayed.attachments, [[1, 2]]);
    });
}

#[test]
fn several_questions_are_answered_in_any_order() {
    const QUESTIONS: u64 = 10;
    let build = |io: &Builder| {
        io.on("ask me", async |socket: Socket, number: u64| {
            let answer = socket.emit_with_ack::<u64>("twice?", number, LONG).await;
            socket.emit("is", (number, answer.ok()));
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        (0..QUESTIONS).for_each(|number| client.emit(&json!(["ask me", number]).to_string()));
        let mut questions: Vec<_> = (0..QUESTIONS)
            .map(|_| {
                let packet = client.packet();
                (question(&packet, "twice?"), packet.event().1[0].as_u64().expect("a number"))
            })
            .collect();
        questions.reverse();
        for (id, number) in questions {
            client.acknowledge(id, &json!([2 * number]).to_string());
            assert_eq!(client.event("is"), json!([number, 2 * number]));
        }
    });
}

#[test]
fn no_answer_in_time_is_an_error_and_a_late_one_nothing() {
    let build = |io: &Builder| {
        io.on("ask me", async |socket: Socket, ms: u64| {
            let answer = socket.emit_with_ack::<Value>("well?", (), Duration::from_millis(ms)).await;
            socket.emit("result", matches!(answer, Err(AckError::Timeout)));
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        client.emit(r#"["ask me",20]"#);
        let late = question(&client.packet(), "well?");
        assert_eq!(client.event("result"), json!([true]));
        client.acknowledge(late, "[1]");
        client.emit(r#"["ask me",3600000]"#);
        let next = question(&client.packet(), "well?");
        assert_ne!(late, next);
        client.acknowledge(late, "[1]");
        assert_eq!(client.before_fence(), []);
        client.acknowledge(next, "[1]");
        assert_eq!(client.event("result"), json!([false]));
    });
}

#[test]
fn nobody_waits_for_a_client_that_has_left() {
    let diary = Diary::new();
    let build = |io: &Builder| {
        let diary = diary.clone();
        io.on("ask me", async move |socket: Socket| {
            match socket.emit_with_ack::<Value>("well?", (), LONG).await {
                Err(AckError::Disconnected) => diary.write("disconnected"),
                other => diary.write(format!("{other:?}")),
            }
            // A handle outlives its client: this goes nowhere, and asking again fails at once.
            socket.emit("still there?", ());
            let again = socket.emit_with_ack::<Value>("well?", (), LONG).await;
            diary.write(matches!(again, Err(AckError::Disconnected)));
        });
    };
    on_each(build, |stage| {
        for leave in ["41", "drop", "finish"] {
            let mut client = stage.client();
            client.emit(r#"["ask me"]"#);
            question(&client.packet(), "well?");
            match leave {
                "drop" => drop(client),
                "finish" => client.finish(),
                packet => client.send_text(packet),
            }
            assert_eq!((diary.read(), diary.read()), ("disconnected".into(), "true".into()), "{leave}");
        }
    });
}

#[test]
fn a_client_owes_a_bounded_number_of_answers() {
    let build = |io: &Builder| {
        io.on("ask me", async |socket: Socket| {
            match socket.emit_with_ack::<Value>("well?", (), LONG).await {
                Ok(_) => socket.emit("answered", ()),
                Err(AckError::TooMany) => socket.emit("too many", ()),
                Err(other) => socket.emit("error", other.to_string()),
            }
        });
    };
    on_cores(&[1], build, |stage| {
        let mut client = stage.client();
        let messages = vec![(Opcode::Text, &br#"42["ask me"]"#[..]); ACKS_PER_SOCKET_MAX + 1];
        client.send_all(&messages);
        let questions: Vec<_> =
            (0..ACKS_PER_SOCKET_MAX).map(|_| question(&client.packet(), "well?")).collect();
        assert_eq!(client.event("too many"), json!([]));
        client.acknowledge(questions[7], "[0]");
        assert_eq!(client.event("answered"), json!([]));
        client.emit(r#"["ask me"]"#);
        question(&client.packet(), "well?");
        let mut other = stage.client();
        other.emit(r#"["ask me"]"#);
        question(&other.packet(), "well?");
    });
}
