//! Arbitrary bytes as a chunked body. The promises are in `socketville_proto::fuzzing::wire::chunked`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_proto::fuzzing::wire::chunked(data));
