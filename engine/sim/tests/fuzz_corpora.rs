//! Replays all fuzz targets over their corpora in `engine/fuzz/corpus/TARGET/` and over deterministic mutations of them.
//!
//! Not a replacement for fuzzing: it is the part of it that runs on a stable compiler in a second, on every
//! change.

use std::path::Path;

use socketville_proto::fuzzing::{eio3, msgpack, packets, wire};
use socketville_sim::fuzzing;

/// Mutated inputs of each decoder.
const MUTATIONS: usize = 2_000;
/// Mutated scripts of hubs and servers, which take a thousand times as long.
const SCRIPTS: usize = 60;
/// Bytes of the longest mutated input: mutations splice seeds, and seeds must not grow without end.
const MUTATION_BYTES_MAX: usize = 4_096;

#[test]
fn http_head() {
    replay("http_head", wire::http_head);
}

#[test]
fn chunked() {
    replay("chunked", wire::chunked);
}

#[test]
fn ws() {
    replay("ws", wire::ws);
}

#[test]
fn eio_packet() {
    replay("eio_packet", packets::eio_packet);
}

#[test]
fn eio_payload() {
    replay("eio_payload", packets::eio_payload);
}

#[test]
fn eio3_payload() {
    replay("eio3_payload", eio3::payload);
}

#[test]
fn eio3_binary_payload() {
    replay("eio3_binary_payload", eio3::binary_payload);
}

#[test]
fn eio3_form() {
    replay("eio3_form", eio3::form);
}

#[test]
fn sio_connect_v3() {
    replay("sio_connect_v3", eio3::connect);
}

#[test]
fn sio_packet() {
    replay("sio_packet", packets::sio_packet);
}

#[test]
fn msgpack_packet() {
    replay("msgpack", msgpack::packet);
}

#[test]
fn json() {
    replay("json", packets::json);
}

#[test]
fn rooms() {
    replay_some("rooms", SCRIPTS, fuzzing::rooms::rooms);
}

#[test]
fn server() {
    replay_some("server", SCRIPTS, fuzzing::server::server);
}

fn replay(name: &str, target: fn(&[u8])) {
    replay_some(name, MUTATIONS, target);
}

/// Runs `target` over the empty input, every seed, and so many mutations of random seeds.
fn replay_some(name: &str, mutations: usize, target: fn(&[u8])) {
    let seeds = seeds(name);
    assert!(seeds.len() >= 10, "{name}: {} seeds in the corpus, 10 expected", seeds.len());
    target(&[]);
    seeds.iter().for_each(|seed| target(seed));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..mutations {
        target(&random.mutation(&seeds));
    }
}

/// The corpus of one target, in the order of file names, so that mutations are the same on every machine.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("corpus folder")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("seed")).collect()
}

/// A xorshift generator: the same sequence everywhere, no dependency.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// A seed after one to four edits: a bit flipped, a byte replaced, a range cut or doubled, another seed's
    /// tail.
    fn mutation(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            self.edit(&mut bytes, seeds);
        }
        bytes.truncate(MUTATION_BYTES_MAX);
        bytes
    }

    fn edit(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(bytes.len());
        let end = at + self.below(bytes.len() - at.min(bytes.len()) + 1);
        match self.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            1 if !bytes.is_empty() => bytes[at] = self.next() as u8,
            2 => drop(bytes.drain(at..end)),
            3 => bytes.extend_from_within(at..end),
            4 => bytes.insert(at, self.next() as u8),
            _ => {
                let other = &seeds[self.below(seeds.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[self.below(other.len())..]);
            }
        }
    }
}
