//! What `perf script` printed, as counts: addresses of the program, symbols of other user space, symbols of the
//! kernel. It explains no address; [`super::lines`] does.

use std::collections::BTreeMap;

/// The samples of one recording.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Samples {
    /// Addresses in the measured program, from its beginning.
    pub(super) program: BTreeMap<u64, u64>,
    /// Symbols of the libraries beside it.
    pub(super) libraries: BTreeMap<String, u64>,
    /// Symbols of the kernel.
    pub(super) kernel: BTreeMap<String, u64>,
}

impl Samples {
    /// Reads lines of `address symbol (object)`. `base` is where the program `name` lies in its process.
    pub(super) fn read(script: &str, name: &str, base: u64) -> Samples {
        let mut samples = Samples::default();
        for (address, symbol, object) in script.lines().filter_map(sample) {
            if address >= KERNEL_FROM {
                *samples.kernel.entry(symbol.to_owned()).or_default() += 1;
            } else if object.rsplit('/').next() == Some(name) && address >= base {
                *samples.program.entry(address - base).or_default() += 1;
            } else {
                *samples.libraries.entry(symbol.to_owned()).or_default() += 1;
            }
        }
        samples
    }

    pub(super) fn user(&self) -> u64 {
        self.program.values().chain(self.libraries.values()).sum()
    }

    pub(super) fn all(&self) -> u64 {
        self.user() + self.kernel.values().sum::<u64>()
    }
}

/// Where a program begins in a process, from the text of its `/proc/PID/maps`.
pub(super) fn base(maps: &str, name: &str) -> Option<u64> {
    let line = maps.lines().find(|line| line.rsplit('/').next() == Some(name))?;
    u64::from_str_radix(line.split_once('-')?.0, 16).ok()
}

fn sample(line: &str) -> Option<(u64, &str, &str)> {
    let (address, rest) = line.trim().split_once(' ')?;
    let (symbol, object) = rest.rsplit_once(" (")?;
    Some((u64::from_str_radix(address, 16).ok()?, symbol.trim(), object.trim_end_matches(')')))
}

/// Addresses of the kernel are in the upper half, on every processor with 64 bits that Linux knows.
const KERNEL_FROM: u64 = 1 << 63;

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "
         55d0a0001234 socketville::turn::Turn<D>::run (/house/bench-server)
         55d0a0001234 socketville::turn::Turn<D>::run (/house/bench-server)
         7f0000001000 __memmove_avx_unaligned_erms (/usr/lib/libc.so.6)
     ffffffff81a3d2f0 tcp_sendmsg_locked ([kernel.kallsyms])
 no sample at all
";

    #[test]
    fn samples_are_told_apart_by_where_they_lie() {
        let samples = Samples::read(SCRIPT, "bench-server", 0x55d0_a000_0000);
        assert_eq!(samples.program, BTreeMap::from([(0x1234, 2)]));
        assert_eq!(samples.libraries.get("__memmove_avx_unaligned_erms"), Some(&1));
        assert_eq!(samples.kernel.get("tcp_sendmsg_locked"), Some(&1));
        assert_eq!((samples.user(), samples.all()), (3, 4));
    }

    #[test]
    fn a_program_begins_at_its_first_mapping() {
        let maps = "7f00-7f01 r--p 0 00:00 1 /lib/libc.so.6\n55d0a0000000-55d0a0100000 r--p 0 fe:00 2 /w/bench-server\n55d0a0100000-55d0a0200000 r-xp 100000 fe:00 2 /w/bench-server\n";
        assert_eq!(base(maps, "bench-server"), Some(0x55d0_a000_0000));
        assert_eq!(base(maps, "other"), None);
    }
}
