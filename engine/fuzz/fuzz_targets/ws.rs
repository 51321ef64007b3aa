//! Arbitrary bytes as a client's WebSocket stream. The promises are in `socketville_proto::fuzzing::wire::ws`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_proto::fuzzing::wire::ws(data));
