//! `tidy`: the rules of the house that the compiler cannot check.
//!
//! Every rule is a pure function from text to findings, tested on small texts; only this file reads the disk. It looks
//! at what git tracks and at what it would track, so a finding shows before the commit.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::{CONTRACTS, Workspace};

mod docs;
mod edges;
mod mirror;
mod reach;
mod rust;
mod text;

/// Larger files are data, not text that someone wrote.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// One breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// From 1.
    line: usize,
    /// What is wrong and what to do.
    text: String,
    /// Whether it is advice only.
    mild: bool,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Finding { path: path.to_owned(), line, text: text.into(), mild: false }
    }

    fn mild(path: &str, line: usize, text: impl Into<String>) -> Self {
        Finding { mild: true, ..Finding::new(path, line, text) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.mild { "advice: " } else { "" };
        write!(f, "{}:{}: {kind}{}", self.path, self.line, self.text)
    }
}

/// A file of the repository; `text` is empty for data and for what is not UTF-8.
#[derive(Debug)]
struct File {
    /// Relative to the root, with forward slashes.
    path: String,
    text: String,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let files = files(workspace)?;
    let mut findings = Vec::new();
    for file in &files {
        findings.extend(text::check(file));
        if file.path.ends_with(".rs") {
            findings.extend(rust::check(file));
            findings.extend(reach::check(file));
        }
    }
    let metadata = workspace.metadata()?;
    findings.extend(edges::check(&edges::members(&metadata, workspace.root(), &files)));
    findings.extend(mirror::check(&files, &CONTRACTS));
    findings.extend(docs::check(&files));
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    for finding in &findings {
        println!("{finding}");
    }
    let wrong = findings.iter().filter(|finding| !finding.mild).count();
    if wrong > 0 {
        bail!("tidy found {wrong} breaches of the rules of the house (each line above says what to do)");
    }
    println!("tidy: {} files keep the rules of the house", files.len());
    Ok(())
}

/// The files of the repository: by git, or every visible file where there is no git (an unpacked release).
fn files(workspace: &Workspace) -> Result<Vec<File>> {
    let mut git = Command::new("git");
    git.current_dir(workspace.root()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut paths: Vec<String> = match process::capture(&mut git, "listing the files") {
        Ok(list) => list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect(),
        Err(_) => {
            let mut paths = Vec::new();
            walk(workspace.root(), "", &mut paths)?;
            paths
        }
    };
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let at = workspace.root().join(&path);
        // A deleted file is still in the index; a link is checked where it points to.
        let Ok(entry) = fs::symlink_metadata(&at) else { continue };
        if !entry.is_file() {
            continue;
        }
        let bytes = if entry.len() > TEXT_BYTES_MAX { Vec::new() } else { fs::read(&at).with_context(|| format!("cannot read {path}"))? };
        files.push(File { path, text: String::from_utf8(bytes).unwrap_or_default() });
    }
    Ok(files)
}

fn walk(root: &Path, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    let at = root.join(folder);
    for entry in fs::read_dir(&at).with_context(|| format!("cannot list {}", at.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type()?;
        let built = (folder.is_empty() && name == "dist") || name == "target" || name == "node_modules";
        if kind.is_file() {
            paths.push(path);
        } else if kind.is_dir() && !built && name != ".git" {
            walk(root, &path, paths)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A file of the repository for the tests of the rules.
    pub(super) fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_finding_reads_like_a_compiler_message() {
        assert_eq!(Finding::new("a/b.rs", 3, "wrong").to_string(), "a/b.rs:3: wrong");
        assert_eq!(Finding::mild("a/b.rs", 3, "long").to_string(), "a/b.rs:3: advice: long");
    }

    #[test]
    fn without_git_build_folders_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a.rs", "dist/x.wasm", "host/target/y.rs", "host/dist/z.rs", ".cargo/config.toml", ".git/index"] {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), "").unwrap();
        }
        let mut paths = Vec::new();
        walk(dir.path(), "", &mut paths).unwrap();
        paths.sort();
        assert_eq!(paths, [".cargo/config.toml", "a.rs", "host/dist/z.rs"]);
    }
}
