//! What a client sends, however it is masked, fragmented, interleaved with control frames and split by the
//! network, arrives.
//!
//! Not about errors: those are in `vectors/ws.txt`. The model client writes frames by the letter of RFC 6455
//! section 5.2.

use proptest::collection::vec;
use proptest::prelude::*;
use socketville_proto::ws::{Decoder, Message, Opcode, server_frames, write_header};

const MESSAGE_MAX: usize = 100_000;

/// A message as the client means it.
#[derive(Debug, Clone, PartialEq)]
enum Sent {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
}

/// How a data message goes out: cut at these fractions, with a control frame before each fragment or not.
#[derive(Debug, Clone)]
struct Manner {
    cuts: Vec<prop::sample::Index>,
    control: Option<Sent>,
    keys: [u8; 4],
}

fn data() -> impl Strategy<Value = Sent> {
    prop_oneof![
        ".{0,40}".prop_map(Sent::Text),
        vec(any::<u8>(), 0..300).prop_map(Sent::Binary),
        (0usize..70_000, any::<u8>()).prop_map(|(len, byte)| Sent::Binary(vec![byte; len])),
    ]
}

fn control() -> impl Strategy<Value = Sent> {
    prop_oneof![
        vec(any::<u8>(), 0..=125).prop_map(Sent::Ping),
        vec(any::<u8>(), 0..=125).prop_map(Sent::Pong),
        (3000u16..5000, "[a-zé]{0,40}").prop_map(|(code, reason)| Sent::Close(code, reason)),
    ]
}

fn manner() -> impl Strategy<Value = Manner> {
    (vec(any::<prop::sample::Index>(), 0..5), prop::option::of(control()), any::<[u8; 4]>())
        .prop_map(|(cuts, control, keys)| Manner { cuts, control, keys })
}

/// Appends a client's frame.
fn write_frame(out: &mut Vec<u8>, fin: bool, opcode: Opcode, key: [u8; 4], payload: &[u8]) {
    out.push(u8::from(fin) << 7 | opcode as u8);
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&key);
    out.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
}

fn write_control(out: &mut Vec<u8>, key: [u8; 4], sent: &Sent) {
    let (opcode, payload) = match sent {
        Sent::Ping(bytes) => (Opcode::Ping, bytes.clone()),
        Sent::Pong(bytes) => (Opcode::Pong, bytes.clone()),
        Sent::Close(code, reason) => (Opcode::Close, [&code.to_be_bytes(), reason.as_bytes()].concat()),
        Sent::Text(_) | Sent::Binary(_) => unreachable!("data"),
    };
    write_frame(out, true, opcode, key, &payload);
}

/// Appends a message in its manner, and to `expected` what arrives, in order.
fn write(out: &mut Vec<u8>, expected: &mut Vec<Sent>, sent: &Sent, manner: &Manner) {
    let (opcode, payload) = match sent {
        Sent::Text(text) => (Opcode::Text, text.as_bytes()),
        Sent::Binary(bytes) => (Opcode::Binary, bytes.as_slice()),
        control => {
            write_control(out, manner.keys, control);
            return expected.push(control.clone());
        }
    };
    let mut cuts: Vec<_> = manner.cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
    cuts.sort_unstable();
    let mut start = 0;
    for (i, end) in cuts.iter().copied().chain([payload.len()]).enumerate() {
        if let Some(control) = &manner.control {
            write_control(out, manner.keys, control);
            expected.push(control.clone());
        }
        let opcode = if i == 0 { opcode } else { Opcode::Continuation };
        write_frame(out, i == cuts.len(), opcode, manner.keys, &payload[start..end]);
        start = end;
    }
    expected.push(sent.clone());
}

fn owned(message: Message<'_>) -> Sent {
    match message {
        Message::Text(text) => Sent::Text(text.to_owned()),
        Message::Binary(bytes) => Sent::Binary(bytes.to_vec()),
        Message::Ping(bytes) => Sent::Ping(bytes.to_vec()),
        Message::Pong(bytes) => Sent::Pong(bytes.to_vec()),
        Message::Close(reason) => {
            let (code, reason) = reason.expect("the model always says why");
            Sent::Close(code, reason.to_owned())
        }
    }
}

/// Decodes `stream` in pieces that end at `splits` and at its end.
fn decode(mut stream: Vec<u8>, mut splits: Vec<usize>) -> (Vec<Sent>, Decoder) {
    splits.push(stream.len());
    splits.sort_unstable();
    let (mut decoder, mut received, mut start) = (Decoder::new(), Vec::new(), 0);
    for end in splits {
        loop {
            let (consumed, message) = decoder.decode(&mut stream[start..end], MESSAGE_MAX).expect("valid");
            start += consumed;
            let Some(message) = message else { break };
            received.push(owned(message));
        }
        assert_eq!(start, end);
    }
    (received, decoder)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// RFC 6455 sections 5.2 to 5.6.
    #[test]
    fn what_is_sent_arrives(
        messages in vec((prop_oneof![3 => data(), 1 => control()], manner()), 0..6),
        splits in vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for (sent, manner) in &messages {
            write(&mut stream, &mut expected, sent, manner);
        }
        let splits = splits.iter().map(|split| split.index(stream.len() + 1)).collect();
        let (received, decoder) = decode(stream, splits);
        prop_assert_eq!(received, expected);
        prop_assert_eq!(decoder.buffered(), 0, "an idle decoder holds nothing");
    }

    /// RFC 6455 section 5.2, our side: headers are read back.
    #[test]
    fn what_the_server_writes_is_read_back(lens in vec(prop_oneof![0usize..200, 65_000usize..66_000], 0..6)) {
        let mut stream = Vec::new();
        for &len in &lens {
            write_header(&mut stream, Opcode::Binary, len);
            stream.resize(stream.len() + len, 0x81);
        }
        let read: Vec<_> = server_frames(&stream).map(|(opcode, payload)| (opcode, payload.len())).collect();
        let expected: Vec<_> = lens.iter().map(|&len| (Opcode::Binary, len)).collect();
        prop_assert_eq!(read, expected);
    }
}
