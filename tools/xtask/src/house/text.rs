//! Rules about the text of any file: no registry, no machine's path, no download address.
//!
//! A checkout must mean the same on every machine and behind every mirror; what is looked for is put together from
//! pieces, so that this file passes its own rules.

use super::tracked::Tracked;

/// Names of package registries, as they stand in addresses.
const REGISTRIES: &[&str] = &[
    concat!("crates", ".io"),
    concat!("npm", "js"),
    concat!("py", "pi"),
    concat!("debian", ".org"),
    concat!("proxy.golang", ".org"),
];

/// Folders in which somebody's checkout lies.
const MACHINE_FOLDERS: &[&str] = &[
    concat!("/", "work", "/"),
    concat!("/", "home", "/"),
    concat!("/", "root", "/"),
    concat!("/", "Users", "/"),
    concat!("/", "workspace", "/"),
];

/// Files that name a package registry. Cargo's own lock files do: it writes its default registry's name.
pub(super) fn registries(files: &[Tracked]) -> Vec<String> {
    let ours = files.iter().filter(|file| file.name() != "Cargo.lock");
    let found = |line: &str| {
        let lower = line.to_ascii_lowercase();
        REGISTRIES.iter().find(|name| lower.contains(*name)).copied()
    };
    ours.flat_map(|file| faults(file, found, "names a registry")).collect()
}

/// Files that name an absolute path of a machine.
pub(super) fn machine_paths(files: &[Tracked]) -> Vec<String> {
    let found = |line: &str| MACHINE_FOLDERS.iter().find(|folder| begins_path(line, folder)).copied();
    files.iter().flat_map(|file| faults(file, found, "names a path of a machine")).collect()
}

/// npm's lock files that say from where each package was downloaded.
pub(super) fn resolved_locks(files: &[Tracked]) -> Vec<String> {
    let locks =
        files.iter().filter(|file| matches!(file.name(), "package-lock.json" | "npm-shrinkwrap.json"));
    let found = |line: &str| line.contains("\"resolved\"").then_some("\"resolved\"");
    locks.flat_map(|file| faults(file, found, "has a download address")).collect()
}

fn faults(file: &Tracked, found: impl Fn(&str) -> Option<&'static str>, what: &str) -> Vec<String> {
    let lines = file.lines().filter_map(|(number, line)| Some((number, found(line)?)));
    lines.map(|(number, name)| format!("{}:{number}: {what}: {name}", file.path)).collect()
}

/// Whether the folder stands in the line as the beginning of a path, not as the middle of a longer one.
fn begins_path(line: &str, folder: &str) -> bool {
    let inside = |before: char| before.is_alphanumeric() || "._-~})>]*".contains(before);
    line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(path: &str, lines: &[&str]) -> [Tracked; 1] {
        [Tracked::made(path, &lines.join("\n"))]
    }

    #[test]
    fn a_registry_is_found_wherever_it_is_named() {
        let lines = [
            "fine",
            concat!("https://registry.npm", "js.org/x"),
            concat!("see Crates", ".io"),
            "happy pipes",
        ];
        assert_eq!(registries(&made("README.md", &lines)).len(), 2);
        assert!(registries(&made("bench/Cargo.lock", &lines)).is_empty());
    }

    #[test]
    fn a_machines_path_is_one_only_at_its_beginning() {
        let paths =
            [concat!("cd /", "work/main"), concat!("\"/", "home/me\""), concat!("file:///", "root/x")];
        assert_eq!(machine_paths(&made("a.md", &paths)).len(), 3);
        let others =
            [concat!("src/", "work/x"), concat!("$ROOT}/", "home/x"), "/usr/bin/env", "/workers/", "~/x"];
        assert!(machine_paths(&made("a.md", &others)).is_empty());
    }

    #[test]
    fn a_lock_file_has_no_addresses() {
        let lines = ["\"version\": \"1.0.0\",", "\"resolved\": \"https://example.org/a.tgz\","];
        assert_eq!(resolved_locks(&made("x/package-lock.json", &lines)).len(), 1);
        assert!(resolved_locks(&made("x/other.json", &lines)).is_empty());
    }
}
