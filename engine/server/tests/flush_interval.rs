//! Flush intervals on real servers: fewer sends, the same events, on every core, in every kind of namespace.
//! Not how long something waits, which is the hub's own test with a clock of its own.

mod client;
mod stage;

use std::time::Duration;

use serde_json::json;
use socketville::{Ack, Builder, CoreReport, Socket, yield_now};

use client::http::Polling;
use client::packet::Kind;
use stage::{Stage, on_each};

/// Turns that speak; each would be a send to each listener.
const EVENTS: u64 = 30;

/// The longest that there is, so that not even a loaded machine takes so long over a few turns.
const INTERVAL: Duration = Duration::from_millis(250);

/// Broadcasts in as many turns, then answers.
async fn speak(socket: Socket, allowance: Option<Duration>, ack: Ack) {
    for number in 0..EVENTS {
        let broadcast = socket.broadcast();
        match allowance {
            Some(allowance) => broadcast.flush_within(allowance).emit("said", number),
            None => broadcast.emit("said", number),
        }
        yield_now().await;
    }
    ack.send(());
}

fn town(io: &Builder) {
    let as_is = async |socket: Socket, ack: Ack| speak(socket, None, ack).await;
    let at_once = async |socket: Socket, ack: Ack| speak(socket, Some(Duration::ZERO), ack).await;
    let waiting = async |socket: Socket, ack: Ack| speak(socket, Some(INTERVAL), ack).await;
    io.of("/").on("as it is", as_is).on("waiting", waiting);
    io.of("/slow").flush_interval(INTERVAL).on("as it is", as_is).on("at once", at_once);
    io.of_pattern("^/child-").flush_interval(INTERVAL).on("as it is", as_is);
}

/// Sends that it took until every listener had every event, in order.
fn sends(stage: &Stage, nsp: &str, event: &str) -> u64 {
    let sends = |report: &CoreReport| report.turns.sends;
    let mut listeners = stage.clients_per_core(3);
    let mut speaker = stage.client();
    if nsp != "/" {
        listeners.iter_mut().chain([&mut speaker]).for_each(|client| drop(client.join(nsp, "")));
    }
    let scope = if nsp == "/" { String::new() } else { format!("{nsp},") };
    let before = stage.sum(sends);
    speaker.send_text(&format!("42{scope}1[\"{event}\"]"));
    speaker.answer(1);
    for listener in &mut listeners {
        for number in 0..EVENTS {
            let packet = listener.next(|packet| packet.kind == Kind::Event);
            assert_eq!((packet.nsp.as_str(), packet.args), (nsp, json!(["said", number])));
        }
    }
    stage.sum(sends) - before
}

#[test]
fn an_interval_makes_sends_fewer() {
    on_each(town, |stage| {
        let listeners = 3 * stage.cores as u64;
        for (nsp, event) in [("/", "waiting"), ("/slow", "as it is"), ("/child-1", "as it is")] {
            let sends = sends(stage, nsp, event);
            assert!(sends < listeners * EVENTS / 4, "{nsp}, {event}: {sends} sends to {listeners}");
        }
    });
}

/// The other side of the test above: without an interval, turns are sends.
#[test]
fn without_an_interval_every_turn_sends() {
    stage::on_cores(&[1], town, |stage| {
        for (nsp, event) in [("/", "as it is"), ("/slow", "at once")] {
            let sends = sends(stage, nsp, event);
            assert!(sends > 3 * EVENTS / 2, "{nsp}, {event}: {sends} sends");
        }
    });
}

/// A poll that waits on any core is answered with all that came while it was allowed to.
#[test]
fn polls_wait_too() {
    on_each(town, |stage| {
        let mut https: Vec<_> = (0..4).map(|_| stage.http()).collect();
        let mut polling: Vec<_> = https.iter_mut().map(Polling::open).collect();
        polling.iter().zip(&mut https).for_each(|(client, http)| client.begin_poll(http));
        let requests = |report: &CoreReport| report.hub.requests;
        let before = stage.sum(requests);
        stage.client().ask(1, r#"["waiting"]"#);
        for (client, http) in polling.iter_mut().zip(&mut https) {
            client.end_poll(http);
            for number in 0..EVENTS {
                assert_eq!(client.packet(http).args, json!(["said", number]));
            }
        }
        let requests = stage.sum(requests) - before;
        assert!(requests < 4 * EVENTS / 4, "{requests} polls for {EVENTS} events to four");
    });
}

/// Threads that are no core's speak with the namespace's interval, and their own.
#[test]
fn emitters_wait_too() {
    on_each(town, |stage| {
        let mut listener = stage.client();
        listener.join("/slow", "");
        stage.emitter.of("/slow").emit("said", 1);
        stage.emitter.of("/slow").flush_within(Duration::ZERO).emit("said", 2);
        stage.emitter.of("/").flush_within(INTERVAL).emit("said", 3);
        for number in 1..=3 {
            assert_eq!(listener.next(|packet| packet.kind == Kind::Event).args, json!(["said", number]));
        }
    });
}
