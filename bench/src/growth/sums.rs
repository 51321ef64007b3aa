//! The sums of bench/SCALE.md: what one and ten million connections need, each written out with its factors. The factors
//! are this run's largest point, constants of protocols, and a machine that is assumed; it measures nothing.

use anyhow::{Context, Result};

use super::generator::PAYLOAD_BYTES;
use super::page::{grouped, number};
use super::results::{ClientsPoint, Growth};
use crate::payload::{PREFIX, SUFFIX};

/// The table of all sums.
///
/// # Errors
/// When the run has no point of ours.
pub fn table(growth: &Growth) -> Result<String> {
    let factors = Factors::of(growth)?;
    let mut text = factors.words();
    text.push_str("\n| what | 1 000 000 connections | 10 000 000 connections |\n|---|---|---|\n");
    let [one, ten] = CONNECTIONS.map(|connections| factors.sums(connections));
    for (one, ten) in one.iter().zip(&ten) {
        text.push_str(&format!("| {} | {} | {} |\n", one.what, one.sum, ten.sum));
    }
    Ok(text)
}

/// What the sums multiply with.
struct Factors {
    point: ClientsPoint,
    kernel_bytes: f64,
    heartbeat_us: f64,
}

/// One line, for one number of connections.
struct Sum {
    what: String,
    sum: String,
}

impl Factors {
    fn of(growth: &Growth) -> Result<Factors> {
        let ours = growth.clients.iter().filter(|point| point.name == "ours");
        let point = ours.filter(|point| point.load.quotable().is_some()).max_by_key(|point| point.clients);
        let point = point.context("no quotable point of ours")?.clone();
        let kernel_bytes = point.kernel_bytes.context("no kernel memory of so few clients")?;
        Ok(Factors { point, kernel_bytes, heartbeat_us: growth.heartbeat.cpu_us })
    }

    fn words(&self) -> String {
        format!(
            "Measured factors are those at {} clients in the tables above: {} B of user memory, {} B of kernel memory, {} us \
             per delivery, {} us per connect; {} us for a ping and its pong.\n",
            grouped(self.point.clients),
            number(self.point.user_bytes),
            number(self.kernel_bytes),
            number(self.point.load.cpu_us),
            number(self.point.connect_us),
            number(self.heartbeat_us)
        )
    }

    fn sums(&self, n: f64) -> Vec<Sum> {
        let mut sums = self.memory(n);
        sums.extend(self.cpu(n));
        sums.extend(network(n));
        sums.extend(self.machines(n));
        sums
    }

    fn memory(&self, n: f64) -> Vec<Sum> {
        let (user_bytes, kernel_bytes) = (self.point.user_bytes, self.kernel_bytes);
        let gib = |bytes: f64| format!("{} GiB", number(n * bytes / GIB));
        vec![
            sum("user memory, idle", n, &format!("{} B", number(user_bytes)), &gib(user_bytes)),
            sum("kernel memory, idle", n, &format!("{} B", number(kernel_bytes)), &gib(kernel_bytes)),
            Sum {
                what: "rings at least: a table has 2^20 descriptors".to_owned(),
                sum: format!(
                    "{} / 1 048 576 = **{}**",
                    million(n),
                    grouped((n / RING_FILES).ceil() as usize)
                ),
            },
        ]
    }

    fn cpu(&self, n: f64) -> Vec<Sum> {
        let pings = n / PING_INTERVAL_S;
        let (cpu_us, connect_us) = (self.point.load.cpu_us, self.point.connect_us);
        let cores = |per_s: f64, us: f64| format!("{} cores", number(per_s * us / 1e6));
        vec![
            Sum {
                what: "pings a second, and as many pongs".to_owned(),
                sum: format!("{} / {PING_INTERVAL_S} s = **{}**", million(n), grouped(pings as usize)),
            },
            Sum {
                what: "CPU for them".to_owned(),
                sum: format!(
                    "{} x {} us = **{}**",
                    grouped(pings as usize),
                    number(self.heartbeat_us),
                    cores(pings, self.heartbeat_us)
                ),
            },
            sum(
                "CPU for a broadcast of 128 B to everybody each second",
                n,
                &format!("{} us", number(cpu_us)),
                &cores(n, cpu_us),
            ),
            Sum {
                what: "CPU to let everybody in again within 60 s".to_owned(),
                sum: format!(
                    "{} x {} us / 60 s = **{}**",
                    million(n),
                    number(connect_us),
                    cores(n / 60.0, connect_us)
                ),
            },
        ]
    }

