//! Guests in C: `tests/guests/c/NAME/guest.c`, one file against the bare contract.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::{deliver, kept, output, pack};
use crate::process;
use crate::setup::c::CLANG;
use crate::workspace::{CONTRACT, Workspace};

const FOLDER: &str = "tests/guests/c";

/// A reactor: the module has exports and no `main`. Only the allocator of wasi-libc is used, so nothing of WASI is left.
const FLAGS: [&str; 4] = ["--target=wasm32-wasi", "-O3", "-mexec-model=reactor", "-Wl,--strip-all"];

/// Builds all of them; answers the components.
pub(super) fn build(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let wit = workspace.root().join(CONTRACT);
    let mut outputs = Vec::new();
    for name in names(&workspace.root().join(FOLDER), "guest.c")? {
        let begun = Instant::now();
        let recipe = format!("{CLANG} {}", FLAGS.join(" "));
        let inputs = kept::Inputs::of(&recipe).folder(&workspace.root().join(FOLDER))?.folder(&wit)?;
        let component = kept::component(workspace, &format!("c-{name}"), inputs, || compile(workspace, &name, &wit))?;
        let path = output(workspace, "c", &name);
        deliver(workspace, &path, &component, begun)?;
        outputs.push(path);
    }
    Ok(outputs)
}

fn compile(workspace: &Workspace, name: &str, wit: &Path) -> Result<Vec<u8>> {
    let source = format!("{FOLDER}/{name}/guest.c");
    let folder = workspace.cache().join("guests");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let module = folder.join(format!("c-{name}.core"));
    let mut clang = Command::new(CLANG);
    clang.current_dir(workspace.root()).args(FLAGS).arg("-o").arg(&module).arg(&source);
    process::run(&mut clang, &format!("compiling {source}"))?;
    let bytes = fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    fs::remove_file(&module).with_context(|| format!("cannot remove {}", module.display()))?;
    pack::component_of_world(bytes, wit).with_context(|| format!("{source} does not make a component"))
}

/// The folders below `folder` that hold `file`, in order; none when there is no such folder.
pub(super) fn names(folder: &Path, file: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let entry = entry?;
            if entry.path().join(file).is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}
