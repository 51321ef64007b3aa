//! A loopback of one's own: a network namespace whose TCP is what nearly every Linux brings, whatever this machine was set to. Made by
//! `unshare` of util-linux and `ip` of iproute2; nothing outside of it changes, and it goes with who lives there.
//!
//! Congestion control is made for long paths. `bbr` paces: each socket has a timer by which its bytes leave. On loopback there is nothing to
//! be gentle with, and only servers that outrun their readers meet those timers: a burst of large messages costs them half as much again.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Error, Result, anyhow};
use clap::Args;

use super::place::{is_present, succeeds};

/// Whose TCP everybody speaks, as a command line says it.
#[derive(Args, Clone, Debug)]
pub struct Loopback {
    /// How everybody's TCP paces itself; if the machine is set to another, all run in a network namespace of their own
    #[arg(long, default_value = CONGESTION_CONTROL, value_name = "NAME")]
    pub congestion_control: String,
    /// Be in that namespace (what this program becomes by itself)
    #[arg(long, hide = true)]
    own_loopback: bool,
}

impl Loopback {
    /// Sets up the namespace that this program may live in, and says whether it does.
    ///
    /// # Errors
    /// When `ip` fails, or the kernel does not know the name.
    pub fn prepare(&self) -> Result<bool> {
        if self.own_loopback {
            set_up(&self.congestion_control)?;
        }
        Ok(self.own_loopback)
    }

    /// Sees to it that TCP paces itself as wanted: if it does not, this program begins again elsewhere, where there is no network to
    /// download anything from. Where that cannot be, everything goes on as the machine is, with a line that says so.
    pub fn settle(&self) {
        let (wanted, found) = (&self.congestion_control, congestion_control());
        if self.own_loopback || found.as_ref() == Some(wanted) {
            return;
        }
        let found = found.unwrap_or_default();
        eprintln!(
            "this machine's TCP paces itself by {found}: going to a loopback of our own, with {wanted}"
        );
        eprintln!("measuring with {found}: {:#}", begin_again());
    }
}

/// How this process's TCP paces itself.
#[must_use]
pub fn congestion_control() -> Option<String> {
    fs::read_to_string(CONGESTION_CONTROL_FILE).ok().map(|name| name.trim().to_owned())
}

/// Becomes this program once more, in a network namespace. Returns only if that cannot be, with the reason.
fn begin_again() -> Error {
    let Some(kind) = [ROOT, ANYBODY].into_iter().find(|kind| makes_namespaces(kind)) else {
        return anyhow!("{}", if is_present("unshare") { REFUSED } else { "`unshare` is missing" });
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error.into(),
    };
    let arguments = std::env::args_os().skip(1);
    Command::new("unshare")
        .args(kind)
        .arg("--")
        .arg(program)
        .args(arguments)
        .arg("--own-loopback")
        .exec()
        .into()
}

fn makes_namespaces(kind: &[&str]) -> bool {
    succeeds(Command::new("unshare").args(kind).args(["--", "ip", "link", "set", "lo", "up"]))
}

fn set_up(control: &str) -> Result<()> {
    succeeds(Command::new("ip").args(["link", "set", "lo", "up"])).then_some(()).context("`ip` failed")?;
    fs::write(CONGESTION_CONTROL_FILE, control)
        .with_context(|| format!("the kernel has no congestion control {control}"))
}

/// The kernel's own choice, if nobody configures another (`CONFIG_DEFAULT_TCP_CONG`).
const CONGESTION_CONTROL: &str = "cubic";

/// One for each network namespace: what a process reads is its own.
pub(crate) const CONGESTION_CONTROL_FILE: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

/// What `unshare` is told by root, and by anybody else: who is root inside may set things up there.
const ROOT: &[&str] = &["--net"];
const ANYBODY: &[&str] = &["--net", "--map-root-user"];

const REFUSED: &str = "the kernel allows no network namespace here, or `ip` is missing";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_says_how_it_paces_and_refuses_what_it_does_not_know() {
        assert!(congestion_control().is_some_and(|name| !name.is_empty()));
        let before = congestion_control();
        let refused = set_up("no-such-control").expect_err("nothing is called that");
        assert!(!format!("{refused:#}").is_empty());
        assert_eq!(congestion_control(), before);
    }
}
