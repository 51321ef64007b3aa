//! Kernel memory in slabs: sockets, files, poll entries. It does not see pages that are no slab (socket buffers with
//! data in them, large tables); an idle connection has none of the first and shares the second.

use std::collections::BTreeMap;
use std::fs;

use super::process::kibibytes;

/// The slabs at one moment.
#[derive(Clone, Debug)]
pub enum Slab {
    /// Live objects per cache, in bytes, from `/proc/slabinfo` (readable by root only). Exact.
    Caches(BTreeMap<String, u64>),
    /// The total of `/proc/meminfo`, bytes. Counts whole pages, and whatever else the machine does meanwhile.
    Total(u64),
}

/// How far slabs grew between two moments.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    /// All of it, bytes. May be negative.
    pub bytes: i64,
    /// The caches that grew most, largest first; empty without `/proc/slabinfo`.
    pub caches: Vec<(String, i64)>,
}

impl Slab {
    /// Reads the slabs now.
    #[must_use]
    pub fn now() -> Slab {
        match fs::read_to_string("/proc/slabinfo") {
            Ok(text) => Slab::Caches(caches(&text)),
            Err(_) => {
                let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
                Slab::Total(kibibytes(&text, "Slab:").unwrap_or(0))
            }
        }
    }

    /// Where the figures come from, for the report.
    #[must_use]
    pub fn source(&self) -> &'static str {
        match self {
            Slab::Caches(_) => "live objects in /proc/slabinfo",
            Slab::Total(_) => "Slab in /proc/meminfo (whole pages: rougher; root may read /proc/slabinfo)",
        }
    }

    /// The growth from `earlier` to `self`.
    #[must_use]
    pub fn since(&self, earlier: &Slab) -> Growth {
        match (self, earlier) {
            (Slab::Caches(now), Slab::Caches(before)) => growth(now, before),
            (Slab::Total(now), Slab::Total(before)) => {
                Growth { bytes: signed(*now) - signed(*before), caches: Vec::new() }
            }
            _ => Growth::default(),
        }
    }
}

fn growth(now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>) -> Growth {
    let mut caches: Vec<(String, i64)> = now
        .iter()
        .map(|(name, bytes)| (name.clone(), signed(*bytes) - signed(before.get(name).copied().unwrap_or(0))))
        .filter(|(_, bytes)| *bytes != 0)
        .collect();
    caches.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Growth { bytes: caches.iter().map(|(_, bytes)| bytes).sum(), caches }
}

/// `name <active_objs> <num_objs> <objsize> …` per line, after two lines of heading.
fn caches(slabinfo: &str) -> BTreeMap<String, u64> {
    let lines = slabinfo.lines().filter(|line| !line.starts_with('#') && !line.starts_with("slabinfo"));
    lines.filter_map(cache).collect()
}

fn cache(line: &str) -> Option<(String, u64)> {
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    let active: u64 = words.next()?.parse().ok()?;
    let size: u64 = words.nth(1)?.parse().ok()?;
    Some((name, active * size))
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize>\nTCP 10 12 2560 12 8 : tunables 0 0 0\ndentry 100 120 192 21 1 :\n";
    const AFTER: &str = "slabinfo - version: 2.1\n# name\nTCP 20 24 2560 12 8 :\ndentry 99 120 192 21 1 :\n";

    #[test]
    fn growth_is_live_objects_times_their_size() {
        let growth = Slab::Caches(caches(AFTER)).since(&Slab::Caches(caches(BEFORE)));
        assert_eq!(growth.bytes, 10 * 2560 - 192);
        assert_eq!(growth.caches.first(), Some(&("TCP".to_owned(), 25_600)));
    }

    #[test]
    fn totals_are_subtracted() {
        assert_eq!(Slab::Total(10).since(&Slab::Total(30)).bytes, -20);
    }
}
