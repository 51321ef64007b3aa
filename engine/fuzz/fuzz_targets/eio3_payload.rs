//! Arbitrary bytes as a polling payload of Engine.IO 3. The promises are in `socketville_proto::fuzzing::eio3::payload`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_proto::fuzzing::eio3::payload(data));
