//! Compression of what is sent: once a packet and window, to those who agreed upon it, in order (RFC 7692).
//!
//! Not inflating what clients compress: that is proved in `proto` and with the official client.

mod pair;

use pair::Pair;
use pair::client::{Client, text, upgrade};
use socketville_hub::{Config, Deflate};
use socketville_proto::ws::{Deflater, Window};

const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

fn deflating() -> Pair {
    Pair::with(Config { per_message_deflate: Some(Deflate::default()), ..Config::default() })
}

/// A client in `/` that offers an extension.
fn join(pair: &mut Pair, offer: &str) -> Client {
    let conn = pair.open();
    let request =
        upgrade(WEBSOCKET).replace("\r\n\r\n", &format!("\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n"));
    assert_eq!(pair.ask(conn, request).expect("an answer").status, 101);
    pair.say(conn, text("40"));
    let (key, id) = *pair.sockets.last().expect("a socket");
    assert_eq!(pair.frames(conn).len(), 2, "the handshake and CONNECT, plain");
    Client { sid: String::new(), conn, post: conn, key, id }
}

/// An event of some 2 KiB.
fn event(i: usize) -> String {
    format!("[\"news\",\"{}\"]", format!("{i} of many, ").repeat(150))
}

/// The frames of all these events, compressed and plain.
fn forms(events: &[String], window: Window) -> (Vec<u8>, Vec<u8>) {
    let mut pair = Pair::new();
    let client = pair.join_websocket();
    let (mut deflated, mut plain, mut deflater) = (Vec::new(), Vec::new(), Deflater::new(2, window));
    for event in events {
        pair.emit(client.key, event);
        pair.turn();
        let frame = pair.take(client.conn);
        deflated.extend_from_slice(deflater.deflate(&frame, 0).unwrap_or(&frame));
        plain.extend_from_slice(&frame);
    }
    (deflated, plain)
}

/// Issue 3: one compression a broadcast and window, whatever the number of clients; a burst stays one send.
#[test]
fn a_broadcast_is_compressed_once_for_all_of_a_window() {
    let mut pair = deflating();
    let full: Vec<Client> =
        (0..5).map(|_| join(&mut pair, "permessage-deflate; client_max_window_bits")).collect();
    let small: Vec<Client> =
        (0..5).map(|_| join(&mut pair, "permessage-deflate; server_max_window_bits=12")).collect();
    let plain: Vec<Client> = (0..5).map(|_| pair.join_websocket()).collect();
    let events: Vec<String> = (0..3).map(event).collect();
    pair.sends = 0;
    for event in &events {
        assert_eq!(pair.broadcast(&[], event), 15);
    }
    pair.turn();
    assert_eq!(pair.sends, 15, "one send a client: compressed packets lie side by side");
    for (clients, window) in [(&full, Window::Full), (&small, Window::Small)] {
        let (deflated, _) = forms(&events, window);
        assert!(deflated.len() < 600);
        clients.iter().for_each(|client| assert_eq!(pair.take(client.conn), deflated));
    }
    let (_, bytes) = forms(&events, Window::Full);
    plain.iter().for_each(|client| assert_eq!(pair.take(client.conn), bytes));
    let counters = pair.hub.counters;
    assert_eq!((counters.deflates, counters.encodes), (6, 3));
    assert_eq!(counters.deflate_bytes_in, 2 * bytes.len() as u64);
    assert!(counters.deflate_bytes_out < 1200);
}

/// RFC 7692 section 6: compressed and plain messages may alternate; what is below the threshold is not compressed.
#[test]
fn small_and_large_packets_keep_their_order() {
    let mut pair = deflating();
    let client = join(&mut pair, "permessage-deflate");
    let events: Vec<String> =
        (0..6).map(|i| if i % 2 == 0 { event(i) } else { format!("[\"small\",{i}]") }).collect();
    for (i, event) in events.iter().enumerate() {
        if i < 3 {
            pair.broadcast(&[], event)
        } else {
            usize::from(pair.emit(client.key, event))
        };
    }
    pair.turn();
    let expected: Vec<u8> = events
        .iter()
        .flat_map(|event| match forms(std::slice::from_ref(event), Window::Full) {
            (deflated, plain) if plain.len() >= 1024 => deflated,
            (_, plain) => plain,
        })
        .collect();
    assert_eq!(pair.take(client.conn), expected);
    assert_eq!(pair.hub.counters.deflates, 3);
}

/// Reliability 5.4: what a slow reader is owed outlives the arenas, compressed or not.
#[test]
fn a_slow_reader_gets_compressed_packets_whole() {
    let mut pair = deflating();
    let client = join(&mut pair, "permessage-deflate");
    let events: Vec<String> = (0..20).map(event).collect();
    for (i, event) in events.iter().enumerate() {
        pair.limit(client.conn, i % 3 * 40);
        pair.broadcast(&[], event);
        pair.turn();
    }
    pair.limit(client.conn, usize::MAX);
    pair.turn();
    assert_eq!(pair.take(client.conn), forms(&events, Window::Full).0);
}

/// RFC 7692 section 5.1: without the option, or without an offer that can be met, nothing is compressed.
#[test]
fn nothing_is_compressed_that_was_not_agreed_upon() {
    let events = [event(1)];
    let (_, plain) = forms(&events, Window::Full);
    for (mut pair, offer) in [(Pair::new(), "permessage-deflate"), (deflating(), "permessage-brotli")] {
        let client = join(&mut pair, offer);
        pair.broadcast(&[], &events[0]);
        pair.turn();
        assert_eq!(pair.take(client.conn), plain);
        assert_eq!(pair.hub.counters.deflates, 0);
    }
}

/// Polling gets the packet's text, whoever else has it compressed.
#[test]
fn polling_is_not_compressed() {
    let mut pair = deflating();
    let (polls, _) = (pair.join_polling(), join(&mut pair, "permessage-deflate"));
    assert_eq!(pair.broadcast(&[], &event(1)), 2);
    assert_eq!(pair.poll(&polls), Some(format!("42{}", event(1))));
}
