//! Answers to polls are compressed once for the same bytes, and within a budget a turn; beyond it they go as they are (`httpCompression`).

mod pair;

use pair::Pair;
use pair::client::{Client, poll};
use socketville_hub::limits::POLL_DEFLATE_BYTES_PER_TURN;

fn waiting(pair: &mut Pair, clients: usize, coding: &str) -> Vec<Client> {
    let clients: Vec<Client> = (0..clients).map(|_| pair.join_polling()).collect();
    clients.iter().for_each(|client| ask(pair, client, coding));
    clients
}

fn ask(pair: &mut Pair, client: &Client, coding: &str) {
    let head = format!("\r\nAccept-Encoding: {coding}\r\n\r\n");
    pair.feed(client.conn, poll(&client.sid).replace("\r\n\r\n", &head));
}

/// An event of so many bytes, that differs from others.
fn event(number: usize, bytes: usize) -> String {
    format!("[\"e\",{number},\"{}\"]", "x".repeat(bytes))
}

/// Whether the answer is in a coding, and what it is as a whole.
fn answered(pair: &mut Pair, client: &Client) -> (bool, Vec<u8>) {
    let bytes = pair.take(client.conn);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    (head.contains("Content-Encoding: "), bytes)
}

#[test]
fn a_broadcast_is_compressed_once_for_all_who_poll() {
    let mut pair = Pair::new();
    let (gzip, deflate) = (waiting(&mut pair, 100, "gzip"), waiting(&mut pair, 100, "deflate"));
    assert_eq!(pair.broadcast(&[], &event(1, 100_000)), 200);
    pair.turn();
    assert_eq!((pair.hub.counters.poll_deflates, pair.hub.counters.polls_uncompressed), (2, 0));
    for clients in [gzip, deflate] {
        let answers: Vec<_> = clients.iter().map(|client| answered(&mut pair, client)).collect();
        assert!(answers[0].0 && answers[0].1.len() < 2_000);
        assert!(answers.iter().all(|answer| *answer == answers[0]));
    }
}

/// Of different bodies for many sessions a turn compresses 512 KiB.
#[test]
fn what_a_turn_compresses_is_bounded_and_the_rest_goes_as_it_is() {
    const BYTES: usize = 100_000;
    let mut pair = Pair::new();
    let clients = waiting(&mut pair, 20, "gzip");
    for turn in 0..2 {
        for (number, client) in clients.iter().enumerate() {
            assert!(pair.emit(client.key, &event(number, BYTES)));
        }
        pair.turn();
        let answers: Vec<_> = clients.iter().map(|client| answered(&mut pair, client)).collect();
        let compressed = answers.iter().filter(|(is_compressed, _)| *is_compressed).count();
        assert_eq!(compressed, POLL_DEFLATE_BYTES_PER_TURN / BYTES, "in turn {turn}");
        for (is_compressed, bytes) in &answers {
            assert!(*is_compressed || bytes.ends_with(b"xxx\"]"), "it is whole");
        }
        let done = (turn + 1) * compressed;
        assert_eq!(pair.hub.counters.poll_deflates, done as u64);
        assert_eq!(pair.hub.counters.polls_uncompressed, (20 * (turn + 1) - done) as u64);
        clients.iter().for_each(|client| ask(&mut pair, client, "gzip"));
    }
}

/// A backlog of a megabyte that is fetched at once would take 30 ms.
#[test]
fn a_body_beyond_the_budget_goes_as_it_is() {
    let mut pair = Pair::new();
    let client = pair.join_polling();
    assert!(pair.emit(client.key, &event(0, POLL_DEFLATE_BYTES_PER_TURN)));
    ask(&mut pair, &client, "gzip");
    pair.turn();
    let (is_compressed, bytes) = answered(&mut pair, &client);
    assert!(!is_compressed && bytes.len() > POLL_DEFLATE_BYTES_PER_TURN);
}
