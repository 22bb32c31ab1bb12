//! Projects in Rust: cargo makes the core module.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Built, Project};
use crate::fault::{Fault, Outcome};
use crate::{console, toolchain};

/// The file that marks a project in Rust.
pub(super) const MARK: &str = "Cargo.toml";

/// Compiles a Cargo project and finds the module it made.
pub(super) fn build(project: &Project<'_>) -> Outcome<Built> {
    let manifest = project.dir.join(MARK);
    let name = package_name(&manifest, project.shown)?;
    let toolchain = toolchain::find(&project.dir)?;
    if matches!(toolchain, toolchain::Toolchain::BuildStd { .. }) {
        console::note("building with Debian's compiler: the first build makes the standard library too, which takes minutes");
    }
    let mut cargo = toolchain.cargo_build();
    cargo.current_dir(&project.dir).args(["--lib", "--message-format=json-render-diagnostics"]);
    if !project.debug {
        cargo.arg("--release");
    }
    let core = compile(cargo, &manifest)?.ok_or_else(|| {
        Fault::failed(format!("{name} builds, but not into a module")).hint("put crate-type = [\"cdylib\"] under [lib] in Cargo.toml")
    })?;
    let component = super::packed(&core)?;
    Ok(Built { name, component })
}

fn package_name(manifest: &Path, shown: &Path) -> Outcome<String> {
    let text = std::fs::read_to_string(manifest)
        .map_err(|e| Fault::failed(format!("{} has a Cargo.toml that cannot be read", shown.display())).because(&e))?;
    let unreadable = |why: String| Fault::failed(format!("{} has a Cargo.toml that names no package", shown.display())).cause(why);
    let manifest: toml::Table = toml::from_str(&text).map_err(|e: toml::de::Error| unreadable(e.message().to_owned()))?;
    let name = manifest.get("package").and_then(|p| p.get("name")).and_then(toml::Value::as_str);
    name.map(str::to_owned).ok_or_else(|| unreadable("it is a workspace: give the folder of one member".to_owned()))
}

/// Runs cargo, its own messages going to standard error as they come; answers the module of the package at `manifest`.
fn compile(mut cargo: Command, manifest: &Path) -> Outcome<Option<PathBuf>> {
    let failed = |e: std::io::Error| Fault::failed("cannot run cargo").because(&e);
    let mut child = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut module = None;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            module = artifact(&line.map_err(failed)?, manifest).or(module);
        }
    }
    match child.wait().map_err(failed)?.success() {
        true => Ok(module),
        false => Err(Fault::failed("the project does not compile: cargo's messages stand above")),
    }
}

/// The `.wasm` in one of cargo's messages, when it is of this package.
fn artifact(line: &str, manifest: &Path) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let ours = message["reason"] == "compiler-artifact" && message["manifest_path"].as_str().map(Path::new) == Some(manifest);
    let files = ours.then(|| message["filenames"].as_array())??;
    files.iter().filter_map(Value::as_str).map(PathBuf::from).find(|f| f.extension().is_some_and(|e| e == "wasm"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_module_of_the_package_counts() {
        let line = |manifest: &str, file: &str| {
            format!(r#"{{"reason":"compiler-artifact","manifest_path":"{manifest}","filenames":["/t/liba.rlib","{file}"]}}"#)
        };
        let manifest = Path::new("/p/Cargo.toml");
        assert_eq!(artifact(&line("/p/Cargo.toml", "/t/a.wasm"), manifest), Some(PathBuf::from("/t/a.wasm")));
        assert_eq!(artifact(&line("/dep/Cargo.toml", "/t/b.wasm"), manifest), None);
        assert_eq!(artifact(&line("/p/Cargo.toml", "/t/a.so"), manifest), None);
        assert_eq!(artifact("   Compiling", manifest), None);
    }

    #[test]
    fn a_workspace_is_told_from_a_package() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join("Cargo.toml");
        std::fs::write(&manifest, "[workspace]\n").unwrap();
        assert!(package_name(&manifest, dir.path()).unwrap_err().causes[0].contains("workspace"));
        std::fs::write(&manifest, "[package]\nname = 'a-b'\n").unwrap();
        assert_eq!(package_name(&manifest, dir.path()).unwrap(), "a-b");
    }
}
