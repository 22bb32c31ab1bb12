//! `publish-check`: what each ecosystem says of the package that it would be given. Nothing is published, and no registry is asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::{go, python};
use crate::process;
use crate::setup::{self, Language, js};
use crate::workspace::Workspace;

/// The crates of the SDK for Rust, in the order in which they have to be published.
const CRATES: [&str; 2] = ["tidemill-macros", "tidemill"];

const C: &str = "guest-sdk/c";
/// What a user of the SDK for C is given.
const C_FILES: [&str; 8] =
    ["README.md", "LICENSE", "CMakeLists.txt", "tidemill.h", "tidemill.c", "tidemill_test.h", "tidemill_test.c", "wit/job.wit"];

/// The options of `publish-check`.
#[derive(Args)]
pub(crate) struct Options {
    /// A language; may be repeated. Without it all of them
    #[arg(long = "lang", value_enum)]
    languages: Vec<Language>,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let languages: &[Language] = if options.languages.is_empty() { &Language::ALL } else { &options.languages };
    setup::languages(workspace, languages)?;
    check(workspace, languages)
}

/// Checks the packages of these languages.
pub(crate) fn check(workspace: &Workspace, languages: &[Language]) -> Result<()> {
    versions(workspace)?;
    for language in languages {
        match language {
            Language::Rust => rust(workspace)?,
            Language::Python => python::package(workspace)?,
            Language::Js => npm(workspace)?,
            Language::Go => go::vet_package(workspace)?,
            Language::C => c(workspace)?,
        }
    }
    Ok(())
}

/// The files that name the version of an SDK, and what stands in front of it there. A Go module has the version of its tag.
const VERSIONS: [(&str, &str); 5] = [
    ("Cargo.toml", "[workspace.package]\nversion = \""),
    ("Cargo.toml", "tidemill-macros = { path = \"guest-sdk/rust/macros\", version = \""),
    ("guest-sdk/python/pyproject.toml", "\nversion = \""),
    ("guest-sdk/js/package.json", "\"version\": \""),
    ("guest-sdk/c/tidemill.h", "#define TDM_VERSION \""),
];

/// All SDKs have one version.
fn versions(workspace: &Workspace) -> Result<()> {
    let mut first: Option<String> = None;
    for (file, before) in VERSIONS {
        let text = fs::read_to_string(workspace.root().join(file)).with_context(|| format!("cannot read {file}"))?;
        let Some(version) = version_in(&text, before) else { bail!("{file} names no version behind {before:?}") };
        let expected = first.get_or_insert_with(|| version.to_owned());
        ensure!(version == expected, "{file} has version {version}, {} has {expected}: all SDKs have one version", VERSIONS[0].0);
    }
    Ok(())
}

fn version_in<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once('"').map(|(version, _)| version)
}

/// `cargo publish --dry-run` without its question to the registry: both crates are packed, and built from what was packed.
fn rust(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["package", "--quiet", "--offline", "--allow-dirty"]);
    for name in CRATES {
        cargo.args(["-p", name]);
    }
    process::run(&mut cargo, "packaging the Rust SDK")
}

/// What is in the package is held against its manifest by the SDK's own tests.
fn npm(workspace: &Workspace) -> Result<()> {
    let node = js::node(workspace).context("no Node.js: run `cargo xtask setup --lang js`")?;
    let mut npm = node.command("npm");
    npm.current_dir(workspace.root().join(js::SDK)).args(["pack", "--dry-run"]);
    process::run_quiet(&mut npm, "packaging the SDK for JavaScript")
}

/// A tarball, unpacked and compiled where nothing else of the repository is.
fn c(workspace: &Workspace) -> Result<()> {
    let made = workspace.cache().join("sdk/c-package");
    if made.exists() {
        fs::remove_dir_all(&made).with_context(|| format!("cannot remove {}", made.display()))?;
    }
    let unpacked = made.join("unpacked");
    fs::create_dir_all(&unpacked).with_context(|| format!("cannot create {}", unpacked.display()))?;
    let tarball = made.join("tidemill-c.tar.gz");
    let mut pack = Command::new("tar");
    pack.current_dir(workspace.root().join(C)).arg("-czf").arg(&tarball).args(C_FILES);
    process::run_quiet(&mut pack, "packaging the SDK for C")?;
    process::run_quiet(Command::new("tar").arg("-xzf").arg(&tarball).arg("-C").arg(&unpacked), "unpacking the SDK for C")?;
    for file in ["tidemill.c", "tidemill_test.c"] {
        let mut compiler = Command::new("cc");
        compiler.current_dir(&unpacked).args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "-o"]);
        compiler.arg(object(&made, file)).arg(file);
        process::run(&mut compiler, &format!("compiling {file} of the package of the SDK for C"))?;
    }
    Ok(())
}

fn object(folder: &Path, file: &str) -> PathBuf {
    folder.join(file).with_extension("o")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stands_behind_its_words() {
        assert_eq!(version_in("a = \"1\"\nversion = \"0.2.0\"\n", "\nversion = \""), Some("0.2.0"));
        assert_eq!(version_in("nothing", "version"), None);
    }
}
