//! `dist`: the release binary as `dist/tidemill`, every guest as `dist/guests/LANGUAGE/NAME.wasm`, and the codecs of the SDKs as programs.
//!
//! Promise: what is up to date is left alone, what was renamed or removed disappears from `dist/guests`, and an output
//! is replaced in one step, so that a running job never sees half of it. Guests of the test suite in Rust are the
//! "language" `test`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;

use crate::process;
use crate::setup::{self, Language};
use crate::workspace::{Metadata, Workspace};

mod c;
mod codec;
mod go;
mod js;
mod kept;
mod pack;
mod python;
mod rust;

/// `examples/NN-NAME/LANGUAGE` becomes `LANGUAGE/NAME.wasm`.
const EXAMPLES: &str = "examples";
/// `tests/matrix/LANGUAGE` becomes `LANGUAGE/matrix.wasm`.
const MATRIX: &str = "tests/matrix";

/// The options of `dist`.
#[derive(Args)]
pub(crate) struct Options {
    /// Leave the host binary alone
    #[arg(long)]
    guests_only: bool,
    /// Build the guests of every language: without it, those of languages whose compilers are missing are skipped
    #[arg(long)]
    all: bool,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let needed: &[Language] = if options.all { &Language::ALL } else { &[Language::Rust] };
    if !options.guests_only {
        host(workspace)?;
    }
    guests(workspace, needed)
}

/// Builds the binary and the guests; those of languages not `needed` only where their compilers are present.
pub(crate) fn everything(workspace: &Workspace, needed: &[Language]) -> Result<()> {
    host(workspace)?;
    guests(workspace, needed)
}

/// Builds `dist/tidemill`.
fn host(workspace: &Workspace) -> Result<()> {
    let begun = Instant::now();
    let metadata = workspace.metadata()?;
    process::run(workspace.cargo().args(["build", "--release", "-p", "tidemill-cli"]), "building the host")?;
    let built = metadata.target_directory.join("release/tidemill");
    let made = fs::read(&built).with_context(|| format!("cannot read the built binary {}", built.display()))?;
    let changed = replace(&workspace.binary(), &made, 0o755)?;
    report(workspace, &workspace.binary(), changed, begun);
    Ok(())
}

/// A language whose guests are built by other tools than cargo: its name, whether the tools are present, and the build.
type Builder = (Language, &'static str, fn(&Workspace) -> bool, fn(&Workspace) -> Result<Vec<PathBuf>>);

/// Builds the guests alone; those of languages not `needed` only where their compilers are present.
pub(crate) fn guests(workspace: &Workspace, needed: &[Language]) -> Result<()> {
    let metadata: Metadata = workspace.metadata()?;
    let mut outputs = BTreeSet::new();
    let others: [Builder; 4] = [
        (Language::C, "C", |_| setup::c::present(), c::build),
        (Language::Python, "Python", setup::python::present, python::build),
        (Language::Js, "JS", setup::js::present, js::build),
        (Language::Go, "Go", setup::go::present, go::build),
    ];
    for (language, name, present, build) in others {
        if needed.contains(&language) || present(workspace) {
            outputs.extend(build(workspace)?);
            // Only tests call these: what they need beside a guest's compiler is not asked of whoever wants to see a job run.
            if needed.contains(&language) {
                codec::build(workspace, language)?;
            }
        } else {
            say(&format!("guests in {name} are skipped: `cargo xtask setup --lang {}` installs their compiler", name.to_lowercase()));
        }
    }
    // Last, for these change most: a guest that does not build keeps nothing else from being built.
    outputs.extend(rust::build(workspace, &metadata)?);
    remove_others(workspace, &outputs)
}

/// Removes components that no guest is named for any more, among the languages that were built now.
fn remove_others(workspace: &Workspace, outputs: &BTreeSet<PathBuf>) -> Result<()> {
    let folders: BTreeSet<&Path> = outputs.iter().filter_map(|output| output.parent()).collect();
    for folder in folders {
        for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "wasm") && !outputs.contains(&path) {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                say(&format!("{} removed, no guest has this name", workspace.shown(&path)));
            }
        }
    }
    Ok(())
}

/// The projects of a language, as names of components and folders from the root: those of the examples that are written in it, and that
/// of the language matrix.
fn projects(workspace: &Workspace, language: &str, file: &str) -> Result<Vec<(String, String)>> {
    let examples = c::names(&workspace.root().join(EXAMPLES), &format!("{language}/{file}"))?;
    let mut projects: Vec<_> =
        examples.iter().map(|name| (rust::without_number(name).to_owned(), format!("{EXAMPLES}/{name}/{language}"))).collect();
    if workspace.root().join(MATRIX).join(language).join(file).is_file() {
        projects.push(("matrix".to_owned(), format!("{MATRIX}/{language}")));
    }
    Ok(projects)
}

/// Where the component of a guest goes.
fn output(workspace: &Workspace, language: &str, name: &str) -> PathBuf {
    workspace.guests().join(language).join(format!("{name}.wasm"))
}

/// Makes `path` hold `content` by renaming a finished file over it; answers whether anything changed.
fn replace(path: &Path, content: &[u8], mode: u32) -> Result<bool> {
    use std::os::unix::fs::PermissionsExt;

    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    let staged = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(&staged, content)?;
        fs::set_permissions(&staged, fs::Permissions::from_mode(mode))?;
        fs::rename(&staged, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

/// Writes a component and says so.
fn deliver(workspace: &Workspace, path: &Path, component: &[u8], begun: Instant) -> Result<()> {
    let changed = replace(path, component, 0o644)?;
    report(workspace, path, changed, begun);
    Ok(())
}

fn report(workspace: &Workspace, path: &Path, changed: bool, begun: Instant) {
    let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
    let size =
        if size < 1 << 20 { format!("{} KiB", size.div_ceil(1 << 10)) } else { format!("{:.1} MiB", size as f64 / f64::from(1 << 20)) };
    let state = if changed { format!("built in {:.1} s", begun.elapsed().as_secs_f64()) } else { "is up to date".to_owned() };
    say(&format!("{} ({size}) {state}", workspace.shown(path)));
}

fn say(text: &str) {
    println!("dist: {text}");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn replacing_by_the_same_bytes_is_no_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b.wasm");
        assert!(replace(&path, b"one", 0o644).unwrap());
        assert!(!replace(&path, b"one", 0o644).unwrap());
        assert!(replace(&path, b"two", 0o644).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "the staged file is gone");
    }
}
