//! Runs `vectors/http.txt`: every input whole, byte by byte, and split in two at every position.
//!
//! Not exhaustive where it would be quadratic: long inputs are split at evenly spread positions.

use socketville_proto::http::{Body, Chunked, Head, parse_head};

const BODY_MAX: usize = 100;
/// Inputs up to this many bytes are split at every position, longer ones at `SPLITS` positions.
const EVERY_SPLIT_BYTES_MAX: usize = 1_024;
const SPLITS: usize = 16;

#[test]
fn inputs_are_read_as_the_table_says_however_they_are_split() {
    let vectors: Vec<_> = include_str!("vectors/http.txt").lines().filter_map(Vector::parse).collect();
    assert!(vectors.len() > 80, "{} vectors", vectors.len());
    for vector in &vectors {
        let len = vector.input.len();
        let stride = if len <= EVERY_SPLIT_BYTES_MAX { 1 } else { len / SPLITS };
        vector.check(&[]);
        (1..len).step_by(stride).for_each(|split| vector.check(&[split]));
        vector.check(&(1..len).collect::<Vec<_>>());
    }
}

struct Vector<'a> {
    name: &'a str,
    read: fn(&[u8], &[usize]) -> String,
    input: Vec<u8>,
    expected: String,
}

impl<'a> Vector<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let columns: Vec<_> = line.split('|').map(str::trim).collect();
        let [name, section, kind, input, expected] = columns[..] else { panic!("five columns in: {line}") };
        assert!(!section.is_empty(), "{name}: no section");
        let read = match kind {
            "head" => head,
            "chunked" => chunked,
            _ => panic!("{name}: kind {kind}"),
        };
        let expected = String::from_utf8(unescape(expected)).expect("text");
        Some(Self { name, read, input: unescape(input), expected })
    }

    fn check(&self, splits: &[usize]) {
        let found = (self.read)(&self.input, splits);
        assert_eq!(
            found,
            self.expected,
            "{} in {} pieces, first {:?}",
            self.name,
            splits.len() + 1,
            splits.first()
        );
    }
}

/// Parses the input up to each split in turn, as a connection that collects bytes does.
fn head(input: &[u8], splits: &[usize]) -> String {
    for &end in splits.iter().chain([&input.len()]) {
        match parse_head(&input[..end]) {
            Ok(None) => {}
            Ok(Some((head, len))) => return format!("{} +{}", describe(&head), input.len() - len),
            Err(error) => return error.status().to_string(),
        }
    }
    "more".to_owned()
}

fn describe(head: &Head<'_>) -> String {
    let body = match head.body {
        Body::None => "none".to_owned(),
        Body::Length(len) => len.to_string(),
        Body::Chunked => "chunked".to_owned(),
    };
    let method = format!("{:?}", head.method).to_uppercase();
    let query = if head.query.is_empty() { "-" } else { head.query };
    let keep = if head.keep_alive { "keep" } else { "close" };
    format!("{method} {} {query} {} {body} {keep}", head.path, head.minor)
}

fn chunked(input: &[u8], splits: &[usize]) -> String {
    let (mut chunked, mut out, mut start) = (Chunked::new(), Vec::new(), 0);
    for &end in splits.iter().chain([&input.len()]) {
        match chunked.decode(&input[start..end], &mut out, BODY_MAX) {
            Ok((taken, true)) => {
                let decoded = String::from_utf8(out).expect("text");
                return format!("'{decoded}' +{}", input.len() - start - taken);
            }
            Ok((taken, false)) => assert_eq!(taken, end - start),
            Err(error) => return error.status().to_string(),
        }
        start = end;
    }
    "more".to_owned()
}

/// Reads \r \n \t \0 \\ \xHH and {text*count}.
fn unescape(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '{' => {
                let (group, behind) = rest.split_once('}').expect("a closing brace");
                let (group, count) = group.rsplit_once('*').expect("a count");
                out.extend(unescape(group).repeat(count.parse().expect("a count")));
                rest = behind;
            }
            '\\' => {
                let (byte, taken) = escape(rest);
                out.push(byte);
                rest = &rest[taken..];
            }
            _ => out.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

/// The byte that an escape stands for, and how many characters follow the backslash.
fn escape(rest: &str) -> (u8, usize) {
    match rest.as_bytes()[0] {
        b'r' => (b'\r', 1),
        b'n' => (b'\n', 1),
        b't' => (b'\t', 1),
        b'0' => (0, 1),
        b'\\' => (b'\\', 1),
        b'x' => (u8::from_str_radix(&rest[1..3], 16).expect("two hexadecimal digits"), 3),
        other => panic!("escape \\{}", other as char),
    }
}
