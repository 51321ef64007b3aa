//! Kernel memory in slabs: sockets, files, poll entries. It does not see pages that are no slab (socket
//! buffers with data in them, large tables); an idle connection has none of the first and shares the second.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

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
    /// Of what connections are made of, bytes; of everything without `/proc/slabinfo`. May be negative.
    pub bytes: i64,
    /// Of everything else, bytes: what other programs did meanwhile.
    pub other_bytes: i64,
    /// The caches of connections that grew, largest first; empty without `/proc/slabinfo`.
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

    /// Reads the slabs as soon as they have stopped shrinking: closed sockets leave them late. Waits five
    /// seconds at most.
    #[must_use]
    pub fn settled() -> Slab {
        let started = Instant::now();
        let mut before = Slab::now();
        let mut quiet = 0;
        while quiet < QUIET_LOOKS && started.elapsed() < SETTLE_MAX {
            std::thread::sleep(LOOK);
            let now = Slab::now();
            quiet = if now.since(&before).bytes.abs() < QUIET_BYTES { quiet + 1 } else { 0 };
            before = now;
        }
        before
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
                Growth { bytes: signed(*now) - signed(*before), ..Growth::default() }
            }
            _ => Growth::default(),
        }
    }
}

fn growth(now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>) -> Growth {
    let grown = |(name, bytes): (&String, &u64)| {
        (name.clone(), signed(*bytes) - signed(before.get(name).copied().unwrap_or(0)))
    };
    let (mut caches, others): (Vec<_>, Vec<_>) =
        now.iter().map(grown).partition(|(name, _)| is_of_connections(name));
    caches.retain(|(_, bytes)| *bytes != 0);
    caches.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let sum = |caches: &[(String, i64)]| caches.iter().map(|(_, bytes)| bytes).sum();
    Growth { bytes: sum(&caches), other_bytes: sum(&others), caches }
}

/// Whether a connection, its file, its poll entries or its ring's requests may live in this cache. Others
/// (inodes of file systems, memory maps of programs) belong to whoever else is running.
fn is_of_connections(cache: &str) -> bool {
    OF_CONNECTIONS.iter().any(|prefix| cache.starts_with(prefix))
}

const OF_CONNECTIONS: &[&str] = &[
    "TCP",
    "tcp_",
    "request_sock",
    "tw_sock",
    "sock_inode",
    "filp",
    "dentry",
    "lsm_",
    "eventpoll",
    "ep_",
    "io_kiocb",
    "io_",
    "skbuff",
    "kmalloc-",
    "fsnotify",
];

/// Slabs are quiet if they change by less than this between two looks, so many times.
const QUIET_BYTES: i64 = 64 * 1024;
const QUIET_LOOKS: u32 = 3;
const LOOK: Duration = Duration::from_millis(200);
const SETTLE_MAX: Duration = Duration::from_secs(5);

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

    const BEFORE: &str = "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize>\nTCP 10 12 2560 12 8 : tunables 0 0 0\ndentry 100 120 192 21 1 :\next4_inode_cache 5 5 1000 1 1 :\n";
    const AFTER: &str = "slabinfo - version: 2.1\n# name\nTCP 20 24 2560 12 8 :\ndentry 99 120 192 21 1 :\next4_inode_cache 7 7 1000 1 1 :\n";

    #[test]
    fn growth_is_live_objects_times_their_size() {
        let growth = Slab::Caches(caches(AFTER)).since(&Slab::Caches(caches(BEFORE)));
        assert_eq!(growth.bytes, 10 * 2560 - 192);
        assert_eq!(growth.other_bytes, 2000);
        assert_eq!(growth.caches.first(), Some(&("TCP".to_owned(), 25_600)));
    }

    #[test]
    fn totals_are_subtracted() {
        assert_eq!(Slab::Total(10).since(&Slab::Total(30)).bytes, -20);
    }
}
