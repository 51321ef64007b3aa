//! The lines of a vector file: `section | input | expectation`. It does not know what is tested.

/// One line.
pub(crate) struct Vector {
    /// Its number in the file, from 1.
    pub(crate) line: usize,
    /// The part of a specification that it proves.
    pub(crate) section: String,
    /// What is read.
    pub(crate) input: String,
    /// What it must mean.
    pub(crate) expected: String,
}

/// All lines but comments and empty ones, with `\xNN` and `<TEXT*N>` written out.
pub(crate) fn read(file: &str) -> Vec<Vector> {
    let lines = file.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(i, line)| vector(i + 1, line)).collect()
}

fn vector(line: usize, text: &str) -> Vector {
    let parts: Vec<&str> = text.split(" | ").collect();
    let [section, input, expected] = parts[..] else { panic!("line {line}: three parts expected: {text}") };
    Vector { line, section: section.to_owned(), input: write_out(input), expected: write_out(expected) }
}

fn write_out(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some((text, tail)) = repetition(rest) {
            out.push_str(&text);
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix("\\x") {
            out.push(u8::from_str_radix(&tail[..2], 16).expect("two digits") as char);
            rest = &tail[2..];
        } else {
            out.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    out
}

/// `<>` for nothing, or `<TEXT*N>`, and the rest.
fn repetition(text: &str) -> Option<(String, &str)> {
    let (inside, tail) = text.strip_prefix('<')?.split_once('>')?;
    if inside.is_empty() {
        return Some((String::new(), tail));
    }
    let (text, count) = inside.rsplit_once('*')?;
    Some((text.repeat(count.parse().ok()?), tail))
}

/// The name of an error's variant.
pub(crate) fn name(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}
