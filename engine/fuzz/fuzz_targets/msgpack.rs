//! Arbitrary bytes as a Socket.IO packet in MessagePack. The promises are in `socketville_proto::fuzzing::msgpack::packet`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_proto::fuzzing::msgpack::packet(data));
