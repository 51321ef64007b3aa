//! Rules about Rust files: how they open, how long they are, and where `unsafe` may stand.
//!
//! The lints forbid `unsafe` too; this holds when somebody removes a lint.

use super::rust_text;
use super::tracked::Tracked;

/// Lines of a source file: more is no chapter that one holds in one's head.
const LINES_MAX: usize = 500;

/// Lines of a file below `tests/` or `benches/`: cases in a row are read one at a time.
const TEST_LINES_MAX: usize = 800;

/// The one place where `unsafe` may stand.
const UNSAFE_HOME: &str = "engine/sys/";

/// Rust files that do not begin with their `//!` header.
pub(super) fn unopened(files: &[Tracked]) -> Vec<String> {
    let rust = files.iter().filter(|file| file.is_rust());
    rust.filter(|file| !file.text.starts_with("//!"))
        .map(|file| format!("{} has no `//!` header", file.path))
        .collect()
}

/// Rust files that are too long.
pub(super) fn giants(files: &[Tracked]) -> Vec<String> {
    let rust = files.iter().filter(|file| file.is_rust());
    rust.filter_map(|file| {
        let tests = file.below("tests") || file.below("benches");
        let (lines, max) = (file.text.lines().count(), if tests { TEST_LINES_MAX } else { LINES_MAX });
        (lines > max).then(|| format!("{}: {lines} lines, expected at most {max}", file.path))
    })
    .collect()
}

/// The application is called through one door, which knows that nothing is borrowed; its tasks are polled by the executor.
pub(super) fn catching_elsewhere(files: &[Tracked]) -> Vec<String> {
    let is_door = |file: &Tracked| DOORS.iter().any(|door| file.path.ends_with(door));
    let servers = files.iter().filter(|file| file.is_rust() && file.path.starts_with("engine/server/src/"));
    let others = servers.filter(|file| !is_door(file));
    others
        .filter(|file| {
            let code = rust_text::code_only(&file.text);
            let code = code.split("mod tests").next().unwrap_or_default();
            rust_text::words(code).any(|(_, word)| word == "catch_unwind")
        })
        .map(|file| format!("{}: `catch_unwind` belongs into calls.rs", file.path))
        .collect()
}

/// Where panics of the application are caught.
const DOORS: &[&str] = &["/calls.rs", "/executor.rs"];

/// `unsafe` in code outside its one place; comments and strings may speak of it.
pub(super) fn unsafe_elsewhere(files: &[Tracked]) -> Vec<String> {
    let elsewhere = files.iter().filter(|file| file.is_rust() && !file.path.starts_with(UNSAFE_HOME));
    elsewhere
        .flat_map(|file| {
            let code = rust_text::code_only(&file.text);
            let lines: Vec<usize> =
                rust_text::words(&code).filter(|(_, word)| *word == "unsafe").map(|(line, _)| line).collect();
            lines.into_iter().map(|line| format!("{}:{line}: `unsafe` outside {UNSAFE_HOME}", file.path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_with_its_header() {
        let files = [
            Tracked::made("a.rs", "//! What it is.\n"),
            Tracked::made("b.rs", "// What it is.\n"),
            Tracked::made("c.rs", ""),
            Tracked::made("d.md", "no Rust"),
        ];
        assert_eq!(unopened(&files), ["b.rs has no `//!` header", "c.rs has no `//!` header"]);
    }

    #[test]
    fn length_is_judged_by_where_the_file_lies() {
        let long = "\n".repeat(LINES_MAX + 1);
        let files = ["a/src/x.rs", "a/tests/x.rs", "a/x.md"].map(|path| Tracked::made(path, &long));
        assert_eq!(giants(&files), ["a/src/x.rs: 501 lines, expected at most 500"]);
        assert_eq!(giants(&[Tracked::made("a/tests/y.rs", &"\n".repeat(TEST_LINES_MAX + 1))]).len(), 1);
    }

    #[test]
    fn unsafe_is_found_in_code_only_and_outside_its_home_only() {
        let text = "//! no unsafe here\n#![forbid(unsafe_code)]\nfn f() { unsafe { g(\"unsafe\") } }\n";
        let files = ["engine/hub/src/lib.rs", "engine/sys/src/lib.rs"].map(|path| Tracked::made(path, text));
        assert_eq!(unsafe_elsewhere(&files), ["engine/hub/src/lib.rs:3: `unsafe` outside engine/sys/"]);
    }
}
