//! Arbitrary bytes as a request head. The promises are in `socketville_proto::fuzzing::wire::http_head`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_proto::fuzzing::wire::http_head(data));
