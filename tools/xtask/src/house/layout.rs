//! Rules about where files are and what they are called.
//!
//! The plan behind them is engine/ARCHITECTURE.md; this only notices when somebody builds next to it.

use std::collections::BTreeSet;

use super::rust_text;
use super::tracked::Tracked;

/// What must be there, at the top.
const REQUIRED: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "bench",
    "compat-tests",
    "deny.toml",
    "engine",
    "tools",
];

/// What may be there too. Names that begin with a dot may be there, always.
const ALLOWED: &[&str] = &["clippy.toml", "rust-toolchain.toml", "rustfmt.toml"];

/// Names that say only that nobody found one.
const NAMELESS: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];

/// The top level holds exactly what the plan names.
pub(super) fn top_level(files: &[Tracked]) -> Vec<String> {
    let found: BTreeSet<&str> = files.iter().filter_map(|file| file.path.split('/').next()).collect();
    let missing =
        REQUIRED.iter().filter(|name| !found.contains(*name)).map(|name| format!("{name} is missing"));
    let planned = |name: &str| name.starts_with('.') || REQUIRED.contains(&name) || ALLOWED.contains(&name);
    let strange =
        found.iter().filter(|name| !planned(name)).map(|name| format!("{name} has no place at the top"));
    missing.chain(strange).collect()
}

/// No folder, source file or module has a name that is none.
pub(super) fn nameless(files: &[Tracked]) -> Vec<String> {
    files.iter().flat_map(|file| nameless_parts(file).into_iter().chain(nameless_modules(file))).collect()
}

fn nameless_parts(file: &Tracked) -> Vec<String> {
    let stem = |part: &str| part.split('.').next().unwrap_or(part).to_ascii_lowercase();
    let parts = file.path.split('/').filter(|part| NAMELESS.contains(&stem(part).as_str()));
    parts.map(|part| format!("{}: `{part}` says nothing", file.path)).collect()
}

fn nameless_modules(file: &Tracked) -> Vec<String> {
    if !file.is_rust() {
        return Vec::new();
    }
    let code = rust_text::code_only(&file.text);
    let words: Vec<(usize, &str)> = rust_text::words(&code).collect();
    let pairs = words.windows(2).filter(|pair| pair[0].1 == "mod" && NAMELESS.contains(&pair[1].1));
    pairs.map(|pair| format!("{}:{}: module `{}` says nothing", file.path, pair[1].0, pair[1].1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Vec<Tracked> {
        paths.iter().map(|path| Tracked::made(path, "")).collect()
    }

    #[test]
    fn the_planned_top_level_stands() {
        let mut planned = files(REQUIRED);
        planned.extend(files(&[".ci/run", ".gitignore", "rustfmt.toml", "engine/proto/src/lib.rs"]));
        assert!(top_level(&planned).is_empty());
    }

    #[test]
    fn what_is_missing_or_strange_at_the_top_is_named() {
        let mut planned = files(&REQUIRED[1..]);
        planned.extend(files(&["notes.txt", "docs/a.md", "docs/b.md"]));
        assert_eq!(
            top_level(&planned),
            ["Cargo.toml is missing", "docs has no place at the top", "notes.txt has no place at the top"]
        );
    }

    #[test]
    fn names_that_say_nothing_are_found_in_paths() {
        let found =
            nameless(&files(&["a/src/utils.rs", "a/tests/common/mod.rs", "b/helpers.mjs", "a/commonly.rs"]));
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn names_that_say_nothing_are_found_in_modules() {
        let text = "// mod utils\nmod good {\n}\npub mod helpers {}\nconst S: &str = \"mod common\";\n";
        let found = nameless(&[Tracked::made("a/src/lib.rs", text)]);
        assert_eq!(found, ["a/src/lib.rs:4: module `helpers` says nothing"]);
    }
}
