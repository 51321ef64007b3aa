//! The inside of JSON strings: finding their end, reading and writing their escapes. It is not the grammar around
//! them.

use std::borrow::Cow;

use wide::u8x16;

/// The text of a string literal with its quotes, such as `"caf\u00e9"`; borrowed if it has no escapes. `None` if it
/// is no literal, and if its escapes make no Unicode text (a lone surrogate).
pub fn unescape(raw_string_literal: &str) -> Option<Cow<'_, str>> {
    let mut rest = raw_string_literal.strip_prefix('"')?.strip_suffix('"')?;
    if plain_end(rest.as_bytes(), 0) == rest.len() {
        return Some(Cow::Borrowed(rest));
    }
    let mut text = String::with_capacity(rest.len());
    loop {
        let (plain, tail) = rest.split_at_checked(plain_end(rest.as_bytes(), 0))?;
        text.push_str(plain);
        if tail.is_empty() {
            return Some(Cow::Owned(text));
        }
        let (character, tail) = unescape_one(tail.strip_prefix('\\')?)?;
        text.push(character);
        rest = tail;
    }
}

/// The text of a string literal as Unicode: half of a surrogate pair, which JSON may have and text may not, becomes U+FFFD, as `TextEncoder` of the
/// clients' language has it. `None` if it is no literal with quotes.
pub fn unescape_or_replace(raw_string_literal: &str) -> Option<Cow<'_, str>> {
    let inside = raw_string_literal.strip_prefix('"')?.strip_suffix('"')?;
    if is_plain(inside) {
        return Some(Cow::Borrowed(inside));
    }
    let mut text = Vec::with_capacity(inside.len());
    unescape_lossy(&mut text, inside.as_bytes());
    String::from_utf8(text).ok().map(Cow::Owned)
}

/// Appends the text of a string literal's inside; what makes no Unicode text, a lone surrogate, becomes the replacement character.
pub(in crate::sio) fn unescape_lossy(out: &mut Vec<u8>, inside: &[u8]) {
    let mut at = 0;
    while at < inside.len() {
        let end = plain_end(inside, at);
        out.extend_from_slice(&inside[at..end]);
        at = end;
        let Some(escape) = inside.get(end + 1..).map(ascii_start) else { return };
        let (character, taken) = match unescape_one(escape) {
            Some((character, rest)) => (character, escape.len() - rest.len()),
            None => (char::REPLACEMENT_CHARACTER, LONE_ESCAPE_LEN.min(escape.len())),
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        at += 1 + taken;
    }
}

/// Bytes of a `\u` escape without its backslash.
const LONE_ESCAPE_LEN: usize = 5;

/// As much text as the longest escape can have: a surrogate pair without its first backslash.
fn ascii_start(bytes: &[u8]) -> &str {
    let start = &bytes[..bytes.len().min(2 * LONE_ESCAPE_LEN + 1)];
    let len = start.iter().position(|byte| !byte.is_ascii()).unwrap_or(start.len());
    str::from_utf8(&start[..len]).unwrap_or_default()
}

/// The character of one escape, from what follows its backslash, and the rest.
fn unescape_one(escape: &str) -> Option<(char, &str)> {
    let (kind, rest) = escape.split_at_checked(1)?;
    let character = match kind {
        "\"" => '"',
        "\\" => '\\',
        "/" => '/',
        "b" => '\u{8}',
        "f" => '\u{c}',
        "n" => '\n',
        "r" => '\r',
        "t" => '\t',
        "u" => return unescape_unicode(rest),
        _ => return None,
    };
    Some((character, rest))
}

/// The character of one `\u` escape, or of two that are a surrogate pair (RFC 8259 section 7).
fn unescape_unicode(rest: &str) -> Option<(char, &str)> {
    let (first, rest) = code_unit(rest)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, rest)); // no character is a trailing surrogate
    }
    let (second, rest) = code_unit(rest.strip_prefix("\\u")?)?;
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let character = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
    Some((character, rest))
}

