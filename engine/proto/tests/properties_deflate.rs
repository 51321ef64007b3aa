//! Whatever is deflated comes back, in both windows, through the frames, the decoder and any split of the bytes; and
//! no bytes at all make the inflater panic or exceed its limit.
//!
//! Not about negotiation, and not about single streams: those are unit tests beside the code.

use proptest::collection::vec;
use proptest::prelude::*;
use socketville_proto::ws::{Decoder, Deflater, Error, Inflater, Message, Opcode, Window, write_header};

const MESSAGE_MAX: usize = 200_000;

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..2000),
        vec(b'a'..b'f', 0..5000),
        (vec(any::<u8>(), 1..50), 1usize..3000).prop_map(|(unit, times)| unit.repeat(times)),
    ]
}

/// What we send, as a client would send it: masked with zeros. The frames must be our own, but for the first reserved bit.
fn masked(mut frames: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let [_, second, rest @ ..] = frames {
        let (extra, len) = match (second, rest) {
            (126, [a, b, ..]) => (2, usize::from(u16::from_be_bytes([*a, *b]))),
            (127, bytes) => (8, u64::from_be_bytes(bytes[..8].try_into().expect("eight")) as usize),
            _ => (0, usize::from(*second)),
        };
        out.push(frames[0]);
        out.push(second | 0x80);
        out.extend_from_slice(&rest[..extra]);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&rest[extra..extra + len]);
        frames = &rest[extra + len..];
    }
    out
}

/// All messages of a stream that comes in pieces of `step` bytes.
fn decode(mut stream: Vec<u8>, step: usize) -> Result<Vec<Vec<u8>>, Error> {
    let (mut decoder, mut inflater, mut found) = (Decoder::new(), Inflater::new(), Vec::new());
    for piece in stream.chunks_mut(step) {
        let mut at = 0;
        while let (taken, Some(message)) =
            decoder.decode_with(&mut piece[at..], MESSAGE_MAX, Some(&mut inflater))?
        {
            at += taken;
            if let Message::Binary(bytes) = message {
                assert!(bytes.len() <= MESSAGE_MAX);
                found.push(bytes.to_vec());
            }
        }
    }
    assert_eq!(decoder.buffered(), 0, "nothing of a connection is kept between messages");
    Ok(found)
}

proptest! {
    /// RFC 7692 sections 7.2.1 and 7.2.2.
    #[test]
    fn what_is_deflated_comes_back(
        payloads in vec(payload(), 1..4),
        window in prop::sample::select(Window::ALL.to_vec()),
        (level, threshold, step) in (1u32..=9, 0usize..1500, 1usize..5000),
    ) {
        let mut frames = Vec::new();
        for payload in &payloads {
            write_header(&mut frames, Opcode::Binary, payload.len());
            frames.extend_from_slice(payload);
        }
        let mut deflater = Deflater::new(level, window);
        let sent = deflater.deflate(&frames, threshold).unwrap_or(&frames);
        prop_assert!(sent.len() <= frames.len());
        prop_assert_eq!(decode(masked(sent), step), Ok(payloads));
    }

    /// RFC 7692 section 6.1: a compressed message may come in fragments, of which the first has the bit.
    #[test]
    fn fragments_are_inflated_together(payload in payload(), cut in any::<prop::sample::Index>()) {
        let mut frames = Vec::new();
        write_header(&mut frames, Opcode::Binary, payload.len());
        frames.extend_from_slice(&payload);
        let mut deflater = Deflater::new(1, Window::Full);
        let Some(sent) = deflater.deflate(&frames, 0) else { return Ok(()) };
        let header = match sent[1] { 126 => 4, 127 => 10, _ => 2 };
        let (one, two) = sent[header..].split_at(cut.index(sent.len() - header + 1));
        let mut stream = Vec::new();
        for (first, part) in [(0x42, one), (0x80, two)] {
            stream.extend_from_slice(&[first, 0xfe]);
            stream.extend_from_slice(&(part.len() as u16).to_be_bytes());
            stream.extend_from_slice(&[0; 4]);
            stream.extend_from_slice(part);
        }
        prop_assert_eq!(decode(stream, 1000), Ok(vec![payload]));
    }

    #[test]
    fn no_bytes_do_any_harm(bytes in vec(any::<u8>(), 0..1000), step in 1usize..100) {
        let mut frame = vec![0xc2, 0xfe];
        frame.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(&bytes);
        if let Err(error) = decode(frame, step) {
            prop_assert!(matches!(error, Error::Deflate | Error::TooLarge { .. }), "{}", error);
        }
    }
}

/// RFC 7692 section 6.1: the bit belongs on the first frame of a data message, and only where it was agreed upon.
#[test]
fn the_bit_anywhere_else_is_refused() {
    for frame in [b"\x89".as_slice(), b"\x01\x80\0\0\0\0\x40", b"\xa1", b"\xf1"] {
        let mut input = [frame, b"\x80\0\0\0\0\x80\0\0\0\0"].concat();
        let (mut decoder, mut inflater) = (Decoder::new(), Inflater::new());
        let is_fine = frame == b"\x89";
        let error = decoder.decode_with(&mut input, MESSAGE_MAX, Some(&mut inflater)).err();
        assert_eq!(matches!(error, Some(Error::Reserved(_))), !is_fine, "{frame:02x?}: {error:?}");
    }
    let mut ping = b"\xc9\x80\0\0\0\0".to_vec();
    let error = Decoder::new().decode_with(&mut ping, MESSAGE_MAX, Some(&mut Inflater::new())).err();
    assert_eq!(error, Some(Error::Reserved(0x40)));
    let mut unagreed = b"\xc1\x80\0\0\0\0".to_vec();
    assert_eq!(Decoder::new().decode(&mut unagreed, MESSAGE_MAX), Err(Error::Reserved(0x40)));
}
