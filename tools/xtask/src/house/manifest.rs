//! Rules about Cargo manifests, read line by line: reasons, inheritance, lints.
//!
//! It understands manifests as they are written here (one dependency a line or a list over several), not all of TOML.

use super::tracked::Tracked;

/// The one crate that states its own lints: `unsafe` may stand there.
const OWN_LINTS: &str = "engine/sys/Cargo.toml";

/// Entries of `[workspace.dependencies]` without a comment; the house's own crates need none.
pub(super) fn unreasoned(files: &[Tracked]) -> Vec<String> {
    let roots = files.iter().filter(|file| file.path == "Cargo.toml");
    let entries =
        roots.flat_map(|file| entries_below(&file.text, |section| section == "workspace.dependencies"));
    let bare = entries.filter(|entry| !entry.reasoned && !entry.code.contains("path ="));
    bare.map(|entry| format!("Cargo.toml:{}: `{}` has no reason beside it", entry.line, entry.name()))
        .collect()
}

/// Dependencies of crates that bring a version of their own, past the root manifest and its reasons.
pub(super) fn uninherited(files: &[Tracked]) -> Vec<String> {
    let found = crates(files).flat_map(|file| {
        let entries = entries_below(&file.text, |section| section.ends_with("dependencies"));
        let own = entries.into_iter().filter(|entry| !entry.inherits() && !entry.code.contains("path ="));
        own.map(|entry| format!("{}:{}: `{}` is not the workspace's", file.path, entry.line, entry.name()))
    });
    found.collect()
}

/// Crates that do not take the workspace's lints.
pub(super) fn unlinted(files: &[Tracked]) -> Vec<String> {
    let own = crates(files).filter(|file| file.path != OWN_LINTS && !takes_lints(&file.text));
    own.map(|file| format!("{} lacks `[lints] workspace = true`", file.path)).collect()
}

fn takes_lints(manifest: &str) -> bool {
    entries_below(manifest, |section| section == "lints").iter().any(|entry| entry.code == "workspace = true")
}

/// The members' manifests: neither the root's nor those below another workspace of their own, as measured rivals are.
fn crates(files: &[Tracked]) -> impl Iterator<Item = &Tracked> {
    let manifests = || files.iter().filter(|file| file.name() == "Cargo.toml" && file.path != "Cargo.toml");
    let is_root = |file: &&Tracked| file.text.lines().any(|line| line.trim() == "[workspace]");
    let foreign: Vec<&str> = manifests().filter(is_root).map(|file| folder(&file.path)).collect();
    manifests().filter(move |file| !foreign.iter().any(|root| file.path.starts_with(root)))
}

fn folder(path: &str) -> &str {
    path.strip_suffix("Cargo.toml").unwrap_or(path)
}

/// `name = value`, perhaps over several lines, without its comments.
struct Entry {
    line: usize,
    code: String,
    reasoned: bool,
}

impl Entry {
    fn name(&self) -> &str {
        self.code.split(['=', '.']).next().unwrap_or(&self.code).trim()
    }

    fn inherits(&self) -> bool {
        self.code.contains("workspace = true")
    }
}

/// The entries of the sections that are wanted.
fn entries_below(manifest: &str, wanted: impl Fn(&str) -> bool) -> Vec<Entry> {
    let (mut entries, mut inside, mut depth): (Vec<Entry>, bool, i32) = (Vec::new(), false, 0);
    for (index, line) in manifest.lines().enumerate() {
        let (code, comment) = split_comment(line);
        if depth == 0 && code.starts_with('[') {
            inside = wanted(code.trim_matches(['[', ']']));
        } else if inside && depth > 0 {
            let Some(entry) = entries.last_mut() else { continue };
            entry.code.push_str(code);
            entry.reasoned |= !comment.is_empty();
            depth += nesting(code);
        } else if inside && !code.is_empty() {
            entries.push(Entry { line: index + 1, code: code.into(), reasoned: !comment.is_empty() });
            depth += nesting(code);
        }
    }
    entries
}

/// A line's code and its comment, both trimmed; a `#` in a string begins no comment.
fn split_comment(line: &str) -> (&str, &str) {
    let mut quoted = false;
    let start = line.find(|character| {
        quoted ^= character == '"';
        character == '#' && !quoted
    });
    let (code, comment) = line.split_at(start.unwrap_or(line.len()));
    (code.trim(), comment.trim_start_matches('#').trim())
}

/// How many brackets stay open after this line.
fn nesting(code: &str) -> i32 {
    let count = |wanted: [char; 2]| i32::try_from(code.matches(wanted).count()).unwrap_or(0);
    count(['[', '{']) - count([']', '}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> [Tracked; 1] {
        [Tracked::made("Cargo.toml", text)]
    }

    #[test]
    fn every_entry_needs_a_reason_on_one_of_its_lines() {
        let text = "[workspace.dependencies]\n# a group\nours = { path = \"engine\" }\ngood = \"1\" # because\n\
            bare = \"1\"\nhash = \"1 # no comment\"\nempty = \"1\" #\n\
            long = { version = \"1\", features = [\n  \"a\", # because\n] }\n[profile.release]\nlto = true\n";
        let found = unreasoned(&root(text));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("Cargo.toml:5: `bare`"), "{found:?}");
        assert!(found[1].contains("`hash`") && found[2].contains("`empty`"));
    }

    #[test]
    fn a_crate_takes_its_dependencies_from_the_workspace() {
        let text = "[package]\nname = \"a\"\n[dependencies]\none.workspace = true\n\
            two = { workspace = true, features = [\"x\"] }\nthree = \"1\"\n[dev-dependencies]\nfour = { path = \"..\" }\n\
            [target.'cfg(unix)'.dependencies]\nfive = \"1\"\n";
        let files = [Tracked::made("engine/a/Cargo.toml", text)];
        let expected = ["three", "five"];
        let found = uninherited(&files);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().zip(expected).all(|(fault, name)| fault.contains(name)), "{found:?}");
    }

    #[test]
    fn lints_are_the_workspaces_but_in_sys() {
        let files = ["engine/hub/Cargo.toml", "engine/sys/Cargo.toml", "bench/Cargo.toml"];
        let mut files = files.map(|path| Tracked::made(path, "[lints.rust]\nmissing_docs = \"warn\"\n"));
        files[2].text = "[lints]\nworkspace = true # all of them\n".into();
        assert_eq!(unlinted(&files), ["engine/hub/Cargo.toml lacks `[lints] workspace = true`"]);
    }

    #[test]
    fn another_workspace_below_ours_has_its_own_rules() {
        let text = "[package]\nname = \"rival\"\n[workspace]\n[dependencies]\naxum = \"1\"\n";
        let files = [
            Tracked::made("bench/rivals/one/Cargo.toml", text),
            Tracked::made("bench/rivals/one/inner/Cargo.toml", "[dependencies]\naxum = \"1\"\n"),
        ];
        assert!(uninherited(&files).is_empty() && unlinted(&files).is_empty());
    }
}
