//! What the machine and its control groups (cgroup v1 and v2) allow this process: bytes of memory, and how much of its cores.
//!
//! Not what the process uses, and not which cores it may run on (`sys::available_cores`). Everything is read from files, through one function,
//! so the tests have machines made of a few lines of text.

use std::path::{Path, PathBuf};

/// Bytes of memory that this process may use: the machine's, or the smallest limit of its control group and of those around it. `None` if
/// even the machine's is unknown. Limits that slow a process down (`memory.high`) count as well.
///
/// Source: `Documentation/admin-guide/cgroup-v2.rst`, `cgroup-v1/memory.rst` of Linux.
#[must_use]
pub(crate) fn memory_limit() -> Option<u64> {
    Host { read: &read }.memory_limit()
}

/// Cores that a quota leaves to this process, as a number that may be broken: 1.5 is one core and half of another. `None` without a quota.
///
/// Source: `cpu.max` of `cgroup-v2.rst`; `cpu.cfs_quota_us` of `Documentation/scheduler/sched-bwc.rst`.
#[must_use]
pub(crate) fn cpu_quota() -> Option<f64> {
    Host { read: &read }.cpu_quota()
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// A machine, known by its files.
struct Host<'a> {
    read: &'a dyn Fn(&Path) -> Option<String>,
}

/// The two kinds of control groups; a machine may have both, each with other controllers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    V1,
    V2,
}

impl Host<'_> {
    fn memory_limit(&self) -> Option<u64> {
        let total = self.file("/proc/meminfo").as_deref().and_then(memory_total);
        let limits = self.groups("memory").into_iter().flat_map(|(version, group)| {
            let files: &[_] = match version {
                Version::V1 => &["memory.limit_in_bytes"],
                Version::V2 => &["memory.max", "memory.high"],
            };
            files.iter().filter_map(|file| self.number(&group.join(file))).collect::<Vec<_>>()
        });
        limits.chain(total).min()
    }

    fn cpu_quota(&self) -> Option<f64> {
        let quotas = self.groups("cpu").into_iter().filter_map(|(version, group)| match version {
            Version::V1 => {
                let quota = self.number(&group.join("cpu.cfs_quota_us"))?;
                ratio(quota, self.number(&group.join("cpu.cfs_period_us"))?)
            }
            Version::V2 => quota_of(&(self.read)(&group.join("cpu.max"))?),
        });
        quotas.min_by(f64::total_cmp)
    }

    /// The directories of this process's group and of those around it, where this controller's files are.
    fn groups(&self, controller: &str) -> Vec<(Version, PathBuf)> {
        let memberships = self.file("/proc/self/cgroup").unwrap_or_default();
        let mounts = self.file("/proc/self/mountinfo").unwrap_or_default();
        let mut groups = Vec::new();
        for (version, path) in memberships.lines().filter_map(|line| membership(line, controller)) {
            let mount = mounts.lines().find_map(|line| mount(line, version, controller));
            if let Some((root, point)) = mount {
                groups.extend(ancestors(path, root, &point).into_iter().map(|group| (version, group)));
            }
        }
        groups
    }

    fn number(&self, path: &Path) -> Option<u64> {
        (self.read)(path)?.trim().parse().ok()
    }

    fn file(&self, path: &str) -> Option<String> {
        (self.read)(Path::new(path))
    }
}

/// A line of `/proc/self/cgroup`, `ID:CONTROLLERS:PATH`, if it is this controller's; v2 names none.
fn membership<'a>(line: &'a str, controller: &str) -> Option<(Version, &'a str)> {
    let (id, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    if controllers.is_empty() && id == "0" {
        return Some((Version::V2, path));
    }
    controllers.split(',').any(|known| known == controller).then_some((Version::V1, path))
}

/// A line of `/proc/self/mountinfo`, if it mounts these groups: which of them is mounted, and where.
fn mount<'a>(line: &'a str, version: Version, controller: &str) -> Option<(&'a str, PathBuf)> {
    let (place, kind) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, point) = (place.next()?, place.next()?);
    let mut kind = kind.split(' ');
    let (name, _source, options) = (kind.next()?, kind.next()?, kind.next()?);
    let is_it = match version {
        Version::V2 => name == "cgroup2",
        Version::V1 => name == "cgroup" && options.split(',').any(|known| known == controller),
    };
    is_it.then(|| (root, PathBuf::from(unescaped(point))))
}

