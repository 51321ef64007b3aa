//! From addresses to functions of the sources, by `addr2line`: one function of the machine is many of the
//! sources, because small ones are inlined. A sample belongs to the innermost function of the house that it is
//! in, so that a vector's index counts for who indexes; outside of the house, to the whole function.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::recorder::missing;

/// Where a sample was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The function, without its generics.
    pub(super) function: String,
    /// File and line below the house; empty outside of it.
    pub(super) line: String,
}

/// Asks where all these addresses of `program` are; `house` is the folder of the sources.
///
/// # Errors
/// When `addr2line` is missing or fails.
pub(super) fn places(
    program: &str,
    house: &Path,
    addresses: impl Iterator<Item = u64>,
) -> Result<BTreeMap<u64, Place>> {
    let mut child = Command::new("addr2line")
        .args(["-e", program, "-f", "-i", "-C", "-a"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| missing("addr2line", &error))?;
    let mut input = child.stdin.take().context("addr2line has no input")?;
    let asked: String = addresses.map(|address| format!("{address:#x}\n")).collect();
    // Questions and answers fill a pipe each: neither may wait for the other.
    let asking = std::thread::spawn(move || input.write_all(asked.as_bytes()));
    let output = child.wait_with_output().context("addr2line did not end")?;
    asking.join().map_err(|_| anyhow::anyhow!("asking addr2line"))??;
    ensure!(output.status.success(), "addr2line ended with {}", output.status);
    Ok(read(&String::from_utf8_lossy(&output.stdout), &mut Sources::new(house)))
}

/// An address, then its functions from the innermost out, two lines each: name, file and line.
fn read(answers: &str, sources: &mut Sources) -> BTreeMap<u64, Place> {
    let mut places = BTreeMap::new();
    let mut lines = answers.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(address) = address(line) else { continue };
        let mut frames = Vec::new();
        while let Some(function) = lines.next_if(|line| self::address(line).is_none()) {
            frames.push((function, lines.next().unwrap_or_default()));
        }
        places.insert(address, place(&frames, sources));
    }
    places
}

fn address(line: &str) -> Option<u64> {
    u64::from_str_radix(line.strip_prefix("0x")?, 16).ok()
}

/// The first name is the machine's function, whatever was inlined there: so an inlined function's name is asked
/// of the sources, and only its line of the answer.
fn place(frames: &[(&str, &str)], sources: &mut Sources) -> Place {
    let inside = frames.iter().find_map(|(_, line)| {
        let (file, number) = of_the_house(line)?;
        let function = sources.function(file, number)?;
        Some(Place { function, line: format!("{file}:{number}") })
    });
    let whole = frames.first().map_or("unknown", |(function, _)| function);
    inside.unwrap_or_else(|| Place { function: plain(whole), line: String::new() })
}

/// `…/engine/hub/src/outbox.rs:17 (discriminator 3)` is line 17 of `engine/hub/src/outbox.rs`, wherever the house stood
/// when that crate was compiled.
fn of_the_house(line: &str) -> Option<(&str, usize)> {
    let (path, number) = line.split(" (").next()?.rsplit_once(':')?;
    let is_foreign = ["/registry/", "/rustc/", "/git/checkouts/"].iter().any(|folder| path.contains(folder));
    let wing = ["/engine/", "/bench/src/"].iter().find_map(|wing| path.find(wing));
    let file = path.get(wing.filter(|_| !is_foreign)? + 1..)?;
    Some((file, number.parse().ok()?))
}

/// The sources of the house, each file read at its first need.
struct Sources {
    house: PathBuf,
    files: HashMap<String, String>,
}

impl Sources {
    fn new(house: &Path) -> Sources {
        Sources { house: house.to_owned(), files: HashMap::new() }
    }

    /// The function around a line, with its crate and file: `hub::outbox::append`.
    fn function(&mut self, file: &str, number: usize) -> Option<String> {
        let Sources { house, files } = self;
        let read = || std::fs::read_to_string(house.join(file)).unwrap_or_default();
        let text = files.entry(file.to_owned()).or_insert_with(read);
        let before: Vec<&str> = text.lines().take(number).collect();
        let name = before.into_iter().rev().find_map(declared)?;
        let module = file.trim_start_matches("engine/").trim_end_matches(".rs").trim_end_matches("/mod");
        Some(format!("{}::{name}", module.replace("/src/", "::").replace('/', "::")))
    }
}

