//! The Go SDK's own checks: format, vet for the machine and for the component, its tests, and those of the examples in Go and of the
//! project that `tidemill new` makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::setup::go;
use crate::workspace::Workspace;

const SDK: &str = "guest-sdk/go";
const EXAMPLES: &str = "examples";
const MATRIX: &str = "tests/matrix/go";
const TEMPLATE: &str = "host/cli/templates/go";

/// Runs all of them, the SDK's first.
pub(super) fn test(workspace: &Workspace) -> Result<()> {
    let Some(compiler) = go::compiler(workspace) else { bail!("no Go compiler: run `cargo xtask setup --lang go`") };
    for module in modules(workspace)? {
        let shown = workspace.shown(&module);
        formatted(&compiler, &module, &shown)?;
        // `-mod=readonly` is the default where no vendor folder is; a go.sum that lacks an entry fails here.
        process::run(in_module(&compiler, &module).args(["mod", "verify"]), &format!("verifying the dependencies of {shown}"))?;
        process::run(in_module(&compiler, &module).args(["vet", "./..."]), &format!("vetting {shown}"))?;
        let mut vet = in_module(&compiler, &module);
        vet.env("GOOS", "wasip1").env("GOARCH", "wasm").args(["vet", "./..."]);
        process::run(&mut vet, &format!("vetting {shown} for the component"))?;
        process::run(in_module(&compiler, &module).args(["test", "./..."]), &format!("testing {shown}"))?;
    }
    Ok(())
}

/// Vets the module as its users get it: `go.mod` and `go.sum` are tidy, and it is a module for both sides of the border.
pub(super) fn vet_package(workspace: &Workspace) -> Result<()> {
    let Some(compiler) = go::compiler(workspace) else { bail!("no Go compiler: run `cargo xtask setup --lang go`") };
    let module = workspace.root().join(SDK);
    process::run_quiet(in_module(&compiler, &module).args(["mod", "tidy", "-diff"]), "looking whether go.mod of the Go SDK is tidy")?;
    process::run(in_module(&compiler, &module).args(["vet", "./..."]), "vetting the Go SDK")?;
    let mut vet = in_module(&compiler, &module);
    process::run(vet.env("GOOS", "wasip1").env("GOARCH", "wasm").args(["vet", "./..."]), "vetting the Go SDK for the component")
}

/// The SDK, the examples and the language matrix.
fn modules(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut modules = vec![workspace.root().join(SDK)];
    let examples = workspace.root().join(EXAMPLES);
    let mut folders = examples.read_dir()?.collect::<std::io::Result<Vec<_>>>()?;
    folders.sort_by_key(std::fs::DirEntry::file_name);
    modules.extend(folders.iter().map(|folder| folder.path().join("go")).filter(|module| module.join("go.mod").is_file()));
    modules.push(workspace.root().join(MATRIX));
    modules.push(project(workspace)?);
    Ok(modules)
}

/// A project as `tidemill new` makes it, with the SDK of this checkout.
fn project(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.cache().join("guests/go-project");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let sdk = "github.com/tidemill/tidemill/guest-sdk/go";
    let requirement = format!("require {sdk} v0.0.0\n\nreplace {sdk} => {:?}", workspace.root().join(SDK).display().to_string());
    for name in ["go.mod", "go.sum", "job.go", "job_test.go"] {
        let source = workspace.root().join(TEMPLATE).join(format!("{name}.in"));
        let text = fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
        let text = text.replace("{{name}}", "go-project").replace("{{sdk}}", &requirement);
        fs::write(folder.join(name), text).with_context(|| format!("cannot write into {}", folder.display()))?;
    }
    Ok(folder)
}

fn in_module(compiler: &Path, module: &Path) -> Command {
    let mut command = Command::new(compiler);
    command.current_dir(module);
    command
}

/// gofmt lists the files that it would change, and ends well either way.
fn formatted(compiler: &Path, module: &Path, shown: &str) -> Result<()> {
    let root = process::capture(in_module(compiler, module).args(["env", "GOROOT"]), "asking go for its root")?;
    let mut gofmt = Command::new(Path::new(root.trim()).join("bin/gofmt"));
    let unlike = process::capture(gofmt.arg("-l").arg(module), "running gofmt")?;
    if !unlike.trim().is_empty() {
        bail!("{shown} is not formatted; run `gofmt -w {shown}`:\n{}", unlike.trim());
    }
    Ok(())
}
