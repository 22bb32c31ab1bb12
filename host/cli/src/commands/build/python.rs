//! Projects in Python: the SDK's own builder makes the component, by componentize-py.
//!
//! The builder is a part of the package `tidemill`, so that it and the SDK in the component are of one version. It is asked of the first
//! Python that has it: the project's environment, the active one, the one on the path.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Built, Project};
use crate::console;
use crate::fault::{Fault, Outcome};

/// The file that marks a project in Python.
pub(super) const MARK: &str = "pyproject.toml";

/// The module that builds components.
const BUILDER: &str = "tidemill.build";

/// What makes an environment in which projects are built.
const INSTALL: &str = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' in the project's folder";

/// Has the project built in a folder of its own, and takes the component from there.
pub(super) fn build(project: &Project<'_>) -> Outcome<Built> {
    let name = project_name(&project.dir.join(MARK), project.shown)?;
    let python = find(&project.dir)?;
    let staging = std::env::temp_dir().join(format!("tidemill-python-{}", std::process::id()));
    let made = staging.join("job.wasm");
    let component = run(&python, &project.dir, &made)
        .and_then(|()| std::fs::read(&made).map_err(|e| Fault::failed(format!("cannot read what {BUILDER} made of {name}")).because(&e)));
    // The component or the first error is what matters; a folder of the system's own is left to it otherwise.
    let _ = std::fs::remove_dir_all(&staging);
    Ok(Built { name, component: component? })
}

fn project_name(manifest: &Path, shown: &Path) -> Outcome<String> {
    let text = std::fs::read_to_string(manifest)
        .map_err(|e| Fault::failed(format!("{} has a {MARK} that cannot be read", shown.display())).because(&e))?;
    let unnamed = |why: String| {
        Fault::failed(format!("{} has a {MARK} that gives the project no name", shown.display()))
            .cause(why)
            .hint("write name = \"...\" under [project]")
    };
    let manifest: toml::Table = toml::from_str(&text).map_err(|e: toml::de::Error| unnamed(e.message().to_owned()))?;
    let name = manifest.get("project").and_then(|p| p.get("name")).and_then(toml::Value::as_str);
    name.map(str::to_owned).ok_or_else(|| unnamed("there is none".to_owned()))
}

/// The first Python that has the builder.
fn find(dir: &Path) -> Outcome<PathBuf> {
    let places = candidates(dir, std::env::var_os("VIRTUAL_ENV").as_deref());
    if let Some(python) = places.iter().find(|python| has_builder(python, dir)) {
        return Ok(python.clone());
    }
    let there: Vec<String> = places.iter().filter(|python| runs(python)).map(|python| python.display().to_string()).collect();
    let fault = match there.as_slice() {
        [] => Fault::failed("there is no python3: not in the project's .venv, and not on the path"),
        there => Fault::failed(format!("no Python here has the package tidemill; asked {}", there.join(", "))),
    };
    Err(fault.hint(INSTALL))
}

/// Where a Python may be, the nearest first.
fn candidates(dir: &Path, active: Option<&OsStr>) -> Vec<PathBuf> {
    let environments = std::iter::once(dir.join(".venv")).chain(active.map(PathBuf::from));
    let in_environments = environments.flat_map(|environment| [environment.join("bin/python3"), environment.join("Scripts/python.exe")]);
    in_environments.chain([PathBuf::from("python3")]).collect()
}

fn runs(python: &Path) -> bool {
    quiet(Command::new(python).arg("--version"))
}

/// Asked in the project's folder, for a project may lie beside its SDK.
fn has_builder(python: &Path, dir: &Path) -> bool {
    quiet(Command::new(python).current_dir(dir).args(["-c", &format!("import {BUILDER}")]))
}

fn quiet(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs the builder; what it says is passed on, or is the error.
fn run(python: &Path, dir: &Path, made: &Path) -> Outcome<()> {
    let mut builder = Command::new(python);
    builder.current_dir(dir).args(["-m", BUILDER]).arg(dir).arg("--output").arg(made);
    let output = builder
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .map_err(|e| Fault::failed(format!("cannot run {}", python.display())).because(&e))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(fault_of(&said));
    }
    // What the job's module printed while it was imported.
    said.lines().for_each(console::note);
    Ok(())
}

/// The builder's error as one of ours: `error: ...`, perhaps `hint: ...`, and lines of the compiler between them.
fn fault_of(said: &str) -> Fault {
    let (mut message, mut hint, mut causes) = (None, None, Vec::new());
    for line in said.lines().filter(|line| !line.trim().is_empty()) {
        match (line.strip_prefix("error: "), line.strip_prefix("hint: ")) {
            (Some(text), _) if message.is_none() => message = Some(text.to_owned()),
            (_, Some(text)) => hint = Some(text.to_owned()),
            _ => causes.push(line.to_owned()),
        }
    }
    let mut fault = Fault::failed(message.unwrap_or_else(|| "the project does not build".to_owned()));
    if !causes.is_empty() {
        fault = fault.cause(causes.join("\n"));
    }
    fault.maybe_hint(hint)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_own_environment_comes_first() {
        let places = candidates(Path::new("/p"), Some(OsStr::new("/active")));
        assert_eq!(places[0], Path::new("/p/.venv/bin/python3"));
        assert!(places.iter().position(|p| p == Path::new("/active/bin/python3")) < places.iter().position(|p| p == Path::new("python3")));
    }

    #[test]
    fn what_the_builder_says_is_the_error() {
        let fault = fault_of("error: a does not build\nTraceback\n  job.py, line 3\n");
        assert_eq!(
            (fault.message.as_str(), fault.causes.as_slice()),
            ("a does not build", &["Traceback\n  job.py, line 3".to_owned()][..])
        );
        let fault = fault_of("error: there is no componentize-py\nhint: pip install it\n");
        assert_eq!((fault.message.as_str(), fault.hint.as_deref()), ("there is no componentize-py", Some("pip install it")));
        assert_eq!(fault_of("").message, "the project does not build");
    }

    #[test]
    fn a_project_without_a_name_is_told_how_to_get_one() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join(MARK);
        std::fs::write(&manifest, "[tool.x]\n").unwrap();
        assert!(project_name(&manifest, dir.path()).unwrap_err().message.contains("no name"));
        std::fs::write(&manifest, "[project]\nname = 'a-b'\n").unwrap();
        assert_eq!(project_name(&manifest, dir.path()).unwrap(), "a-b");
    }
}
