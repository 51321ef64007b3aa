//! The arrays that most events are: a name and some texts or whole numbers, without space, escapes or nesting. It is not the scanner,
//! which reads every array and says what is wrong with one; what this does not know it leaves to that.
//!
//! Cost: a look at a byte or two per element, beside the texts' insides.

use smallvec::SmallVec;

use super::super::args::{SPANS_INLINE, Spans};
use super::plain_end;

/// The elements of a flat array; `None` if it may be something else.
pub(super) fn scan(text: &str) -> Option<Spans> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'[') || u32::try_from(bytes.len()).is_err() {
        return None;
    }
    let (mut spans, mut count, mut start) = ([(0, 0); SPANS_INLINE], 0, 1);
    loop {
        let end = element_end(bytes, start)?;
        *spans.get_mut(count)? = (start as u32, end as u32); // the text's length was seen to fit
        count += 1;
        match bytes.get(end)? {
            b',' => start = end + 1,
            b']' if end + 1 == bytes.len() => return Some(SmallVec::from_buf_and_len(spans, count)),
            _ => return None,
        }
    }
}

/// Where the plain text or the whole number ends that begins at `start`.
fn element_end(bytes: &[u8], start: usize) -> Option<usize> {
    match bytes.get(start)? {
        b'"' => {
            let end = plain_end(bytes, start + 1);
            (bytes.get(end) == Some(&b'"')).then_some(end + 1)
        }
        b'1'..=b'9' => {
            let mut end = start + 1;
            while bytes.get(end).is_some_and(u8::is_ascii_digit) {
                end += 1;
            }
            Some(end)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sio::json::scan_array_with;

    /// Whatever it takes, the scanner takes too and with the same elements; whatever the scanner refuses, it does not take.
    #[test]
    fn it_equals_the_scanner_where_it_answers() {
        let parts = [
            "\"a\"", "\"\"", "\"a\\n\"", "\"\n\"", "12", "0", "01", "1.5", "-1", "null", "[]", "{}", "",
            " 1", "1 ", "\"é\"", "\"x",
        ];
        let mut taken = 0;
        for first in parts {
            for second in parts {
                for text in [
                    format!("[{first}]"),
                    format!("[{first},{second}]"),
                    format!("[{first},{second},{second}] "),
                    format!("[{first}{second}]"),
                    format!("[{first},{second}"),
                    format!("{first},{second}]"),
                ] {
                    if let Some(spans) = scan(&text) {
                        assert_eq!(scan_array_with(&text, 128, &mut ()), Ok(spans), "{text}");
                        taken += 1;
                    }
                }
            }
        }
        assert!(taken > 50, "{taken}");
    }

    #[test]
    fn what_needs_a_heap_is_left_to_the_scanner() {
        assert_eq!(scan("[1,2,3,4,5,6]").map(|spans| spans.len()), Some(SPANS_INLINE));
        assert_eq!(scan("[1,2,3,4,5,6,7]"), None);
        assert_eq!(scan("[]"), None);
    }
}
