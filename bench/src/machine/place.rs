//! Where a process runs: `taskset` and `prlimit` of util-linux, called as programs. Not a scheduler: where
//! the programs are missing, everything still runs, with a warning that figures will be noisier.

use std::process::{Command, Stdio};

/// A command that runs `program` on the given cores (`0`, `0-1`, `0,2`), or anywhere if `taskset` is missing.
///
/// `taskset` replaces itself by the program, so that the child's process id is the program's.
#[must_use]
pub fn pinned(cores: &str, program: &[String]) -> Command {
    let (name, arguments) = program.split_first().map_or(("", program), |(name, rest)| (name.as_str(), rest));
    if !is_present("taskset") {
        warn(&format!("taskset is missing: {name} is not pinned to core {cores}"));
        let mut command = Command::new(name);
        command.args(arguments);
        return command;
    }
    let mut command = Command::new("taskset");
    command.args(["-c", cores, name]).args(arguments);
    command
}

/// Pins the calling process's main thread, and threads it starts later, to `cores`. Warns and goes on if that
/// fails.
pub fn pin_self(cores: &str) {
    let pid = std::process::id().to_string();
    if !succeeds(Command::new("taskset").args(["-cp", cores, &pid])) {
        warn(&format!("could not pin the swarm to core {cores}: is taskset there, and the core?"));
    }
}

/// Raises this process's limit of open descriptors to its hard limit; children inherit it.
pub fn raise_descriptor_limit() {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let Some((soft, hard)) = descriptor_limits(&limits) else { return };
    if soft == hard {
        return;
    }
    let pid = std::process::id().to_string();
    let limit = format!("--nofile={hard}:{hard}");
    if !succeeds(Command::new("prlimit").args(["--pid", &pid, &limit])) {
        warn(&format!("prlimit did not raise the limit of {soft} descriptors to {hard}"));
    }
}

/// Soft and hard limit from the text of `/proc/PID/limits`.
fn descriptor_limits(limits: &str) -> Option<(&str, &str)> {
    let rest = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = rest.split_whitespace();
    Some((words.next()?, words.next()?))
}

fn is_present(program: &str) -> bool {
    succeeds(Command::new(program).arg("--version"))
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn warn(text: &str) {
    eprintln!("warning: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_the_kernels_table() {
        let table = "Limit     Soft Limit  Hard Limit  Units\nMax open files            1024                 20000                files\n";
        assert_eq!(descriptor_limits(table), Some(("1024", "20000")));
        assert_eq!(descriptor_limits("nothing of the sort"), None);
    }

    #[test]
    fn a_pinned_command_names_the_program() {
        let command = pinned("0", &["true".to_owned(), "x".to_owned()]);
        assert!(command.get_args().any(|argument| argument == "x"));
    }
}
