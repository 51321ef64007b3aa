//! Heads of the requests that opened sessions: kept for those who ask, each line once however many clients sent it.
//!
//! Not HTTP: a head is lines that end with CR LF. Clients of one page send the same dozen lines but for a key, a cookie or a time, so what
//! is kept of a head is mostly numbers of lines:
//!
//! ```text
//! item   0lll llll  llll llll  <l bytes>     a line that only this client sent
//!        1nnn nnnn  nnnn nnnn                the line with number n, which others sent too
//! ```
//!
//! A line gets a number when it comes a second time; what came once leaves only a trace of 32 bits, in a table that forgets. So a line
//! that never comes again (keys, tokens) costs itself, and nobody can fill the table with it.

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::account::{Account, Charge, Kind, Owner};
use crate::limits::{LINE_TRACES, LINES_MAX};

/// What is kept of one head.
pub(crate) type Kept = SmallVec<[u8; 16]>;

/// The lines that are shared.
pub(crate) struct Heads {
    lines: Vec<Line>,
    free: Vec<u16>,
    numbers: HashTable<u16>,
    /// Of lines that came once, by their hash. Made with the first head.
    traces: Vec<u32>,
    hasher: ahash::RandomState,
    /// For all heads and lines: one charge, so that an idle client has none of its own.
    charge: Charge,
}

struct Line {
    text: Box<[u8]>,
    uses: u32,
}

/// Marks an item that is a number.
const SHARED: u16 = 1 << 15;
const LINE_END: &[u8] = b"\r\n";

const _: () = assert!(LINES_MAX <= SHARED as usize);
const _: () = assert!(LINE_TRACES.is_power_of_two());

impl Heads {
    pub(crate) fn new(hasher: ahash::RandomState, account: &Account) -> Self {
        let charge = account.charge(Kind::Handshakes, Owner::Core, 0);
        let (lines, free, traces) = (Vec::new(), Vec::new(), Vec::new());
        Self { lines, free, numbers: HashTable::new(), traces, hasher, charge }
    }

    /// Keeps a head. Give it back with [`Heads::forget`].
    pub(crate) fn keep(&mut self, head: &[u8]) -> Kept {
        let mut kept = Kept::new();
        for line in lines(head) {
            match self.number(line) {
                Some(number) => kept.extend_from_slice(&(number | SHARED).to_be_bytes()),
                None => append_own(&mut kept, line),
            }
        }
        kept.shrink_to_fit();
        self.charge.add(heap_bytes(&kept));
        kept
    }

    /// The head as it came.
    pub(crate) fn restore(&self, kept: &Kept) -> Vec<u8> {
        let mut head = Vec::with_capacity(512);
        for item in items(kept) {
            head.extend_from_slice(match item {
                Item::Own(text) => text,
                Item::Shared(number) => self.lines.get(usize::from(number)).map_or(&[], |line| &line.text),
            });
        }
        head
    }

    /// A head is not needed any more.
    pub(crate) fn forget(&mut self, kept: &Kept) {
        self.charge.set(self.charge.bytes() - heap_bytes(kept));
        for item in items(kept) {
            if let Item::Shared(number) = item {
                self.release(number);
            }
        }
    }

    /// Bytes that a head costs: its own, and its part of the lines that others sent, too.
    pub(crate) fn cost(&self, kept: &Kept) -> usize {
        let part = |item| match item {
            Item::Own(_) => 0,
            Item::Shared(number) => self
                .lines
                .get(usize::from(number))
                .map_or(0, |line| line.text.len() / line.uses.max(1) as usize),
        };
        heap_bytes(kept) + items(kept).map(part).sum::<usize>()
    }

    /// Bytes of the lines that are shared.
    pub(crate) fn lines_bytes(&self) -> usize {
        self.lines.iter().map(|line| line.text.len()).sum()
    }

    /// The number of a line that others have sent; it counts one use more.
    fn number(&mut self, line: &[u8]) -> Option<u16> {
        let hash = self.hasher.hash_one(line);
        let known = self.numbers.find(hash, |&number| *self.lines[usize::from(number)].text == *line);
        if let Some(&number) = known {
            self.lines[usize::from(number)].uses += 1;
            return Some(number);
        }
        self.has_come_before(hash).then(|| self.enter(hash, line)).flatten()
    }

    fn has_come_before(&mut self, hash: u64) -> bool {
        if self.traces.is_empty() {
            self.traces = vec![0; LINE_TRACES];
        }
        let trace = (hash >> 32) as u32 | 1; // 0 is none
        std::mem::replace(&mut self.traces[hash as usize & (LINE_TRACES - 1)], trace) == trace
    }

