//! A file of the project: its path from the top, and its text.
//!
//! Ignored files (build output, installed packages) are none; files not yet committed are, so that a fault is found
//! before the commit.

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

/// A file that git knows or would add.
pub(super) struct Tracked {
    /// From the top, with `/`.
    pub(super) path: String,
    /// Empty for a file that is no UTF-8 text.
    pub(super) text: String,
}

/// All files of the project.
pub(super) fn all(workspace: &Workspace) -> Result<Vec<Tracked>> {
    let mut git = workspace.command("git");
    // Whoever owns the checkout: CI may run as another user than the one who cloned.
    git.args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().context("`git ls-files` does not start")?;
    ensure!(output.status.success(), "`git ls-files` failed: {}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).context("a file's name is no UTF-8")?;
    let paths = listing.split_terminator('\0').filter(|path| workspace.root.join(path).is_file());
    paths.map(|path| read(workspace, path)).collect()
}

fn read(workspace: &Workspace, path: &str) -> Result<Tracked> {
    let bytes = std::fs::read(workspace.root.join(path)).with_context(|| format!("reading {path}"))?;
    Ok(Tracked { path: path.into(), text: String::from_utf8(bytes).unwrap_or_default() })
}

impl Tracked {
    /// The file's own name.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether it is Rust source.
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it lies below a folder of this name, at any depth.
    pub(super) fn below(&self, folder: &str) -> bool {
        self.path.split('/').rev().skip(1).any(|part| part == folder)
    }

    /// Its lines, numbered from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

#[cfg(test)]
impl Tracked {
    /// A file made up for a test.
    pub(super) fn made(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_knows_its_name_and_folders() {
        let file = Tracked::made("engine/proto/tests/frames.rs", "");
        assert_eq!(file.name(), "frames.rs");
        assert!(file.is_rust() && file.below("tests") && file.below("engine"));
        assert!(!file.below("frames.rs") && !file.below("test"));
        assert_eq!(Tracked::made("LICENSE", "").name(), "LICENSE");
    }
}
