//! What happened, as one number and, if somebody wants to read it, as lines.
//!
//! Not a log of the engine: it sees what crosses the kernel's border and what the models do. Equal seeds give equal numbers.

use std::fmt::Write;

/// The story of a run.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    events: u64,
    lines: Option<String>,
}

/// Bytes of an event that a line shows; the hash sees all of them.
const SHOWN_BYTES_MAX: usize = 120;

impl Trace {
    /// A trace that keeps only its hash.
    pub const fn silent() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, events: 0, lines: None }
    }

    /// A trace that keeps lines, too.
    pub fn wordy() -> Self {
        Self { lines: Some(String::new()), ..Self::silent() }
    }

    /// Something happened: what, to whom, and the bytes of it.
    pub fn note(&mut self, now_ms: u64, what: &'static str, whom: [u64; 2], bytes: &[u8]) {
        self.events += 1;
        self.eat(&now_ms.to_le_bytes());
        self.eat(what.as_bytes());
        whom.iter().for_each(|number| self.eat(&number.to_le_bytes()));
        self.eat(bytes);
        if let Some(lines) = &mut self.lines {
            let [a, b] = whom;
            let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
            let _ = writeln!(lines, "{now_ms:>8} {what:<10} {a:>5} {b:>6} {}", shown.escape_ascii());
        }
    }

    /// The number that equal runs share.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Events so far.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The lines since the last call.
    pub fn take_lines(&mut self) -> String {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn eat(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.mix(u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
        }
        chunks.remainder().iter().for_each(|&byte| self.mix(u64::from(byte)));
        self.mix(bytes.len() as u64);
    }

    const fn mix(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_event_counts() {
        let hash = |now_ms, what, whom, bytes: &[u8]| {
            let mut trace = Trace::silent();
            trace.note(now_ms, what, whom, bytes);
            trace.hash()
        };
        let base = hash(1, "send", [2, 3], b"0123456789");
        assert_eq!(base, hash(1, "send", [2, 3], b"0123456789"));
        assert_ne!(base, hash(2, "send", [2, 3], b"0123456789"));
        assert_ne!(base, hash(1, "recv", [2, 3], b"0123456789"));
        assert_ne!(base, hash(1, "send", [2, 4], b"0123456789"));
        assert_ne!(base, hash(1, "send", [2, 3], b"0123456788"));
    }

    #[test]
    fn only_a_wordy_trace_has_lines() {
        let (mut silent, mut wordy) = (Trace::silent(), Trace::wordy());
        silent.note(5, "open", [0, 1], b"");
        wordy.note(5, "open", [0, 1], b"a\n");
        assert_eq!(silent.take_lines(), "");
        assert!(wordy.take_lines().contains(r"a\n"));
        assert_eq!(silent.events(), 1);
    }
}
