//! The tests of the Python SDK: style, types, and its tests natively and in the host; and its package.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::setup::python;
use crate::workspace::Workspace;

const SDK: &str = "guest-sdk/python";

/// Runs them; the binary and the guests are those of `dist`.
pub(super) fn test(workspace: &Workspace) -> Result<()> {
    python::setup_tests(workspace)?;
    let examples = workspace.root().join("examples");
    let matrix = workspace.root().join("tests/matrix/python");
    let run = |what: &str, arguments: &[&str]| {
        let mut command = command(workspace);
        command.args(arguments);
        process::run(&mut command, what)
    };
    run("checking the layout of the Python SDK", &["-m", "ruff", "format", "--check", "src", "tests", text(&examples)?, text(&matrix)?])?;
    run("checking the style of the Python SDK", &["-m", "ruff", "check", "src", "tests"])?;
    // What an example's functions do is said by their names and types.
    let examples_style = ["-m", "ruff", "check", "--config", "pyproject.toml", "--ignore", "D1", text(&examples)?, text(&matrix)?];
    run("checking the style of the examples in Python", &examples_style)?;
    // Pyright and mypy are among the tests, and so are the tests of the examples.
    // Apart, since files of both have the same names.
    run("testing the Python SDK", &["-m", "pytest", "tests/unit"])?;
    run("testing the Python SDK in the host", &["-m", "pytest", "tests/host"])
}

/// Builds what PyPI would be given, and checks it.
pub(super) fn package(workspace: &Workspace) -> Result<()> {
    python::setup_tests(workspace)?;
    let package = workspace.cache().join("python-package");
    if package.exists() {
        std::fs::remove_dir_all(&package).with_context(|| format!("cannot remove {}", package.display()))?;
    }
    let mut build = command(workspace);
    build.args(["-m", "build", "--outdir"]).arg(&package);
    process::run_quiet(&mut build, "packaging the Python SDK")?;
    let mut built: Vec<_> = std::fs::read_dir(&package)
        .with_context(|| format!("cannot list {}", package.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    built.sort();
    let mut twine = command(workspace);
    twine.args(["-m", "twine", "check", "--strict"]).args(&built);
    process::run(&mut twine, "checking the package of the Python SDK")
}

/// The interpreter of the cache in the SDK's folder, with what its tests ask for.
fn command(workspace: &Workspace) -> Command {
    let sdk = workspace.root().join(SDK);
    let mut command = Command::new(python::interpreter(workspace));
    command.env("PYTHONPATH", sdk.join("src")).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(sdk);
    command.env("TIDEMILL_BIN", workspace.binary()).env("TIDEMILL_GUESTS", workspace.guests());
    command
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is no UTF-8", path.display()))
}
