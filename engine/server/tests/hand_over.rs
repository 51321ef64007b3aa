//! Invariant 12: a session never changes core; a connection goes to its session's core, between requests, whatever came on it before.
//! Not polling's own rules (the hub's tests): here the question is only who answers, and that nothing is lost or doubled on the way.

mod client;
mod stage;

use serde_json::json;
use socketville::{Ack, Builder, Socket};

use client::Client;
use client::http::{Http, Polling, request};
use stage::{Stage, core_name, on_cores};

fn echoing(io: &Builder) {
    io.on("echo", |number: u64, ack: Ack| ack.send(number))
        .on("say", |socket: Socket, number: u64| socket.nsp().emit("said", number));
}

/// Sessions on both cores, opened over connections that are used for others afterwards.
fn sessions(connections: &mut [Http], sessions: usize) -> Vec<Polling> {
    let count = connections.len();
    let opened: Vec<_> = (0..sessions).map(|index| Polling::open(&mut connections[index % count])).collect();
    for core in 0..2 {
        let here = opened.iter().filter(|session| session.sid.starts_with(core_name(core))).count();
        assert!(here > 0, "core {core} has sessions");
    }
    opened
}

/// Connections until both cores have accepted some.
fn connections(stage: &Stage, least: usize) -> Vec<Http> {
    let mut connections = Vec::new();
    while connections.len() < least || stage.reports().iter().any(|report| report.hub.connections_opened == 0)
    {
        assert!(connections.len() < 200, "the kernel uses every listener");
        let mut http = stage.http();
        assert_eq!(http.request("GET", "/nothing", "").status, 404, "it is accepted");
        connections.push(http);
    }
    connections
}

#[test]
fn requests_land_anywhere_and_sessions_stay() {
    const SESSIONS: usize = 24;
    const ROUNDS: usize = 12;
    on_cores(&[2], echoing, |stage| {
        let mut http = connections(stage, 5);
        let mut sessions = sessions(&mut http, SESSIONS);
        let of_core =
            |core| sessions.iter().filter(|session| session.sid.starts_with(core_name(core))).count();
        let expected = [of_core(0), of_core(1)];
        for round in 0..ROUNDS {
            for (index, session) in sessions.iter_mut().enumerate() {
                let (there, back) = ((index + round) % http.len(), (3 * index + round + 1) % http.len());
                let number = round * SESSIONS + index;
                session.post(&mut http[there], &format!("42{number}[\"echo\",{number}]"));
                let answer = session.packet(&mut http[back]);
                assert_eq!((answer.id, answer.args), (Some(number as u64), json!([number])));
            }
            let found: Vec<_> = stage.reports().iter().map(|report| report.gauges.sessions).collect();
            assert_eq!(found, expected, "round {round}");
        }
        assert!(stage.sum(|report| report.turns.connections_passed) > 0);
        assert_eq!(stage.sum(|report| report.hub.protocol_errors), 0);
    });
}

#[test]
fn parked_polls_are_answered_wherever_they_came_from() {
    const SESSIONS: usize = 16;
    on_cores(&[2], echoing, |stage| {
        let mut parked = connections(stage, SESSIONS);
        let mut sessions = sessions(&mut parked, SESSIONS);
        let mut other = stage.http();
        for round in 0..8 {
            for (index, session) in sessions.iter().enumerate() {
                session.begin_poll(&mut parked[(index + round) % SESSIONS]);
            }
            match round % 2 {
                0 => stage.emitter.emit("said", round),
                _ => sessions[round].post(&mut other, &format!("42[\"say\",{round}]")),
            }
            for (index, session) in sessions.iter_mut().enumerate() {
                session.end_poll(&mut parked[(index + round) % SESSIONS]);
                assert_eq!(session.packet(&mut other).brief(), ("said".into(), json!(round)));
            }
        }
    });
}

/// A client may send requests without waiting for answers (RFC 9112 section 9.3.2): what was read with the first goes with it.
#[test]
fn pipelined_requests_go_along() {
    on_cores(&[2], echoing, |stage| {
        let mut http = connections(stage, 4);
        let mut sessions = sessions(&mut http, 16);
        let core = sessions[0].sid[..1].to_owned();
        sessions.retain(|session| session.sid.starts_with(&core));
        let (mut one, mut two) = (sessions.remove(0), sessions.pop().expect("several of a core"));
        for (number, connection) in http.iter_mut().enumerate() {
            let mut pipeline = String::new();
            for session in [&one, &two, &one] {
                pipeline += &request("POST", &session.target(), &format!("421[\"echo\",{number}]"));
            }
            for session in [&two, &one] {
                pipeline += &request("GET", &session.target(), "");
            }
            pipeline += &request("GET", "/nothing", "");
            connection.send(&pipeline);
            for _ in 0..3 {
                assert_eq!(connection.reply().expect("an answer").body, "ok");
            }
            two.end_poll(connection);
            one.end_poll(connection);
            assert_eq!(connection.reply().expect("an answer").status, 404);
            let mut answers = vec![two.packet(connection)];
            answers.extend((0..2).map(|_| one.packet(connection)));
            assert!(answers.iter().all(|answer| answer.args == json!([number])), "{answers:?}");
        }
        assert!(stage.sum(|report| report.turns.connections_passed) > 0);
    });
}

#[test]
fn upgrades_find_their_session() {
    const SESSIONS: usize = 12;
    on_cores(&[2], echoing, |stage| {
        let mut http = connections(stage, 4);
        let sessions = sessions(&mut http, SESSIONS);
        let passed = stage.sum(|report| report.turns.connections_passed);
        let mut clients: Vec<_> = sessions
            .iter()
            .map(|session| {
                let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", session.sid);
                let mut client = Client::raw(stage.address, &path);
                client.send_text("2probe");
                assert_eq!(client.text(), "3probe");
                client.send_text("5");
                client
            })
            .collect();
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.ask(1, &json!(["echo", number]).to_string()), json!([number]));
        }
        stage.emitter.emit("said", 1);
        for client in &mut clients {
            assert_eq!(client.event("said"), json!([1]));
        }
        assert_eq!(stage.sum(|report| report.hub.upgrades), SESSIONS as u64);
        assert!(stage.sum(|report| report.turns.connections_passed) >= passed);
    });
}

#[test]
fn sessions_that_nobody_has_are_refused_by_whoever_is_asked() {
    on_cores(&[2], echoing, |stage| {
        for mut http in connections(stage, 4) {
            for sid in
                ["AAAAAAAAAAAAAAAAAAAA", "BAAAAAAAAAAAAAAAAAAA", "CAAAAAAAAAAAAAAAAAAA", "short", "B\u{e9}"]
            {
                let reply =
                    http.request("GET", &format!("/socket.io/?EIO=4&transport=polling&sid={sid}"), "");
                assert_eq!(reply.status, 400, "{sid}: {reply:?}");
            }
        }
    });
}
