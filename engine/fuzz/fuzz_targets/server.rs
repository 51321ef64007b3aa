//! Arbitrary bytes as clients of a whole server. The promises are in `socketville_sim::fuzzing::server`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_sim::fuzzing::server::server(data));
