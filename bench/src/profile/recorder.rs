//! `perf record` around the measured part of a run: it is attached before, told when to begin and to end, and
//! asked afterwards what it saw. It knows nothing of loads and explains no sample.
//!
//! It samples by the CPU clock, because virtual machines often have no hardware counters. That clock says where
//! time passes, to a quarter of a millisecond a sample, not how many instructions or cache misses it took.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::machine::Process;
use crate::served::Watch;

/// A `perf record` that waits for its orders.
pub(super) struct Recorder {
    line: RefCell<Line>,
    data: PathBuf,
}

/// Orders go to it through its input, and it confirms each through its output.
struct Line {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The first order that failed: a watcher cannot say so when it happens.
    fault: Option<anyhow::Error>,
}

impl Recorder {
    /// Attaches to all threads of a process, and samples nothing yet.
    ///
    /// # Errors
    /// When `perf` is missing or may not sample; the message says what to do.
    pub(super) fn attach(process: Process, data: &Path) -> Result<Recorder> {
        let mut child = Command::new("perf")
            .args(["record", "-q", "-e", "cpu-clock", "-F", &SAMPLES_PER_S.to_string()])
            .args(["--delay=-1", "--control=fd:0,1", "-p", &process.id().to_string(), "-o"])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| missing("perf", &error))?;
        let orders = child.stdin.take().context("perf has no input")?;
        let answers = BufReader::new(child.stdout.take().context("perf has no output")?);
        let mut line = Line { child, orders, answers, fault: None };
        line.order("ping").context(REFUSED)?;
        Ok(Recorder { line: RefCell::new(line), data: data.to_owned() })
    }

    /// Ends the recording and gives what `perf script` makes of it: one sample a line.
    ///
    /// # Errors
    /// When an order failed, or the recording cannot be read.
    pub(super) fn finish(&self) -> Result<String> {
        let mut line = self.line.borrow_mut();
        if let Some(fault) = line.fault.take() {
            return Err(fault);
        }
        line.order("stop")?;
        line.child.wait().context("perf record did not end")?;
        let script = Command::new("perf")
            .args(["script", "-F", "ip,sym,dso", "-i"])
            .arg(&self.data)
            .stderr(Stdio::null())
            .output()
            .map_err(|error| missing("perf", &error))?;
        ensure!(script.status.success(), "perf script ended with {}", script.status);
        Ok(String::from_utf8_lossy(&script.stdout).into_owned())
    }

    fn tell(&self, order: &str) {
        let mut line = self.line.borrow_mut();
        if line.fault.is_none() {
            line.fault = line.order(order).err();
        }
    }
}

impl Watch for Recorder {
    fn begin(&self) {
        self.tell("enable");
    }

    fn end(&self) {
        self.tell("disable");
    }
}

/// Whatever happened, no `perf` and no recording stays behind.
impl Drop for Recorder {
    fn drop(&mut self) {
        let line = self.line.get_mut();
        let _ = line.child.kill();
        let _ = line.child.wait();
        let _ = std::fs::remove_file(&self.data);
    }
}

impl Line {
    fn order(&mut self, order: &str) -> Result<()> {
        writeln!(self.orders, "{order}").with_context(|| format!("telling perf to {order}"))?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        // What confirms ends with a zero byte as well as with a line.
        if answer.trim_matches(['\0', '\n']) != "ack" {
            bail!("perf answered {answer:?} to {order}");
        }
        Ok(())
    }
}

/// What to say when a program that this needs is not there.
pub(super) fn missing(program: &str, error: &std::io::Error) -> anyhow::Error {
    if error.kind() != ErrorKind::NotFound {
        return anyhow::anyhow!("could not start {program}: {error}");
    }
    let package =
        if program == "perf" { "linux-perf (Debian), linux-tools (Ubuntu) or perf" } else { "binutils" };
    anyhow::anyhow!("{program} is missing, and profiles need it: install the package {package}")
}

/// A prime, so that nothing periodic in the server is always met at the same place.
const SAMPLES_PER_S: u32 = 3989;
const REFUSED: &str = "perf may not sample: it is its right that is missing (kernel.perf_event_paranoid at most 1, or root), \
                       or it is older than 5.10 and takes no orders; its complaint is above";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_a_program_is_told_what_to_install() {
        let absent = std::io::Error::from(ErrorKind::NotFound);
        assert!(missing("perf", &absent).to_string().contains("install the package linux-perf"));
        assert!(missing("addr2line", &absent).to_string().contains("binutils"));
        let forbidden = std::io::Error::from(ErrorKind::PermissionDenied);
        assert!(!missing("perf", &forbidden).to_string().contains("install"));
    }
}
