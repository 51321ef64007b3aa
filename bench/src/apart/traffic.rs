//! Who processed the packets: what the swarm's device counted, beside what each core did. It steers nothing; it finds out
//! whether steering worked.
//!
//! A core's count in `/proc/net/softnet_stat` is of packets of all namespaces, so strangers can only make the proof harder:
//! what the server's cores processed beyond the packets to the server counts as packets to the swarm that were not
//! steered.

use std::fmt;
use std::fs;

use anyhow::{Context, Result};

use crate::machine::core_numbers;

/// Counters at one moment, or between two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Packets that came to the swarm's device.
    to_swarm: u64,
    /// Packets that left it for the server's.
    to_server: u64,
    server_cores: Softnet,
    swarm_cores: Softnet,
}

/// What some cores did with packets that were given to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Softnet {
    processed: u32,
    dropped: u32,
    /// How often another core had to interrupt one of them.
    interrupts: u32,
}

impl Traffic {
    /// Reads all counters, in the swarm's namespace.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub(super) fn now(device: &str, server_cores: &str, swarm_cores: &str) -> Result<Traffic> {
        let softnet = fs::read_to_string("/proc/net/softnet_stat").context("reading softnet_stat")?;
        let of =
            |cores: &str| Softnet::of(&softnet, &core_numbers(cores)?).context("cores in softnet_stat").ok();
        Ok(Traffic {
            to_swarm: device_count(device, "rx_packets")?,
            to_server: device_count(device, "tx_packets")?,
            server_cores: of(server_cores).context("the server's cores are not in softnet_stat")?,
            swarm_cores: of(swarm_cores).context("the swarm's cores are not in softnet_stat")?,
        })
    }

    /// What happened since.
    #[must_use]
    pub(super) fn since(self, before: Traffic) -> Traffic {
        Traffic {
            to_swarm: self.to_swarm.saturating_sub(before.to_swarm),
            to_server: self.to_server.saturating_sub(before.to_server),
            server_cores: self.server_cores.since(before.server_cores),
            swarm_cores: self.swarm_cores.since(before.swarm_cores),
        }
    }

    /// The share of the packets to the swarm that certainly were not processed on the server's cores.
    #[must_use]
    pub(super) fn steered(self) -> f64 {
        let strays = u64::from(self.server_cores.processed).saturating_sub(self.to_server);
        (1.0 - strays as f64 / self.to_swarm.max(1) as f64).max(0.0)
    }

    /// Whether the work really moved.
    #[must_use]
    pub(super) fn is_steered(self) -> bool {
        self.steered() >= STEERED_MIN
    }
}

#[cfg(test)]
impl Traffic {
    /// So many packets to the swarm, of which so many were processed on the server's cores.
    pub(super) fn of_swarm(to_swarm: u64, strays: u32) -> Traffic {
        let server_cores = Softnet { processed: strays, ..Softnet::default() };
        Traffic { to_swarm, server_cores, ..Traffic::default() }
    }
}

impl Softnet {
    /// The sum over some cores; `None` if one is not there.
    fn of(softnet: &str, cores: &[usize]) -> Option<Softnet> {
        let lines: Vec<Vec<u32>> = softnet.lines().filter_map(hexadecimal).collect();
        cores.iter().try_fold(Softnet::default(), |sum, core| {
            let words = lines.iter().find(|words| words.get(CPU) == u32::try_from(*core).ok().as_ref())?;
            Some(Softnet {
                processed: sum.processed.wrapping_add(*words.get(PROCESSED)?),
                dropped: sum.dropped.wrapping_add(*words.get(DROPPED)?),
                interrupts: sum.interrupts.wrapping_add(*words.get(RECEIVED_RPS)?),
            })
        })
    }

    /// The kernel's counters are of 32 bits and begin again.
    fn since(self, before: Softnet) -> Softnet {
        Softnet {
            processed: self.processed.wrapping_sub(before.processed),
            dropped: self.dropped.wrapping_sub(before.dropped),
            interrupts: self.interrupts.wrapping_sub(before.interrupts),
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (server, swarm) = (self.server_cores, self.swarm_cores);
        write!(
            f,
            "at least {:.1} % of {} packets to the swarm were processed on its own core (packets processed there {}, at {} \
             interrupts from the server's; on the server's {}, of which {} were to the server); {} dropped",
            self.steered() * 100.0,
            self.to_swarm,
            swarm.processed,
            swarm.interrupts,
            server.processed,
            self.to_server,
            u64::from(server.dropped) + u64::from(swarm.dropped),
        )
    }
}

fn device_count(device: &str, name: &str) -> Result<u64> {
    let path = format!("/sys/class/net/{device}/statistics/{name}");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    text.trim().parse().with_context(|| format!("{path} is no number"))
}

fn hexadecimal(line: &str) -> Option<Vec<u32>> {
    line.split_whitespace().map(|word| u32::from_str_radix(word, 16).ok()).collect()
}

/// Columns of `softnet_stat`.
const PROCESSED: usize = 0;
const DROPPED: usize = 1;
const RECEIVED_RPS: usize = 9;
const CPU: usize = 12;

/// Below this a row says nothing about steering. Without any, the share is 0.
const STEERED_MIN: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::*;

    const SOFTNET: &str = "\
        00000010 00000001 0 0 0 0 0 0 0 00000002 0 0 00000000 0 0\n\
        000000ff 00000003 0 0 0 0 0 0 0 00000004 0 0 00000001 0 0\n";

    fn traffic(on_server: u32, on_swarm: u32) -> Traffic {
        let softnet = |processed| Softnet { processed, ..Softnet::default() };
        Traffic {
            to_swarm: 100,
            to_server: 50,
            server_cores: softnet(on_server),
            swarm_cores: softnet(on_swarm),
        }
    }

    #[test]
    fn columns_are_found_by_the_core_in_them() {
        let of = |cores: &[usize]| Softnet::of(SOFTNET, cores);
        assert_eq!(of(&[1]), Some(Softnet { processed: 255, dropped: 3, interrupts: 4 }));
        assert_eq!(of(&[0, 1]), Some(Softnet { processed: 271, dropped: 4, interrupts: 6 }));
        assert_eq!(of(&[2]), None);
    }

    #[test]
    fn packets_of_the_swarm_on_the_servers_core_are_not_steered() {
        assert_eq!((traffic(50, 100).steered(), traffic(150, 0).steered()), (1.0, 0.0));
        assert!(traffic(55, 95).is_steered() && !traffic(100, 50).is_steered());
    }

    #[test]
    fn strangers_only_make_the_proof_harder() {
        assert!(!traffic(1000, 100).is_steered());
        assert!(traffic(50, 1000).is_steered());
    }

    #[test]
    fn counters_that_begin_again_are_subtracted() {
        let before = Softnet { processed: u32::MAX, ..Softnet::default() };
        assert_eq!(Softnet { processed: 1, ..Softnet::default() }.since(before).processed, 2);
    }
}
