//! Arbitrary bytes as a Socket.IO packet. The promises are in `socketville_proto::fuzzing::packets::sio_packet`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketville_proto::fuzzing::packets::sio_packet(data));
