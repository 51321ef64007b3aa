//! What a broadcast costs the hub, in nanoseconds: choosing whom it is for, making it due, and handing out what is due.
//! No kernel: what a send costs is measured in `bench`.
//!
//! `cargo bench -p socketville-hub` measures; run as tests, each runs once.

#[path = "../tests/pair/mod.rs"]
mod pair;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pair::{Pair, names};
use socketville_hub::{Batch, Hub, Manner, Selector, Settled, SocketKey};
use socketville_proto::encode;

/// Sockets of the fixture: enough that rooms are bitsets, few enough to be made in a moment.
const SOCKETS: usize = 1000;
/// As the server's flush.
const BATCH_ENTRIES: usize = 128;

/// A thousand sockets, each in one of a hundred rooms of ten, half of them in one large room.
fn town() -> (Pair, Vec<SocketKey>) {
    let mut pair = Pair::new();
    let keys: Vec<SocketKey> = (0..SOCKETS).map(|_| pair.join_websocket().key).collect();
    for (index, key) in keys.iter().enumerate() {
        pair.hub.join(*key, &format!("r{}", index / 10)).expect("room for a room");
        if index % 2 == 0 {
            pair.hub.join(*key, "half").expect("room for a room");
        }
    }
    (pair, keys)
}

fn payload() -> String {
    format!(r#"["msg","{}"]"#, "x".repeat(128))
}

/// The kernel takes everything.
fn flush(hub: &mut Hub, batch: &mut Batch, settled: &mut Settled) -> usize {
    let mut bytes = 0;
    loop {
        hub.outbox.take_batch(batch, BATCH_ENTRIES);
        if batch.is_empty() {
            return bytes;
        }
        bytes += hub.outbox.slices(batch).map(|(_, slice)| slice.len()).sum::<usize>();
        hub.outbox.settle(batch, &[], settled);
    }
}

fn selector(criterion: &mut Criterion) {
    let (pair, _) = town();
    let nsp = pair.nsp("/");
    let (to, except) = (names(&["half", "r1", "r2"]), names(&["r3"]));
    let mut group = criterion.benchmark_group("selector");
    group.bench_function("two rooms of ten, one of 500, but one", |bencher| {
        let selector = Selector { to: &to, except: &except, ..Selector::default() };
        bencher.iter(|| pair.hub.select(nsp, std::hint::black_box(&selector)));
    });
    group.finish();
}

fn fan_out(criterion: &mut Criterion) {
    let (mut pair, _) = town();
    let (nsp, json) = (pair.nsp("/"), payload());
    let (mut batch, mut settled) = (Batch::default(), Settled::default());
    let mut group = criterion.benchmark_group("fan-out");
    group.throughput(Throughput::Elements(SOCKETS as u64));
    for (name, frames) in [("1 frame, turn", 1), ("16 frames, turn", 16)] {
        group.bench_function(format!("{name}, {SOCKETS} sockets"), |bencher| {
            bencher.iter(|| {
                for _ in 0..frames {
                    let all = Selector::default();
                    pair.hub.bundle(nsp, &all, encode::Kind::Event, json.as_bytes(), &[]);
                }
                pair.hub.release();
                flush(&mut pair.hub, &mut batch, &mut settled)
            });
        });
    }
    group.finish();
}

/// Every socket gets a packet of its own, as with answers and room messages.
fn outbound_turn(criterion: &mut Criterion) {
    let (mut pair, keys) = town();
    let json = payload();
    let (mut batch, mut settled) = (Batch::default(), Settled::default());
    let mut group = criterion.benchmark_group("outbound turn");
    group.throughput(Throughput::Elements(SOCKETS as u64));
    group.bench_function(format!("a packet to each of {SOCKETS}"), |bencher| {
        bencher.iter(|| {
            for key in &keys {
                pair.hub.send(*key, encode::Kind::Event, None, json.as_bytes(), &[], Manner::default());
            }
            flush(&mut pair.hub, &mut batch, &mut settled)
        });
    });
    group.finish();
}

criterion_group!(benches, selector, fan_out, outbound_turn);
criterion_main!(benches);
