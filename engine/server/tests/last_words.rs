//! What clients have not taken when a server has ended is counted, whatever ended it: the window, or that nobody is left who could take it.

mod hand;

use hand::Hand;
use socketville::{Server, Socket};

/// A client that polls on a new connection each time has none when the server stops, and what is due to it is lost.
#[test]
fn what_a_poller_without_a_connection_has_not_fetched_is_counted() {
    let io = Server::builder();
    io.on_connect(|socket: Socket| socket.emit("due", 1));
    let mut hand = Hand::new(io, 1);
    let ask = |hand: &mut Hand, head: &str, body: &str| {
        let wire = hand.connect(0);
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        hand.send(wire, request.as_bytes());
        hand.settle();
        String::from_utf8(hand.bytes(wire)).expect("UTF-8")
    };
    let target = "/socket.io/?EIO=4&transport=polling";
    let answer = ask(&mut hand, &format!("GET {target}"), "");
    let sid =
        answer.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned();
    ask(&mut hand, &format!("POST {target}&sid={sid}"), "40");
    hand.pass_ms(10_000);
    assert_eq!(hand.machine.report(0).gauges.connections, 0);
    hand.emitter().stop();
    (0..100).for_each(|_| _ = hand.turn(0));
    let (clients, bytes) = hand.machine.cut_off();
    assert!(clients == 1 && bytes >= "42[\"due\",1]".len() as u64, "{clients} clients, {bytes} bytes");
}
