//! Broadcasts to the same recipients become due in one walk: the same packets, in the same order, in the same sends as one by one.

mod pair;

use pair::{Pair, names};
use socketville_hub::limits::BUNDLE_BYTES_MAX;
use socketville_hub::{Config, Deflate, Selector};
use socketville_proto::encode::Kind;

impl Pair {
    fn bundle(&mut self, to: &[&str], json: &str) {
        let (nsp, to) = (self.nsp("/"), names(to));
        let selector = Selector { to: &to, ..Selector::default() };
        assert!(self.hub.bundle(nsp, &selector, Kind::Event, json.as_bytes(), &[]).is_none());
    }
}

#[test]
fn a_bundle_is_due_when_it_is_released() {
    let mut pair = Pair::new();
    let (ws, polling) = (pair.join_websocket(), pair.join_polling());
    let before = pair.hub.counters;
    (1..=3).for_each(|number| pair.bundle(&[], &format!("[{number}]")));
    assert!(pair.hub.is_due() && !pair.hub.outbox.is_dirty());
    pair.hub.release();
    assert!(pair.hub.is_due() && pair.hub.outbox.is_dirty() && !pair.hub.is_bundling());
    let sends = pair.sends;
    pair.turn();
    assert_eq!(pair.sends - sends, 1, "one send for all three");
    assert_eq!(pair.frames(ws.conn), ["42[1]", "42[2]", "42[3]"]);
    assert_eq!(pair.poll(&polling).as_deref(), Some("42[1]\x1e42[2]\x1e42[3]"));
    let after = pair.hub.counters;
    assert_eq!((after.emits - before.emits, after.frames_out - before.frames_out), (3, 6));
}

#[test]
fn other_recipients_begin_another_bundle() {
    let mut pair = Pair::new();
    let (member, guest) = (pair.join_websocket(), pair.join_websocket());
    pair.hub.join(member.key, "r").expect("a room");
    for (number, to) in [&[][..], &[], &["r"], &["r"], &[], &["r"], &["s"], &["r"]].into_iter().enumerate() {
        pair.bundle(to, &format!("[{number}]"));
    }
    pair.hub.release();
    pair.turn();
    assert_eq!(pair.frames(member.conn), [0, 1, 2, 3, 4, 5, 7].map(|number| format!("42[{number}]")));
    assert_eq!(pair.frames(guest.conn), [0, 1, 4].map(|number| format!("42[{number}]")));
}

/// What cannot wait, or counts whom it reaches, comes after what was bundled before.
#[test]
fn a_bundle_stands_before_what_follows() {
    let mut pair = Pair::new();
    let (client, other) = (pair.join_websocket(), pair.join_websocket());
    let (nsp, all) = (pair.nsp("/"), Selector::default());
    pair.bundle(&[], "[1]");
    assert_eq!(pair.broadcast(&[], "[2]"), 2);
    pair.bundle(&[], "[3]");
    let volatile = Selector { volatile: true, ..all };
    pair.hub.bundle(nsp, &volatile, Kind::Event, b"[4]", &[]);
    pair.bundle(&[], "[5]");
    let skipping = Selector { skip: Some(other.id), ..all };
    pair.hub.bundle(nsp, &skipping, Kind::Event, b"[6]", &[]);
    pair.turn();
    assert_eq!(pair.frames(client.conn), [1, 2, 3, 5, 6].map(|number| format!("42[{number}]")));
    assert_eq!(pair.hub.counters.volatile_dropped, 2, "the transport was busy with what was bundled");
}

#[test]
fn a_bundle_has_a_limit() {
    let mut pair = Pair::new();
    let client = pair.join_websocket();
    let json = format!("[\"{}\"]", "x".repeat(BUNDLE_BYTES_MAX / 4));
    (0..9).for_each(|_| pair.bundle(&[], &json));
    assert!(pair.hub.outbox.is_dirty() && pair.hub.is_bundling());
    pair.hub.release();
    pair.turn();
    assert_eq!(pair.frames(client.conn), vec![format!("42{json}"); 9]);
}

/// Each packet is a message of its own; two that were compressed as one would be one.
#[test]
fn where_packets_are_compressed_nothing_is_bundled() {
    let mut pair = Pair::with(Config { per_message_deflate: Some(Deflate::default()), ..Config::default() });
    pair.join_websocket();
    pair.bundle(&[], "[1]");
    assert!(!pair.hub.is_bundling() && pair.hub.outbox.is_dirty());
}

/// A record of another core is bundled like a broadcast of this one's.
#[test]
fn records_are_bundled() {
    let mut cores: Vec<_> = (0..2).map(|core| Pair::core(Config::default(), core, 2)).collect();
    let client = cores[1].join_websocket();
    let nsp = cores[0].nsp("/");
    for json in ["[1]", "[2]"] {
        let record = cores[0].hub.bundle(nsp, &Selector::default(), Kind::Event, json.as_bytes(), &[]);
        cores[1].hub.bundle_record(&record.expect("a record for the others"));
    }
    assert!(cores[1].hub.is_bundling() && !cores[1].hub.outbox.is_dirty());
    let record = cores[0].hub.broadcast(nsp, &Selector::default(), Kind::Event, b"[3]", &[]).record;
    assert_eq!(cores[1].hub.deliver_record(&record.expect("a record for the others")), 1);
    cores[1].turn();
    assert_eq!(cores[1].frames(client.conn), ["42[1]", "42[2]", "42[3]"]);
}
