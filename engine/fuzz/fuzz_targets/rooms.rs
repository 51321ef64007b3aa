//! Arbitrary bytes as a script of joins, leaves, ends and selections. The promises are in `socketville_sim::fuzzing::rooms`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_sim::fuzzing::rooms::rooms(data));
