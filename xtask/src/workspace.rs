//! Where things are: the workspace, its packages as `cargo metadata` tells them, and the cache outside of the tree.
//!
//! Promise: paths handed out are absolute. Nothing is created by asking for a path.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process;

/// The folder of the contract that guests in C and Python are built against, from the workspace root.
pub(crate) const CONTRACT: &str = "wit/tidemill-job@0.1.0";

/// The folders of all contracts, oldest first.
pub(crate) const CONTRACTS: [&str; 2] = [CONTRACT, "wit/tidemill-job@0.2.0"];

/// The world of [`CONTRACT`] that a job exports.
pub(crate) const WORLD: &str = "job";

/// The checkout that the tasks work on.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    cache: PathBuf,
}

impl Workspace {
    /// Finds the workspace of the running task: cargo says where the `xtask` package lies; without cargo it is searched
    /// from the current directory upward.
    pub(crate) fn find() -> Result<Self> {
        let root = match env::var_os("CARGO_MANIFEST_DIR") {
            Some(package) => Path::new(&package).parent().map(Path::to_path_buf),
            None => env::current_dir()?.ancestors().find(|dir| dir.join("xtask/Cargo.toml").is_file()).map(Path::to_path_buf),
        };
        let root = root.context("no workspace here: run `cargo xtask` inside a checkout of the repository")?;
        Ok(Workspace { root, cache: cache_dir()? })
    }

    /// The root of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where downloads, tools and guest builds are kept between runs and checkouts.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// What `dist` makes.
    pub(crate) fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// The binary that `dist` makes.
    pub(crate) fn binary(&self) -> PathBuf {
        self.dist().join("tidemill")
    }

    /// The folder that holds one folder of guests per language.
    pub(crate) fn guests(&self) -> PathBuf {
        self.dist().join("guests")
    }

    /// The tools folder in the form `cargo install --root` wants.
    pub(crate) fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }

    /// The virtual environment with the Python guest compiler.
    pub(crate) fn python_env(&self) -> PathBuf {
        self.cache.join("python")
    }

    /// `path` relative to the root, for messages.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    /// A cargo command that runs in the root.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        command
    }

    /// The members of the workspace and the target directory.
    pub(crate) fn metadata(&self) -> Result<Metadata> {
        let mut command = self.cargo();
        command.args(["metadata", "--format-version", "1", "--no-deps"]);
        let text = process::capture(&mut command, "reading the workspace by `cargo metadata`")?;
        serde_json::from_str(&text).context("`cargo metadata` answered something that is not its format 1")
    }
}

/// `$TIDEMILL_CACHE`, else `$XDG_CACHE_HOME/tidemill`, else `~/.cache/tidemill`.
fn cache_dir() -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let dir = set("TIDEMILL_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("tidemill")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/tidemill")));
    match dir {
        Some(dir) => std::path::absolute(&dir).with_context(|| format!("cannot make {} absolute", dir.display())),
        None => bail!("no place for the cache: set TIDEMILL_CACHE or HOME"),
    }
}

/// What `cargo metadata --no-deps` says, as far as the tasks read it.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// The members of the workspace.
    pub(crate) packages: Vec<Package>,
    /// Where cargo builds the host.
    pub(crate) target_directory: PathBuf,
}

/// One member.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its `Cargo.toml`.
    pub(crate) manifest_path: PathBuf,
    /// Its direct dependencies of every kind.
    pub(crate) dependencies: Vec<Dependency>,
    /// What is built of it.
    pub(crate) targets: Vec<Target>,
}

impl Package {
    /// The folder of the package, relative to `root`, with forward slashes.
    pub(crate) fn folder(&self, root: &Path) -> String {
        let dir = self.manifest_path.parent().unwrap_or(&self.manifest_path);
        dir.strip_prefix(root).unwrap_or(dir).to_string_lossy().replace('\\', "/")
    }
}

/// One entry of a dependency table.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The package depended on.
    pub(crate) name: String,
    /// Its folder when it is on this disk, so a member.
    pub(crate) path: Option<PathBuf>,
}

/// One target of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    /// Its name.
    pub(crate) name: String,
    /// `lib`, `cdylib`, `bin`, ...
    pub(crate) kind: Vec<String>,
}
