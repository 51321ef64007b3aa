//! WebSocket frames (RFC 6455 section 5.2), as far as both ends of a bench need them: heads, masking,
//! writing. Not the engine's codec: the instrument must not share its faults with what it measures.

/// The opcode of a text frame.
pub const TEXT: u8 = 0x1;
/// The opcode of a close frame.
pub const CLOSE: u8 = 0x8;
/// The opcode of a ping frame.
pub const PING: u8 = 0x9;
/// The opcode of a pong frame.
pub const PONG: u8 = 0xA;

/// The bit of a compressed message in the first byte.
pub const RSV1: u8 = 0x40;

/// The key of the sample handshake of RFC 6455 section 1.3; a fixed key makes the answer a constant.
pub const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer to [`SAMPLE_KEY`].
pub const SAMPLE_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Every client frame is masked with this key; it is not zero, so that a server that forgets to unmask is
/// caught.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The head of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The frame ends its message.
    pub fin: bool,
    /// The message is compressed (RFC 7692 section 6).
    pub rsv1: bool,
    /// Its opcode.
    pub opcode: u8,
    /// The client's key, if masked.
    pub mask: Option<[u8; 4]>,
    /// Bytes of the head itself.
    pub head_len: usize,
    /// Bytes of the payload that follows.
    pub payload_len: usize,
}

impl Head {
    /// Reads the head at the start of `bytes`; `None` if it is not complete yet.
    #[inline]
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Head> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        let (payload_len, length_end) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(array(bytes, 2)?)), 4),
            127 => (usize::try_from(u64::from_be_bytes(array(bytes, 2)?)).ok()?, 10),
            short => (usize::from(short), 2),
        };
        let masked = second & 0x80 != 0;
        let mask = if masked { Some(array(bytes, length_end)?) } else { None };
        let head_len = length_end + if masked { 4 } else { 0 };
        Some(Head {
            fin: first & 0x80 != 0,
            rsv1: first & RSV1 != 0,
            opcode: first & 0x0f,
            mask,
            head_len,
            payload_len,
        })
    }

    /// Head and payload together, bytes.
    #[inline]
    #[must_use]
    pub fn frame_len(&self) -> usize {
        self.head_len.saturating_add(self.payload_len)
    }
}

/// Appends a client's frame: masked.
pub fn write_masked(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    write_head(opcode, payload.len(), 0x80, out);
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    mask(out.get_mut(start..).unwrap_or_default(), MASK);
}

/// A client's text frame of which some places are written anew each time: all else is masked once, not with every frame.
pub struct Template {
    frame: Vec<u8>,
    payload_at: usize,
}

impl Template {
    /// A frame with this payload, whatever stands in the places.
    #[must_use]
    pub fn new(payload: &[u8]) -> Template {
        let mut frame = Vec::new();
        write_masked(TEXT, payload, &mut frame);
        Template { payload_at: frame.len() - payload.len(), frame }
    }

    /// Appends the frame, to be written into.
    #[inline]
    pub fn write<'f>(&self, frames: &'f mut Vec<u8>) -> Places<'f> {
        let start = frames.len() + self.payload_at;
        frames.extend_from_slice(&self.frame);
        Places(frames.get_mut(start..).unwrap_or_default())
    }
}

/// The payload of a frame that was just written.
pub struct Places<'f>(&'f mut [u8]);

impl Places<'_> {
    /// Writes bytes into their place, counted from the payload's start.
    #[inline]
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        let key = u32::from_le_bytes(MASK).rotate_right(8 * (at % MASK.len()) as u32).to_le_bytes();
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
            mask(place, key);
        }
    }
}

/// Appends a server's text frame whose payload is compressed.
pub fn write_deflated(payload: &[u8], out: &mut Vec<u8>) {
    write_head(TEXT | RSV1, payload.len(), 0, out);
    out.extend_from_slice(payload);
}

/// Appends a server's frame: not masked.
pub fn write_plain(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    write_head(opcode, payload.len(), 0, out);
    out.extend_from_slice(payload);
}

/// Masks or unmasks in place, eight bytes at a time: swarm and floor spend most of their own time here.
#[inline]
pub fn mask(bytes: &mut [u8], key: [u8; 4]) {
    let word = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

fn write_head(opcode: u8, payload_len: usize, mask_bit: u8, out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match (u8::try_from(payload_len), u16::try_from(payload_len)) {
        (Ok(short @ ..=125), _) => out.push(mask_bit | short),
        (_, Ok(medium)) => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(payload_len as u64).to_be_bytes());
        }
    }
}

fn array<const N: usize>(bytes: &[u8], start: usize) -> Option<[u8; N]> {
    bytes.get(start..start + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_6455_section_5_7_examples_are_read() {
        let hello = Head::read(&[0x81, 0x05, b'H']).expect("complete head");
        assert_eq!((hello.opcode, hello.mask, hello.head_len, hello.payload_len), (TEXT, None, 2, 5));
        let masked = Head::read(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f]).expect("complete head");
        assert_eq!((masked.mask, masked.head_len), (Some(MASK), 6));
    }

    #[test]
    fn frames_of_every_length_class_come_back() {
        for length in [0, 1, 7, 8, 9, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            for masked in [false, true] {
                let mut frame = Vec::new();
                if masked {
                    write_masked(TEXT, &payload, &mut frame)
                } else {
                    write_plain(TEXT, &payload, &mut frame)
                }
                let head = Head::read(&frame).expect("complete head");
                assert_eq!(head.frame_len(), frame.len());
                let body = &mut frame[head.head_len..];
                if let Some(key) = head.mask {
                    mask(body, key);
                }
                assert_eq!(body, &payload[..]);
            }
        }
    }

    #[test]
    fn masking_words_is_masking_bytes() {
        for length in 0..40u8 {
            let plain: Vec<u8> = (0..length).collect();
            let mut masked = plain.clone();
            mask(&mut masked, MASK);
            let slowly: Vec<u8> =
                plain.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            assert_eq!(masked, slowly);
        }
    }

    #[test]
    fn a_compressed_frame_says_so() {
        let mut frame = Vec::new();
        write_deflated(b"abc", &mut frame);
        let head = Head::read(&frame).expect("complete head");
        assert_eq!((head.rsv1, head.opcode, head.payload_len), (true, TEXT, 3));
        assert!(!Head::read(&[0x81, 0]).expect("complete head").rsv1);
    }

    #[test]
    fn an_incomplete_head_is_not_a_head() {
        let mut frame = Vec::new();
        write_masked(TEXT, &[b'x'; 300], &mut frame);
        for cut in 0..8 {
            assert_eq!(Head::read(&frame[..cut]), None);
        }
    }
}
