//! The tests of the SDK for TypeScript and JavaScript and of its examples, run by Node.

use anyhow::{Context, Result};

use crate::process;
use crate::setup::js::{self, SDK};
use crate::workspace::Workspace;

/// What is run in the SDK's folder: types of sources, tests and examples, then all tests. What would be published is one of them.
const SCRIPTS: [&str; 2] = ["check", "test"];

/// Runs them.
pub(super) fn test(workspace: &Workspace) -> Result<()> {
    let node = js::node(workspace).context("no Node.js for the tests of the SDK: run `cargo xtask setup --lang js`")?;
    for script in SCRIPTS {
        let mut npm = node.command("npm");
        npm.current_dir(workspace.root().join(SDK)).args(["run", "--silent", script]);
        process::run(&mut npm, &format!("{script} of {SDK}"))?;
    }
    Ok(())
}
