//! Guests in Rust: the examples, the language matrix and the guests of the test suite, in one run of cargo.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::{deliver, output, pack};
use crate::process;
use crate::setup::rust;
use crate::workspace::{Metadata, Package, Workspace};

/// One crate that becomes a component.
#[derive(Debug, PartialEq, Eq)]
struct Guest {
    package: String,
    /// The file that cargo makes, without folder.
    module: String,
    /// `rust` for examples and the matrix, `test` for the test suite's.
    language: &'static str,
    name: String,
}

/// Builds all of them; answers the components.
pub(super) fn build(workspace: &Workspace, metadata: &Metadata) -> Result<Vec<PathBuf>> {
    let guests = find(workspace, metadata)?;
    if guests.is_empty() {
        return Ok(Vec::new());
    }
    let Some(compiler) = rust::compiler() else { bail!("no compiler for {}: run `cargo xtask setup`", rust::TARGET) };
    let begun = Instant::now();
    let target_dir = workspace.cache().join("guest-target");
    let mut cargo = rust::cargo(workspace, compiler);
    cargo.args(["build", "--lib", "--profile", "guest", "--target", rust::TARGET, "--target-dir"]).arg(&target_dir);
    cargo.args(rust::build_arguments(compiler));
    for guest in &guests {
        cargo.args(["-p", &guest.package]);
    }
    process::run(&mut cargo, "building the guests in Rust")?;
    let mut outputs = Vec::new();
    let mut refused = Vec::new();
    for guest in &guests {
        let module = target_dir.join(rust::TARGET).join("guest").join(&guest.module);
        let module = fs::read(&module).with_context(|| format!("cannot read the built module {}", module.display()))?;
        match pack::component(&module) {
            Ok(component) => {
                let path = output(workspace, guest.language, &guest.name);
                deliver(workspace, &path, &component, begun)?;
                outputs.push(path);
            }
            Err(error) => refused.push(format!("{} does not make a component: {error:#}", guest.package)),
        }
    }
    // The others are delivered first: while one guest is being written, the rest can be worked with.
    if !refused.is_empty() {
        bail!("{}", refused.join("\n"));
    }
    Ok(outputs)
}

/// The guests among the members, in the order of their names.
fn find(workspace: &Workspace, metadata: &Metadata) -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for package in &metadata.packages {
        guests.extend(guest_of(package, workspace.root())?);
    }
    guests.sort_by(|a, b| (a.language, &a.name).cmp(&(b.language, &b.name)));
    for pair in guests.windows(2) {
        if (pair[0].language, &pair[0].name) == (pair[1].language, &pair[1].name) {
            bail!(
                "{} and {} would both become {}/{}.wasm; rename a folder",
                pair[0].package,
                pair[1].package,
                pair[0].language,
                pair[0].name
            );
        }
    }
    Ok(guests)
}

fn guest_of(package: &Package, root: &Path) -> Result<Option<Guest>> {
    let folder = package.folder(root);
    let (language, name) = match folder.split('/').collect::<Vec<_>>()[..] {
        ["examples", example, "rust"] => ("rust", without_number(example)),
        ["tests", "matrix", "rust"] => ("rust", "matrix"),
        ["tests", "guests", "rust", name] => ("test", name),
        _ => return Ok(None),
    };
    let Some(target) = package.targets.iter().find(|target| target.kind.iter().any(|kind| kind == "cdylib")) else {
        bail!("{folder}/Cargo.toml: a guest needs `[lib] crate-type = [\"cdylib\"]`, or cargo makes no module of it");
    };
    let module = format!("{}.wasm", target.name.replace('-', "_"));
    Ok(Some(Guest { package: package.name.clone(), module, language, name: name.to_owned() }))
}

/// `01-wordcount` gives `wordcount`.
pub(super) fn without_number(example: &str) -> &str {
    match example.split_once('-') {
        Some((number, name)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => example,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::workspace::Target;

    fn package(folder: &str, kind: &str) -> Package {
        Package {
            name: "pack-age".to_owned(),
            manifest_path: Path::new("/w").join(folder).join("Cargo.toml"),
            dependencies: Vec::new(),
            targets: vec![Target { name: "pack-age".to_owned(), kind: vec![kind.to_owned()] }],
        }
    }

    #[test]
    fn an_example_loses_its_number_and_a_test_guest_keeps_its_name() {
        let root = Path::new("/w");
        let example = guest_of(&package("examples/02-sensor-windows/rust", "cdylib"), root).unwrap().unwrap();
        assert_eq!((example.language, example.name.as_str(), example.module.as_str()), ("rust", "sensor-windows", "pack_age.wasm"));
        let test = guest_of(&package("tests/guests/rust/2-trap", "cdylib"), root).unwrap().unwrap();
        assert_eq!((test.language, test.name.as_str()), ("test", "2-trap"));
        assert_eq!(guest_of(&package("host/core", "lib"), root).unwrap(), None);
    }

    #[test]
    fn a_guest_that_makes_no_module_is_refused_by_its_manifest() {
        let error = guest_of(&package("examples/01-a/rust", "lib"), Path::new("/w")).unwrap_err().to_string();
        assert!(error.starts_with("examples/01-a/rust/Cargo.toml") && error.contains("cdylib"), "{error}");
    }

    #[test]
    fn only_a_leading_number_is_dropped() {
        assert_eq!(without_number("04-top-n"), "top-n");
        assert_eq!(without_number("top-n"), "top-n");
        assert_eq!(without_number("nexmark"), "nexmark");
    }
}
