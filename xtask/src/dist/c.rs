//! Guests in C: projects with the SDK, and `tests/guests/c/NAME/guest.c`, one file against the bare contract.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::{deliver, kept, output, pack, projects};
use crate::process;
use crate::setup::c::CLANG;
use crate::workspace::{CONTRACT, Workspace};

const FOLDER: &str = "tests/guests/c";
const SDK: &str = "guest-sdk/c";
/// The SDK's copy of the contract, by which its projects are packed.
const WIT: &str = "guest-sdk/c/wit";

/// What every file is compiled with; the SDK promises to pass all of the warnings.
const COMPILE: [&str; 9] =
    ["--target=wasm32-wasi", "-std=c11", "-O3", "-msimd128", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Iguest-sdk/c"];
/// The checks that `tidemill build` makes in a job's own files.
const CHECKS: [&str; 2] = ["-fsanitize=null,integer-divide-by-zero,bounds,unreachable,return", "-fno-sanitize-recover=all"];
/// A reactor: the module has exports and no `main`. Names stay, so that the backtrace of a trap can be read.
const LINK: [&str; 4] = ["--target=wasm32-wasi", "-O3", "-mexec-model=reactor", "-Wl,--strip-debug"];
/// The bare guests are one file and one command.
const BARE: [&str; 4] = ["--target=wasm32-wasi", "-O3", "-mexec-model=reactor", "-Wl,--strip-all"];

/// Builds all of them; answers the components.
pub(super) fn build(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let wit = workspace.root().join(CONTRACT);
    let mut outputs = Vec::new();
    for name in names(&workspace.root().join(FOLDER), "guest.c")? {
        let begun = Instant::now();
        let recipe = format!("{CLANG} {}", BARE.join(" "));
        let inputs = kept::Inputs::of(&recipe).folder(&workspace.root().join(FOLDER))?.folder(&wit)?;
        let component = kept::component(workspace, &format!("c-{name}"), inputs, || {
            let source = format!("{FOLDER}/{name}/guest.c");
            let mut clang = clang(workspace);
            clang.args(BARE).arg(&source);
            pack(workspace, clang, &name, &source, &wit)
        })?;
        let path = output(workspace, "c", &name);
        deliver(workspace, &path, &component, begun)?;
        outputs.push(path);
    }
    let wit = workspace.root().join(WIT);
    for (name, source) in projects(workspace, "c", "job.c")? {
        let begun = Instant::now();
        let recipe = format!("{CLANG} {} {} {}", COMPILE.join(" "), CHECKS.join(" "), LINK.join(" "));
        let inputs =
            kept::Inputs::of(&recipe).folder(&workspace.root().join(&source))?.folder(&workspace.root().join(SDK))?.folder(&wit)?;
        let component = kept::component(workspace, &format!("c-{name}"), inputs, || compile(workspace, &name, &source, &wit))?;
        let path = output(workspace, "c", &name);
        ensure!(!outputs.contains(&path), "an example and a guest of the tests are both called {name}: rename one");
        deliver(workspace, &path, &component, begun)?;
        outputs.push(path);
    }
    Ok(outputs)
}

fn clang(workspace: &Workspace) -> Command {
    let mut clang = Command::new(CLANG);
    clang.current_dir(workspace.root());
    clang
}

/// Compiles a project as `tidemill build` does: the job's own files with checks that end with file and line, the SDK's without.
fn compile(workspace: &Workspace, name: &str, project: &str, wit: &Path) -> Result<Vec<u8>> {
    let folder = workspace.root().join(project);
    let mut sources = vec![format!("{SDK}/tidemill.c")];
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if file.ends_with(".c") && !file.starts_with("test_") {
            sources.push(format!("{project}/{file}"));
        }
    }
    sources.sort();
    let objects = workspace.cache().join("guests").join(format!("c-{name}.objects"));
    fs::create_dir_all(&objects).with_context(|| format!("cannot create {}", objects.display()))?;
    let mut link = clang(workspace);
    link.args(LINK);
    for (number, source) in sources.iter().enumerate() {
        let object = objects.join(format!("{number}.o"));
        let mut clang = clang(workspace);
        clang.args(COMPILE);
        if !source.starts_with(SDK) {
            clang.args(CHECKS);
        }
        process::run(clang.arg("-c").arg("-o").arg(&object).arg(source), &format!("compiling {source}"))?;
        link.arg(&object);
    }
    let component = pack(workspace, link, name, project, wit);
    fs::remove_dir_all(&objects).with_context(|| format!("cannot remove {}", objects.display()))?;
    component
}

/// Runs a command that makes a core module, and packs what it made.
fn pack(workspace: &Workspace, mut command: Command, name: &str, source: &str, wit: &Path) -> Result<Vec<u8>> {
    let folder = workspace.cache().join("guests");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let module = folder.join(format!("c-{name}.core"));
    process::run(command.arg("-o").arg(&module), &format!("linking {source}"))?;
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
