//! What one message costs the codecs, in nanoseconds: decoding, unmasking, encoding, compressing. No sockets and
//! no hub; what a delivery costs a server is measured in `bench`.
//!
//! `cargo bench -p socketville-proto` measures; run as tests, each runs once.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use socketville_proto::encode::{self, Kind, Packet};
use socketville_proto::{sio, ws};

/// More than any message here.
const MESSAGE_MAX: usize = 1 << 20;

/// The packet that broadcasts of 128 bytes have, as text of Socket.IO.
fn event(bytes: usize) -> String {
    format!(r#"2["msg","{}"]"#, "x".repeat(bytes))
}

/// A masked text frame.
fn masked(payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = Vec::new();
    ws::write_header(&mut frame, ws::Opcode::Text, payload.len());
    frame[1] |= 0x80;
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    let text = format!("4{}", event(128));
    let frame = masked(text.as_bytes());
    let mut decoder = ws::Decoder::new();
    group.bench_function("frame of 128 B", |bencher| {
        bencher.iter_batched_ref(
            || frame.clone(),
            |bytes| decoder.decode(bytes, MESSAGE_MAX).expect("a frame").0,
            BatchSize::SmallInput,
        );
    });
    let packet = event(128);
    group.bench_function("packet of 128 B", |bencher| {
        bencher.iter(|| sio::decode(std::hint::black_box(&packet)).is_ok());
    });
    group.finish();
}

/// A long frame is nearly all unmasking and UTF-8.
fn unmask(criterion: &mut Criterion) {
    let payload = vec![b'x'; 64 * 1024];
    let frame = masked(&payload);
    let mut decoder = ws::Decoder::new();
    let mut group = criterion.benchmark_group("unmask");
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group.bench_function("64 KiB", |bencher| {
        bencher.iter_batched_ref(
            || frame.clone(),
            |bytes| decoder.decode(bytes, MESSAGE_MAX).expect("a frame").0,
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let payload = format!(r#"["msg","{}"]"#, "x".repeat(128));
    let packet: Packet<'_> = Packet::new(Kind::Event, "/", None, payload.as_bytes());
    let mut out = Vec::with_capacity(1024);
    criterion.bench_function("encode/event of 128 B", |bencher| {
        bencher.iter(|| {
            out.clear();
            encode::write(&mut out, std::hint::black_box(&packet))
        });
    });
}

fn deflate(criterion: &mut Criterion) {
    let words = ["score", "home", "away", "minute", "player", "card"];
    let text: String = (0..160).map(|i| format!("{}:{},", words[i * 7 % 6], i * 2_654_435)).collect();
    let mut frames = Vec::new();
    ws::write_header(&mut frames, ws::Opcode::Text, 1024);
    frames.extend_from_slice(&text.as_bytes()[..1024]);
    let mut deflater = ws::Deflater::new(2, ws::Window::Full);
    criterion.bench_function("deflate/1 KiB", |bencher| {
        bencher.iter(|| deflater.deflate(std::hint::black_box(&frames), 0).map(<[u8]>::len));
    });
}

criterion_group!(benches, decode, unmask, encode, deflate);
criterion_main!(benches);
