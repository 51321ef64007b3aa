//! What this kernel allows, and which driver follows from it. It only asks; nothing it opens is kept.

use std::error::Error;
use std::ffi::CStr;
use std::fmt;
use std::io;

use io_uring::{IoUring, opcode};

/// The oldest kernel whose rings are trusted: direct descriptors with allocation, deferred task work and synchronous
/// cancellation all exist and had their first years of fixes.
const KERNEL_MIN: (u32, u32) = (6, 1);

/// What this kernel allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// The kernel's own name for its version.
    pub kernel: String,
    /// Major and minor version; (0, 0) if the name could not be read.
    pub version: (u32, u32),
    /// Whether this process may make rings at all.
    pub is_permitted: bool,
    /// Whether rings have tables of direct descriptors.
    pub has_direct_descriptors: bool,
    /// Whether one accept request may serve for ever, with the kernel choosing the place in the table.
    pub has_multishot_accept: bool,
    /// Whether a direct descriptor can become an ordinary one (6.8), which passing connections between cores needs.
    pub has_install: bool,
    /// Why there will be no ring, in a sentence; `None` if nothing is in the way.
    pub obstacle: Option<String>,
}

/// What the operator wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Preference {
    /// The ring where it is possible, epoll elsewhere.
    #[default]
    Auto,
    /// The ring or nothing.
    IoUring,
    /// Epoll, always possible.
    Epoll,
}

/// The two drivers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DriverKind {
    /// [`crate::Ring`].
    IoUring,
    /// [`crate::Epoll`].
    Epoll,
}

/// A driver and the reason for it, as a sentence for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Which driver to make.
    pub driver: DriverKind,
    /// Why this one.
    pub reason: String,
}

/// The ring was demanded and is not possible.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unavailable {
    /// What is in the way, in a sentence.
    pub obstacle: String,
}

/// Asks the kernel. Opens a small ring for a moment.
#[must_use]
pub fn probe() -> Probe {
    let kernel = kernel_release();
    let mut probe = Probe {
        version: parse_version(&kernel),
        kernel,
        is_permitted: false,
        has_direct_descriptors: false,
        has_multishot_accept: false,
        has_install: false,
        obstacle: None,
    };
    probe.obstacle = match IoUring::new(2) {
        Ok(ring) => {
            probe.is_permitted = true;
            probe.ask(&ring)
        }
        Err(error) => Some(refusal_of_ring(&error)),
    };
    probe
}

impl Probe {
    /// Which driver the preference leads to on this kernel.
    ///
    /// # Errors
    /// Only for [`Preference::IoUring`], with what is in the way.
    pub fn choose(&self, preference: Preference) -> Result<Choice, Unavailable> {
        match (preference, &self.obstacle) {
            (Preference::Epoll, _) => Ok(choice(DriverKind::Epoll, "epoll, as asked for".into())),
            (_, None) => Ok(choice(DriverKind::IoUring, self.praise())),
            (Preference::Auto, Some(obstacle)) => Ok(choice(DriverKind::Epoll, format!("epoll: {obstacle}"))),
            (Preference::IoUring, Some(obstacle)) => Err(Unavailable { obstacle: obstacle.clone() }),
        }
    }

    fn praise(&self) -> String {
        let descriptors = if self.has_install { "direct" } else { "ordinary" };
        format!("io_uring on kernel {} with {descriptors} descriptors", self.kernel)
    }

    /// Fills in the features and returns the first obstacle.
    fn ask(&mut self, ring: &IoUring) -> Option<String> {
        let mut operations = io_uring::Probe::new();
        let is_known = ring.submitter().register_probe(&mut operations).is_ok();
        let is_recent = self.version >= KERNEL_MIN;
        self.has_install = is_known && operations.is_supported(opcode::FixedFdInstall::CODE);
        self.has_direct_descriptors = ring.submitter().register_files_sparse(4).is_ok();
        self.has_multishot_accept = is_recent && self.has_direct_descriptors;
        if !is_recent {
            let (major, minor) = KERNEL_MIN;
            return Some(format!("io_uring needs kernel {major}.{minor} or newer, found {}", self.kernel));
        }
        let params = ring.params();
        let is_complete = params.is_feature_nodrop() && params.is_feature_skip_cqe_on_success();
        (!is_complete)
            .then(|| format!("the io_uring of kernel {} lacks features of its version", self.kernel))
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "io_uring was asked for, but {}", self.obstacle)
    }
}

impl Error for Unavailable {}

fn choice(driver: DriverKind, reason: String) -> Choice {
    Choice { driver, reason }
}

/// Why the kernel refused a ring, in words that an operator can act on.
#[must_use]
pub fn refusal_of_ring(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "io_uring is forbidden here, by the container's seccomp profile or by \
             the sysctl kernel.io_uring_disabled"
                .into()
        }
        Some(libc::ENOSYS) => "this kernel has no io_uring, or a sandbox hides it".into(),
        Some(libc::ENOMEM) => {
            "the limit of locked memory is too low for it (`ulimit -l`, LimitMEMLOCK of systemd)".into()
        }
        Some(libc::EMFILE | libc::ENFILE) => "there are no descriptors left for a ring (ulimit -n)".into(),
        _ => format!("a ring could not be made: {error}"),
    }
}

fn kernel_release() -> String {
    // SAFETY: utsname is arrays of characters, for which all zeros is a value: empty strings.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one utsname through the pointer; `name` is one and outlives the call.
    let result = unsafe { libc::uname(&raw mut name) };
    if result != 0 {
        return String::new();
    }
    // SAFETY: the kernel ends the string within the array, and the array outlives the borrow.
    let release = unsafe { CStr::from_ptr(name.release.as_ptr()) };
    release.to_string_lossy().into_owned()
}

/// "6.18.44-fc" is (6, 18).
fn parse_version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(obstacle: Option<&str>) -> Probe {
        Probe { obstacle: obstacle.map(str::to_owned), ..probe() }
    }

    #[test]
    fn versions_are_read_from_all_kinds_of_names() {
        assert_eq!(parse_version("6.18.44-fc-v657"), (6, 18));
        assert_eq!(parse_version("6.1-rc3"), (6, 1));
        assert_eq!(parse_version("5.15.0-1051-aws"), (5, 15));
        assert_eq!(parse_version(""), (0, 0));
        assert_eq!(parse_version("unknown"), (0, 0));
    }

    #[test]
    fn auto_falls_back_and_says_why_and_a_demand_is_refused() {
        let free = sample(None);
        assert_eq!(free.choose(Preference::Auto).map(|choice| choice.driver), Ok(DriverKind::IoUring));
        assert_eq!(free.choose(Preference::Epoll).map(|choice| choice.driver), Ok(DriverKind::Epoll));
        let forbidden = sample(Some("it is forbidden"));
        let fallback = forbidden.choose(Preference::Auto).expect("auto always works");
        assert_eq!(fallback, Choice { driver: DriverKind::Epoll, reason: "epoll: it is forbidden".into() });
        let refused = forbidden.choose(Preference::IoUring).expect_err("demanded and impossible");
        assert_eq!(refused.to_string(), "io_uring was asked for, but it is forbidden");
    }

    #[test]
    fn this_machine_has_an_answer() {
        let probe = probe();
        assert_ne!(probe.version, (0, 0), "{}", probe.kernel);
        assert!(probe.obstacle.is_some() || (probe.is_permitted && probe.has_direct_descriptors));
    }
}
