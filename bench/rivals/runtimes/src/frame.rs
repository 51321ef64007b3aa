//! WebSocket frames as far as the swarm sends them: masked text, lengths of all classes.

use std::rc::Rc;

/// Takes the first whole frame off the front of `bytes`, unmasked; `None` while it is incomplete.
pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let second = *bytes.get(1)?;
    let (length, head) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    let key: [u8; 4] = bytes.get(head..head + 4)?.try_into().ok()?;
    let payload = bytes.get(head + 4..head + 4 + length)?;
    let text = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    bytes.drain(..head + 4 + length);
    Some(text)
}

/// A text frame of a server.
pub(crate) fn text(packet: &str) -> Rc<[u8]> {
    let mut frame = vec![0x81];
    match (u8::try_from(packet.len()), u16::try_from(packet.len())) {
        (Ok(short @ ..=125), _) => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(packet.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(packet.as_bytes());
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_frame_is_taken_when_it_is_whole() {
        let whole = [0x81, 0x82, 1, 2, 3, 4, b'4' ^ 1, b'0' ^ 2, 0x81];
        assert_eq!(take(&mut whole[..7].to_vec()), None);
        let mut bytes = whole.to_vec();
        assert_eq!(take(&mut bytes), Some(b"40".to_vec()));
        assert_eq!(bytes, [0x81]);
    }

    #[test]
    fn lengths_have_three_classes() {
        assert_eq!(text("ab")[..2], [0x81, 2]);
        assert_eq!(text(&"x".repeat(300))[..4], [0x81, 126, 1, 44]);
        assert_eq!(text(&"x".repeat(70_000))[1], 127);
    }
}
