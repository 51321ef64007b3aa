//! A loopback of one's own: a network namespace whose TCP is what nearly every Linux brings, whatever this machine was set to. Made by
//! `unshare` of util-linux and `ip` of iproute2; nothing outside of it changes, and it goes with who lives there.
//!
//! Congestion control is made for long paths. `bbr` paces: each socket has a timer by which its bytes leave. On loopback there is nothing to
//! be gentle with, and only servers that outrun their readers meet those timers: a burst of large messages costs them twice as much.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Error, Result, anyhow};

use super::place::{is_present, succeeds};

/// The kernel's own choice, if nobody configures another (`CONFIG_DEFAULT_TCP_CONG`).
pub const CONGESTION_CONTROL: &str = "cubic";

/// How this process's TCP paces itself.
#[must_use]
pub fn congestion_control() -> Option<String> {
    fs::read_to_string(SETTING).ok().map(|name| name.trim().to_owned())
}

/// Becomes this program once more, with `more` behind its arguments, in a network namespace of its own. Returns only if that cannot be, with
/// the reason. The one it becomes calls [`prepare`] first.
#[must_use]
pub fn move_to_own(more: &str) -> Error {
    let Some(names) = [ROOT, ANYBODY].into_iter().find(|names| makes_namespaces(names)) else {
        return anyhow!("{}", if is_present("unshare") { REFUSED } else { "`unshare` is missing" });
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error.into(),
    };
    let arguments = std::env::args_os().skip(1);
    Command::new("unshare").args(names).arg("--").arg(program).args(arguments).arg(more).exec().into()
}

/// Sets a namespace that is new up: its device, and how TCP paces itself in it.
///
/// # Errors
/// When `ip` fails, or the kernel does not know the name.
pub fn prepare(control: &str) -> Result<()> {
    succeeds(Command::new("ip").args(["link", "set", "lo", "up"])).then_some(()).context("`ip` failed")?;
    fs::write(SETTING, control).with_context(|| format!("the kernel has no congestion control {control}"))
}

fn makes_namespaces(names: &[&str]) -> bool {
    succeeds(Command::new("unshare").args(names).args(["--", "ip", "link", "set", "lo", "up"]))
}

/// One for each network namespace: what a process reads is its own.
const SETTING: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

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
        let refused = prepare("no-such-control").expect_err("nothing is called that");
        assert!(!format!("{refused:#}").is_empty());
        assert_eq!(congestion_control(), before);
    }
}
