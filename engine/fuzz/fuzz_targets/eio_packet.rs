//! Arbitrary bytes as an Engine.IO packet. The promises are in `socketville_proto::fuzzing::packets::eio_packet`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_proto::fuzzing::packets::eio_packet(data));
