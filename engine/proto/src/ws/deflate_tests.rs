//! Inflating and deflating against the examples of RFC 7692, bombs, and each other.

use super::*;
use crate::ws::Opcode;

const MAX: usize = 1_000_000;

fn inflate(payload: &[u8]) -> Result<Vec<u8>, Error> {
    Inflater::new().inflate(payload, MAX).map(<[u8]>::to_vec)
}

/// A client's compressor, which keeps nothing either.
fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 1024);
    let mut stream = Compress::new(Compression::best(), false);
    stream.compress_vec(payload, &mut out, FlushCompress::Sync).expect("room");
    out.truncate(out.len() - TAIL_BYTES);
    out
}

/// RFC 7692 sections 7.2.3.1, 7.2.3.3, 7.2.3.4 and 7.2.3.5: one block, no compression, a final block, two blocks.
#[test]
fn the_examples_of_the_standard_inflate() {
    for payload in [
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ] {
        assert_eq!(inflate(payload).as_deref(), Ok(&b"Hello"[..]), "{payload:02x?}");
    }
    assert_eq!(inflate(&[0x00]).as_deref(), Ok(&b""[..]), "section 7.2.3.6: an empty message");
    assert_eq!(inflate(&[]).as_deref(), Ok(&b""[..]));
}

/// RFC 7692 section 7.2.3.2: the second "Hello" of a client that keeps its window, which it has agreed not to.
#[test]
fn a_message_that_refers_to_the_one_before_is_refused() {
    let mut inflater = Inflater::new();
    assert!(inflater.inflate(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], MAX).is_ok());
    assert_eq!(inflater.inflate(&[0xf2, 0x00, 0x11, 0x00, 0x00], MAX), Err(Error::Deflate));
}

#[test]
fn rubbish_and_halves_are_refused_and_do_no_harm_to_the_next_message() {
    let whole = deflate(&b"all or nothing, ".repeat(100));
    let mut inflater = Inflater::new();
    for faulty in [&[0xff, 0xff][..], &[0x07], &[0xf2, 0x48, 0xcd], &whole[..whole.len() / 2]] {
        assert_eq!(inflater.inflate(faulty, MAX), Err(Error::Deflate), "{faulty:02x?}");
        assert_eq!(inflater.inflate(&whole, MAX).map(<[u8]>::len), Ok(1600));
    }
}

/// RFC 6455 section 10.4: the limit holds for what comes out, to the byte.
#[test]
fn the_limit_is_exact() {
    for len in [0, 1, 100, 4095, 4096, 4097, 100_000] {
        let payload = deflate(&vec![7; len]);
        assert_eq!(Inflater::new().inflate(&payload, len).map(<[u8]>::len), Ok(len));
        if len > 0 {
            let refused = Error::TooLarge { len: len as u64, max: len - 1 };
            assert_eq!(Inflater::new().inflate(&payload, len - 1), Err(refused));
        }
    }
}

/// A compression bomb: a megabyte that would become a gigabyte costs what the limit allows.
#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let mut bomb = Vec::with_capacity(1 << 20);
    let mut stream = Compress::new(Compression::best(), false);
    let zeros = vec![0; 1 << 20];
    while bomb.len() < 900_000 {
        bomb.reserve(16 * 1024);
        stream.compress_vec(&zeros, &mut bomb, FlushCompress::None).expect("room");
    }
    let mut inflater = Inflater::new();
    assert_eq!(
        inflater.inflate(&bomb, MAX),
        Err(Error::TooLarge { len: MAX as u64 + 1, max: MAX }),
        "{} bytes",
        bomb.len()
    );
    assert!(inflater.message.capacity() <= MAX + 1, "{} bytes held", inflater.message.capacity());
    assert_eq!(inflater.inflate(&[0x00], MAX), Ok(&[][..]));
    assert!(inflater.message.capacity() <= KEPT_BYTES);
}

#[test]
fn frames_from_the_threshold_on_are_compressed_once_and_keep_their_order() {
    let mut frames = Vec::new();
    let payloads = [b"a".repeat(2000), b"short".to_vec(), b"b".repeat(70_000)];
    for (payload, opcode) in payloads.iter().zip([Opcode::Text, Opcode::Binary, Opcode::Binary]) {
        write_header(&mut frames, opcode, payload.len());
        frames.extend_from_slice(payload);
    }
    for window in Window::ALL {
        let mut deflater = Deflater::new(1, window);
        let mut rest = deflater.deflate(&frames, 1000).expect("smaller").to_vec();
        assert!(rest.len() < 5000);
        assert_eq!(rest[0], 0x80 | RSV1 | Opcode::Text as u8);
        let mut found = Vec::new();
        while !rest.is_empty() {
            let is_compressed = rest[0] & RSV1 != 0;
            rest[0] &= !RSV1;
            let (_, payload, after) = split_frame(&rest).expect("whole");
            found.push(if is_compressed { inflate(payload).expect("valid") } else { payload.to_vec() });
            rest = after.to_vec();
        }
        assert_eq!(found, payloads);
        assert!(deflater.deflate(&frames[..2004], 2001).is_none(), "below the threshold");
    }
}

#[test]
fn what_does_not_shrink_stays_as_it_is() {
    let mut frames = Vec::new();
    let noise: Vec<u8> =
        (0..5000u64).map(|i| ((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let squeezed = deflate(&noise);
    write_header(&mut frames, Opcode::Binary, squeezed.len());
    frames.extend_from_slice(&squeezed);
    assert!(Deflater::new(1, Window::Full).deflate(&frames, 0).is_none());
    assert!(Deflater::new(1, Window::Full).deflate(&[0x81, 0], 0).is_none(), "an empty message");
}

/// A core died of payloads that grow when they are compressed, at level 1 and with room for the smaller ones only.
#[test]
fn payloads_that_grow_do_no_harm() {
    let mut seed = 99u64;
    for level in 1..=9 {
        for window in Window::ALL {
            let mut deflater = Deflater::new(level, window);
            for (len, alphabet) in [(64, 2), (1024, 100), (4096, 180), (8192, 256), (8192, 20), (66_000, 256)]
            {
                let mut frames = Vec::new();
                write_header(&mut frames, Opcode::Binary, len);
                frames.extend((0..len).map(|_| {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    ((seed >> 33) % alphabet) as u8
                }));
                let deflated = deflater.deflate(&frames, 0);
                assert_eq!(deflated.is_some(), alphabet != 256, "level {level}: {len} bytes of {alphabet}");
                assert!(deflated.is_none_or(|deflated| deflated.len() < frames.len()));
            }
        }
    }
}
