//! Counts by name, the largest first. Names that are one thing for whoever reads them are one item: copies of
//! memory, the allocator.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::lines::Place;
use super::reasons;
use super::samples::Samples;

/// One function, or a group of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// The line of it that most samples met; empty outside of the house.
    pub line: String,
    /// Share of all samples, of 1.
    pub of_all: f64,
    /// Share of those in user space, or in the kernel if it is the kernel's, of 1.
    pub of_side: f64,
    /// What a unit spends in it, ns.
    pub ns: f64,
    /// Why it is there; empty if nobody has said so.
    pub reason: String,
}

/// What shares are shares of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) all: u64,
    pub(super) user: u64,
    pub(super) cpu_ns: f64,
}

/// How often each line of a function was met.
type Lines = BTreeMap<String, u64>;

/// The largest items of user space.
pub(super) fn user(samples: &Samples, places: &BTreeMap<u64, Place>, scale: Scale) -> Vec<Item> {
    let unknown = Place { function: "unknown".to_owned(), line: String::new() };
    let mut groups: BTreeMap<String, Lines> = BTreeMap::new();
    let mut add = |function: &str, line: &str, count: u64| {
        *groups.entry(group(function)).or_default().entry(line.to_owned()).or_default() += count;
    };
    for (address, count) in &samples.program {
        let place = places.get(address).unwrap_or(&unknown);
        add(&place.function, &place.line, *count);
    }
    samples.libraries.iter().for_each(|(symbol, count)| add(symbol, "", *count));
    largest(groups, scale, scale.user)
}

/// The largest items of the kernel.
pub(super) fn kernel(samples: &Samples, scale: Scale) -> Vec<Item> {
    let groups =
        samples.kernel.iter().map(|(name, count)| (name.clone(), Lines::from([(String::new(), *count)])));
    largest(groups.collect(), scale, scale.all - scale.user)
}

fn largest(groups: BTreeMap<String, Lines>, scale: Scale, side: u64) -> Vec<Item> {
    let mut counted: Vec<(u64, String, Lines)> =
        groups.into_iter().map(|(name, lines)| (lines.values().sum(), name, lines)).collect();
    counted.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    counted.truncate(ITEMS_MAX);
    let item = |(count, name, lines): (u64, String, Lines)| {
        let of_all = count as f64 / scale.all.max(1) as f64;
        let line = lines.into_iter().max_by_key(|(_, count)| *count).map(|(line, _)| line);
        Item {
            reason: reasons::reason(&name).to_owned(),
            line: line.unwrap_or_default(),
            of_all: rounded(of_all),
            of_side: rounded(count as f64 / side.max(1) as f64),
            ns: (of_all * scale.cpu_ns * 10.0).round() / 10.0,
            name,
        }
    };
    counted.into_iter().map(item).collect()
}

/// One name for what is one thing under several.
fn group(function: &str) -> String {
    let is_one_of = |names: &[&str]| names.iter().any(|name| function.starts_with(name));
    let name = if is_one_of(&["__memmove", "__memcpy", "memmove", "memcpy"]) {
        "copies of memory"
    } else if is_one_of(&["__memset", "memset"]) {
        "memory set to zero"
    } else if is_one_of(&[
        "malloc",
        "_int_malloc",
        "_int_free",
        "cfree",
        "free",
        "realloc",
        "calloc",
        "mi_",
        "_mi_",
    ]) || is_one_of(&[
        "__libc_malloc",
        "__libc_free",
        "unlink_chunk",
        "sysmalloc",
        "_int_realloc",
        "__GI___libc",
    ]) {
        "the allocator"
    } else if is_one_of(&["syscall", "__vdso", "epoll_wait", "shutdown", "io_uring_enter"]) {
        "calls into the kernel"
    } else {
        function
    };
    name.to_owned()
}

/// To four digits after the point.
pub(super) fn rounded(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

/// As many as are worth a line.
const ITEMS_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Samples {
        let libraries = [("__memmove_avx", 2), ("malloc", 1), ("cfree", 1)];
        Samples {
            program: BTreeMap::from([(1, 3), (2, 1)]),
            libraries: libraries.map(|(name, count)| (name.to_owned(), count)).into(),
            kernel: BTreeMap::from([("tcp_ack".to_owned(), 12)]),
        }
    }

    fn scale() -> Scale {
        Scale { all: samples().all(), user: samples().user(), cpu_ns: 4000.0 }
    }

    #[test]
    fn lines_of_one_function_are_one_item_with_the_line_met_most() {
        let place = |line: &str| Place { function: "hub::f".into(), line: line.into() };
        let places = BTreeMap::from([(1, place("f.rs:7")), (2, place("f.rs:9"))]);
        let user = user(&samples(), &places, scale());
        let names: Vec<&str> = user.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names, ["hub::f", "copies of memory", "the allocator"]);
        let first = Item { reason: String::new(), ..user[0].clone() };
        let expected = Item {
            name: "hub::f".into(),
            line: "f.rs:7".into(),
            of_all: 0.2,
            of_side: 0.5,
            ns: 800.0,
            reason: String::new(),
        };
        assert_eq!(first, expected);
    }

    #[test]
    fn the_kernels_shares_are_of_the_kernel() {
        let kernel = kernel(&samples(), scale());
        assert_eq!((kernel[0].of_all, kernel[0].of_side, kernel[0].ns), (0.6, 1.0, 2400.0));
    }

    #[test]
    fn there_are_ten_at_most() {
        let libraries = (0..20).map(|index| (format!("f{index}"), 1)).collect();
        let samples = Samples { libraries, ..Samples::default() };
        let scale = Scale { all: 20, user: 20, cpu_ns: 1.0 };
        assert_eq!(user(&samples, &BTreeMap::new(), scale).len(), ITEMS_MAX);
    }
}
