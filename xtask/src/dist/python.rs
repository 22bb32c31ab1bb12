//! Guests in Python: projects by the SDK's own builder, and `tests/guests/python/NAME/app.py` against the bare contract.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::{c, deliver, kept, output, projects};
use crate::process;
use crate::setup::python;
use crate::workspace::{CONTRACT, WORLD, Workspace};

const FOLDER: &str = "tests/guests/python";
const SDK: &str = "guest-sdk/python/src";
/// The SDK's copy of the contract, by which it builds.
const WIT: &str = "guest-sdk/python/wit";

/// Builds all of them; answers the components.
pub(super) fn build(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut outputs = bare(workspace)?;
    outputs.extend(with_sdk(workspace)?);
    Ok(outputs)
}

fn bare(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let folder = workspace.root().join(FOLDER);
    let wit = workspace.root().join(CONTRACT);
    let mut outputs = Vec::new();
    for name in c::names(&folder, "app.py")? {
        let begun = Instant::now();
        let source = folder.join(&name);
        let inputs = kept::Inputs::of(&format!("{} -s", python::version(workspace)?)).folder(&source)?.folder(&wit)?;
        let component = kept::component(workspace, &format!("python-{name}"), inputs, || compile(workspace, &name, &source, &wit))?;
        let path = output(workspace, "python", &name);
        deliver(workspace, &path, &component, begun)?;
        outputs.push(path);
    }
    Ok(outputs)
}

/// `-s` stubs WASI out: the component imports the host's interface and nothing else.
fn compile(workspace: &Workspace, name: &str, source: &Path, wit: &Path) -> Result<Vec<u8>> {
    super::say(&format!("componentize-py compiles {FOLDER}/{name}/app.py, which takes up to a minute"));
    made(workspace, name, |made| {
        let mut compiler = Command::new(python::compiler(workspace));
        compiler.current_dir(source).arg("-d").arg(wit).args(["-w", WORLD, "componentize", "app", "-s", "-o"]).arg(made);
        process::run_quiet(&mut compiler, &format!("compiling {FOLDER}/{name}/app.py"))
    })
}

/// What is written with the SDK.
fn with_sdk(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let sdk = workspace.root().join(SDK);
    let mut outputs = Vec::new();
    for (name, source) in projects(workspace, "python", "pyproject.toml")? {
        let begun = Instant::now();
        let source = workspace.root().join(source);
        let inputs = kept::Inputs::of(&format!("{} tidemill.build", python::version(workspace)?)).folder(&source)?.folder(&sdk)?;
        let inputs = inputs.folder(&workspace.root().join(WIT))?;
        let component = kept::component(workspace, &format!("python-{name}"), inputs, || project(workspace, &name, &source, &sdk))?;
        let path = output(workspace, "python", &name);
        deliver(workspace, &path, &component, begun)?;
        outputs.push(path);
    }
    Ok(outputs)
}

/// What `tidemill build` does, by the SDK of this checkout.
fn project(workspace: &Workspace, name: &str, source: &Path, sdk: &Path) -> Result<Vec<u8>> {
    super::say(&format!("the Python SDK builds {}, which takes up to a minute", workspace.shown(source)));
    made(workspace, name, |made| {
        let mut builder = Command::new(python::interpreter(workspace));
        builder.env("PYTHONPATH", sdk).env("PYTHONDONTWRITEBYTECODE", "1").args(["-m", "tidemill.build"]).arg(source).arg("-o").arg(made);
        process::run_quiet(&mut builder, &format!("building {}", workspace.shown(source)))
    })
}

/// The component that `make` writes to a file beside the kept ones.
fn made(workspace: &Workspace, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<Vec<u8>> {
    let folder = workspace.cache().join("guests");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let made = folder.join(format!("python-{name}.part"));
    make(&made)?;
    let component = fs::read(&made).with_context(|| format!("cannot read {}", made.display()))?;
    fs::remove_file(&made).with_context(|| format!("cannot remove {}", made.display()))?;
    Ok(component)
}
