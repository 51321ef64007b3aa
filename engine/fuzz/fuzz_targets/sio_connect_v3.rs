//! Arbitrary bytes as a CONNECT of Engine.IO 3. The promises are in `socketville_proto::fuzzing::eio3::connect`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_proto::fuzzing::eio3::connect(data));
