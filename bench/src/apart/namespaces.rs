//! Two network namespaces and the pair of devices between them, made and removed with `ip` of iproute2. It starts no
//! server and no swarm, and touches nothing of the machine's own network: devices and addresses exist inside the
//! namespaces only.
//!
//! Both are named after the process that made them. They go with the value, and on SIGINT and SIGTERM; those of a
//! process that was killed go when the next one makes its own.

use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::task::Poll;

use anyhow::{Context, Result, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};

use super::home::Home;
use crate::machine::core_numbers;

/// One end: a namespace, its device, its address.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// The namespace with its address.
    pub home: Home,
    /// The device in it.
    pub device: &'static str,
}

/// A server's namespace and a swarm's, joined.
#[derive(Debug)]
pub(super) struct Namespaces {
    /// Where servers live.
    pub server: End,
    /// Where the swarm lives.
    pub swarm: End,
}

impl Namespaces {
    /// Makes both, joins them, gives both the same congestion control, and has what arrives at each end processed on the cores of who
    /// lives there.
    ///
    /// # Errors
    /// When `ip` is missing, the kernel refuses (this needs root), does not know the congestion control, or does not steer.
    pub(super) fn create(server_cores: &str, swarm_cores: &str, control: &str) -> Result<Namespaces> {
        remove_stale()?;
        let pid = std::process::id();
        let namespaces = Namespaces { server: End::server(pid), swarm: End::swarm(pid) };
        remove_on_signal([namespaces.server.clone(), namespaces.swarm.clone()])?;
        namespaces.join()?;
        namespaces.server.pace(control)?;
        namespaces.swarm.pace(control)?;
        namespaces.server.steer(server_cores)?;
        namespaces.swarm.steer(swarm_cores)?;
        Ok(namespaces)
    }

    fn join(&self) -> Result<()> {
        let (server, swarm) = (&self.server, &self.swarm);
        ip(&["netns", "add", &server.home.namespace])?;
        ip(&["netns", "add", &swarm.home.namespace])?;
        let link = ["link", "add", server.device, "type", "veth", "peer", "name", swarm.device, "netns"];
        server.ip(&[&link[..], &[&swarm.home.namespace]].concat())?;
        server.raise()?;
        swarm.raise()
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        [&self.server, &self.swarm].into_iter().for_each(End::remove);
    }
}

impl End {
    /// The server's end of a process's pair.
    #[must_use]
    pub(super) fn server(pid: u32) -> End {
        End {
            home: Home { namespace: format!("{PREFIX}{pid}-server"), ip: SERVER_IP },
            device: "veth-server",
        }
    }

    /// The swarm's end of it.
    #[must_use]
    pub(super) fn swarm(pid: u32) -> End {
        End { home: Home { namespace: format!("{PREFIX}{pid}-swarm"), ip: SWARM_IP }, device: "veth-swarm" }
    }

    fn raise(&self) -> Result<()> {
        self.ip(&["address", "add", &format!("{}/30", self.home.ip), "dev", self.device])?;
        self.ip(&["link", "set", "lo", "up"])?;
        self.ip(&["link", "set", self.device, "up"])
    }

    /// How its TCP paces itself; else it would be as the machine's is.
    fn pace(&self, control: &str) -> Result<()> {
        let (net, source) = (format!("{NET}/30"), self.home.ip.to_string());
        let route = ["proto", "kernel", "scope", "link", "src", &source, "congctl", control];
        self.ip(&[&["route", "replace", &net, "dev", self.device][..], &route].concat())
            .with_context(|| format!("setting congestion control to {control}"))
    }

    /// Receive packet steering: the kernel hands each packet that arrives here to one of these cores.
    fn steer(&self, cores: &str) -> Result<()> {
        let mask = mask(cores).with_context(|| format!("cores {cores} are not within 0 to 31"))?;
        let queues = format!("/sys/class/net/{}/queues/rx-*/rps_cpus", self.device);
        let script = format!("for queue in {queues}; do echo {mask:x} > $queue || exit 1; done");
        let command = self.home.command(&["sh", "-c", &script].map(str::to_owned));
        run(&command).with_context(|| format!("steering {} to cores {cores}", self.device))
    }

    /// What its device is set to, as `ip` tells.
    #[must_use]
    pub(super) fn settings(&self) -> String {
        let command = ["ip", "-n", &self.home.namespace, "-d", "-o", "link", "show", self.device];
        let output = Command::new("ip").args(&command[1..]).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        named_values(&text.unwrap_or_default(), &["mtu", "gso_max_size", "gro_max_size", "numrxqueues"])
    }

