//! Guests in TypeScript and JavaScript, built by the SDK's own script.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};

use super::{deliver, kept, output, projects};
use crate::process;
use crate::setup::js::{self, Node, SDK};
use crate::workspace::Workspace;

/// The languages that are built here, as the folders of projects are called.
const LANGUAGES: [&str; 2] = ["js", "ts"];

/// Builds all of them; answers the components.
pub(super) fn build(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let node = js::node(workspace).context("no Node.js for guests in TypeScript and JavaScript: run `cargo xtask setup --lang js`")?;
    sdk(workspace, &node)?;
    let sdk = workspace.root().join(SDK);
    let mut outputs = Vec::new();
    for (language, name, folder) in find(workspace)? {
        let begun = Instant::now();
        let inputs = kept::Inputs::of(&js::recipe(workspace)?).folder(&workspace.root().join(&folder).join("src"))?;
        let inputs = inputs.folder(&sdk.join("src"))?.folder(&sdk.join("bin"))?.folder(&sdk.join("wit"))?;
        let component = kept::component(workspace, &format!("{language}-{name}"), inputs, || compile(workspace, &node, &folder))?;
        let path = output(workspace, language, &name);
        deliver(workspace, &path, &component, begun)?;
        outputs.push(path);
    }
    Ok(outputs)
}

/// Compiles the SDK, of which the repository holds the sources only.
fn sdk(workspace: &Workspace, node: &Node) -> Result<()> {
    let mut npm = node.command("npm");
    npm.current_dir(workspace.root().join(SDK)).args(["run", "--silent", "build"]);
    process::run_quiet(&mut npm, &format!("compiling {SDK}"))
}

/// The language, name and folder of each.
fn find(workspace: &Workspace) -> Result<Vec<(&'static str, String, String)>> {
    let mut found = Vec::new();
    for language in LANGUAGES {
        found.extend(projects(workspace, language, "package.json")?.into_iter().map(|(name, folder)| (language, name, folder)));
    }
    Ok(found)
}

/// The types are checked with the SDK's tests, for the projects have no packages of their own here.
fn compile(workspace: &Workspace, node: &Node, folder: &str) -> Result<Vec<u8>> {
    let kept = workspace.cache().join("guests");
    fs::create_dir_all(&kept).with_context(|| format!("cannot create {}", kept.display()))?;
    let made = kept.join(format!("{}.part", folder.replace('/', "-")));
    let mut script = node.command("node");
    script
        .current_dir(workspace.root())
        .arg(format!("{SDK}/bin/tidemill-js.mjs"))
        .args(["build", folder, "--no-check", "--output"])
        .arg(&made);
    process::run_quiet(&mut script, &format!("compiling {folder}"))?;
    let component = fs::read(&made).with_context(|| format!("cannot read {}", made.display()))?;
    fs::remove_file(&made).with_context(|| format!("cannot remove {}", made.display()))?;
    Ok(component)
}
