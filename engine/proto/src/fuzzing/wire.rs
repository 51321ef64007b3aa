//! The promises of the HTTP and WebSocket decoders.
//!
//! Not golden vectors: nothing here knows the right answer. What must hold for all bytes is that nothing
//! panics, that the answer does not depend on how the bytes were split, and that no more is held than the
//! limits allow.

use crate::http::{self, Chunked};
use crate::limits;
use crate::ws::{self, Decoder, Inflater, Message};

/// Decoded bytes that the chunked target allows: small, so that the limit is met often.
const BODY_MAX: usize = 1_000;
/// Payload bytes that the WebSocket target allows in a message.
const MESSAGE_MAX: usize = 1_000;
/// Heap bytes beyond the payload that an unfinished message may cost.
const OVERHEAD_MAX: usize = 512;

/// A request head: growing the input byte by byte finds the same head or the same status as all of it at
/// once.
pub fn http_head(data: &[u8]) {
    let whole = head(data);
    let first = (0..=data.len()).map(|len| head(&data[..len])).find(|outcome| *outcome != Ok(None));
    match whole {
        // An error in a complete line may wait until the next line end, so more may be known on the way than here.
        Ok(None) => assert!(first.is_none_or(|outcome| outcome.is_err()), "complete, then not"),
        _ => assert_eq!(Some(whole), first, "split at every byte"),
    }
    if data.len() > limits::HEAD_BYTES_MAX {
        assert_ne!(whole, Ok(None), "still waiting beyond the limit");
    }
}

/// The length of the head, or the status that refuses it.
fn head(data: &[u8]) -> Result<Option<usize>, u16> {
    let parsed = http::parse_head(data).map_err(|error| error.status())?;
    Ok(parsed.map(|(head, len)| {
        assert!(len <= data.len() && len <= limits::HEAD_BYTES_MAX);
        assert!(head.headers().count() <= limits::HEADERS_MAX);
        assert!(head.headers().all(|(name, _)| !name.is_empty() && head.headers().any(|(n, _)| n == name)));
        head.query_value("sid");
        let _ = ws::check_handshake(&head);
        len
    }))
}

/// A chunked body: whole or byte by byte, the same bytes, the same end, the same error.
pub fn chunked(data: &[u8]) {
    let whole = body(data, data.len().max(1));
    assert_eq!(whole, body(data, 1), "byte by byte");
    assert_eq!(whole, body(data, 7), "by sevens");
}

/// The decoded bytes, then how many input bytes were consumed and whether the body is complete, or the
/// status.
fn body(data: &[u8], step: usize) -> (Vec<u8>, Result<(usize, bool), u16>) {
    let (mut chunked, mut out, mut consumed) = (Chunked::new(), Vec::new(), 0);
    for piece in data.chunks(step) {
        match chunked.decode(piece, &mut out, BODY_MAX) {
            Err(error) => return (out, Err(error.status())),
            Ok((taken, true)) => return (out, Ok((consumed + taken, true))),
            Ok((taken, false)) => assert_eq!(taken, piece.len(), "all of an unfinished body is taken"),
        }
        assert!(out.len() <= BODY_MAX);
        consumed += piece.len();
    }
    (out, Ok((consumed, false)))
}

/// A client's WebSocket stream: whole, byte by byte or by sevens, the same messages and the same error; without
/// compression and with it.
pub fn ws(data: &[u8]) {
    for mut inflater in [None, Some(Inflater::new())] {
        let whole = stream(data, data.len().max(1), inflater.as_mut());
        assert_eq!(whole, stream(data, 1, inflater.as_mut()), "byte by byte");
        assert_eq!(whole, stream(data, 7, inflater.as_mut()), "by sevens");
    }
}

/// All messages, and the error that ended the stream, if one did.
fn stream(data: &[u8], step: usize, mut inflater: Option<&mut Inflater>) -> (Vec<String>, Option<ws::Error>) {
    let (mut decoder, mut messages) = (Decoder::new(), Vec::new());
    for piece in data.to_vec().chunks_mut(step) {
        let mut at = 0;
        loop {
            let decoded = decoder.decode_with(&mut piece[at..], MESSAGE_MAX, inflater.as_deref_mut());
            let (taken, message) = match decoded {
                Ok(progress) => progress,
                Err(error) => return (messages, Some(error)),
            };
            at += taken;
            let Some(message) = message else { break };
            check(message);
            messages.push(format!("{message:?}"));
        }
        assert_eq!(at, piece.len(), "without a message all of the input is taken");
        assert!(decoder.buffered() <= MESSAGE_MAX + OVERHEAD_MAX, "{} bytes held", decoder.buffered());
    }
    (messages, None)
}

fn check(message: Message<'_>) {
    let (len, max) = match message {
        Message::Text(text) => (text.len(), MESSAGE_MAX),
        Message::Binary(bytes) => (bytes.len(), MESSAGE_MAX),
        Message::Ping(bytes) | Message::Pong(bytes) => (bytes.len(), limits::CONTROL_PAYLOAD_MAX),
        Message::Close(reason) => (reason.map_or(0, |(_, text)| text.len()), limits::CLOSE_REASON_BYTES_MAX),
    };
    assert!(len <= max, "{len} bytes in {message:?}");
}
