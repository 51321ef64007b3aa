//! Clients of Engine.IO 3 beside those of 4, as handlers meet them. Not their wire, which `hub` proves; the official ones are in `compat-tests`.

mod client;
mod stage;

use serde_json::json;
use socketville::{Ack, Binary, Builder, Recovery, Refusal, Socket};

use client::Client;
use stage::on_each;

const OLD: &str = "/socket.io/?EIO=3&transport=websocket";

fn build(io: &Builder) {
    io.allow_eio3(true).on_connect(|socket: Socket| {
        let has_address = socket.handshake().address().is_some();
        socket.emit("hello", (socket.protocol(), socket.id(), has_address));
    });
    io.on("tell", |socket: Socket, ack: Ack| {
        socket.nsp().emit("news", Binary(vec![1, 2, 3]));
        ack.send(());
    });
    io.of("/a").on_connect(|socket: Socket, auth: serde_json::Value| {
        socket.emit("hello", (socket.protocol(), socket.id(), auth, socket.is_recovered()));
    });
    io.of("/no")
        .use_middleware(async |_socket: Socket| Err(Refusal::from("no").with_data(json!({"why": 1}))));
}

/// A client of Engine.IO 3 whose `open` packet has come; its session's id.
fn open(address: std::net::SocketAddr) -> (Client, String) {
    let mut client = Client::raw(address, OLD);
    let open: serde_json::Value = serde_json::from_str(&client.text()[1..]).expect("JSON");
    let sid = open["sid"].as_str().expect("an id").to_owned();
    (client, sid)
}

#[test]
fn the_main_namespace_is_joined_unasked_and_others_with_a_query() {
    on_each(build, |stage| {
        let (mut client, sid) = open(stage.address);
        assert_eq!(client.text(), "40");
        assert_eq!(client.text(), format!(r#"42["hello",3,"{sid}",true]"#));
        client.send_text("40/a?x=1,");
        assert_eq!(client.text(), "40/a,");
        assert_eq!(client.text(), format!(r#"42/a,["hello",3,"/a#{sid}",{{"x":"1"}},false]"#));
        client.send_text("40/no,");
        assert_eq!(client.text(), r#"44/no,{"why":1}"#);
        client.send_text("2");
        assert_eq!(client.text(), "3");
    });
}

/// A broadcast reaches both, from whichever core, each in its form.
#[test]
fn both_revisions_hear_a_broadcast() {
    on_each(build, |stage| {
        let mut old: Vec<_> = (0..6).map(|_| open(stage.address).0).collect();
        for client in &mut old {
            assert!(client.text() == "40" && client.text().contains("hello"));
        }
        let mut speaker = Client::connect(stage.address);
        speaker.ask(1, r#"["tell"]"#);
        for client in &mut old {
            assert_eq!(client.text(), r#"451-["news",{"_placeholder":true,"num":0}]"#);
            assert_eq!(client.text(), "\u{4}\u{1}\u{2}\u{3}", "the attachment, behind its type");
        }
        let again: u64 = stage.reports().iter().map(|report| report.hub.encodes_v3).sum();
        assert!((1..=stage.cores as u64).contains(&again), "{again} on {} cores", stage.cores);
    });
}

/// Recovery is for clients that can say what they were: a query that looks like it changes nothing.
#[test]
fn no_client_of_the_third_revision_recovers() {
    let build = |io: &Builder| {
        build(io);
        io.connection_state_recovery(Recovery::default());
    };
    on_each(build, |stage| {
        let (mut client, sid) = open(stage.address);
        assert_eq!((client.text(), client.text().contains("hello")), ("40".into(), true));
        client.send_text("40/a?pid=whoever&offset=0.1,");
        assert_eq!(client.text(), "40/a,", "no id, no private one");
        let hello = client.text();
        let expected = format!(r#"42/a,["hello",3,"/a#{sid}",{{"offset":"0.1","pid":"whoever"}},false"#);
        assert!(hello.starts_with(&expected), "{hello}");
    });
}
