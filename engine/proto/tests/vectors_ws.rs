//! Runs `vectors/ws.txt`: every stream whole, byte by byte, and split in two at every position.
//!
//! Not exhaustive where it would be quadratic: long streams are split at evenly spread positions, and the
//! longest come in pieces of an odd size instead of single bytes.

use socketville_proto::ws::{Decoder, Message};

const MESSAGE_MAX: usize = 1_000_000;
/// Streams up to this many bytes are split at every position, longer ones at `SPLITS` positions.
const EVERY_SPLIT_BYTES_MAX: usize = 1_024;
const SPLITS: usize = 16;
/// Streams beyond this many bytes come in pieces of `PIECE_BYTES` instead of single bytes.
const SINGLE_BYTES_MAX: usize = 128 * 1_024;
const PIECE_BYTES: usize = 997;

#[test]
fn streams_decode_as_the_table_says_however_they_are_split() {
    let vectors: Vec<_> = include_str!("vectors/ws.txt").lines().filter_map(Vector::parse).collect();
    assert!(vectors.len() > 80, "{} vectors", vectors.len());
    for vector in &vectors {
        vector.check(&[]);
        let len = vector.input.len();
        let stride = if len <= EVERY_SPLIT_BYTES_MAX { 1 } else { len / SPLITS };
        (1..len).step_by(stride).for_each(|split| vector.check(&[split]));
        let piece = if len <= SINGLE_BYTES_MAX { 1 } else { PIECE_BYTES };
        vector.check(&(1..len).step_by(piece).collect::<Vec<_>>());
    }
}

struct Vector<'a> {
    name: &'a str,
    input: Vec<u8>,
    expected: Vec<&'a str>,
}

impl<'a> Vector<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let columns: Vec<_> = line.split('|').map(str::trim).collect();
        let [name, section, input, expected] = columns[..] else { panic!("four columns in: {line}") };
        assert!(!section.is_empty(), "{name}: no section");
        let (input, rest) = bytes(input);
        assert_eq!(rest, "", "{name}: unread input");
        let expected = expected.split("; ").filter(|term| *term != "more").collect();
        Some(Self { name, input, expected })
    }

    /// Decodes the input in pieces that end at `splits`.
    fn check(&self, splits: &[usize]) {
        let (mut input, mut decoder, mut found) = (self.input.clone(), Decoder::new(), Vec::new());
        let mut start = 0;
        for &end in splits.iter().chain([&self.input.len()]) {
            if !decode(&mut decoder, &mut input[start..end], &mut found) {
                break;
            }
            start = end;
        }
        let context = || format!("{} in {} pieces, first {:?}", self.name, splits.len() + 1, splits.first());
        assert_eq!(found.len(), self.expected.len(), "{}: {found:?}", context());
        for (found, expected) in found.iter().zip(&self.expected) {
            assert!(found.contains(&expected.to_string()), "{}: {expected}, found {found:?}", context());
        }
    }
}

/// Adds the ways in which the table may write each message or error. False after an error.
fn decode(decoder: &mut Decoder, mut input: &mut [u8], found: &mut Vec<Vec<String>>) -> bool {
    loop {
        let consumed = match decoder.decode(input, MESSAGE_MAX) {
            Ok((consumed, None)) => {
                assert_eq!(consumed, input.len(), "without a message, all is taken");
                return true;
            }
            Ok((consumed, Some(message))) => {
                found.push(spellings(message));
                consumed
            }
            Err(error) => {
                found.push(vec![format!("error {}", error.close_code().code())]);
                return false;
            }
        };
        input = &mut input[consumed..];
    }
}

fn spellings(message: Message<'_>) -> Vec<String> {
    let text = |word: &str, text: &str| vec![format!("{word} '{text}'"), format!("{word} #{}", text.len())];
    match message {
        Message::Text(content) => text("text", content),
        Message::Binary(content) if content.len() > 64 => vec![format!("binary #{}", content.len())],
        Message::Binary(content) => {
            let digits: String = content.iter().map(|byte| format!("{byte:02x}")).collect();
            vec![format!("binary {digits}").trim_end().to_owned(), format!("binary #{}", content.len())]
        }
        Message::Ping(content) => text("ping", &String::from_utf8_lossy(content)),
        Message::Pong(content) => text("pong", &String::from_utf8_lossy(content)),
        Message::Close(None) => vec!["close".to_owned()],
        Message::Close(Some((code, reason))) => text(&format!("close {code}"), reason),
    }
}

/// Reads hexadecimal digits, 'text' and (group)*count, up to the end or a closing parenthesis.
fn bytes(mut input: &str) -> (Vec<u8>, &str) {
    let mut out = Vec::new();
    while let Some(first) = input.chars().next().filter(|&first| first != ')') {
        if first == '\'' {
            let (text, rest) = input[1..].split_once('\'').expect("a closing quote");
            out.extend_from_slice(text.as_bytes());
            input = rest;
        } else if first == '(' {
            let (group, rest) = bytes(&input[1..]);
            let count = rest.strip_prefix(")*").expect("a count");
            let end = count.find(|c: char| !c.is_ascii_digit()).unwrap_or(count.len());
            out.extend(group.repeat(count[..end].parse().expect("a count")));
            input = &count[end..];
        } else if first == ' ' {
            input = &input[1..];
        } else {
            out.push(u8::from_str_radix(&input[..2], 16).expect("two hexadecimal digits"));
            input = &input[2..];
        }
    }
    (out, input)
}
