//! Which cores the threads of a server are pinned to: so that two servers of one process do not share a core while others idle.
//!
//! Not how many cores a server has. What other processes pin their threads to nobody can know: for that there is an offset.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether and where the threads of a server's cores are pinned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Pinning {
    /// Each to a core of its own that no other server of this process is pinned to. If there are not enough of them, none is pinned: the
    /// kernel's scheduler shares cores better than fixed places do.
    #[default]
    Auto,
    /// To the cores that this process may use, without so many of the first; whether another server has them or not. If there are not enough,
    /// none is pinned.
    From(usize),
    /// Nowhere: the kernel's scheduler moves them.
    Never,
}

/// The cores that servers of this process are pinned to.
static CLAIMED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// The cores that one server has for its threads, until it is dropped.
#[derive(Debug)]
pub(crate) struct Pins {
    cores: Vec<usize>,
}

impl Pins {
    /// So many of the cores that this process may use, or none.
    pub(crate) fn claim(available: &[usize], wanted: usize, pinning: Pinning) -> Self {
        let mut claimed = claimed();
        let cores: Vec<_> = match pinning {
            Pinning::Never => Vec::new(),
            Pinning::From(first) => available.iter().skip(first).take(wanted).copied().collect(),
            Pinning::Auto => {
                let free = available.iter().filter(|core| !claimed.contains(core));
                free.take(wanted).copied().collect()
            }
        };
        let cores = if cores.len() == wanted { cores } else { Vec::new() };
        claimed.extend(&cores);
        Self { cores }
    }

    /// Where a thread of the server is pinned to, if it is.
    pub(crate) fn get(&self, thread: usize) -> Option<usize> {
        self.cores.get(thread).copied()
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut claimed = claimed();
        for core in &self.cores {
            if let Some(at) = claimed.iter().position(|other| other == core) {
                claimed.swap_remove(at);
            }
        }
    }
}

fn claimed() -> MutexGuard<'static, Vec<usize>> {
    CLAIMED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    /// One test, for the claims are the process's. Its cores are those of no machine.
    #[test]
    fn servers_of_a_process_have_cores_of_their_own_or_none() {
        let available: Vec<_> = (1000..1004).collect();
        let places = |pins: &Pins| (0..5).map_while(|thread| pins.get(thread)).collect::<Vec<_>>();
        let first = Pins::claim(&available, 2, Pinning::Auto);
        assert_eq!(places(&first), [1000, 1001]);
        let second = Pins::claim(&available, 2, Pinning::Auto);
        assert_eq!(places(&second), [1002, 1003]);
        let third = Pins::claim(&available, 1, Pinning::Auto);
        assert_eq!(places(&third), NONE, "none is left");
        drop(first);
        let too_many = Pins::claim(&available, 3, Pinning::Auto);
        assert_eq!(places(&too_many), NONE, "all or none");
        let fourth = Pins::claim(&available, 1, Pinning::Auto);
        assert_eq!(places(&fourth), [1000]);
        let wished = Pins::claim(&available, 2, Pinning::From(2));
        assert_eq!(places(&wished), [1002, 1003], "whoever has them");
        drop(second);
        assert_eq!(
            places(&Pins::claim(&available, 2, Pinning::Auto)),
            NONE,
            "one of two owners is still there"
        );
        assert_eq!(places(&Pins::claim(&available, 2, Pinning::From(3))), NONE);
        assert_eq!(places(&Pins::claim(&available, 1, Pinning::Never)), NONE);
        drop((wished, fourth, third, too_many));
        assert_eq!(places(&Pins::claim(&available, 4, Pinning::Auto)), available);
    }
}
