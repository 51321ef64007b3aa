//! The protocol's own answers and pings leave ahead of broadcasts: a newcomer and a heartbeat wait for their turn, not for a send to everybody.

mod pair;

use pair::client::{text, upgrade};
use pair::{Client, Pair};
use socketville_hub::{Batch, Config, ConnId, Look, Settled};

/// The connection that the next send is for; the kernel takes it whole.
fn next(pair: &mut Pair) -> Option<ConnId> {
    let (mut batch, mut settled) = (Batch::default(), Settled::default());
    pair.hub.outbox.take_batch(&mut batch, 1);
    let conn = pair.hub.outbox.slices(&batch).next().map(|(conn, _)| conn);
    pair.hub.outbox.settle(&batch, &[], &mut settled);
    conn
}

fn crowd(pair: &mut Pair) -> Vec<Client> {
    (0..5).map(|_| pair.join_websocket()).collect()
}

#[test]
fn a_newcomer_waited_three_times_for_a_send_to_everybody() {
    let mut pair = Pair::new();
    crowd(&mut pair);
    let newcomer = pair.open();
    for step in [upgrade("/socket.io/?EIO=4&transport=websocket").into_bytes(), text("40")] {
        pair.broadcast(&[], "[1]");
        pair.feed(newcomer, step);
        assert_eq!(next(&mut pair), Some(newcomer));
        pair.turn();
    }
}

#[test]
fn a_ping_waited_for_a_send_to_everybody() {
    let mut pair = Pair::new();
    let old = pair.join_websocket();
    pair.pass_ms(1000);
    let others = crowd(&mut pair);
    others.iter().for_each(|other| assert!(pair.emit(other.key, "[1]")));
    pair.now_ms += Config::default().ping_interval.ms() - 1000;
    pair.hub.handle_timers(pair.now_ms, Look::Quiet);
    assert_eq!(next(&mut pair), Some(old.conn));
    pair.turn();
    assert!(others.iter().all(|other| pair.frames(other.conn) == ["42[1]"]));
}
