//! Arbitrary bytes as a polling payload. The promises are in `socketville_proto::fuzzing::packets::eio_payload`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_proto::fuzzing::packets::eio_payload(data));