    fn enter(&mut self, hash: u64, line: &[u8]) -> Option<u16> {
        let new = Line { text: line.into(), uses: 1 };
        self.charge.add(line.len());
        let number = match self.free.pop() {
            Some(number) => {
                self.lines[usize::from(number)] = new;
                number
            }
            None if self.lines.len() < LINES_MAX => {
                self.lines.push(new);
                (self.lines.len() - 1) as u16
            }
            None => {
                self.charge.set(self.charge.bytes() - line.len());
                return None;
            }
        };
        let (lines, hasher) = (&self.lines, &self.hasher);
        self.numbers.insert_unique(hash, number, |&other| hasher.hash_one(&*lines[usize::from(other)].text));
        Some(number)
    }

    fn release(&mut self, number: u16) {
        let line = &mut self.lines[usize::from(number)];
        line.uses -= 1;
        if line.uses == 0 {
            let text = std::mem::take(&mut line.text);
            self.charge.set(self.charge.bytes() - text.len());
            if let Ok(entry) = self.numbers.find_entry(self.hasher.hash_one(&*text), |&other| other == number)
            {
                entry.remove();
            }
            self.free.push(number);
        }
    }
}

pub(crate) fn heap_bytes(kept: &Kept) -> usize {
    if kept.spilled() { kept.capacity() } else { 0 }
}

enum Item<'a> {
    Own(&'a [u8]),
    Shared(u16),
}

fn items(mut kept: &[u8]) -> impl Iterator<Item = Item<'_>> {
    std::iter::from_fn(move || {
        let (mark, rest) = kept.split_first_chunk::<2>()?;
        let mark = u16::from_be_bytes(*mark);
        let own = if mark & SHARED == 0 { usize::from(mark) } else { 0 };
        let (text, rest) = rest.split_at_checked(own)?;
        kept = rest;
        Some(if mark & SHARED == 0 { Item::Own(text) } else { Item::Shared(mark & !SHARED) })
    })
}

/// Appends a line of one's own; heads are bounded far below what the mark can count, and a longer line takes several items.
fn append_own(kept: &mut Kept, line: &[u8]) {
    for part in line.chunks(usize::from(SHARED - 1)) {
        kept.extend_from_slice(&(part.len() as u16).to_be_bytes());
        kept.extend_from_slice(part);
    }
}

/// The lines of a head with their ends; what follows the last end is a line too.
fn lines(mut head: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if head.is_empty() {
            return None;
        }
        let end = head.windows(2).position(|pair| pair == LINE_END).map_or(head.len(), |at| at + 2);
        let (line, rest) = head.split_at(end);
        head = rest;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: some browser of today\r\n\r\n";

    fn heads() -> Heads {
        Heads::new(ahash::RandomState::with_seeds(1, 2, 3, 4), &Account::default())
    }

    #[test]
    fn from_the_second_client_on_a_line_costs_two_bytes() {
        let mut heads = heads();
        let first = heads.keep(PAGE);
        assert!(first.len() > PAGE.len());
        let second = heads.keep(PAGE);
        let third = heads.keep(PAGE);
        assert_eq!((second.len(), third.len()), (8, 8));
        assert!(!third.spilled());
        for kept in [&first, &second, &third] {
            assert_eq!(heads.restore(kept), PAGE);
        }
    }

    #[test]
    fn a_line_that_nobody_has_any_more_makes_room() {
        let mut heads = heads();
        let all: Vec<_> = (0..3).map(|_| heads.keep(PAGE)).collect();
        assert_eq!(heads.numbers.len(), 4);
        all.iter().for_each(|kept| heads.forget(kept));
        assert_eq!((heads.numbers.len(), heads.free.len()), (0, 4));
        let again = heads.keep(PAGE);
        assert_eq!(heads.restore(&again), PAGE);
        assert_eq!(heads.lines.len(), 4);
    }

    #[test]
    fn lines_that_come_once_are_not_collected() {
        let mut heads = heads();
        for key in 0..LINES_MAX * 2 {
            heads.keep(format!("Sec-WebSocket-Key: {key}\r\n").as_bytes());
        }
        // Two traces may be alike by chance, so a few of them may have a number.
        assert!(heads.lines.len() < 10, "{}", heads.lines.len());
    }

    #[test]
    fn a_full_table_keeps_lines_as_they_are() {
        let mut heads = heads();
        for line in 0..=LINES_MAX + 1 {
            let line = format!("{line}\r\n");
            let kept = [heads.keep(line.as_bytes()), heads.keep(line.as_bytes())];
            assert!(kept.iter().all(|kept| heads.restore(kept) == line.as_bytes()));
        }
        assert_eq!(heads.lines.len(), LINES_MAX);
    }

    proptest! {
        #[test]
        fn whatever_came_is_given_back(head in "([a-c]{0,3}\r?\n?){0,12}", times in 1..4_usize) {
            let mut heads = heads();
            let kept: Vec<_> = (0..times).map(|_| heads.keep(head.as_bytes())).collect();
            for kept in &kept {
                prop_assert_eq!(heads.restore(kept), head.as_bytes());
            }
            kept.iter().for_each(|kept| heads.forget(kept));
            prop_assert_eq!((heads.numbers.len(), heads.charge.bytes()), (0, 0));
        }
    }
}