/// The function that a line declares.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let is_declaration = !line.starts_with("//") && (line.starts_with("fn ") || line.contains(" fn "));
    let name = line.split_once("fn ").filter(|_| is_declaration)?.1;
    name.split(['(', '<']).next().filter(|name| !name.is_empty() && !name.contains(' '))
}

/// The public crate's folder is `server`.
fn server(path: &str) -> Option<String> {
    Some(format!("server::{}", path.strip_prefix("socketville::")?))
}

/// The house's own functions are named by file, as [`Sources::function`] does.
fn without_types(path: &str) -> String {
    let is_type = |segment: &&str| segment.starts_with(|letter: char| letter.is_ascii_uppercase());
    path.split("::").filter(|segment| !is_type(segment)).collect::<Vec<_>>().join("::")
}

/// A function's path without generics and closures, and the house's as files have it: `hub::outbox::append`.
pub(super) fn plain(function: &str) -> String {
    let whole = match function.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        // `<Type as Trait>::method` is a method of the type.
        Some((inner, rest)) if !inner.contains('<') && !inner.starts_with("impl") => {
            format!("{}{rest}", inner.split(" as ").next().unwrap_or(inner))
        }
        _ => function.to_owned(),
    };
    let (mut text, mut depth) = (String::new(), 0_u32);
    for letter in whole.chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => text.push(letter),
            _ => {}
        }
    }
    let segments = text.split("::").filter(|segment| !segment.is_empty() && !segment.starts_with('{'));
    let path = segments.collect::<Vec<_>>().join("::");
    match path.strip_prefix("socketville_").map(str::to_owned).or_else(|| server(&path)) {
        Some(own) => without_types(&own),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: &str = "0x0000000000001234
socketville::turn::Turn<D>::flush
/rustc/abc/library/core/src/ptr/mod.rs:1700 (discriminator 2)
plain
/elsewhere/bench/src/profile/lines.rs:LINE (discriminator 3)
flush
/elsewhere/engine/server/src/turn.rs:40
0x0000000000002000
zlib_rs::deflate::slow<T>
/registry/zlib-rs/src/engine/longest.rs:9
slow
/registry/zlib-rs/src/slow.rs:8
";

    fn sources() -> Sources {
        Sources::new(crate::contestants::bench_folder().parent().expect("the house"))
    }

    #[test]
    fn a_sample_belongs_to_the_innermost_function_of_the_house() {
        let line =
            include_str!("lines.rs").lines().position(|line| line.contains("fn plain(")).expect("it is here");
        let number = (line + 3).to_string();
        let places = read(&ANSWERS.replace("LINE", &number), &mut sources());
        let line = format!("bench/src/profile/lines.rs:{number}");
        let own = Place { function: "bench::profile::lines::plain".into(), line };
        assert_eq!(places.get(&0x1234), Some(&own));
        let other = Place { function: "zlib_rs::deflate::slow".into(), line: String::new() };
        assert_eq!(places.get(&0x2000), Some(&other));
    }

    #[test]
    fn a_declaration_is_told_from_what_mentions_functions() {
        assert_eq!(declared("    pub(crate) const fn new(settings: X) -> Self {"), Some("new"));
        assert_eq!(declared("fn read<T>("), Some("read"));
        assert_eq!(declared("    /// what a fn is"), None);
        assert_eq!(declared("    sink: &mut dyn FnMut(Token),"), None);
        assert_eq!(declared("    action: fn (u8),"), None);
    }

    #[test]
    fn names_lose_what_only_the_compiler_needs() {
        assert_eq!(plain("socketville::turn::Turn<D>::reap::{{closure}}"), "server::turn::reap");
        assert_eq!(
            plain("socketville_hub::sockets::<impl socketville_hub::Hub>::turn_down"),
            "hub::sockets::turn_down"
        );
        assert_eq!(
            plain("<socketville_sys::ring::Ring as socketville_sys::Driver>::send"),
            "sys::ring::send"
        );
        assert_eq!(plain("simd_json::Deserializer<'de>::build_tape"), "simd_json::Deserializer::build_tape");
        assert_eq!(plain("main"), "main");
    }
}
