//! The masking of client payloads (RFC 6455 section 5.3), in place.
//!
//! Not security: the key is in the frame. It is the only pass over a payload that the receive path makes
//! besides UTF-8 validation, so it goes by words, which the compiler turns into vectors.

/// Exclusive-ors `payload` with the repeated key; the first byte meets the key's first.
pub(super) fn apply(payload: &mut [u8], key: [u8; 4]) {
    let half_key = u32::from_ne_bytes(key);
    let word_key = u64::from(half_key) << 32 | u64::from(half_key);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ word_key).to_ne_bytes();
    }
    let (halves, rest) = rest.as_chunks_mut::<4>();
    for half in halves {
        *half = (u32::from_ne_bytes(*half) ^ half_key).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// The key for the bytes that follow the first `len` ones of a payload.
pub(super) fn after(mut key: [u8; 4], len: usize) -> [u8; 4] {
    key.rotate_left(len % 4);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 section 5.3: octet i of the payload meets octet i mod 4 of the key.
    #[test]
    fn words_agree_with_the_definition() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for len in 0..70 {
            let plain: Vec<u8> = (0..len as u8).map(|i| i.wrapping_mul(37)).collect();
            let expected: Vec<u8> = plain.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
            for split in 0..=len {
                let mut masked = plain.clone();
                let (front, back) = masked.split_at_mut(split);
                apply(front, key);
                apply(back, after(key, split));
                assert_eq!(masked, expected, "{len} bytes split at {split}");
            }
        }
    }
}
