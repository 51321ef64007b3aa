//! Events as applications send them: JSON text of words, names and numbers, no two alike, of an exact length.
//! Not random data: it compresses to about two fifths, as JSON does.
//!
//! The text stands inside a JSON string, so its quotes are escaped: what is made here is what the wire carries.

use std::fmt::Write as _;

use crate::payload::{self, Stamp};

/// The payload of one event, as the wire has it: sequence, time, then JSON text; `bytes` in all (at least
/// [`payload::BYTES_MIN`]). The same stamp gives the same text.
#[must_use]
pub fn event(stamp: Stamp, bytes: usize) -> String {
    let mut text = stamp.payload(payload::BYTES_MIN);
    let mut dice = Dice(stamp.sent_ns ^ (u64::from(stamp.sequence) << 40) ^ 0x9e37_79b9);
    if bytes < text.len() + OPENING.len() + CLOSING.len() + 1 {
        text.extend(std::iter::repeat_n('.', bytes.saturating_sub(text.len())));
        return text;
    }
    text.push_str(OPENING);
    let mut field = String::new();
    loop {
        field.clear();
        write_field(&mut dice, &mut field);
        if text.len() + field.len() + CLOSING.len() + 1 > bytes {
            break;
        }
        text.push_str(&field);
    }
    text.push_str(CLOSING);
    text.extend(std::iter::repeat_n('0', bytes - 1 - text.len()));
    text.push('}');
    text
}

fn write_field(dice: &mut Dice, out: &mut String) {
    let (name, kind) = (dice.word(), dice.below(3));
    // Writing to a String cannot fail.
    let _ = match kind {
        0 => write!(out, r#"\"{name}\":{},"#, dice.below(1_000_000)),
        1 => write!(out, r#"\"{name}\":\"{} {} {}\","#, dice.word(), dice.word(), dice.word()),
        _ => write!(out, r#"\"{name}\":{{\"id\":\"{:08x}\",\"ok\":true}},"#, dice.below(1 << 32)),
    };
}

/// Numbers that follow from a seed: SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len() as u64) as usize]
    }
}

const OPENING: &str = "{";
/// The last field; zeros behind it make the length exact.
const CLOSING: &str = r#"\"end\":1"#;

const WORDS: [&str; 48] = [
    "account",
    "amount",
    "answer",
    "arrival",
    "author",
    "basket",
    "bridge",
    "button",
    "camera",
    "castle",
    "change",
    "corner",
    "county",
    "customer",
    "delivery",
    "distance",
    "editor",
    "engine",
    "evening",
    "feature",
    "garden",
    "harbour",
    "height",
    "island",
    "journey",
    "kitchen",
    "language",
    "latitude",
    "letter",
    "market",
    "message",
    "minute",
    "mountain",
    "number",
    "office",
    "parcel",
    "platform",
    "position",
    "quarter",
    "reading",
    "river",
    "score",
    "season",
    "station",
    "street",
    "temperature",
    "village",
    "window",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_length_its_stamp_and_is_a_json_string() {
        for bytes in [26, 30, 40, 128, 1024, 4096] {
            let stamp = Stamp { sequence: 7, sent_ns: 123 };
            let text = event(stamp, bytes);
            assert_eq!(text.len(), bytes);
            let whole: String = serde_json::from_str(&format!("\"{text}\"")).expect("a JSON string");
            assert!(whole.starts_with("00000000070000000000000123"));
        }
    }

    #[test]
    fn what_follows_the_stamp_is_json() {
        let text = event(Stamp { sequence: 1, sent_ns: 2 }, 1024);
        let whole: String = serde_json::from_str(&format!("\"{text}\"")).expect("a JSON string");
        let inner: serde_json::Value = serde_json::from_str(&whole[payload::BYTES_MIN..]).expect("JSON");
        assert!(inner.as_object().is_some_and(|fields| fields.len() > 5));
    }

    #[test]
    fn events_differ() {
        let texts = [1, 2].map(|sequence| event(Stamp { sequence, sent_ns: 9 }, 1024));
        assert_ne!(texts[0][40..], texts[1][40..]);
    }
}