/// Four hexadecimal digits, and the rest.
fn code_unit(rest: &str) -> Option<(u32, &str)> {
    let (digits, rest) = rest.split_at_checked(4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None; // the standard library's reading would also take a sign
    }
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// Appends a text as a string literal: quoted, and escaped as the clients' language does it.
pub fn write_string(out: &mut Vec<u8>, s: &str) {
    let bytes = s.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut at = 0;
    loop {
        let end = plain_end(bytes, at);
        out.extend_from_slice(&bytes[at..end]);
        let Some(&byte) = bytes.get(end) else { break };
        write_escape(out, byte);
        at = end + 1;
    }
    out.push(b'"');
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

/// Whether a text stands in JSON as it is: no quote, no backslash, no control character.
pub fn is_plain(text: &str) -> bool {
    plain_end(text.as_bytes(), 0) == text.len()
}

/// The first offset from `at` on that is no plain byte of a string: a quote, a backslash, a control character, or the
/// end. Names are short, so the first block is looked at in its place.
#[inline]
pub(in crate::sio) fn plain_end(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()).map(specials) {
        Some(0) => plain_end_far(bytes, at + BLOCK_BYTES),
        Some(marks) => at + marks.trailing_zeros() as usize,
        None => plain_end_far(bytes, at),
    }
}

/// [`plain_end`] of what may be long: by blocks, the last of which lies over those before it.
fn plain_end_far(bytes: &[u8], mut at: usize) -> usize {
    let (blocks, rest) = bytes[at..].as_chunks();
    for block in blocks {
        let marks = specials(block);
        if marks != 0 {
            return at + marks.trailing_zeros() as usize;
        }
        at += BLOCK_BYTES;
    }
    match bytes.last_chunk() {
        Some(last) => {
            let marks = specials(last) >> (BLOCK_BYTES - rest.len());
            bytes.len().min(at + marks.trailing_zeros() as usize)
        }
        None => rest.iter().position(is_special).map_or(bytes.len(), |found| at + found),
    }
}

/// Bytes that are looked at together: every 64-bit machine has registers of so many.
const BLOCK_BYTES: usize = 16;

/// A bit for each byte of a block that is special, the first byte's is the lowest. With one bit turned over, the quote follows the controls
/// at once and the space does not, so that one comparison finds both.
#[inline]
fn specials(block: &[u8; BLOCK_BYTES]) -> u32 {
    const TURNED: u8 = b' ' ^ b'"';
    let bytes = u8x16::new(*block) ^ u8x16::splat(TURNED);
    let controls_and_quotes = bytes.min(u8x16::splat(b'"' ^ TURNED)).simd_eq(bytes);
    let backslashes = bytes.simd_eq(u8x16::splat(b'\\' ^ TURNED));
    (controls_and_quotes | backslashes).to_bitmask()
}

/// Whether a byte may not stand in a string as it is.
const fn is_special(byte: &u8) -> bool {
    *byte < b' ' || *byte == b'"' || *byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The naive twin of [`plain_end`].
    fn plain_end_slow(bytes: &[u8], at: usize) -> usize {
        let is_special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
        bytes[at..].iter().position(is_special).map_or(bytes.len(), |found| at + found)
    }

    /// One special byte, or none, at every place of a text that has blocks of both sizes.
    #[test]
    fn plain_end_finds_one_special_byte_wherever_it_is() {
        for len in 0..200 {
            for place in 0..=len {
                let mut bytes = vec![b'~'; len];
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = [b'"', b'\\', 0, 0x1f][place % 4];
                }
                for at in [0, 1, 7, len].into_iter().filter(|&at| at <= len) {
                    let found = plain_end(&bytes, at);
                    assert_eq!(found, plain_end_slow(&bytes, at), "{place} of {len} from {at}");
                }
            }
        }
        for byte in 0..=u8::MAX {
            let mut bytes = [b'~'; 80];
            bytes[70] = byte;
            assert_eq!(plain_end(&bytes, 0), plain_end_slow(&bytes, 0), "{byte}");
        }
    }

    #[test]
    fn plain_end_equals_its_naive_twin() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut bytes = vec![0; 64];
        for _ in 0..20_000 {
            for byte in &mut bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let random = (state >> 56) as u8;
                *byte = match (state >> 40) % 16 {
                    0 => [b'"', b'\\', 0x1f, 0, b'!', b'#', b'[', b']'][random as usize % 8],
                    _ => random | 0x20 & !random >> 1,
                };
            }
            let at = (state >> 33) as usize % 65;
            assert_eq!(plain_end(&bytes, at), plain_end_slow(&bytes, at), "{bytes:?} from {at}");
        }
        for byte in 0..=255 {
            let bytes = [b'a', b'a', b'a', byte, b'a', b'a', b'a', b'a', byte];
            assert_eq!(plain_end(&bytes, 0), plain_end_slow(&bytes, 0));
        }
    }

    /// RFC 8259 section 7.
    #[test]
    fn escapes_are_read() {
        let all = r#""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00é""#;
        assert_eq!(unescape(all).as_deref(), Some("\"\\/\u{8}\u{c}\n\r\tAé😀é"));
        assert!(matches!(unescape("\"plain é\""), Some(Cow::Borrowed("plain é"))));
        assert_eq!(unescape("\"\"").as_deref(), Some(""));
    }

    #[test]
    fn what_is_no_literal_or_no_text_is_refused() {
        let bad = [
            "",
            "\"",
            "a",
            "\"a",
            "a\"",
            "\"\"\"",
            "\"a\"b\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\é\"",
            "\"\\u\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"\\u12é\"",
            "\"\n\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\ud83dx\"",
            "\"\\ud83d\\n\"",
            "\"\\ud83d\\ud83d\"",
            "\"\\ud83d\\u0041\"",
        ];
        for raw in bad {
            assert_eq!(unescape(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text: String = (0..0x300).filter_map(char::from_u32).chain("😀\u{2028}".chars()).collect();
        let mut out = Vec::new();
        write_string(&mut out, &text);
        let raw = std::str::from_utf8(&out).unwrap();
        assert!(raw.starts_with(r#""\u0000\u0001"#) && raw.contains(r#"\b\t\n\u000b\f\r\u000e"#));
        assert_eq!(unescape(raw).as_deref(), Some(text.as_str()));
    }
}
