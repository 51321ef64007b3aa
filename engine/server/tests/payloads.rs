//! Payloads of more packets than one turn handles: all handled, in order, answered after the last; nobody else waits for them.

mod client;
mod stage;

use serde_json::json;
use socketville::limits::PAYLOAD_PACKETS_PER_TURN;
use socketville::{Ack, Builder, Socket};

use client::http::{Http, Polling, request};
use stage::on_each;

const EVENTS: usize = 5 * PAYLOAD_PACKETS_PER_TURN + 7;

fn count(io: &Builder) {
    io.on("n", |socket: Socket, number: u64| socket.emit("n", number)).on("hi", |ack: Ack| ack.send("hi"));
}

fn numbers() -> String {
    (0..EVENTS).map(|number| format!("42[\"n\",{number}]")).collect::<Vec<_>>().join("\u{1e}")
}

/// A client divides by bytes alone (Engine.IO protocol v4, `maxPayload`).
#[test]
fn all_packets_of_a_payload_are_handled_in_order() {
    on_each(count, |stage| {
        let (mut http, mut other) = (stage.http(), stage.client());
        let mut polling = Polling::open(&mut http);
        http.send(&request("POST", &polling.target(), &numbers()));
        assert_eq!(other.ask(1, r#"["hi"]"#), json!(["hi"]));
        assert_eq!(http.reply().expect("an answer").body, "ok");
        let came = polling.before_fence(&mut http);
        let came: Vec<_> = came.iter().map(|packet| packet.brief().1.as_u64()).collect();
        assert_eq!(came, (0..EVENTS as u64).map(Some).collect::<Vec<_>>());
    });
}

/// What cannot be read ends the session at its place, however far behind; what came before it was handled.
#[test]
fn an_error_far_behind_is_an_error() {
    on_each(count, |stage| {
        let mut http = stage.http();
        let polling = Polling::open(&mut http);
        http.send(&request("POST", &polling.target(), &format!("{}\u{1e}x\u{1e}42[\"n\",1]", numbers())));
        assert_eq!(http.reply().expect("an answer").status, 200);
        assert_eq!(http.request("POST", &polling.target(), "42[\"n\",1]").status, 400, "it is over");
        assert_eq!(stage.sum(|report| report.turns.handlers_called), EVENTS as u64);
        assert_eq!(stage.sockets(), 0);
    });
}

/// A second POST of the session while the first is handled is one too many, as while it is read; and a connection's own next one waits.
#[test]
fn posts_of_a_session_are_handled_one_after_the_other() {
    on_each(count, |stage| {
        let mut http = stage.http();
        let mut polling = Polling::open(&mut http);
        let both = [
            request("POST", &polling.target(), &numbers()),
            request("POST", &polling.target(), "42[\"n\",77]"),
        ];
        http.send(&both.concat());
        assert_eq!(
            [http.reply().expect("an answer").body, http.reply().expect("an answer").body],
            ["ok", "ok"]
        );
        let came = polling.before_fence(&mut Http::connect(stage.address));
        assert_eq!((came.len(), came[EVENTS].brief().1), (EVENTS + 1, json!(77)));
    });
}
