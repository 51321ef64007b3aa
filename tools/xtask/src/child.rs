//! A child process whose output is shown as it comes and kept for the parsers, with a limit on its life in CI.
//!
//! It judges nothing: whether the child succeeded, and what it printed, go back to the step.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// A child that ended.
pub(crate) struct Finished {
    /// Whether it left with status 0.
    pub(crate) ok: bool,
    /// Its standard output; standard error went straight to ours.
    pub(crate) output: String,
}

/// Runs a command to its end. With a limit, the child gets a process group of its own, and all of it is killed when the
/// time is up: servers that it left behind would otherwise hold the output open. Without one, the terminal's Ctrl-C
/// reaches the child as usual.
pub(crate) fn run(command: &mut Command, limit: Option<Duration>) -> Result<Finished> {
    if limit.is_some() {
        command.process_group(0);
    }
    let said = said(command);
    println!("$ {said}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{said}` does not start"))?;
    let watch = limit.map(|limit| watch(&child, limit));
    let output = follow(&mut child)?;
    let ok = child.wait().with_context(|| format!("waiting for `{said}`"))?.success();
    drop(watch);
    Ok(Finished { ok, output })
}

/// Whether a program is there and answers: `["cargo", "deny", "--version"]`.
pub(crate) fn answers(words: &[&str]) -> bool {
    let Some((program, arguments)) = words.split_first() else { return false };
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Prints each line of the child's output as it comes, and keeps it. Bytes that are no UTF-8 are replaced.
fn follow(child: &mut Child) -> Result<String> {
    let Some(stdout) = child.stdout.take() else { return Ok(String::new()) };
    let (mut reader, mut output, mut line) = (BufReader::new(stdout), String::new(), Vec::new());
    while reader.read_until(b'\n', &mut line).context("reading a child's output")? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        output.push_str(&text);
        line.clear();
    }
    std::io::stdout().flush().context("writing to standard output")?;
    Ok(output)
}

/// Kills the child's process group when the limit passes before the sender is dropped.
fn watch(child: &Child, limit: Duration) -> Sender<()> {
    let (sender, ended) = channel::<()>();
    let group = format!("-{}", child.id());
    thread::spawn(move || {
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(limit) {
            eprintln!("xtask: still running after {} s, killed", limit.as_secs());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        }
    });
    sender
}

/// The command as one would type it.
fn said(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_status_come_back() {
        let finished = run(&mut shell("echo one; echo two; exit 3"), None).expect("sh starts");
        assert_eq!((finished.ok, finished.output.as_str()), (false, "one\ntwo\n"));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_that_names_it() {
        let error = run(&mut Command::new("no-such-program-here"), None).err().expect("it cannot start");
        assert!(error.to_string().contains("no-such-program-here"));
        assert!(!answers(&["no-such-program-here", "--version"]) && answers(&["sh", "-c", "true"]));
    }

    #[test]
    fn the_limit_ends_a_child_and_what_it_started() {
        let limit = Some(Duration::from_millis(50));
        let finished = run(&mut shell("echo here; sleep 600 & sleep 600"), limit).expect("sh starts");
        assert_eq!((finished.ok, finished.output.as_str()), (false, "here\n"));
    }
}
