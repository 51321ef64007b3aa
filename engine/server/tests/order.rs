//! Invariant 9: order on a socket is the order of calls. A broadcast before a direct emit, a leave or a disconnect arrives before it.
//! Not order between sockets, nor between cores: there is none to promise.

mod client;
mod stage;

use std::time::Duration;

use serde_json::{Value, json};
use socketville::{Ack, Binary, Builder, Socket};

use client::http::Polling;
use client::packet::{Kind, Packet};
use stage::{Stage, on_each};

/// Everything that a handler can say, mixed; how often each number is heard says the test.
fn mix(socket: Socket, ack: Ack) {
    socket.emit("direct", 0);
    socket.nsp().emit("all", 1);
    socket.emit("direct", 2);
    let _ = socket.join("room");
    socket.nsp().to("room").emit("room", 3);
    socket.to("room").emit("others", 4);
    socket.emit("binary", (5, Binary(vec![5])));
    socket.emitter().to("room").emit("room", 6);
    socket.leave("room");
    socket.nsp().to("room").emit("room", 7);
    socket.emitter().emit("all", 8);
    socket.nsp().except(socket.id()).emit("others", 9);
    ack.send(10);
    socket.emit("direct", 11);
    socket.nsp().emit("all", 12);
}

fn mixed(io: &Builder) {
    io.on("mix", mix).on("mix and leave", |socket: Socket, ack: Ack| {
        mix(socket.clone(), ack);
        socket.disconnect();
        socket.emit("direct", 13);
        socket.nsp().emit("others", 14);
    });
    io.on("mix and close", |socket: Socket, ack: Ack| {
        mix(socket.clone(), ack);
        socket.disconnect_all();
        socket.nsp().emit("others", 14);
    });
    io.on("mix later", async |socket: Socket, ack: Ack| {
        socketville::yield_now().await;
        mix(socket, ack);
    });
}

/// With and without a flush interval, which changes nothing of the order.
fn on_each_mixed(check: impl Fn(&Stage)) {
    on_each(mixed, &check);
    let waiting = |io: &Builder| {
        mixed(io);
        io.of("/").flush_interval(Duration::from_millis(20));
    };
    on_each(waiting, check);
}

const OWN: [u64; 10] = [0, 1, 2, 3, 5, 6, 8, 10, 11, 12];
const OF_OTHERS: [u64; 4] = [1, 8, 9, 12];

/// The numbers of events and acknowledgements.
fn numbers(packets: &[Packet]) -> Vec<u64> {
    let first = |packet: &Packet| match packet.kind {
        Kind::Ack => packet.args[0].as_u64(),
        _ => packet.args[1].as_u64(),
    };
    packets.iter().filter_map(first).collect()
}

fn kinds(packets: &[Packet]) -> Vec<Kind> {
    packets.iter().map(|packet| packet.kind).collect()
}

#[test]
fn what_a_handler_says_arrives_in_its_order() {
    on_each_mixed(|stage| {
        let mut others = stage.clients_per_core(1);
        for event in ["mix", "mix later"] {
            let mut client = stage.client();
            client.send_text(&format!("427[\"{event}\"]"));
            let heard: Vec<_> = OWN.iter().map(|_| client.packet()).collect();
            assert_eq!(numbers(&heard), OWN, "{event}");
            assert_eq!(client.before_fence(), []);
            stage.reports();
            for other in &mut others {
                assert_eq!(numbers(&other.before_fence()), OF_OTHERS, "{event}");
            }
        }
    });
}