    /// What a machine of the assumed size holds, by each of its bounds.
    fn machines(&self, n: f64) -> Vec<Sum> {
        let core_s = n * (self.point.load.cpu_us + self.heartbeat_us / PING_INTERVAL_S) / 1e6;
        let bytes = n * (self.point.user_bytes + self.kernel_bytes);
        let gbit = n * wire_bytes() as f64 * 8.0 / 1e9;
        let (cores, gib, gbits) = (MACHINE_CORES * SHARE, MACHINE_GIB * SHARE, MACHINE_GBIT * SHARE);
        let by = [core_s / cores, bytes / GIB / gib, gbit / gbits];
        let most = by.iter().fold(0.0f64, |most, by| most.max(*by)).ceil();
        let one = |what: &str, need: f64, has: f64, by: f64, unit: &str| Sum {
            what: format!("machines by {what}"),
            sum: format!("{} / {} {unit} = {}", number(need), number(has), number(by)),
        };
        vec![
            one("CPU", core_s, cores, by[0], "cores"),
            one("memory", bytes / GIB, gib, by[1], "GiB"),
            one("network", gbit, gbits, by[2], "Gbit/s"),
            Sum {
                what: "machines: the most of the three".to_owned(),
                sum: format!(
                    "**{}**, with {} connections each",
                    grouped(most as usize),
                    grouped((n / most) as usize)
                ),
            },
        ]
    }
}

fn network(n: f64) -> Vec<Sum> {
    let (frame, wire) = (frame_bytes(), wire_bytes());
    let gbit = |bytes: usize| format!("{} Gbit/s", number(n * bytes as f64 * 8.0 / 1e9));
    let addresses = (n / PORTS).ceil();
    vec![
        sum(
            &format!(
                "network out: that broadcast ({frame} B frame + {TCP_IP_BYTES} B TCP/IP + {ETHERNET_BYTES} B Ethernet)"
            ),
            n,
            &format!("{wire} B x 8 / s"),
            &gbit(wire),
        ),
        sum(
            &format!("network in: its acknowledgements ({TCP_IP_BYTES} + {ETHERNET_BYTES} B)"),
            n,
            &format!("{ACK_BYTES} B x 8 / s"),
            &gbit(ACK_BYTES),
        ),
        Sum {
            what: "packets a second: the broadcast out, acknowledgements in".to_owned(),
            sum: format!("2 x {} = **{} million**", million(n), number(2.0 * n / 1e6)),
        },
        Sum {
            what: "source addresses of generators, against one address and port".to_owned(),
            sum: format!("{} / 28 232 ports = **{}**", million(n), grouped(addresses as usize)),
        },
        Sum {
            what: "generator processes with 20 000 descriptors".to_owned(),
            sum: format!("{} / 20 000 = **{}**", million(n), grouped((n / 20_000.0).ceil() as usize)),
        },
    ]
}

fn sum(what: &str, n: f64, factor: &str, result: &str) -> Sum {
    Sum { what: what.to_owned(), sum: format!("{} x {factor} = **{result}**", million(n)) }
}

fn million(n: f64) -> String {
    grouped(n as usize)
}

/// Payload, its packet around it, and the head of a WebSocket frame longer than 125 bytes (RFC 6455 section 5.2).
fn frame_bytes() -> usize {
    PAYLOAD_BYTES + PREFIX.len() + SUFFIX.len() + 4
}

fn wire_bytes() -> usize {
    frame_bytes() + TCP_IP_BYTES + ETHERNET_BYTES
}

const CONNECTIONS: [f64; 2] = [1e6, 1e7];
const GIB: f64 = (1u64 << 30) as f64;
/// The engine's and the kernel's bound of a ring's table.
const RING_FILES: f64 = (1u64 << 20) as f64;
/// Engine.IO's default.
const PING_INTERVAL_S: f64 = 25.0;
/// IPv4 (20), TCP (20) and its timestamps (12).
const TCP_IP_BYTES: usize = 52;
/// Preamble (8), head (14), checksum (4), gap (12).
const ETHERNET_BYTES: usize = 38;
const ACK_BYTES: usize = TCP_IP_BYTES + ETHERNET_BYTES;
/// Linux's default `ip_local_port_range`: 32768 to 60999.
const PORTS: f64 = 28_232.0;
/// The assumed machine, of which a share is used.
const MACHINE_CORES: f64 = 32.0;
const MACHINE_GIB: f64 = 128.0;
const MACHINE_GBIT: f64 = 25.0;
const SHARE: f64 = 0.6;

#[cfg(test)]
mod tests {
    use super::super::results::tests::made;
    use super::*;

    #[test]
    fn sums_are_what_their_factors_say() {
        let text = table(&made()).expect("a point of ours");
        assert!(
            text.contains("| 1 000 000 x 500 B = **0.47 GiB** | 10 000 000 x 500 B = **4.66 GiB** |"),
            "{text}"
        );
        assert!(text.contains("1 000 000 x 11.0 us = **11.0 cores**"), "{text}");
        assert!(text.contains("40 000 x 8.00 us = **0.32 cores**"), "{text}");
        assert!(text.contains("= **1.87 Gbit/s**"), "{text}");
    }

    #[test]
    fn without_a_quotable_point_there_are_no_sums() {
        assert!(table(&Growth::default()).is_err());
    }
}
