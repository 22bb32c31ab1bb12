//! Guests in Go: modules of their own that take the SDK from this checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::{deliver, kept, output, pack, projects};
use crate::process;
use crate::setup::go;
use crate::workspace::Workspace;

const SDK: &str = "guest-sdk/go";
/// The SDK's copy of the contract, by which its projects are packed.
const WIT: &str = "guest-sdk/go/wit";

/// As `tidemill build` compiles: names stay for the trace of a trap, paths of this machine do not.
const FLAGS: [&str; 4] = ["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-w"];

/// Builds all of them; answers the components.
pub(super) fn build(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let Some(compiler) = go::compiler(workspace) else { bail!("no Go compiler: run `cargo xtask setup --lang go`") };
    let recipe = format!("{} {} {}", go::version(&compiler)?, FLAGS.join(" "), pack::STUB);
    let wit = workspace.root().join(WIT);
    let mut outputs = Vec::new();
    for (name, source) in projects(workspace, "go", "go.mod")? {
        let begun = Instant::now();
        let source = workspace.root().join(source);
        let inputs = kept::Inputs::of(&recipe).folder(&source)?.folder(&workspace.root().join(SDK))?.folder(&wit)?;
        let component = kept::component(workspace, &format!("go-{name}"), inputs, || compile(workspace, &compiler, &source, &wit))?;
        let path = output(workspace, "go", &name);
        deliver(workspace, &path, &component, begun)?;
        outputs.push(path);
    }
    Ok(outputs)
}

fn compile(workspace: &Workspace, compiler: &Path, source: &Path, wit: &Path) -> Result<Vec<u8>> {
    let folder = workspace.cache().join("guests");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let module = folder.join("go.core");
    let shown = workspace.shown(source);
    let mut go = Command::new(compiler);
    go.current_dir(source).env("GOOS", "wasip1").env("GOARCH", "wasm").args(FLAGS).arg("-o").arg(&module).arg(".");
    process::run(&mut go, &format!("compiling {shown}"))?;
    let bytes = fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    fs::remove_file(&module).with_context(|| format!("cannot remove {}", module.display()))?;
    pack::component_of_wasi(bytes, wit).with_context(|| format!("{shown} does not make a component"))
}
