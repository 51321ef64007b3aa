//! Arbitrary bytes as JSON. The promises are in `socketville_proto::fuzzing::packets::json`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_proto::fuzzing::packets::json(data));