    fn ip(&self, arguments: &[&str]) -> Result<()> {
        ip(&[&["-n", self.home.namespace.as_str()], arguments].concat())
    }

    /// Ends who still lives there, since a namespace lasts as long as they do, and removes it. Says nothing of what is
    /// not there.
    fn remove(&self) {
        let name = &self.home.namespace;
        if let Ok(output) = Command::new("ip").args(["netns", "pids", name]).stderr(Stdio::null()).output() {
            let pids = String::from_utf8_lossy(&output.stdout).into_owned();
            let own = std::process::id().to_string();
            for pid in pids.split_whitespace().filter(|pid| *pid != own) {
                let _ = Command::new("kill").args(["-KILL", pid]).stderr(Stdio::null()).status();
            }
        }
        let _ = Command::new("ip").args(["netns", "delete", name]).stderr(Stdio::null()).status();
    }
}

/// Removes the namespaces of processes that are no more. Who lives in them is left alone.
fn remove_stale() -> Result<()> {
    let output = Command::new("ip").args(["netns", "list"]).output().context(NO_IP)?;
    for name in stale(&String::from_utf8_lossy(&output.stdout), is_alive) {
        let _ = ip(&["netns", "delete", name]);
    }
    Ok(())
}

/// Names in a list of namespaces that belong to processes that are no more.
fn stale(list: &str, is_alive: impl Fn(u32) -> bool) -> Vec<&str> {
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    let owner = |name: &str| name.strip_prefix(PREFIX)?.split_once('-')?.0.parse::<u32>().ok();
    names.filter(|name| owner(name).is_some_and(|pid| !is_alive(pid))).collect()
}

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// From now on SIGINT and SIGTERM remove both ends before they end this process.
fn remove_on_signal(ends: [End; 2]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let guard = runtime.enter();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    drop(guard);
    std::thread::spawn(move || {
        let is_told = poll_fn(|context| {
            let is_ready = interrupt.poll_recv(context).is_ready() || terminate.poll_recv(context).is_ready();
            if is_ready { Poll::Ready(()) } else { Poll::Pending }
        });
        runtime.block_on(is_told);
        ends.iter().for_each(End::remove);
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

fn ip(arguments: &[&str]) -> Result<()> {
    run(&[&["ip"], arguments].concat().iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

/// Runs a command; its complaint is the error.
fn run(command: &[String]) -> Result<()> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let output = match Command::new(program).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => bail!("{NO_IP}: {error}"),
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{}`: {}", command.join(" "), complaint.trim());
    Ok(())
}

fn mask(cores: &str) -> Option<u32> {
    core_numbers(cores)?.into_iter().try_fold(0, |mask, core| {
        let bit = u32::try_from(core).ok().and_then(|core| 1u32.checked_shl(core))?;
        Some(mask | bit)
    })
}

/// `name value` for each of these names in a text of words.
fn named_values(text: &str, names: &[&str]) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| names.contains(&pair[0]));
    pairs.map(|pair| pair.join(" ")).collect::<Vec<_>>().join(", ")
}

/// What the names of our namespaces begin with; the maker's process id follows.
const PREFIX: &str = "socketville-";
/// A network of two, in addresses that no network outside has to know.
const NET: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 0);
const SERVER_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const SWARM_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const NO_IP: &str = "`ip` of iproute2 is needed";
/// The exit status of a program that SIGINT ended, as shells have it.
const INTERRUPTED: i32 = 130;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_namespaces_of_processes_that_are_no_more_are_stale() {
        let list = "socketville-7-server (id: 1)\nsocketville-8-swarm\nother-7-server\nsocketville-x-swarm\n";
        assert_eq!(stale(list, |pid| pid == 8), ["socketville-7-server"]);
        assert_eq!(stale(list, |_| true), [""; 0]);
    }

    #[test]
    fn a_mask_has_a_bit_for_each_core() {
        assert_eq!(mask("0"), Some(1));
        assert_eq!(mask("1,3-4"), Some(0b11010));
        assert_eq!(mask("32"), None);
    }

    #[test]
    fn settings_are_cut_out_of_what_ip_says() {
        let said = "2: veth@if2: <UP> mtu 1500 qdisc noqueue gso_max_size 65536 gso_max_segs 65535";
        assert_eq!(named_values(said, &["mtu", "gso_max_size"]), "mtu 1500, gso_max_size 65536");
    }

    #[test]
    fn the_two_ends_of_a_process_differ_in_all() {
        let (server, swarm) = (End::server(5), End::swarm(5));
        assert_ne!(server.home, swarm.home);
        assert_ne!(server.device, swarm.device);
        assert!(server.device.len() < 16 && swarm.device.len() < 16, "the kernel's limit of a device's name");
    }
}
