//! A loopback of one's own: a network namespace whose TCP is what nearly every Linux brings, whatever this machine was set to. Made by
//! `unshare` of util-linux and `ip` of iproute2; nothing outside of it changes, and it goes with who lives there.
//!
//! Congestion control is made for long paths. `bbr` paces: each socket has a timer by which its bytes leave. On loopback there is nothing to
//! be gentle with, and only servers that outrun their readers meet those timers: a burst of large messages costs them half as much again.
//!
//! It is the routes that say it (`congctl` of ip-route(8)): what the namespace's own sysctl takes is only what the machine allows to
//! everybody, which may well leave `cubic` out.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{Error, Result, anyhow, ensure};
use clap::Args;
use socket2::SockRef;

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
    /// Whether this program began again in a namespace that [`settle`](Loopback::settle) made.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.own_loopback
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
        eprintln!("measuring with {found}: {:#}", begin_again(wanted));
    }
}

/// How a connection of this process over loopback paces itself.
#[must_use]
pub fn congestion_control() -> Option<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    let stream = TcpStream::connect(listener.local_addr().ok()?).ok()?;
    let name = String::from_utf8(SockRef::from(&stream).tcp_congestion().ok()?).ok()?;
    Some(name.trim_end_matches('\0').to_owned())
}

/// Becomes this program once more, in a network namespace. Returns only if that cannot be, with the reason.
fn begin_again(control: &str) -> Error {
    let kind = match kind_allowed(control) {
        Ok(kind) => kind,
        Err(error) => return error,
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error.into(),
    };
    let arguments = std::env::args_os().skip(1);
    within(kind, control).arg(program).args(arguments).arg("--own-loopback").exec().into()
}

/// The kind of namespace in which TCP can be set to `control` here.
///
/// # Errors
/// When there is none: what was said about the last that was tried.
fn kind_allowed(control: &str) -> Result<&'static [&'static str]> {
    if has(ROOT, control).is_ok() {
        return Ok(ROOT);
    }
    has(ANYBODY, control).map(|()| ANYBODY)
}

fn has(kind: &[&str], control: &str) -> Result<()> {
    let output = within(kind, control).arg("true").stdin(Stdio::null()).output();
    let output = output.map_err(|error| anyhow!("`unshare` of util-linux is needed: {error}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "no loopback of our own with {control}: {}", complaint.trim());
    Ok(())
}

/// What runs the program that is appended to it in a namespace of this kind, its loopback up and set to `control`.
fn within(kind: &[&str], control: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(kind).args(["--", "sh", "-c", SET_UP_AND_BECOME, "sh", control]);
    command
}

/// The kernel's own choice, if nobody configures another (`CONFIG_DEFAULT_TCP_CONG`).
const CONGESTION_CONTROL: &str = "cubic";

/// What `unshare` is told by root, and by anybody else: who is root inside may set things up there.
const ROOT: &[&str] = &["--net"];
const ANYBODY: &[&str] = &["--net", "--map-root-user"];

/// The two routes that come up with a loopback, once more, with the congestion control of connections along them.
const SET_UP_AND_BECOME: &str = r#"
control=$1
shift
ip link set lo up || exit
for net in 127.0.0.0/8 127.0.0.1
do ip route replace local $net dev lo table local proto kernel scope host src 127.0.0.1 congctl "$control" || exit
done
exec "$@""#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_of_ones_own_is_paced_as_wanted_and_nobody_elses_is() {
        if let Ok(wanted) = std::env::var(WANTED) {
            assert_eq!(congestion_control(), Some(wanted));
            return;
        }
        let before = congestion_control().expect("a connection says how it is paced");
        let Ok(kind) = kind_allowed(EVERYWHERE) else {
            eprintln!("this kernel allows no network namespace: nothing to be seen");
            return;
        };
        let name = std::thread::current().name().map(str::to_owned).expect("a test has a name");
        let program = std::env::current_exe().expect("this program");
        let mut command = within(kind, EVERYWHERE);
        let output = command.arg(program).args(["--exact", &name]).env(WANTED, EVERYWHERE).output();
        let output = output.expect("`unshare` was there a moment ago");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        assert_eq!(congestion_control(), Some(before));
    }

    #[test]
    fn what_the_kernel_does_not_know_is_refused_with_a_reason() {
        let refused = kind_allowed("no-such-control").expect_err("nothing is called that");
        assert!(
            format!("{refused}").len() > "no loopback of our own with no-such-control: ".len(),
            "{refused}"
        );
    }

    /// Every kernel has it (`net/ipv4/tcp_cong.c`), and hardly any machine is set to it.
    const EVERYWHERE: &str = "reno";
    const WANTED: &str = "SOCKETVILLE_TEST_CONGESTION_CONTROL";
}
