//! Kernel memory in slabs: sockets, files, poll entries. It does not see pages that are no slab (socket
//! buffers with data in them, large tables); an idle connection has none of the first and shares the second.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use super::process::kibibytes;

/// The slabs at one moment.
#[derive(Clone, Debug)]
pub enum Slab {
    /// Live objects per cache, from `/proc/slabinfo` (readable by root only). Exact.
    Caches(BTreeMap<String, Cache>),
    /// The total of `/proc/meminfo`, bytes. Counts whole pages, and whatever else the machine does meanwhile.
    Total(u64),
}

/// One cache: its live objects, and the bytes of each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cache {
    live: i64,
    size: i64,
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

fn growth(now: &BTreeMap<String, Cache>, before: &BTreeMap<String, Cache>) -> Growth {
    let live_before = |name: &String| before.get(name).map_or(0, |cache| cache.live);
    let grown =
        |name: &str| now.get_key_value(name).map_or(0, |(name, cache)| cache.live - live_before(name));
    let (mut caches, mut other_bytes) = (Vec::new(), 0);
    for (name, cache) in now {
        let all = cache.live - live_before(name);
        let counted = match OWNERS.iter().find(|(owned, _)| owned == name) {
            Some((_, owner)) => all.min(grown(owner)),
            None if is_of_connections(name) => all,
            None => 0,
        };
        other_bytes += (all - counted) * cache.size;
        if counted != 0 {
            caches.push((name.clone(), counted * cache.size));
        }
    }
    caches.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Growth { bytes: caches.iter().map(|(_, bytes)| bytes).sum(), other_bytes, caches }
}

/// Caches of which a connection uses one object for each object of another cache. All the rest belongs to file systems: somebody
/// who lists the descriptors of a process, for example, makes a name for each.
const OWNERS: &[(&str, &str)] =
    &[("dentry", "filp"), ("lsm_inode_cache", "sock_inode_cache"), ("lsm_file_cache", "filp")];

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
fn caches(slabinfo: &str) -> BTreeMap<String, Cache> {
    let lines = slabinfo.lines().filter(|line| !line.starts_with('#') && !line.starts_with("slabinfo"));
    lines.filter_map(cache).collect()
}

fn cache(line: &str) -> Option<(String, Cache)> {
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    let live = words.next()?.parse().ok()?;
    let size = words.nth(1)?.parse().ok()?;
    Some((name, Cache { live, size }))
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `/proc/slabinfo` says of these live objects and sizes.
    fn slab(table: &[(&str, u64, u64)]) -> Slab {
        let lines = table
            .iter()
            .map(|(name, live, size)| format!("{name} {live} 999 {size} 12 8 : tunables 0 0 0\n"));
        let heading = "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize>\n".to_owned();
        Slab::Caches(caches(&lines.fold(heading, |text, line| text + &line)))
    }

    #[test]
    fn growth_is_live_objects_times_their_size() {
        let growth = slab(&[("TCP", 20, 2560), ("filp", 9, 192)])
            .since(&slab(&[("TCP", 10, 2560), ("filp", 10, 192)]));
        assert_eq!(growth.bytes, 10 * 2560 - 192);
        assert_eq!(growth.caches.first(), Some(&("TCP".to_owned(), 25_600)));
    }

    #[test]
    fn other_programs_are_not_counted() {
        let before = slab(&[("ext4_inode_cache", 5, 1000), ("dentry", 0, 192), ("filp", 0, 192)]);
        let after = slab(&[("ext4_inode_cache", 7, 1000), ("dentry", 30, 192), ("filp", 10, 192)]);
        let growth = after.since(&before);
        assert_eq!(
            growth.bytes,
            10 * 192 + 10 * 192,
            "a file has one name, the other 20 are not of connections"
        );
        assert_eq!(growth.other_bytes, 2000 + 20 * 192);
    }

    #[test]
    fn totals_are_subtracted() {
        assert_eq!(Slab::Total(10).since(&Slab::Total(30)).bytes, -20);
    }
}
