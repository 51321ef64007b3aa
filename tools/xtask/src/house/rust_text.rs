//! Rust source without its comments and literals, and its words with their lines.
//!
//! No parser: it knows just enough of the lexical grammar (nested comments, raw strings, characters against
//! lifetimes) that a word in a string is never taken for code.

/// The source with every comment, string and character literal replaced by spaces; lines stay where they are.
pub(super) fn code_only(source: &str) -> String {
    let mut scanner = Scanner { rest: source, code: String::with_capacity(source.len()) };
    while let Some(next) = scanner.rest.chars().next() {
        scanner.step(next);
    }
    scanner.code
}

/// The identifiers and keywords of such code, each with its line from 1.
pub(super) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(|(index, line)| {
        let parts = line.split(|character| !is_word(character)).filter(|part| !part.is_empty());
        parts.map(move |part| (index + 1, part))
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

struct Scanner<'a> {
    rest: &'a str,
    code: String,
}

impl Scanner<'_> {
    fn step(&mut self, next: char) {
        match next {
            '/' if self.rest.starts_with("//") => self.blank(self.rest.find('\n').unwrap_or(self.rest.len())),
            '/' if self.rest.starts_with("/*") => self.blank(block_comment(self.rest)),
            '"' => self.blank(string(self.rest)),
            '\'' => match character(self.rest) {
                Some(length) => self.blank(length),
                None => self.keep(1),
            },
            _ if is_word(next) => self.word(),
            _ => self.keep(next.len_utf8()),
        }
    }

    /// A word, or a raw string if the word is a raw string's prefix.
    fn word(&mut self) {
        let length = self.rest.find(|character| !is_word(character)).unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(length);
        match raw_string(word, after) {
            Some(raw) => self.blank(length + raw),
            None => self.keep(length),
        }
    }

    fn keep(&mut self, length: usize) {
        let (kept, rest) = self.rest.split_at(length);
        self.code.push_str(kept);
        self.rest = rest;
    }

    fn blank(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at(length);
        self.code.extend(gone.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }
}

/// Length of the comment that begins here; comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut position) = (0_usize, 0_usize);
    while let Some(found) =
        text.get(position..).and_then(|rest| rest.find(['/', '*']).map(|at| position + at))
    {
        let here = &text[found..];
        position = found + 1;
        if here.starts_with("/*") {
            (depth, position) = (depth + 1, found + 2);
        } else if here.starts_with("*/") {
            (depth, position) = (depth - 1, found + 2);
        }
        if depth == 0 {
            return position;
        }
    }
    text.len()
}

/// Length of the string that begins here with its quote; a backslash hides the next character.
fn string(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of what follows a raw string's prefix: hashes, quote, text, quote, as many hashes.
fn raw_string(prefix: &str, after: &str) -> Option<usize> {
    if !matches!(prefix, "r" | "br" | "cr") {
        return None;
    }
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(hashes + 1 + length)
}

/// Length of the character literal that begins here; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    match characters.next()? {
        (_, '\\') => {
            characters.next()?;
            characters.find(|(_, character)| *character == '\'').map(|(at, _)| at + 1)
        }
        _ => characters.next().filter(|(_, character)| *character == '\'').map(|(at, _)| at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(source: &str) -> Vec<String> {
        words(&code_only(source)).map(|(_, word)| word.to_string()).collect()
    }

    #[test]
    fn comments_are_no_code_and_nest() {
        assert_eq!(words_of("a // b\nc /* d /* e */ f */ g /// h"), ["a", "c", "g"]);
        assert_eq!(words_of("a / b * c /* open"), ["a", "b", "c"]);
    }

    #[test]
    fn strings_are_no_code() {
        assert_eq!(words_of(r#"a "b \" c" d b"e" f c"g" h "#), ["a", "d", "b", "f", "c", "h"]);
        assert_eq!(words_of(r##"a r"b\" c r#"d " e"# f br#"g"# h "open"##), ["a", "c", "f", "h"]);
        assert_eq!(words_of("a \"// b\" c"), ["a", "c"]);
    }

    #[test]
    fn characters_are_no_code_and_lifetimes_are() {
        assert_eq!(words_of(r#"a '"' b '\'' c '\u{41}' d 'é' e '/' f"#), ["a", "b", "c", "d", "e", "f"]);
        assert_eq!(
            words_of("fn f<'a>(x: &'a str) 'out: loop"),
            ["fn", "f", "a", "x", "a", "str", "out", "loop"]
        );
        assert_eq!(words_of("r#fn b'x' y"), ["r", "fn", "b", "y"]);
    }

    #[test]
    fn lines_stay_where_they_are() {
        let code = code_only("/* 1\n2 */ a\n\"4\n5\" b\r\n");
        assert_eq!(words(&code).collect::<Vec<_>>(), [(2, "a"), (4, "b")]);
    }

    #[test]
    fn any_text_is_read_to_its_end() {
        for text in ["'", "\"", "/*", "r#", "r\"", "'\\", "é'é", "*/", "/*/", "b'", "/**/ a"] {
            assert_eq!(code_only(text).chars().count(), text.chars().count(), "{text}");
        }
    }
}
