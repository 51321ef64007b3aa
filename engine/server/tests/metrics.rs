//! Metrics: the numbers that the design promises, and their text.
//! Not a benchmark: nothing here depends on how fast anything is.

mod client;
mod stage;

use std::collections::HashMap;

use serde_json::json;
use socketville::{
    Ack, Binary, Builder, HttpRequest, HttpResponse, Method, Socket, render_metrics, sends_per_frame,
};

use client::http::Polling;
use stage::{on_each, wait};

fn counted(io: &Builder) {
    io.on_connect(|socket: Socket| socket.join("room"))
        .on("burst", |socket: Socket, events: u64| {
            (0..events).for_each(|number| socket.nsp().to("room").emit("event", number));
        })
        .on("binary", |socket: Socket| socket.nsp().emit("binary", Binary(vec![0; 1000])))
        .on("direct", |socket: Socket, ack: Ack| {
            socket.emit("direct", 1);
            ack.send(2);
        });
    io.route(Method::Get, "/metrics", async |request: HttpRequest| {
        let text = render_metrics(&request.emitter().reports().await);
        HttpResponse::new(200, "text/plain; version=0.0.4", text)
    });
}

/// Invariant 6: one encode per emit, whatever the number of recipients, cores and transports.
#[test]
fn emits_are_encoded_once() {
    on_each(counted, |stage| {
        let mut speaker = stage.client();
        let mut emitted = 0;
        for listeners in [0, 1, 7] {
            let mut clients = stage.clients_per_core(listeners);
            let mut http: Vec<_> = (0..listeners).map(|_| stage.http()).collect();
            let mut polling: Vec<_> = http.iter_mut().map(Polling::open).collect();
            speaker.emit(r#"["burst",20]"#);
            speaker.emit(r#"["binary"]"#);
            speaker.ask(1, r#"["direct"]"#);
            (0..10).for_each(|number| stage.emitter.to("room").emit("outside", number));
            wait(stage.emitter.except("nobody").emit_counted("counted", ())).expect("counted");
            stage.emitter.to("nowhere").emit("nobody", ());
            emitted += 20 + 1 + 2 + 10 + 1 + 1;
            let (emits, encodes) =
                (stage.sum(|report| report.hub.emits), stage.sum(|report| report.hub.encodes));
            assert_eq!((emits, encodes), (emitted, emitted), "{listeners} listeners more per core");
            for client in &mut clients {
                assert_eq!(client.before_fence().len(), 20 + 1 + 10 + 1);
            }
            for (client, http) in polling.iter_mut().zip(&mut http) {
                assert_eq!(client.before_fence(http).len(), 20 + 1 + 10 + 1);
            }
            speaker.before_fence();
            emitted += (clients.len() + polling.len() + 1) as u64; // acknowledged fences
        }
    });
}

/// What one turn brings for a connection leaves in one send, or, if it goes on in the next turn, in few.
#[test]
fn sends_are_far_fewer_than_frames() {
    const EVENTS: usize = 200;
    on_each(counted, |stage| {
        let mut clients = stage.clients_per_core(5);
        let before = stage.reports();
        clients[0].emit(&json!(["burst", EVENTS]).to_string());
        for client in &mut clients {
            assert_eq!((0..EVENTS).map(|_| client.event("event")).count(), EVENTS);
        }
        let after = stage.reports();
        let grown = |read: fn(&socketville::CoreReport) -> u64| {
            after.iter().map(read).sum::<u64>() - before.iter().map(read).sum::<u64>()
        };
        let (frames, sends) = (grown(|report| report.hub.frames_out), grown(|report| report.turns.sends));
        assert!(frames >= (EVENTS * clients.len()) as u64, "{frames}");
        assert!(sends * 10 < frames, "{sends} sends of {frames} frames");
        assert!(sends_per_frame(&after) < 1.0);
    });
}

/// The text format of Prometheus, version 0.0.4: every series is announced with its kind, counters end in `_total`.
#[test]
fn the_text_can_be_scraped() {
    on_each(counted, |stage| {
        let mut client = stage.client();
        client.emit(r#"["burst",3]"#);
        client.before_fence();
        let scraped = stage.http().request("GET", "/metrics", "");
        assert!(scraped.head.contains("content-type: text/plain; version=0.0.4"), "{}", scraped.head);
        assert!(scraped.body.ends_with('\n'));
        let (mut kinds, mut values) = (HashMap::new(), HashMap::new());
        for line in scraped.body.lines() {
            match line.split_once(' ').expect("words") {
                ("#", comment) => {
                    let (keyword, rest) = comment.split_once(' ').expect("a keyword");
                    let (name, text) = rest.split_once(' ').expect("a name and a text");
                    if keyword == "TYPE" {
                        assert!(kinds.insert(name, text).is_none(), "{name} is announced once");
                        assert_eq!(text == "counter", name.ends_with("_total"), "{name}");
                    }
                    assert!(keyword == "TYPE" || keyword == "HELP", "{line}");
                }
                (series, value) => {
                    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                    assert!(kinds.contains_key(name), "{series} is announced");
                    assert!(labels.is_empty() || labels.starts_with("core=\"") && labels.ends_with("\"}"));
                    let value: f64 = value.parse().expect("a number");
                    assert!(value >= 0.0 && values.insert(series, value).is_none(), "{line}");
                }
            }
        }
        for core in 0..stage.cores {
            for (name, _) in kinds.iter().filter(|(name, _)| **name != "socketville_sends_per_frame") {
                let series = format!("{name}{{core=\"{core}\"}}");
                assert!(values.contains_key(series.as_str()), "{series}");
            }
        }
        let sum = |name: &str| -> f64 {
            values.iter().filter(|(series, _)| series.starts_with(name)).map(|(_, value)| value).sum()
        };
        assert_eq!((sum("socketville_emits_total"), sum("socketville_sockets{")), (4.0, 1.0));
        assert!(values["socketville_sends_per_frame"] > 0.0);
    });
}
