//! Arbitrary bytes as the body of a JSONP form. The promises are in `socketville_proto::fuzzing::eio3::form`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_proto::fuzzing::eio3::form(data));
