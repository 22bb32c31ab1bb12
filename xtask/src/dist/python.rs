//! Guests in Python: `tests/guests/python/NAME/app.py`, one folder against the bare contract.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::{c, deliver, kept, output};
use crate::process;
use crate::setup::python;
use crate::workspace::{CONTRACT, WORLD, Workspace};

const FOLDER: &str = "tests/guests/python";

/// Builds all of them; answers the components.
pub(super) fn build(workspace: &Workspace) -> Result<Vec<PathBuf>> {
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
    let folder = workspace.cache().join("guests");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let made = folder.join(format!("python-{name}.part"));
    let mut compiler = Command::new(python::compiler(workspace));
    compiler.current_dir(source).arg("-d").arg(wit).args(["-w", WORLD, "componentize", "app", "-s", "-o"]).arg(&made);
    process::run_quiet(&mut compiler, &format!("compiling {FOLDER}/{name}/app.py"))?;
    let component = fs::read(&made).with_context(|| format!("cannot read {}", made.display()))?;
    fs::remove_file(&made).with_context(|| format!("cannot remove {}", made.display()))?;
    Ok(component)
}