/// The group's directory below the mount, and each one up to the mount. A group that is not below what is mounted is the mount itself: a
/// container sees its own group there, under a path of the machine's.
fn ancestors(path: &str, root: &str, point: &Path) -> Vec<PathBuf> {
    let below = path.strip_prefix(root.trim_end_matches('/')).unwrap_or_default();
    let is_plain = below.starts_with('/') && !below.split('/').any(|name| name == "..");
    let below = if is_plain { below.trim_matches('/') } else { "" };
    let own = if below.is_empty() { point.to_owned() } else { point.join(below) };
    own.ancestors().take_while(|group| group.starts_with(point)).map(Path::to_owned).collect()
}

/// The kernel writes a space in a name as `\040`.
fn unescaped(name: &str) -> String {
    name.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn memory_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// `QUOTA PERIOD` of `cpu.max`; a quota of `max` is none.
fn quota_of(cpu_max: &str) -> Option<f64> {
    let (quota, period) = cpu_max.trim().split_once(' ')?;
    ratio(quota.parse().ok()?, period.parse().ok()?)
}

fn ratio(quota: u64, period: u64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: (&str, &str) = ("/proc/meminfo", "MemTotal:       16384 kB\nMemFree:  1 kB\n");
    const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    /// Limits of memory and processor of a machine that has these files and no others.
    fn host(files: &[(&str, &str)]) -> (Option<u64>, Option<f64>) {
        let read = |path: &Path| {
            files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        };
        let host = Host { read: &read };
        (host.memory_limit(), host.cpu_quota())
    }

    #[test]
    fn without_groups_the_machine_is_the_limit() {
        assert_eq!(host(&[MEMINFO]), (Some(16 << 20), None));
        assert_eq!(host(&[]), (None, None));
        assert_eq!(host(&[("/proc/meminfo", "MemTotal: many kB")]), (None, None));
    }

    #[test]
    fn of_v2_the_smallest_of_a_group_and_those_around_it_counts() {
        let files = [
            MEMINFO,
            ("/proc/self/cgroup", "0::/system.slice/town.service\n"),
            ("/proc/self/mountinfo", V2_MOUNT),
            ("/sys/fs/cgroup/system.slice/town.service/memory.max", "max\n"),
            ("/sys/fs/cgroup/system.slice/town.service/memory.high", "9000000\n"),
            ("/sys/fs/cgroup/system.slice/memory.max", "8000000\n"),
            ("/sys/fs/cgroup/system.slice/town.service/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/system.slice/cpu.max", "250000 100000\n"),
        ];
        assert_eq!(host(&files), (Some(8_000_000), Some(2.5)));
        assert_eq!(host(&files[..5]), (Some(9_000_000), None), "what slows down counts");
    }

    #[test]
    fn a_container_of_v2_sees_its_own_group_at_the_mount() {
        let files = [
            MEMINFO,
            ("/proc/self/cgroup", "0::/\n"),
            ("/proc/self/mountinfo", V2_MOUNT),
            ("/sys/fs/cgroup/memory.max", "4194304\n"),
            ("/sys/fs/cgroup/cpu.max", "50000 100000\n"),
        ];
        assert_eq!(host(&files), (Some(4 << 20), Some(0.5)));
    }

    #[test]
    fn of_v1_each_controller_has_a_path_and_a_mount_of_its_own() {
        let mounts = "31 30 0:27 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n\
                      32 30 0:28 / /mnt/my\\040groups ro shared:9 - cgroup cgroup rw,memory\n";
        let files = [
            MEMINFO,
            (
                "/proc/self/cgroup",
                "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n1:name=systemd:/\n0::/x\n",
            ),
            ("/proc/self/mountinfo", mounts),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("/mnt/my groups/docker/abc/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/mnt/my groups/docker/memory.limit_in_bytes", "5242880\n"),
        ];
        assert_eq!(host(&files), (Some(5 << 20), Some(2.0)));
        let none = [files[0], files[1], files[2], (files[3].0, "-1\n"), files[4], files[5]];
        assert_eq!(host(&none), (Some(16 << 20), None), "no quota, and a limit beyond the machine");
    }

    #[test]
    fn a_group_outside_of_what_is_mounted_is_the_mount() {
        let point = Path::new("/g");
        for (path, root) in [("/docker/abc", "/other"), ("/../x", "/"), ("/abcdef", "/abc"), ("/abc", "/abc")]
        {
            assert_eq!(ancestors(path, root, point), [point], "{path} under {root}");
        }
        assert_eq!(ancestors("/a/b", "/", point), ["/g/a/b", "/g/a", "/g"].map(PathBuf::from));
        assert_eq!(ancestors("/a/b/", "/a", point), ["/g/b", "/g"].map(PathBuf::from));
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(memory_limit().is_some_and(|bytes| bytes > 1 << 20));
    }
}