#[test]
fn what_was_said_before_a_disconnect_arrives_before_it() {
    on_each_mixed(|stage| {
        let mut others = stage.clients_per_core(1);
        let mut client = stage.client();
        client.send_text(r#"427["mix and leave"]"#);
        let mut heard: Vec<_> = (0..=OWN.len()).map(|_| client.packet()).collect();
        assert_eq!(heard.pop().map(|packet| packet.kind), Some(Kind::Disconnect));
        assert_eq!(numbers(&heard), OWN);
        let mut client = stage.client();
        client.send_text(r#"427["mix and close"]"#);
        let mut heard = client.until_closed();
        assert_eq!(heard.pop().map(|packet| packet.kind), Some(Kind::Disconnect), "{:?}", kinds(&heard));
        assert_eq!(numbers(&heard), OWN);
        stage.reports();
        for other in &mut others {
            assert_eq!(numbers(&other.before_fence()), [1, 8, 9, 12, 14, 1, 8, 9, 12, 14]);
        }
    });
}

#[test]
fn polling_has_the_same_order() {
    on_each_mixed(|stage| {
        let mut http = stage.http();
        let mut client = Polling::open(&mut http);
        client.post(&mut http, r#"427["mix"]"#);
        let heard: Vec<_> = OWN.iter().map(|_| client.packet(&mut http)).collect();
        assert_eq!(numbers(&heard), OWN);
        assert_eq!(heard[4].attachments, [[5]]);
        assert_eq!(client.before_fence(&mut http), []);
        client.post(&mut http, r#"428["mix and leave"]"#);
        let mut heard: Vec<_> = (0..=OWN.len()).map(|_| client.packet(&mut http)).collect();
        assert_eq!(heard.pop().map(|packet| packet.kind), Some(Kind::Disconnect));
        assert_eq!(numbers(&heard), OWN);
    });
}

/// Broadcasts to the same recipients become due together; who comes, goes or is spoken to in between finds them where they were called.
#[test]
fn broadcasts_that_become_due_together_stand_where_they_were_called() {
    let build = |io: &Builder| {
        io.on("burst", |socket: Socket, ack: Ack| {
            let room = |number: u32| socket.nsp().to("room").emit("room", number);
            (0..3).for_each(room);
            let _ = socket.join("room");
            (3..6).for_each(room);
            socket.emit("direct", 6);
            (7..9).for_each(room);
            (9..11).for_each(|number| socket.nsp().emit("all", number));
            (11..13).for_each(room);
            (13..15).for_each(|number| socket.nsp().volatile().emit("all", number));
            socket.leave("room");
            (15..18).for_each(room);
            (18..20).for_each(|number| socket.nsp().emit("all", number));
            ack.send(20);
        });
        io.on("join", |socket: Socket| {
            let _ = socket.join("room");
        });
    };
    on_each(build, |stage| {
        let mut members = stage.clients_per_core(1);
        members.iter_mut().for_each(|member| {
            member.emit("[\"join\"]");
            member.before_fence();
        });
        stage.reports();
        let mut client = stage.client();
        client.send_text(r#"427["burst"]"#);
        let heard: Vec<_> = (0..12).map(|_| client.packet()).collect();
        assert_eq!(numbers(&heard), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 18, 19]);
        assert_eq!(numbers(&[client.packet()]), [20]);
        stage.reports();
        for member in &mut members {
            let heard = numbers(&member.before_fence());
            let sure: Vec<_> = heard.into_iter().filter(|number| ![13, 14].contains(number)).collect();
            let expected: Vec<u64> = (0..20).filter(|number| ![6, 13, 14].contains(number)).collect();
            assert_eq!(sure, expected);
        }
    });
}

/// Events of one sender reach each receiver in the order in which they were sent, on every core.
#[test]
fn a_senders_broadcasts_stay_in_order() {
    const EVENTS: u64 = 400;
    let build = |io: &Builder| {
        io.on("say", |socket: Socket, number: Value| socket.broadcast().emit("said", number));
    };
    on_each(build, |stage| {
        let mut receivers = stage.clients_per_core(2);
        let mut sender = stage.client();
        (0..EVENTS).for_each(|number| sender.emit(&json!(["say", number]).to_string()));
        sender.before_fence();
        stage.reports();
        for receiver in &mut receivers {
            assert!((0..EVENTS).eq(numbers(&receiver.before_fence())), "each once and in order");
        }
    });
}
